"""What the document says besides where versions of the model may compete: who is asked for, who answered, and how it
turned out.
"""

from typing import Any

from mlneuron_runtime.settings import Config
from mlneuron_runtime.traffic.subject import PIN_HEADER
from mlneuron_runtime.traffic.table import PRIMARY
from mlneuron_runtime.transport.openapi.answers import BODY, Schema, of, refused

TEXT = {"type": "string"}

PINNED = {"name": PIN_HEADER, "in": "header", "schema": TEXT, "description": "A variant, or its version, to answer"}

ANSWERED = {
    PIN_HEADER: {"description": "Who answered; of a batch perhaps several", "schema": TEXT},
    "X-Neuron-Fallback": {"description": "For which variant the primary stood in, and why", "schema": TEXT},
    "X-Neuron-Prediction": {"description": "The end of the id to judge the prediction by", "schema": TEXT},
}

PREDICTS = ("/predict", "/batch_predict", ":predict", "/infer")
"""How the paths of predictions end."""

RATED = {
    "operationId": "feedback", "summary": "Tell how a prediction turned out", "tags": ["guide"],
    "requestBody": {
        "required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/feedback"}}},
    },
}  # fmt: skip


def competes(config: Config) -> bool:
    return config.serving.traffic_file is not None or config.neuron.variant != PRIMARY


def add(document: dict[str, Any], extra: tuple[int, ...], pod_of_a_variant: bool) -> None:
    """To a document of one model."""
    for path, operations in document["paths"].items():
        if path.endswith(PREDICTS):
            operations["post"].setdefault("parameters", []).append(PINNED)
            answer = operations["post"]["responses"]["200"]
            answer["headers"] = {**answer["headers"], **ANSWERED}
    schemas = document["components"]["schemas"]
    prediction = schemas["Prediction"]["properties"]
    prediction |= {"model_version": TEXT, "model_variant": TEXT, "request_id": TEXT}
    if pod_of_a_variant:
        return
    statuses = (*BODY, 404, 422, 431, 500, *extra)
    document["paths"]["/feedback"] = {
        "post": {**RATED, "responses": {"200": of("Feedback")} | refused(statuses, "GuideError")}
    }
    schemas |= {"feedback": asked(), "Feedback": told()}
    for name in ("predict", "batch_predict"):
        schemas[name]["properties"]["model_version"] = {
            "type": ["string", "null"], "description": "latest, or a variant or its version to answer",
        }  # fmt: skip
    schemas["batch_predict"]["properties"]["user_ids"] = {
        "type": "array", "description": "Whom each row is about; as many as there are rows",
    }  # fmt: skip


def asked() -> Schema:
    identified = {"type": ["string", "integer"]}
    return {
        "type": "object",
        "properties": {
            "request_id": {**identified, "description": "The prediction's, as its answer tells"},
            "subject": {**identified, "description": "Whom the latest prediction was about, at the same pod"},
            "outcome": {"description": "What turned out to be true, as the model says it; not null"},
            "variant": {"type": ["string", "null"], "description": "Who predicted it, to be checked"},
        },
        "required": ["outcome"],
    }


def told() -> Schema:
    held = {
        "recorded": {"type": "boolean", "description": "false where it was told before"},
        "variant": TEXT,
        "correct": {"type": "boolean"},
        "absolute_error": {"type": ["number", "null"], "minimum": 0},
    }
    return {"type": "object", "properties": held, "required": list(held), "additionalProperties": False}
