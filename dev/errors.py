"""One error for whatever a person has to read and mend."""

from pathlib import Path


class DevError(Exception):
    """Its text is shown as it is, without a trace: it names what failed and what to do."""


def tail(log: Path, lines: int = 15) -> str:
    """The end of a log file, for error messages."""
    if not log.exists():
        return f"(no {log})"
    text = log.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join([f"--- the end of {log}:", *text])
