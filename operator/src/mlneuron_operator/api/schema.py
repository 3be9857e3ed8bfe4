"""From pydantic's JSON schema to the structural OpenAPI v3 schema that a CustomResourceDefinition demands.

What has no structural counterpart (tuples, unions of models, untyped values, recursion) raises ``UnsupportedSchema``
that names the place: a field that the API server would not check must not slip into a CRD unseen.
"""

from collections.abc import Mapping
from typing import Any, Final

from .base import PRESERVE, VALIDATIONS, Resource

Schema = dict[str, Any]

_ORDER: Final = (
    "description",
    "type",
    "default",
    "enum",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "required",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    VALIDATIONS,
    PRESERVE,
)
_KEPT: Final = frozenset(_ORDER)
_TRANSLATED: Final = frozenset(
    {"properties", "items", "additionalProperties", "const", "exclusiveMinimum", "exclusiveMaximum", "uniqueItems"}
)
_DROPPED: Final = frozenset({"title", "examples", "deprecated", "$defs"})
_NULL: Final[Schema] = {"type": "null"}


class UnsupportedSchema(ValueError):
    """A model that no structural schema can describe."""


def structural(model: type[Resource]) -> Schema:
    """The structural schema of a model. Raises UnsupportedSchema."""
    raw = model.model_json_schema(by_alias=True)
    return _Translator(raw.get("$defs", {})).node(raw, model.__name__, ())


class _Translator:
    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions

    def node(self, raw: Schema, place: str, within: tuple[str, ...]) -> Schema:
        """One schema node; ``within`` holds the models that it lies in."""
        raw, within = self._inlined(raw, place, within)
        raw = _without_null(raw, place)
        if "$ref" in raw:
            raw, within = self._inlined(raw, place, within)
        if "anyOf" in raw:
            return _int_or_string(raw, place)
        _check(raw, place)
        return {**_kept(raw), **_bounds(raw), **self._children(raw, place, within)}

    def _inlined(self, raw: Schema, place: str, within: tuple[str, ...]) -> tuple[Schema, tuple[str, ...]]:
        """The node with its reference replaced by what it refers to; what stands beside it wins."""
        if "$ref" not in raw:
            return raw, within
        name = raw["$ref"].rpartition("/")[2]
        if name in within:
            raise UnsupportedSchema(f"{place}: {name} contains itself; a structural schema can't be recursive")
        target = self._definitions[name]
        rules = [*target.get(VALIDATIONS, ()), *raw.get(VALIDATIONS, ())]
        merged = {**target, **{key: value for key, value in raw.items() if key != "$ref"}}
        return {**merged, **({VALIDATIONS: rules} if rules else {})}, (*within, name)

    def _children(self, raw: Schema, place: str, within: tuple[str, ...]) -> Schema:
        children: Schema = {}
        if "properties" in raw:
            children["properties"] = {
                name: self._property(value, f"{place}.{name}", within, name in raw.get("required", ()))
                for name, value in raw["properties"].items()
            }
        if raw.get("type") == "array":
            if "items" not in raw:
                raise UnsupportedSchema(f"{place}: a list needs typed items")
            children["items"] = self.node(raw["items"], f"{place}[]", within)
        extra = raw.get("additionalProperties", False)
        if isinstance(extra, dict):
            children["additionalProperties"] = self.node(extra, f"{place}{{}}", within)
        return children

    def _property(self, raw: Schema, place: str, within: tuple[str, ...], required: bool) -> Schema:
        """A property; one with defaults inside gets ``default: {}``, or they would hold only where it is written."""
        schema = self.node(raw, place, within)
        optional = _NULL in raw.get("anyOf", ())
        if not required and not optional and "default" not in schema and _has_defaults(schema):
            schema["default"] = {}
        return schema


def _without_null(raw: Schema, place: str) -> Schema:
    """``X | None`` as ``X``: what may be null is what may be left out."""
    branches = raw.get("anyOf")
    if branches is None or _NULL not in branches:
        return raw
    others = [branch for branch in branches if branch != _NULL]
    rest = {key: value for key, value in raw.items() if key not in ("anyOf", "default")}
    if raw.get("default") is not None:
        raise UnsupportedSchema(f"{place}: a value that may be None must have None as its default")
    return {**others[0], **rest} if len(others) == 1 else {**rest, "anyOf": others}


def _int_or_string(raw: Schema, place: str) -> Schema:
    """``int | str``: the one union that a structural schema knows."""
    branches = {branch.get("type"): branch for branch in raw["anyOf"]}
    if set(branches) != {"integer", "string"} or len(raw["anyOf"]) != 2:
        raise UnsupportedSchema(f"{place}: of unions only int | str and X | None have a structural schema")
    merged = {**branches["integer"], **branches["string"], **raw}
    del merged["type"]
    return {**_kept(merged), "anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}


def _check(raw: Schema, place: str) -> None:
    unknown = set(raw) - _KEPT - _TRANSLATED - _DROPPED
    if unknown:
        raise UnsupportedSchema(f"{place}: no structural schema has {', '.join(sorted(unknown))}")
    if "type" not in raw:
        raise UnsupportedSchema(f"{place}: an untyped value; give it a type")
    if raw.get("additionalProperties") is True and not raw.get(PRESERVE):
        raise UnsupportedSchema(f"{place}: an object of anything; type its values or mark it {PRESERVE}")


def _bounds(raw: Schema) -> Schema:
    """``const``, exclusive bounds and sets in OpenAPI v3's words."""
    bounds: Schema = {}
    if "const" in raw:
        bounds["enum"] = [raw["const"]]
    for exclusive, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in raw:
            bounds |= {inclusive: raw[exclusive], exclusive: True}
    if raw.get("uniqueItems"):
        bounds["x-kubernetes-list-type"] = "set"
    return bounds


def _has_defaults(schema: Schema) -> bool:
    return any("default" in child for child in schema.get("properties", {}).values())


def _kept(raw: Schema) -> Schema:
    """What both kinds of schema say in the same words, in the order that reads best."""
    schema: Schema = {name: raw[name] for name in _ORDER if name in raw}
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split())
    return schema
