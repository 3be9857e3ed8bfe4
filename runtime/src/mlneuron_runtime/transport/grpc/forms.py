"""Requests that are alike but for their numbers. Pure.

A client sends the same request again and again, with other numbers at its end, which are most of what is to be read.
Messages of the same length that begin with the same bytes, up to those numbers, are the same in all else: each field's
length is told before it. So what protocol buffers found in the first of them holds for all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlneuron_runtime.tensors import DTYPES, Tensor
from mlneuron_runtime.transport.grpc.inference_pb2 import ModelInferRequest
from mlneuron_runtime.transport.oip import Asked

TYPED = {"FP32": "fp32_contents", "FP64": "fp64_contents"}
"""Datatypes whose typed contents are an array's bytes as they are."""

OTHERWISE = frozenset({"BOOL", "BYTES"})
"""Datatypes whose raw contents are not."""

MOST = 256
LARGEST_HEAD = 1024
"""Bytes, which bounds what is kept."""


@dataclass(frozen=True, slots=True)
class Form:
    """A request with one tensor of numbers: `head` is what its message holds before them; `raw` says that they are in
    `raw_input_contents`.
    """

    head: bytes
    model_name: str
    model_version: str
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    raw: bool

    def asked(self, message: bytes) -> Asked:
        """What such a message asks. Its numbers are copied: the model may write into them, and wants them aligned."""
        numbers = bytearray(message[len(self.head) :])
        return Asked((Tensor(self.name, np.ndarray(self.shape, self.dtype, numbers)),))


class Forms:
    """Those that were seen, one for each length of a message."""

    def __init__(self) -> None:
        self._forms: dict[int, Form] = {}

    def of(self, message: bytes) -> Form | None:
        """The form that the message has; None where it is not known."""
        form = self._forms.get(len(message))
        return form if form is not None and message.startswith(form.head) else None

    def learn(self, message: bytes, given: ModelInferRequest, tensors: Sequence[Tensor]) -> None:
        """Know the form of a good message, if it has one. `given` and `tensors` are what was read of it."""
        form = None if given.id or len(tensors) != 1 else form_of(message, given, tensors[0])
        if form is None:
            return
        if len(self._forms) == MOST:
            self._forms.clear()
        self._forms[len(message)] = form


def form_of(message: bytes, given: ModelInferRequest, tensor: Tensor) -> Form | None:
    """None unless nothing but the tensor's numbers is at the message's end: it has to be, to the byte, what protocol
    buffers make of these fields alone.
    """
    datatype, raw = given.inputs[0].datatype, bool(given.raw_input_contents)
    if datatype in OTHERWISE if raw else datatype not in TYPED:
        return None
    numbers = tensor.array.tobytes()
    head = message[: -len(numbers)]
    if len(head) > LARGEST_HEAD or not head + numbers == message == plain(given, tensor, numbers if raw else None):
        return None
    name, version, shape = given.model_name, given.model_version, tensor.array.shape
    return Form(head, name, version, tensor.name, DTYPES[datatype], shape, raw)


def plain(given: ModelInferRequest, tensor: Tensor, raw: bytes | None) -> bytes:
    """A message with one tensor and nothing besides."""
    made = ModelInferRequest(model_name=given.model_name, model_version=given.model_version)
    datatype = given.inputs[0].datatype
    told = made.inputs.add(name=tensor.name, datatype=datatype, shape=tensor.array.shape)
    if raw is None:
        getattr(told.contents, TYPED[datatype]).extend(tensor.array.ravel().tolist())
    else:
        made.raw_input_contents.append(raw)
    encoded: bytes = made.SerializeToString()
    return encoded
