"""Which transitions are worth an event."""

from typing import Any

import pytest
from mlneuron_operator.conditions import notices


def told(ready: str | None, stalled: str | None = None, warning: str | None = None) -> list[dict[str, Any]]:
    found = []
    if ready:
        found.append({"type": "Ready", "status": ready, "reason": "Any", "message": "ready message"})
    if stalled:
        found.append({"type": "Stalled", "status": "True", "reason": stalled, "message": f"{stalled} message"})
    if warning:
        found.append({"type": "ModelWarning", "status": "True", "reason": warning, "message": "warning message"})
    return found


@pytest.mark.parametrize(
    ("before", "after", "events"),
    [
        (told(None), told("Unknown"), []),
        (told("Unknown"), told("True"), [(False, "Serving")]),
        (told("True"), told("True"), []),
        (told("Unknown"), told("False", "ModelNotFound"), [(True, "ModelNotFound")]),
        (told("False", "ModelNotFound"), told("False", "ModelNotFound"), []),
        (told("False", "ModelNotFound"), told("False", "CrashLoop"), [(True, "CrashLoop")]),
        (told("True"), told("True", "ImagePullFailed"), [(True, "ImagePullFailed")]),
        (told("True"), told("Unknown"), [(True, "NotServing")]),
        (told("True"), told("False", "OutOfMemory"), [(True, "OutOfMemory")]),
        (told("False", "OutOfMemory"), told("True"), [(False, "Serving")]),
        (told("Unknown"), told("True", None, "VersionSkew"), [(False, "Serving"), (True, "VersionSkew")]),
        (told("True", None, "VersionSkew"), told("True", None, "VersionSkew"), []),
        (told("True", None, "VersionSkew"), told("True"), []),
    ],
)
def test_an_event_is_written_only_when_something_changes(before: Any, after: Any, events: Any) -> None:
    assert [(notice.warning, notice.reason) for notice in notices(before, after)] == events
