"""JSON lines on one stream: the runtime's events by structlog, and what libraries log or warn, in the same
shape.

`request_id` is set by the transport that took the request, `trace_id` where it is traced; both appear in every event
told on its behalf.
Features, values and URIs with credentials are never logged.
"""

import logging
import sys
import warnings
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, TextIO

import orjson
import structlog

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)

Event = MutableMapping[str, Any]

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(level: str, stream: TextIO = sys.stdout, worker: int | None = None) -> None:
    """Send everything to `stream`; called once, before anything is logged. `worker` is the number of this process,
    where several serve.
    """
    threshold = LEVELS.get(level, logging.INFO)
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        _add_ids,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        *([] if worker is None else [_numbered(worker)]),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_dump)],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    _adopt_standard_library(shared, threshold, stream)


def _adopt_standard_library(shared: list[structlog.typing.Processor], threshold: int, stream: TextIO) -> None:
    """Loggers and warnings of libraries (uvicorn, sklearn, xgboost) join the same stream."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_dump),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(True)
    warnings.simplefilter("default")


def _add_ids(_logger: Any, _method: str, event: Event) -> Event:
    for variable in (request_id, trace_id):
        current = variable.get()
        if current is not None:
            event.setdefault(variable.name, current)
    return event


def _numbered(worker: int) -> structlog.typing.Processor:
    def add(_logger: Any, _method: str, event: Event) -> Event:
        event["worker"] = worker
        return event

    return add


def _dump(event: Event, **_options: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def fatal(reason: str, message: str) -> None:
    """The last line of a process that gives up."""
    structlog.get_logger().error("giving up", reason=reason, message=message)
