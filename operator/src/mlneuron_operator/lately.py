"""What pods did in the last few minutes: the difference of what they counted at the ends of a window; pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from .engine.store import Key
from .health import Recent, Sample

WINDOW_SECONDS: Final = 300.0
"""Each end of a window may be a write of a status."""


class Lately:
    """The windows of neurons, one after another. ``now`` is monotonic, in seconds; samples are by their pods' uids."""

    def __init__(self) -> None:
        self._windows: dict[Key, tuple[float, Mapping[str, Sample]]] = {}
        """When each began, and what the pods had told then."""

    def forget(self, key: Key) -> None:
        """No pod of the neuron tells anything any more."""
        self._windows.pop(key, None)

    def look(
        self, key: Key, before: Mapping[str, Sample], after: Mapping[str, Sample], now: float
    ) -> dict[str, Sample]:
        """The newest samples, each with what its pod did in the last whole window; ``before`` are those until now."""
        since, first = self._windows.setdefault(key, (now, after))
        if now - since < WINDOW_SECONDS:
            return {uid: replace(one, recent=_recent(before.get(uid))) for uid, one in after.items()}
        self._windows[key] = now, after
        return {uid: replace(one, recent=one.since(first[uid]) if uid in first else None) for uid, one in after.items()}


def _recent(sample: Sample | None) -> Recent | None:
    return None if sample is None else sample.recent
