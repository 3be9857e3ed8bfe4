"""V1, as OpenAPI describes it."""

from typing import Any

from mlneuron_runtime.loading import Served
from mlneuron_runtime.signature import Tensors
from mlneuron_runtime.transport.openapi import rows
from mlneuron_runtime.transport.openapi.answers import PREDICTING, Schema, of, refused
from mlneuron_runtime.transport.v1 import PREDICT, PREDICT_VERSION

LOOKED_UP = (404, 431, 503)


def paths(served: Served | None, model: str, extra: tuple[int, ...]) -> dict[str, Any]:
    one = rows.example(None if served is None else served.model.signature)
    named, versioned = parameters(served, model)
    state = {"200": of("V1Model"), "503": {**of("V1Model", "Not ready"), **either("V1Model")}}
    return {
        "/v1/models": {
            "get": operation("v1_models", "What is served", {"200": of("V1Models")} | refused((431,), "Error"))
        },
        "/v1/models/{name}": {
            "get": operation("v1_model", "Whether the model is ready", refused(LOOKED_UP, "Error") | state),
            "parameters": named,
        },
        "/v1/models/{name}/versions/{version}": {
            "get": operation("v1_version", "Whether the model is ready", refused(LOOKED_UP, "Error") | state),
            "parameters": versioned,
        },
        PREDICT: {"post": predict("v1_predict", one, extra), "parameters": named},
        PREDICT_VERSION: {"post": predict("v1_predict_version", one, extra), "parameters": versioned},
    }


def parameters(served: Served | None, model: str) -> tuple[list[Any], list[Any]]:
    """Of the paths, with and without a version."""
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}, "example": model}
    version = {"name": "version", "in": "path", "required": True, "schema": {"type": "string"}}
    if served is not None:
        version["example"] = served.version
    return [name], [name, version]


def either(schema: str) -> dict[str, Any]:
    """Content that is an error where there is no model yet."""
    held = [{"$ref": f"#/components/schemas/{name}"} for name in (schema, "Error")]
    return {"content": {"application/json": {"schema": {"anyOf": held}}}}


def operation(name: str, text: str, answers: dict[str, Any]) -> dict[str, Any]:
    return {"operationId": name, "summary": text, "tags": ["v1"], "responses": answers}


def predict(name: str, row: Any, extra: tuple[int, ...]) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/V1Request"}}
    if row is not None:
        content["example"] = {"instances": [row]}
    answers = {"200": of("V1Answer")} | refused((*PREDICTING, *extra), "Error")
    return {
        **operation(name, "Predict rows", answers),
        "requestBody": {"required": True, "content": {"application/json": content}},
    }


def schemas(served: Served | None) -> dict[str, Schema]:
    values = {"type": "array", "items": {"$ref": "#/components/schemas/Value"}}
    return {
        "V1Models": rows.by_name({"models": {"type": "array", "items": {"type": "string"}}}, ["models"], False),
        "V1Model": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "ready": {"type": "boolean"}},
            "required": ["name", "ready"],
            "additionalProperties": False,
        },
        "V1Request": {
            "type": "object",
            "properties": {"instances": rows.rows("Row"), "inputs": inputs(served)},
            "oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}],
        },
        "V1Answer": {
            "type": "object",
            "properties": {"predictions": values, "outputs": values},
            "oneOf": [{"required": ["predictions"]}, {"required": ["outputs"]}],
            "additionalProperties": False,
        },
    }  # fmt: skip


def inputs(served: Served | None) -> Schema:
    """Rows, or an object of columns, which must be of the same length."""
    signature = None if served is None else served.model.signature
    listed = rows.rows("Row")
    if signature is None:
        return {"anyOf": [listed, {"type": "object"}]}
    specs = signature.inputs
    if len(specs) == 1 and not (signature.names and specs[0].name in signature.names):
        return {"anyOf": [listed, rows.by_name({specs[0].name: listed}, [specs[0].name], False)]}
    column = {"type": "array", "minItems": 1, "description": "A value a row, or a list of one"}
    if isinstance(signature, Tensors):
        column["description"] = "An entry a row"
    names = list(signature.names or ())
    return {"anyOf": [listed, rows.by_name(dict.fromkeys(names, column), names, True)]}
