"""Answers as OpenAPI describes them: statuses, headers, and the shapes of errors."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]
Answers = dict[str, Any]

ID = {
    "X-Request-Id": {
        "description": "The request's id: the caller's own, where it sent a harmless one",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:/+=@-]{1,128}$"},
    }
}
RETRY = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 0}}}
CHALLENGE = {"WWW-Authenticate": {"required": True, "schema": {"const": "Bearer"}}}

ERRORS: Mapping[int, str] = {
    400: "The body is not a JSON object",
    401: "No accepted bearer token",
    404: "No such model, or not of this version",
    408: "The body did not arrive in time; the connection is closed",
    413: "The body is too large, or has too many rows",
    415: "The body is not said to be JSON, or is compressed",
    422: "A field is missing, or does not fit the model",
    431: "The request's line and headers are too long; the connection is closed",
    500: "The model raised, or answered a number that is not finite",
    501: "This server does not do this",
    503: "No model yet, the queue is full, or there are too many connections",
    504: "No answer in time",
}

INVALID = "The body is not a JSON object, or does not fit the model"
"""A 400 where the protocol has no 422."""

HEADERS: Mapping[int, Mapping[str, Any]] = {401: CHALLENGE, 503: RETRY}

BEFORE = (408, 431)
"""Answered before there is a request: with the guide's shape everywhere, and without an id."""

BODY = (400, 408, 413, 415)
"""What can be wrong with any body."""

PREDICTING = (*BODY, 404, 431, 500, 503, 504)


def of(schema: Schema | str, description: str = "Done") -> Any:
    """A good answer."""
    held = {"$ref": f"#/components/schemas/{schema}"} if isinstance(schema, str) else schema
    return {"description": description, "headers": ID, "content": {"application/json": {"schema": held}}}


def refused(statuses: tuple[int, ...], shape: str) -> Answers:
    """Errors in the shape of a protocol: `GuideError` or `Error`."""
    told = {}
    for status in sorted(statuses):
        text = INVALID if status == 400 and shape == "Error" else ERRORS[status]
        schema: Schema = {"$ref": f"#/components/schemas/{shape}"}
        identified: Mapping[str, Any] = ID
        if status in BEFORE:
            schema = {"anyOf": [schema, {"$ref": "#/components/schemas/GuideError"}]} if shape == "Error" else schema
            identified = {}
        headers = {**identified, **HEADERS.get(status, {})}
        told[str(status)] = {
            "description": text, "headers": headers, "content": {"application/json": {"schema": schema}},
        }  # fmt: skip
    return told


SCHEMAS: Mapping[str, Schema] = {
    "GuideError": {
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "field": {"type": "string", "description": "What is at fault"},
                    "value": {"description": "The offending value, where one helps"},
                    "message": {"type": "string", "description": "What is wrong, and the mend"},
                },
                "required": ["field", "message"],
                "additionalProperties": False,
            },
            "request_id": {"type": ["string", "null"]},
        },
        "required": ["error", "request_id"],
        "additionalProperties": False,
    },
    "Error": {
        "type": "object",
        "properties": {"error": {"type": "string", "description": "What is wrong, where, and the mend"}},
        "required": ["error"],
        "additionalProperties": False,
    },
}
