"""A prediction over HTTP, in what all protocols have in common: a question is read from a body, the model is asked, and
its answer is put into words. How a protocol reads and words them is its `Form`.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from starlette.types import Receive, Scope, Send

from mlneuron_runtime.answer import Answer
from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.errors import RequestError
from mlneuron_runtime.loading import Served
from mlneuron_runtime.tensors import Inputs, rows_of
from mlneuron_runtime.transport.numbers import Unusual
from mlneuron_runtime.transport.wire import USUAL, Headers, Whole, read_body, send_whole

if TYPE_CHECKING:
    from mlneuron_runtime.traffic.marks import Marks

LARGE_BODY = 64 * 1024
"""Above this, decoding and encoding leave the event loop: other requests go on between their steps."""

QUICK_BODY = 512 * 1024
"""Up to this, what is read quickly is read on the event loop: it takes about half a millisecond."""

SMALL_BODY = 1024
"""Below this, nothing is read faster than in the usual way."""

LARGE_ANSWER = 16_384
"""Values above which encoding them as text leaves the event loop."""

NOTHING_NAMED: Mapping[str, str] = {}


class Question(Protocol):
    """What one body asks of the model, which is `served`. `timeout` in seconds, where the body shortens it."""

    @property
    def served(self) -> Served: ...

    @property
    def inputs(self) -> Inputs: ...

    @property
    def timeout(self) -> float | None: ...

    @property
    def is_long(self) -> bool:
        """Whether putting the answer into words will take so long that it should leave the event loop."""
        ...

    def told(self, answer: Answer, marks: "Marks | None") -> Whole:
        """The answer in words, with what marks the predictions; raises RequestError."""
        ...


class Form(Protocol):
    """A kind of question. `protocol` is one of `tallies.PROTOCOL`; `octets`: a body may be said to be bytes."""

    @property
    def protocol(self) -> int: ...

    @property
    def octets(self) -> bool: ...

    def quickly(self, body: bytes, headers: Headers, named: Mapping[str, str]) -> Question:
        """The question, where all is well and its numbers are read as they lie; RequestError or Unusual where it has to
        be `read`.
        """
        ...

    def read(self, body: bytes, headers: Headers, named: Mapping[str, str]) -> Question:
        """The question, or RequestError; `named` is what the path names, as its pattern says."""
        ...


def read_quickly(form: Form, body: bytes, headers: Headers, named: Mapping[str, str]) -> Question | None:
    """The question, where it is one that can be read so; None where it is to be read in the usual way."""
    if len(body) < SMALL_BODY:
        return None
    try:
        return form.quickly(body, headers, named)
    except (RequestError, Unusual):
        return None


class Endpoint:
    """A form as an ASGI endpoint."""

    def __init__(self, plane: DataPlane, form: Form) -> None:
        self.plane, self.form = plane, form

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        plane, form, serving = self.plane, self.form, self.plane.config.serving
        with plane.request(form.protocol) as request:
            body = await read_body(scope, receive, serving.max_body_bytes, serving.timeout_seconds, form.octets)
            given = body, scope["headers"], scope.get("path_params", NOTHING_NAMED)
            question = None
            if not scope["state"].get(USUAL):
                quick = len(body) <= QUICK_BODY
                question = read_quickly(form, *given) if quick else await asyncio.to_thread(read_quickly, form, *given)
            if question is None:
                large = len(body) > LARGE_BODY
                question = await asyncio.to_thread(form.read, *given) if large else form.read(*given)
            answer = await request.infer(question.served, question.inputs, question.timeout)
            marks = plane.marks
            alone = marks is not None and rows_of(question.inputs) == 1  # then the request itself is marked
            long = question.is_long and not alone
            whole = await asyncio.to_thread(question.told, answer, marks) if long else question.told(answer, marks)
            request.failure = whole.failure
        await send_whole(send, 200, whole)
