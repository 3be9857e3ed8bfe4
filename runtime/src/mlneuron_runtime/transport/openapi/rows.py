"""JSON schemas of what the model takes and gives."""

from typing import Any

from mlneuron_runtime.loading import Served
from mlneuron_runtime.models.base import PREDICTION
from mlneuron_runtime.signature import MAX_ROWS, Column, Matrix, Signature, Table, Tensors
from mlneuron_runtime.signature.values import BOOLEAN, FLOATS, LARGEST, LARGEST_HALF, TEXT
from mlneuron_runtime.tensors import DTYPES, TensorSpec

Schema = dict[str, Any]


def row(signature: Signature | None) -> Schema:
    """One row as /predict and V1 take it; whatever it is before a model is loaded."""
    if isinstance(signature, Matrix):
        return matrix_row(signature)
    if isinstance(signature, Table):
        return table_row(signature)
    if isinstance(signature, Tensors):
        return tensors_row(signature)
    return {"description": "A row, as the model takes it"}


def matrix_row(signature: Matrix) -> Schema:
    value = cell(signature.datatype, signature.nullable)
    listed: Schema = {"type": "array", "items": value, "minItems": 1}
    if signature.features is not None:
        listed |= {"minItems": signature.features, "maxItems": signature.features}
    if signature.names is None:
        return listed
    named = dict.fromkeys(signature.names, value)
    return {"anyOf": [listed, by_name(named, list(named), False)]}


def table_row(signature: Table) -> Schema:
    cells = {column.name: column_cell(column) for column in signature.columns}
    width = len(cells)
    listed = {"type": "array", "prefixItems": list(cells.values()), "minItems": width, "maxItems": width}
    return {"anyOf": [listed, by_name(cells | {name: {} for name in signature.ignored}, list(cells), False)]}


def tensors_row(signature: Tensors) -> Schema:
    if signature.names is None:
        return nested(signature.inputs[0])
    inputs = {spec.name: nested(spec) for spec in signature.inputs}
    return by_name(inputs, list(inputs), False)


def nested(spec: TensorSpec) -> Schema:
    """Arrays in arrays, as deep as the shape."""
    schema = cell(spec.datatype)
    for size in reversed(spec.shape):
        bounds = {} if size is None else {"minItems": size, "maxItems": size}
        schema = {"type": "array", "items": schema, **bounds}
    return schema


def by_name(properties: dict[str, Schema], required: list[str], others: bool) -> Schema:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": others}


def column_cell(column: Column) -> Schema:
    if column.choices is not None:
        known = sorted(column.choices, key=str)
        return {"enum": [*known, None] if column.nullable else known}
    return cell(column.datatype, column.nullable)


def cell(datatype: str, nullable: bool = False) -> Schema:
    """One value. True and false are 1 and 0 where numbers are wanted."""
    null = ["null"] if nullable else []
    if datatype == TEXT:
        return {"type": ["string", *null]}
    if datatype == BOOLEAN:
        return {"type": ["boolean", *null]}
    if datatype in FLOATS:
        largest = LARGEST_HALF if datatype == "FP16" else LARGEST
        return {"type": ["number", "boolean", *null], "minimum": -largest, "maximum": largest}
    size = 8 * DTYPES[datatype].itemsize
    unsigned = datatype.startswith("U")
    low, high = (0, 2**size - 1) if unsigned else (-(2 ** (size - 1)), 2 ** (size - 1) - 1)
    return {"type": ["integer", "boolean", *null], "minimum": low, "maximum": high}


def rows(name: str) -> Schema:
    """Several of them."""
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}, "minItems": 1, "maxItems": MAX_ROWS}


def prediction(served: Served | None) -> Schema:
    """The value of one row."""
    spec = next((spec for spec in served.outputs if spec.name == PREDICTION), None) if served is not None else None
    if served is None or spec is None:
        return {"description": "What the model predicts: a value, or a list where it has several outputs"}
    classes = served.model.details.get("classes")
    if spec.datatype == TEXT and not spec.shape and isinstance(classes, list) and set(map(type, classes)) == {str}:
        return {"enum": classes}
    schema = told(spec.datatype)
    for _ in spec.shape:
        schema = {"type": "array", "items": schema}
    return schema


def told(datatype: str) -> Schema:
    """A value that the model gives. What it calls its classes may be anything."""
    if datatype == TEXT:
        return {"type": ["string", "number", "boolean", "null"]}
    if datatype == BOOLEAN:
        return {"type": "boolean"}
    return {"type": "number" if datatype in FLOATS else "integer"}


def example(signature: Signature | None) -> Any:
    """A row that the model takes, as JSON; None where none is known."""
    inputs = None if signature is None else signature.example(1.0)
    if inputs is None:
        return None
    if isinstance(signature, Table):
        return {column.name: array.tolist()[0] for column, array in zip(signature.columns, inputs, strict=True)}
    if isinstance(signature, Tensors) and signature.names is not None:
        return {name: array.tolist()[0] for name, array in zip(signature.names, inputs, strict=True)}
    return inputs[0].tolist()[0]
