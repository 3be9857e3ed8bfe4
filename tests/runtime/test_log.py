"""Logs are JSON lines of one shape, the libraries' too, and tell the request they belong to."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.runtime.support import environment

PROGRAM = """
import logging, sys, warnings
import structlog
from mlneuron_runtime import log
log.configure("info")
logger = structlog.get_logger()
logger.debug("quiet")
log.request_id.set("req-1")
logger.info("told", rows=3)
try:
    1 / 0
except ZeroDivisionError as error:
    logger.error("model raised", exc_info=error)
logging.getLogger("uvicorn.error").warning("library %s", "said")
logging.getLogger("uvicorn.error").info("chatter")
warnings.warn("careful", UserWarning)
log.fatal("ConfigInvalid", "spec.model.uri: wrong")
"""


def test_everything_logged_is_a_json_line(tmp_path: Path) -> None:
    done = subprocess.run(  # our own program
        [sys.executable, "-c", PROGRAM], env=environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    events: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["level"] for event in events] == ["info", "error", "warning", "warning", "error"]
    assert all(event["timestamp"].endswith("Z") and event["request_id"] == "req-1" for event in events)
    told, raised, said, warned, fatal = events
    assert (told["event"], told["rows"]) == ("told", 3)
    assert "ZeroDivisionError: division by zero" in raised["exception"]
    assert (said["event"], said["logger"]) == ("library said", "uvicorn.error")
    assert "UserWarning: careful" in warned["event"]
    assert (fatal["reason"], fatal["message"]) == ("ConfigInvalid", "spec.model.uri: wrong")
