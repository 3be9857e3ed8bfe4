"""The guide's API and the probes, as OpenAPI describes them."""

from typing import Any

from mlneuron_runtime.dataplane import ALIASES
from mlneuron_runtime.loading import Served
from mlneuron_runtime.transport.openapi import rows
from mlneuron_runtime.transport.openapi.answers import PREDICTING, Schema, of, refused

NUMBER = {"type": "number", "minimum": 0}
COUNT = {"type": "integer", "minimum": 0}

USER = {"type": ["string", "null"], "description": "Whom the prediction is about; whole numbers are taken too"}

PREDICTIONS = {
    "total_predictions": COUNT,
    "success_rate": {"type": "number", "minimum": 0, "maximum": 1},
    "average_inference_time_ms": NUMBER,
}


def paths(served: Served | None, extra: tuple[int, ...]) -> dict[str, Any]:
    """`extra` are the statuses that the configuration adds to predictions."""
    one = rows.example(None if served is None else served.model.signature)
    statuses = (*PREDICTING, 422, *extra)
    return {
        "/predict": {"post": predict("predict", "Predict one row", "features", "Prediction", one, statuses)},
        "/batch_predict": {
            "post": predict(
                "batch_predict", "Predict many rows, in one call of the model", "batch_features", "Predictions",
                None if one is None else [one], statuses,
            )
        },
        "/models": {"get": asked("models", "What is served", {"200": of("Models")})},
        "/health": {
            "get": asked("health", "How well predictions go", {"200": of("Health"), "503": of("Health", "Unwell")})
        },
        "/livez": {"get": asked("livez", "Whether the process can work", probe("live"))},
        "/readyz": {"get": asked("readyz", "Whether to send requests here", probe("ready"))},
    }  # fmt: skip


def predict(name: str, text: str, field: str, answer: str, row: Any, statuses: tuple[int, ...]) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{name}"}}
    if row is not None:
        content["example"] = {field: row}
    return {
        "operationId": name, "summary": text, "tags": ["guide"],
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {"200": of(answer)} | refused(statuses, "GuideError"),
    }  # fmt: skip


def asked(name: str, text: str, answers: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": text,
        "tags": ["guide"],
        "responses": answers | refused((431,), "GuideError"),
    }


def probe(field: str) -> dict[str, Any]:
    yes, no = (
        {"type": "object", "properties": {field: {"const": said}}, "required": [field]} for said in (True, False)
    )
    return {"200": of(yes, "Yes"), "503": of(no, "No")}


def schemas(served: Served | None) -> dict[str, Schema]:
    return {
        "predict": request("features", {"$ref": "#/components/schemas/Row"}, served),
        "batch_predict": request("batch_features", rows.rows("Row"), served),
        "Prediction": prediction(served),
        "Predictions": predictions(),
        "Models": models(),
        "Health": health(),
    }


def request(field: str, schema: Schema, served: Served | None) -> Schema:
    known = [*ALIASES, *([] if served is None else [served.version])]
    return {
        "type": "object",
        "properties": {
            field: schema,
            "model_version": {"enum": list(dict.fromkeys(known)), "description": "Another one is a 404"},
            "user_id": USER,
        },
        "required": [field],
    }


def prediction(served: Served | None) -> Schema:
    return {
        "type": "object",
        "properties": {
            "prediction": {"$ref": "#/components/schemas/Value"},
            "confidence": {"type": ["number", "null"], "description": "null where the model gives none"},
            "model_version": {"type": "string"} if served is None else {"const": served.version},
            "inference_time_ms": COUNT,
        },
        "required": ["prediction", "confidence", "model_version", "inference_time_ms"],
        "additionalProperties": False,
    }


def predictions() -> Schema:
    fault = {
        "type": "object",
        "properties": {"error": {"$ref": "#/components/schemas/GuideError/properties/error"}, "row": COUNT},
        "required": ["error", "row"],
        "additionalProperties": False,
    }
    entry = {"anyOf": [{"$ref": "#/components/schemas/Prediction"}, fault]}
    return {
        "type": "object",
        "properties": {"predictions": {"type": "array", "items": entry}, "batch_size": COUNT},
        "required": ["predictions", "batch_size"],
        "additionalProperties": False,
    }


def models() -> Schema:
    held = {
        "available_models": {"type": "array", "items": {"type": "string"}},
        "model_metadata": {"type": "object", "additionalProperties": {"type": "object"}},
    }
    return {"type": "object", "properties": held | PREDICTIONS, "required": [*held, *PREDICTIONS]}


def health() -> Schema:
    held: dict[str, Any] = {
        "status": {"enum": ["healthy", "unhealthy"]},
        "health_score": {"type": "integer", "minimum": 0, "maximum": 100},
        "models_loaded": COUNT,
        "ready": {"type": "boolean"},
    }
    return {"type": "object", "properties": held | PREDICTIONS, "required": [*held, *PREDICTIONS]}
