"""POST /v2/models/{name}[/versions/{version}]/infer of the Open Inference Protocol, with its binary tensor extension.

With `Inference-Header-Content-Length`, so many bytes of the body are JSON and the tensors' bytes follow; an answer in
which an output was asked for as bytes comes in the same form.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlneuron_runtime.answer import Answer
from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.loading import Served
from mlneuron_runtime.tallies import PROTOCOL
from mlneuron_runtime.tensors import Inputs, rows_of
from mlneuron_runtime.transport import numbers
from mlneuron_runtime.transport.oip import Asked, Told, inputs_of, note, outputs_of
from mlneuron_runtime.transport.oip_json import asked, binary_answer, json_answer
from mlneuron_runtime.transport.prediction import LARGE_ANSWER, LARGE_BODY, Form
from mlneuron_runtime.transport.wire import LONGEST_LENGTH, OCTETS_TYPE, Headers, Whole, parse_object

if TYPE_CHECKING:
    from mlneuron_runtime.traffic.marks import Marks

HEADER_LENGTH = b"inference-header-content-length"


@dataclass(slots=True)
class Inference:
    """What a body asks."""

    served: Served
    asked: Asked
    inputs: Inputs

    @property
    def timeout(self) -> float | None:
        return self.asked.timeout

    @property
    def is_long(self) -> bool:
        return rows_of(self.inputs) * self.served.width > LARGE_ANSWER and not self.asked.binary

    def told(self, answer: Answer, marks: "Marks | None") -> Whole:
        told = Told(self.served, self.asked.id, outputs_of(self.asked, answer))
        if marks is not None:
            note(marks, told)
        return encoded(told, self.asked)


class Infer:
    """The form. `name` and `version` are the model's where the path is not asked for them."""

    protocol = PROTOCOL["v2"]
    octets = True

    def __init__(self, plane: DataPlane, name: str | None = None, version: str | None = None) -> None:
        self.plane, self.name, self.version = plane, name, version

    def quickly(self, body: bytes, headers: Headers, named: Mapping[str, str]) -> Inference:
        served = self.plane.model(self.name or named["name"], self.version or named.get("version"))
        header = header_length(headers, len(body))
        if header is None:
            numbers.check_floats(served.model.signature)
            wanted = asked(numbers.read(body, "data"))
        elif header <= LARGE_BODY:
            wanted = decoded(body, header)
        else:
            raise numbers.Unusual
        return Inference(served, wanted, inputs_of(served, wanted))

    def read(self, body: bytes, headers: Headers, named: Mapping[str, str]) -> Inference:
        served = self.plane.model(self.name or named["name"], self.version or named.get("version"))
        wanted = decoded(body, header_length(headers, len(body)))
        return Inference(served, wanted, inputs_of(served, wanted))


def decoded(body: bytes, header: int | None) -> Asked:
    """What a body asks, of which `header` bytes are JSON; None: all."""
    if header is None:
        return asked(parse_object(body))
    return asked(parse_object(body[:header]), memoryview(body)[header:])


def header_length(headers: Headers, size: int) -> int | None:
    """How many bytes of the body are JSON; None where the header does not say."""
    for name, value in headers:
        if name == HEADER_LENGTH:
            if not value.isdigit() or len(value) > LONGEST_LENGTH or not 0 < int(value) <= size:
                told = HEADER_LENGTH.decode().title()
                raise InvalidInput(
                    told, f"{told} must be the length of the JSON that the body of {size} bytes begins with; send that",
                    value.decode("latin-1"),
                )  # fmt: skip
            return int(value)
    return None


def encoded(told: Told, wanted: Asked) -> Whole:
    """As JSON, or with the bytes of what was asked for as bytes behind it."""
    if not wanted.binary and not (wanted.outputs and any(output.binary for output in wanted.outputs)):
        return Whole(json_answer(told))
    said = {output.name: output.binary for output in wanted.outputs}
    as_bytes = [wanted.binary if (binary := said.get(name)) is None else binary for name in told.outputs]
    header, parts = binary_answer(told, as_bytes)
    return Whole(b"".join((header, *parts)), OCTETS_TYPE, [(HEADER_LENGTH, b"%d" % len(header))])


def hot(plane: DataPlane) -> dict[str, Form]:
    """The paths that carry the load: the configured model's own."""
    source = plane.config.model
    paths: dict[str, Form] = {f"/v2/models/{source.name}/infer": Infer(plane, source.name)}
    if source.version is not None:
        paths[f"/v2/models/{source.name}/versions/{source.version}/infer"] = Infer(plane, source.name, source.version)
    return paths
