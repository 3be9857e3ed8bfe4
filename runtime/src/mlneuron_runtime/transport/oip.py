"""What every form of the Open Inference Protocol asks of the data plane, and what it is told. Pure but for the asking.

REST and gRPC decode their requests into an `Asked` and encode the `Told` that comes of it; what a name, shape,
datatype or parameter may be is decided here, once.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlneuron_runtime.answer import Answer
from mlneuron_runtime.dataplane import Request
from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.loading import Served
from mlneuron_runtime.models.base import PREDICTION
from mlneuron_runtime.tensors import DTYPES, Array, Inputs, Tensor, TensorSpec

if TYPE_CHECKING:
    from mlneuron_runtime.traffic.marks import Marks

MAX_DIMENSIONS = 16

EXTENSIONS = ("binary_tensor_data", "model_repository", "schedule_policy")
"""Those of the protocol's extensions that are served, by the names that Triton gave them."""

REFUSED_PARAMETERS: Mapping[str, str] = {
    "shared_memory_region": "send the data in the request",
    "shared_memory_byte_size": "send the data in the request",
    "shared_memory_offset": "send the data in the request",
    "classification": "ask for the output 'probabilities' instead",
}
"""Those of a tensor that would change its meaning, and the mend; others that are not known are ignored."""

MICROSECONDS = 1_000_000


@dataclass(slots=True)
class Wanted:
    """An output that is asked for by name. `binary` None: as the request says of all."""

    name: str
    binary: bool | None = None


@dataclass(slots=True)
class Asked:
    """A request for inference. `outputs` empty: all; `timeout` in seconds."""

    tensors: Sequence[Tensor]
    outputs: Sequence[Wanted] = ()
    id: str = ""
    timeout: float | None = None
    binary: bool = False


@dataclass(slots=True)
class Told:
    """The answer: the outputs in the order asked for."""

    served: Served
    id: str
    outputs: Mapping[str, Array] = field(default_factory=dict)


async def infer(request: Request, served: Served, asked: Asked, left: float | None = None) -> Told:
    """What the model makes of what is asked; raises RequestError. `left` are the seconds that the caller waits, where
    its transport tells.
    """
    inputs = inputs_of(served, asked)
    timeout = asked.timeout if left is None else left if asked.timeout is None else min(left, asked.timeout)
    return Told(served, asked.id, outputs_of(asked, await request.infer(served, inputs, timeout)))


def inputs_of(served: Served, asked: Asked) -> Inputs:
    """What goes to the model, which has the outputs that are asked for."""
    if asked.outputs and served.outputs:
        check_known(asked.outputs, [spec.name for spec in served.outputs])
    return served.model.signature.tensors(asked.tensors)


def outputs_of(asked: Asked, answer: Answer) -> Mapping[str, Array]:
    """Those that are asked for, in that order."""
    outputs: Mapping[str, Array] = answer.tensors()
    if not asked.outputs:
        return outputs
    check_known(asked.outputs, outputs)
    return {wanted.name: outputs[wanted.name] for wanted in asked.outputs}


def note(marks: "Marks", told: Told) -> None:
    """Mark the prediction of the only row, where it was asked for."""
    values = told.outputs.get(PREDICTION)
    if values is not None and len(values) == 1:
        marks.note(values.tolist()[0])


def check_known(wanted: Sequence[Wanted], known: Collection[str]) -> None:
    """Raise for an output that the model does not give."""
    for position, output in enumerate(wanted):
        if output.name not in known:
            place = f"outputs[{position}].name"
            raise InvalidInput(place, f"{place} is no output of this model; ask for {', '.join(known)}", output.name)


def check_datatype(datatype: object, place: str) -> str:
    """The datatype, if it is one."""
    if not isinstance(datatype, str) or datatype not in DTYPES:
        raise InvalidInput(
            f"{place}.datatype", f"{place}.datatype is unknown; send one of {', '.join(DTYPES)}", datatype
        )
    return datatype


def check_shape(shape: object, place: str) -> list[int]:
    """The shape, if it is one: at least one row, and nothing empty."""
    if not isinstance(shape, list) or not 0 < len(shape) <= MAX_DIMENSIONS:
        raise InvalidInput(
            f"{place}.shape", f"{place}.shape must be 1 to {MAX_DIMENSIONS} numbers, such as [rows, features]; send it"
        )
    for size in shape:
        if type(size) is not int or size < 1:
            raise InvalidInput(
                f"{place}.shape", f"{place}.shape holds what is no size; send whole numbers from 1", size
            )
    return shape


def check_parameters(parameters: Mapping[str, Any], place: str) -> None:
    """Raise for one of a tensor's that this server cannot heed, and must not ignore."""
    for name, mend in REFUSED_PARAMETERS.items():
        if name in parameters:
            raise InvalidInput(f"{place}.parameters.{name}", f"{place}.parameters.{name} is not supported; {mend}")


def timeout_of(parameters: Mapping[str, Any]) -> float | None:
    """The `timeout` of the request's parameters, which is in microseconds, in seconds; 0 is none."""
    given = parameters.get("timeout")
    if given is None or given == 0:
        return None
    if type(given) is not int or given < 0:
        raise InvalidInput("parameters.timeout", "parameters.timeout must be whole microseconds; send a number", given)
    return given / MICROSECONDS


def platform_of(served: Served) -> str:
    """The metadata's `platform`: as other servers call it, where they have a word for it."""
    return "onnxruntime_onnx" if served.framework == "onnx" else served.model.type


def metadata(served: Served) -> dict[str, Any]:
    """Of a model, in the fields that REST and gRPC share."""
    return {
        "name": served.name,
        "versions": [served.version],
        "platform": platform_of(served),
        "inputs": [told_spec(spec) for spec in served.model.signature.inputs],
        "outputs": [told_spec(spec) for spec in served.outputs],
    }


def told_spec(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": spec.wire_shape}
