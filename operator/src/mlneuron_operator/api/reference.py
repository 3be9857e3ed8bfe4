"""The tables of fields in ``docs/spec/``, from the schema of the CRD."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from .quantity import QUANTITY_PATTERN

Schema = dict[str, Any]

_MARKED: Final = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_BOUNDS: Final = (("minimum", "at least {}"), ("maximum", "at most {}"))


def tables(schema: Schema) -> dict[str, str]:
    """Markdown tables of the fields of ``spec`` and ``status``, and of the rules that the API server checks."""
    parts = {name: schema["properties"][name] for name in ("spec", "status")}
    return {
        **{name: _table(name, part) for name, part in parts.items()},
        "rules": "".join(f"- `{place}`: {text}\n" for place, text in _rules("", schema)),
    }


def filled(page: str, parts: Mapping[str, str]) -> str:
    """The page with each marked part replaced. Raises KeyError for a mark that is not known."""
    return _MARKED.sub(lambda match: f"{match[1]}\n{parts[match[2]]}\n{match[3]}", page)


def _table(name: str, schema: Schema) -> str:
    rows = (
        f"| `{path}` | {_type(part)} | {_default(part, required)} | {_cell(_text(part))} |\n"
        for path, part, required in _fields(name, schema)
    )
    return "| field | type | default | meaning |\n|---|---|---|---|\n" + "".join(rows)


def _fields(place: str, schema: Schema) -> Iterator[tuple[str, Schema, bool]]:
    """(path, schema, required) of every field below, depth first."""
    for name, part in schema.get("properties", {}).items():
        path = f"{place}.{name}"
        yield path, part, name in schema.get("required", ())
        yield from _fields(path, part)
        if "items" in part:
            yield from _fields(f"{path}[]", part["items"])


def _rules(place: str, schema: Schema) -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield place or "metadata.name", rule.get("message") or _spoken(rule["messageExpression"])
    for name, part in schema.get("properties", {}).items():
        yield from _rules(f"{place}.{name}" if place else name, part)
    if "items" in schema:
        yield from _rules(f"{place}[]", schema["items"])
    if "additionalProperties" in schema:
        yield from _rules(f"{place}.*", schema["additionalProperties"])


def _spoken(expression: str) -> str:
    """A message expression with an ellipsis for each value in it."""
    texts = re.split(r"'((?:[^'\\]|\\.)*)'", re.sub(r"\[0\]|\.filter\(.*?\)\[0\]", "", expression))
    return "".join(text if index % 2 else "…" if text.strip(" +") else "" for index, text in enumerate(texts))


def _type(schema: Schema) -> str:
    if "x-kubernetes-int-or-string" in schema:
        return "quantity" if schema["pattern"] == QUANTITY_PATTERN else "integer or string"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"map of {_type(schema['additionalProperties'])}"
    return str(schema.get("format") or schema["type"])


def _default(schema: Schema, required: bool) -> str:
    if required:
        return "**required**"
    default = schema.get("default")
    return "" if default in (None, {}) else f"`{json.dumps(default) if not isinstance(default, str) else default}`"


def _text(schema: Schema) -> str:
    bounds = [text.format(schema[name]) for name, text in _BOUNDS if name in schema and "type" in schema]
    return str(schema.get("description", "")) + (f" ({', '.join(bounds)})" if bounds else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
