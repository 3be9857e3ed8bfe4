"""JSON schemas for kubeconform out of an API server's own OpenAPI document, so that nothing is downloaded."""

import json
import re
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

_EITHER: Schema = {"oneOf": [{"type": "string"}, {"type": "number"}]}
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
LOCATION = "{{ .ResourceKind }}{{ .KindSuffix }}.json"


def write_schemas(document: Schema, folder: Path) -> str:
    """Write a schema for each kind of the document; the place of them as kubeconform wants it told."""
    definitions = {name: strict(schema) for name, schema in document["definitions"].items()} | {_QUANTITY: _EITHER}
    for name, schema in document["definitions"].items():
        for kind in schema.get("x-kubernetes-group-version-kind", ()):
            group = kind["group"].partition(".")[0]
            parts = (kind["kind"].lower(), *((group,) if group else ()), kind["version"])
            whole = {"$ref": f"#/definitions/{name}", "definitions": closure(name, definitions)}
            (folder / f"{'-'.join(parts)}.json").write_text(json.dumps(whole))
    return f"{folder}/{LOCATION}"


def strict(schema: Any) -> Any:
    """The schema with every object closed to fields that it does not name."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "int-or-string":
        return _EITHER
    closed = {key: strict(value) for key, value in schema.items() if key != "description" or isinstance(value, dict)}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        closed["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    return closed


def closure(name: str, definitions: dict[str, Schema]) -> dict[str, Schema]:
    """A definition and all that it refers to."""
    found: dict[str, Schema] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found[current] = definitions[current]
            waiting += re.findall(r'"#/definitions/([^"]+)"', json.dumps(definitions[current]))
    return found
