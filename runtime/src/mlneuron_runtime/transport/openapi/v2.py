"""The Open Inference Protocol over REST, as OpenAPI describes it."""

from typing import Any

from mlneuron_runtime.loading import Served
from mlneuron_runtime.tensors import DTYPES, TensorSpec
from mlneuron_runtime.transport.openapi.answers import BODY, PREDICTING, Schema, of, refused
from mlneuron_runtime.transport.openapi.guide import probe
from mlneuron_runtime.transport.openapi.v1 import LOOKED_UP, either, parameters

DATATYPE = {"enum": list(DTYPES)}
SHAPE = {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": 16}
TEXT = {"type": "string"}
OCTETS = "application/octet-stream"

HEAD = {
    "name": "Inference-Header-Content-Length", "in": "header", "required": False,
    "schema": {"type": "integer", "minimum": 1},
    "description": "How many bytes of the body are JSON, where tensors' bytes follow it",
}  # fmt: skip
TOLD_HEAD = {"Inference-Header-Content-Length": {"schema": {"type": "integer"}}}


def paths(served: Served | None, model: str, extra: tuple[int, ...]) -> dict[str, Any]:
    named, versioned = parameters(served, model)
    found: dict[str, Any] = {
        "/v2": {"get": operation("v2", "The server", {"200": of("V2Server")})},
        "/v2/health/live": {"get": operation("v2_live", "Whether the process can work", probe("live"))},
        "/v2/health/ready": {"get": operation("v2_ready", "Whether to send requests here", probe("ready"))},
        "/v2/models": {"get": operation("v2_models", "What is served", {"200": of("V1Models")})},
    }
    for base, those, suffix in (
        ("/v2/models/{name}", named, ""),
        ("/v2/models/{name}/versions/{version}", versioned, "_version"),
    ):
        found |= of_model(base, those, suffix, served, extra)
    return found | repository(named)


def of_model(base: str, those: list[Any], suffix: str, served: Served | None, extra: tuple[int, ...]) -> dict[str, Any]:
    """The paths of a model, with or without its version."""
    unready = {"503": {**of("V1Model", "Not ready"), **either("V1Model")}}
    ready = refused(LOOKED_UP, "Error") | {"200": of("V1Model")} | unready
    metadata = {"200": of("V2Metadata")} | refused(LOOKED_UP, "Error")
    return {
        base: {"get": operation(f"v2_model{suffix}", "What the model takes and gives", metadata), "parameters": those},
        f"{base}/ready": {
            "get": operation(f"v2_model_ready{suffix}", "Whether it is ready", ready),
            "parameters": those,
        },
        f"{base}/infer": {
            "post": infer(f"v2_infer{suffix}", served, extra),
            "parameters": [*those, HEAD],
        },
    }


def repository(named: list[Any]) -> dict[str, Any]:
    """The model repository extension."""
    listed = {"type": "array", "items": {"$ref": "#/components/schemas/V2Indexed"}}
    flag = {"type": "object", "properties": {"ready": {"description": "true: only those that are"}}}
    index = operation("v2_index", "The models here", {"200": of(listed)} | refused((*BODY, 431), "Error"))
    load = operation(
        "v2_load", "Load a model: granted to the one that is", {"200": of("V2Loaded")} | refused(LOOKED_UP, "Error")
    )
    unload = operation("v2_unload", "Unload a model: not done here", refused((*LOOKED_UP, 501), "Error"))
    return {
        "/v2/repository/index": {"post": {**index, "requestBody": {"content": {"application/json": {"schema": flag}}}}},
        "/v2/repository/models/{name}/load": {"post": load, "parameters": named},
        "/v2/repository/models/{name}/unload": {"post": unload, "parameters": named},
    }


def operation(name: str, text: str, answers: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name, "summary": text, "tags": ["v2"], "responses": refused((431,), "Error") | answers
    }  # fmt: skip


def infer(name: str, served: Served | None, extra: tuple[int, ...]) -> dict[str, Any]:
    answer = of("V2Answer")
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/V2Request"}}
    sample = example(served)
    if sample is not None:
        content["example"] = sample
    binary = {OCTETS: {"schema": {"description": "JSON, and the bytes of tensors behind it"}}}
    answer = {**answer, "headers": answer["headers"] | TOLD_HEAD, "content": answer["content"] | binary}
    return {
        **operation(name, "Predict rows", {"200": answer} | refused((*PREDICTING, *extra), "Error")),
        "requestBody": {"required": True, "content": {"application/json": content, **binary}},
    }


def example(served: Served | None) -> Any:
    """A request that the model answers; None where none is known."""
    inputs = None if served is None else served.model.signature.example(1.0)
    if served is None or inputs is None:
        return None
    specs = served.model.signature.inputs
    return {
        "inputs": [
            {
                "name": spec.name,
                "datatype": spec.datatype,
                "shape": [1, *(array.shape[1:] or (1,))],
                "data": array.reshape(-1).tolist(),
            }
            for spec, array in zip(specs, inputs, strict=True)
        ]
    }


def schemas(served: Served | None) -> dict[str, Schema]:
    free = {"type": "object"}
    tensor = {"name": TEXT, "datatype": DATATYPE, "shape": SHAPE, "parameters": free, "data": {"type": "array"}}
    spec = {
        "type": "object",
        "properties": {"name": TEXT, "datatype": DATATYPE, "shape": {"type": "array", "items": {"type": "integer"}}},
        "required": ["name", "datatype", "shape"],
    }
    specs = {"type": "array", "items": spec}
    texts = {"type": "array", "items": TEXT}
    wanted = {"type": "object", "properties": {"name": outputs(served), "parameters": free}, "required": ["name"]}
    timeout = {"type": "integer", "minimum": 0, "description": "Microseconds"}
    return {
        "V2Server": closed({"name": TEXT, "version": TEXT, "extensions": texts}),
        "V2Metadata": closed(
            {"name": TEXT, "versions": texts, "platform": TEXT, "inputs": specs, "outputs": specs}
        ),
        "V2Indexed": closed({"name": TEXT, "version": TEXT, "state": TEXT, "reason": TEXT}),
        "V2Loaded": closed({"name": TEXT, "load": {"const": True}}),
        "V2Request": {
            "type": "object",
            "description": takes(served),
            "properties": {
                "id": {"type": ["string", "null"]},
                "parameters": {"type": ["object", "null"], "properties": {"timeout": timeout}},
                "inputs": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "object", "properties": tensor, "required": ["name", "datatype", "shape"]},
                },
                "outputs": {"type": "array", "items": wanted},
            },
            "required": ["inputs"],
        },
        "V2Answer": {
            "type": "object",
            "properties": {
                "model_name": TEXT, "model_version": TEXT, "id": TEXT,
                "outputs": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": tensor | {"name": outputs(served)},
                        "required": ["name", "datatype", "shape"],
                        "additionalProperties": False,
                    },
                },
            },
            "required": ["model_name", "model_version", "outputs"],
            "additionalProperties": False,
        },
    }  # fmt: skip


def closed(properties: dict[str, Any]) -> Schema:
    """An object of these, all of them and no others."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def outputs(served: Served | None) -> Schema:
    """An output's name."""
    names = [] if served is None else [spec.name for spec in served.outputs]
    return {"enum": names} if names else TEXT


def takes(served: Served | None) -> str:
    """The model's inputs in words: how many values there are is no matter of JSON schemas."""
    if served is None:
        return "Tensors, as the model's metadata tells"
    return "Tensors: " + ", ".join(map(described, served.model.signature.inputs))


def described(spec: TensorSpec) -> str:
    return f"{spec.name} ({spec.datatype}, {spec.wire_shape})"
