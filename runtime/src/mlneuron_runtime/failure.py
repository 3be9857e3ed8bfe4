"""How a pod tells why it cannot serve: one JSON line in its termination message, and exit code 78
(EX_CONFIG).

The operator reads the line from the container's status and makes a condition of it, so the message names the
field of the manifest, its value and the mend. Secrets never enter it: URLs are stripped of user and query.
"""

import contextlib
import json
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

EXIT_CODE = 78

LONGEST_MESSAGE = 2000
"""Characters: what a condition can still show."""

LONGEST_LINE = 4000
"""Bytes: Kubernetes keeps the last 4096 a container, and half a line of JSON tells nothing."""


class Reason(StrEnum):
    """Why a neuron's pod gave up; the words of the contract with the operator."""

    CONFIG_INVALID = "ConfigInvalid"
    MODEL_NOT_FOUND = "ModelNotFound"
    MODEL_FETCH_FAILED = "ModelFetchFailed"
    MODEL_DIGEST_MISMATCH = "ModelDigestMismatch"
    MODEL_LOAD_FAILED = "ModelLoadFailed"
    MODEL_WARMUP_FAILED = "ModelWarmupFailed"
    MODEL_SIGNATURE_MISMATCH = "ModelSignatureMismatch"


class Fatal(Exception):
    """Nothing this process can do will mend it: the manifest or the artifact has to change."""

    def __init__(self, reason: Reason, message: str) -> None:
        flat = " ".join(message.split())
        super().__init__(flat if len(flat) <= LONGEST_MESSAGE else flat[: LONGEST_MESSAGE - 1] + "…")
        self.reason = reason

    @property
    def message(self) -> str:
        return str(self)


def report(failure: Fatal, termination_log: Path, say: Callable[[str, str], object]) -> int:
    """Write the failure where the kubelet looks for it, say it too, and return the exit code."""
    say(failure.reason, failure.message)
    with contextlib.suppress(OSError):  # outside a pod there is no such file; what was said is all there is
        termination_log.write_bytes(last_words(failure.reason, failure.message))
    return EXIT_CODE


def last_words(reason: Reason, message: str) -> bytes:
    """The line, cut until its bytes fit: a character may take six, escaped."""
    line = json.dumps({"reason": reason, "message": message}, ensure_ascii=False).encode(errors="backslashreplace")
    if len(line) < LONGEST_LINE:
        return line + b"\n"
    return last_words(reason, message[: len(message) * LONGEST_LINE // len(line) - 2] + "…")


def public(uri: str) -> str:
    """The URI without user, password, query and fragment, fit to be shown."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "(an unreadable URI)"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def first_line(error: BaseException) -> str:
    """The error's type and the first line of its text: libraries append stack traces to their messages."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
