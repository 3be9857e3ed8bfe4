"""Predictions that are answered in their connection's own callbacks: where a body has come whole, and nothing goes on
around its request, the task and the messages of ASGI would take longer than the model.

Only what is well is answered so. Whatever else (a fault in the body, a full queue, a server that leaves) is the
endpoint's, which finds the same and says it in the way of its protocol.
"""

from mlneuron_runtime import log
from mlneuron_runtime.batcher import Piece
from mlneuron_runtime.dataplane import DataPlane, Request
from mlneuron_runtime.tensors import rows_of
from mlneuron_runtime.transport.envelope import request_id_of, told_error
from mlneuron_runtime.transport.exchange import Exchange
from mlneuron_runtime.transport.prediction import NOTHING_NAMED, QUICK_BODY, Form, Question, read_quickly
from mlneuron_runtime.transport.wire import check_headers, within

ANY_BODY = 16 * 1024
"""Up to this, reading it and wording its answer hold up nobody, whatever it is."""


class Direct:
    """A form's answers, for `Connection`s to ask for."""

    def __init__(self, plane: DataPlane, form: Form) -> None:
        self.plane, self.form = plane, form

    def takes(self, exchange: Exchange, body: bytes) -> bool:
        """Answer a request some time soon; or leave it as if it had not been seen."""
        plane, form = self.plane, self.form
        if len(body) > QUICK_BODY or plane.draining or not (plane.traffic is None or plane.traffic.idle):
            return False
        try:
            limit = plane.config.serving.max_body_bytes
            check_headers(exchange.headers, limit, form.octets)
            within(body, limit)
            question = read_quickly(form, body, exchange.headers, NOTHING_NAMED)
            if question is None:
                if len(body) > ANY_BODY:
                    exchange.usual = True
                    return False
                question = form.read(body, exchange.headers, NOTHING_NAMED)
            if question.is_long or not rows_of(question.inputs):
                return False
            request = plane.request(form.protocol)
            waiting = Answering(plane, exchange, request, question, plane.limit(question.timeout))
            request.ask(question.inputs, waiting.limit, waiting)
        except Exception:  # it is the endpoint's to say
            return False
        request.enter()
        return True


class Answering:
    """One that waits for the model: acts as a future. `limit` in seconds."""

    __slots__ = ("_exchange", "_plane", "_question", "_request", "_told", "limit")

    def __init__(
        self, plane: DataPlane, exchange: Exchange, request: Request, question: Question, limit: float
    ) -> None:
        self._plane, self._exchange, self._request, self._question = plane, exchange, request, question
        self.limit = limit
        self._told = False

    def done(self) -> bool:
        return self._told

    def set_result(self, pieces: list[Piece], /) -> None:
        self._answer(pieces, None)

    def set_exception(self, error: TimeoutError, /) -> None:
        self._answer([], error)

    def _answer(self, pieces: list[Piece], late: TimeoutError | None) -> None:
        self._told = True
        exchange, request, question = self._exchange, self._request, self._question
        rows, request_id = rows_of(question.inputs), request_id_of(exchange.headers)
        log.request_id.set(request_id.decode())
        status = 200
        try:
            if late is not None:
                request.late(rows, self.limit, late)
            whole = question.told(request.answered(question.served, rows, pieces), None)
            request.failure = whole.failure
        except Exception as error:  # whatever it is, the caller gets the documented shape and the log its trace
            request.leave(error)
            status, whole = told_error(error, exchange.path)
        else:
            request.leave(None)
        exchange.answer(status, whole, request_id, last=self._plane.draining)
