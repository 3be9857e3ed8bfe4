"""What the parts of the custom resources are made of: the base model, CEL rules, and scalar types."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

from .quantity import DURATION_PATTERN, QUANTITY_PATTERN

VALIDATIONS: Final = "x-kubernetes-validations"
PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"


class Rule(NamedTuple):
    """A CEL rule of the CRD: refused with ``message`` (a CEL string expression when ``dynamic``) unless it holds.

    It stands among the annotations of a value, or in ``RULES`` of a ``Resource``.
    """

    rule: str
    message: str
    dynamic: bool = False

    def validation(self) -> dict[str, str]:
        """The rule as an entry of ``x-kubernetes-validations``."""
        return {"rule": self.rule, "messageExpression" if self.dynamic else "message": self.message}

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core)
        return {**schema, VALIDATIONS: [*schema.get(VALIDATIONS, ()), self.validation()]}


class Resource(BaseModel):
    """Base of every typed part: camelCase in YAML, immutable in Python, its docstrings the CRD's descriptions."""

    RULES: ClassVar[tuple[Rule, ...]] = ()

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core))
        if cls.RULES:
            schema[VALIDATIONS] = [rule.validation() for rule in cls.RULES]
        return schema


def keyed_by(key: str) -> Mapping[str, Any]:
    """Schema of a list whose entries are told apart by one of their fields, so that appliers can share it."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


_NAME: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
_QUALIFIED: Final = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"

Name = Annotated[str, Field(min_length=1, max_length=253, pattern=_NAME)]
"""Name of an object in the API."""

Text = Annotated[str, Field(max_length=1024)]

LabelValue = Annotated[str, Field(max_length=63, pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")]

QUALIFIED_KEYS: Final = Rule(
    f"self.all(key, key.size() <= 317 && key.matches('{_QUALIFIED}'))",
    "'not a valid key: ' + self.filter(key, key.size() > 317 || "
    f"!key.matches('{_QUALIFIED}'))[0] + '; write NAME or DOMAIN/NAME of letters, digits, -, _ and .'",
    dynamic=True,
)
"""Keys of labels and annotations."""

Labels = Annotated[dict[str, LabelValue], Field(max_length=64), QUALIFIED_KEYS]
Annotations = Annotated[dict[str, Text], Field(max_length=64), QUALIFIED_KEYS]

Duration = Annotated[
    str,
    Field(pattern=DURATION_PATTERN, max_length=32),
    Rule(
        f"self.matches('{DURATION_PATTERN}')",
        "self + ' is not a duration: write numbers with ms, s, m or h, such as 250ms or 1m30s'",
        dynamic=True,
    ),
]

Quantity = Annotated[
    Annotated[int, Field(ge=0)] | Annotated[str, Field(pattern=QUANTITY_PATTERN, max_length=32)],
    Rule(
        f"type(self) == int ? self >= 0 : self.matches('{QUANTITY_PATTERN}')",
        "string(self) + ' is not a quantity: write a number with a suffix such as 500m, 2, 4G or 4Gi'",
        dynamic=True,
    ),
]
"""A number with an optional suffix, as Kubernetes writes amounts of memory or CPU."""

Opaque = Annotated[dict[str, Any], Field(json_schema_extra={PRESERVE: True})]
"""An object whose fields are Kubernetes' own affair; it is passed on as it is."""
