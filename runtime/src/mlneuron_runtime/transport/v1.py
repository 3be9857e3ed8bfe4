"""V1, the protocol of TensorFlow Serving that KServe and its clients speak too.

    POST /v1/models/churn:predict
    {"instances": [[5.1, 3.5], …]}  or a row as an object by the columns' names   -> {"predictions": [0, …]}
    {"inputs": [[5.1, 3.5], …]}     or {"age": [41, …], "income": [3.5, …]}, a list a column  -> {"outputs": [0, …]}

V1 has no errors a row: one bad row refuses the request, and the error names it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlneuron_runtime.answer import Answer
from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.loading import Served
from mlneuron_runtime.signature import Rows, Signature, Tensors
from mlneuron_runtime.signature.base import check_rows, kind
from mlneuron_runtime.tallies import PROTOCOL
from mlneuron_runtime.tensors import Inputs, rows_of
from mlneuron_runtime.transport import numbers
from mlneuron_runtime.transport.prediction import LARGE_ANSWER, Form
from mlneuron_runtime.transport.wire import Headers, Whole, encode, parse_object

if TYPE_CHECKING:
    from mlneuron_runtime.traffic.marks import Marks

ANSWERED_BY = {"instances": "predictions", "inputs": "outputs"}
"""The answer's field, by the one that held the rows."""

VERB = ":predict"

PREDICT = "/v1/models/{name}" + VERB
PREDICT_VERSION = "/v1/models/{name}/versions/{version}" + VERB


@dataclass(slots=True)
class Instances:
    """Rows that came under the name `field`."""

    served: Served
    inputs: Inputs
    field: str
    timeout: float | None = None

    @property
    def is_long(self) -> bool:
        return rows_of(self.inputs) * self.served.width > LARGE_ANSWER

    def told(self, answer: Answer, marks: "Marks | None") -> Whole:
        values, _ = answer.columns()
        if marks is not None and len(values) == 1:
            marks.note(values[0])
        return Whole(encode({ANSWERED_BY[self.field]: values}))


class Predict:
    """The form of POST …:predict. `name` is the model's where the path is not asked for it."""

    protocol = PROTOCOL["v1"]
    octets = False

    def __init__(self, plane: DataPlane, name: str | None = None) -> None:
        self.plane, self.name = plane, name

    def quickly(self, body: bytes, _headers: Headers, named: Mapping[str, str]) -> Instances:
        served = self.plane.model(self.name or named["name"], named.get("version"))
        signature = numbers.matrix(served.model.signature)
        parsed = numbers.read(body, "instances")
        if "inputs" in parsed:
            raise numbers.Unusual
        inputs = numbers.rows(signature, parsed.get("instances"))
        return Instances(served, inputs, "instances")

    def read(self, body: bytes, _headers: Headers, named: Mapping[str, str]) -> Instances:
        served = self.plane.model(self.name or named["name"], named.get("version"))
        parsed = parse_object(body)
        field = field_of(parsed)
        inputs = inputs_of(served.model.signature, parsed[field], field)
        return Instances(served, inputs, field)


def hot(plane: DataPlane) -> dict[str, Form]:
    """The paths that carry the load: the configured model's own."""
    name = plane.config.model.name
    return {f"/v1/models/{name}{VERB}": Predict(plane, name)}


def predictions(plane: DataPlane) -> dict[str, Form]:
    """Every path that predicts, as patterns."""
    form = Predict(plane)
    return {PREDICT: form, PREDICT_VERSION: form}


def metadata(plane: DataPlane) -> list[Route]:
    """What is served, and whether it is ready."""

    async def listed(_request: Request) -> Response:
        served = plane.served
        return Response(encode({"models": [] if served is None else [served.name]}), media_type="application/json")

    async def one(request: Request) -> Response:
        name, version = request.path_params["name"], request.path_params.get("version")
        if (version or name).endswith(VERB):
            raise HTTPException(405, headers={"Allow": "POST"})
        served = plane.model(name, version)
        body = encode({"name": served.name, "ready": plane.ready})
        return Response(body, 200 if plane.ready else 503, media_type="application/json")

    return [
        Route("/v1/models", listed),
        Route("/v1/models/{name}", one),
        Route("/v1/models/{name}/versions/{version}", one),
    ]


def field_of(parsed: Mapping[str, Any]) -> str:
    """Which of the two holds the rows."""
    held = [field for field in ANSWERED_BY if field in parsed]
    if len(held) != 1:
        found = "both are there" if held else "neither is there"
        raise InvalidInput("instances", f"{found}; send either instances or inputs, with one entry a row")
    return held[0]


def inputs_of(signature: Signature, given: object, field: str) -> Inputs:
    """The rows, all of them good; raises InvalidInput for the first that is not."""
    if isinstance(given, dict) and field == "inputs":
        rows = from_columns(signature, given)
    else:
        rows = signature.rows(given, field)
    for fault in rows.faults.values():
        raise fault
    return rows.inputs


def from_columns(signature: Signature, columns: dict[str, Any]) -> Rows:
    """Rows of a list a column, or of a matrix under the name of the only input."""
    names = signature.names
    specs = signature.inputs
    if len(specs) == 1 and list(columns) == [specs[0].name] and (names is None or specs[0].name not in names):
        return signature.rows(columns[specs[0].name], f"inputs.{specs[0].name}")
    if names is None:
        wanted = f'send a list of rows, or {{"{specs[0].name}": [[…], …]}}'
        raise InvalidInput("inputs", f"inputs is an object, and the model's columns have no names; {wanted}")
    check_columns(columns, names)
    flat = columns.values() if isinstance(signature, Tensors) else [flattened(values) for values in columns.values()]
    return signature.rows([dict(zip(columns, row, strict=True)) for row in zip(*flat, strict=True)], "inputs")


def check_columns(columns: dict[str, Any], names: tuple[str, ...]) -> None:
    """Raise unless all are lists of the same length."""
    if not columns:
        raise InvalidInput("inputs", f"inputs is empty; send the columns {', '.join(names)}")
    for name, values in columns.items():
        if not isinstance(values, list):
            raise InvalidInput(f"inputs.{name}", f"inputs.{name} is {kind(values)}; send an array, an entry a row")
    heights = {len(values) for values in columns.values()}
    if len(heights) != 1 or heights == {0}:
        raise InvalidInput("inputs", "the columns are empty or of different lengths; send as many values in each")
    check_rows(min(heights), "inputs")


def flattened(values: list[Any]) -> list[Any]:
    """A column of shape [rows, 1] as [rows]."""
    if all(isinstance(value, list) and len(value) == 1 for value in values):
        return [value[0] for value in values]
    return values
