from typing import Annotated, Any, Literal

import pytest
from mlneuron_operator.api.base import Duration, Opaque, Quantity, Resource, Rule, keyed_by
from mlneuron_operator.api.schema import UnsupportedSchema, structural
from pydantic import Field


class Leaf(Resource):
    """A leaf."""

    RULES = (Rule("self.size > 0", "size must be above 0"),)

    size: Annotated[int, Field(gt=0, lt=10)] = 1
    """Its size,
    in leaves."""


class Bare(Resource):
    """Has no defaults."""

    text: str | None = None
    """Some text."""


class Tree(Resource):
    """A tree."""

    leaf: Leaf = Field(default_factory=Leaf)
    """The leaf of it."""
    spare: Leaf | None = None
    bare: Bare = Field(default_factory=Bare)
    leaves: Annotated[list[Leaf], Field(max_length=3, json_schema_extra=keyed_by("size"))] = Field(default_factory=list)
    by_name: dict[str, Leaf] = Field(default_factory=dict)
    kind: Literal["oak", "elm"] | None = None
    only: Literal["tree"] = "tree"
    weight: Quantity = "1Gi"
    age: Annotated[Duration, Rule("self != '0s'", "'age is ' + self", dynamic=True)] | None = None
    anything: Opaque = Field(default_factory=dict)
    marks: set[str] = Field(default_factory=set)


PROPERTIES = structural(Tree)["properties"]


def test_references_are_inlined_and_the_fields_own_words_win() -> None:
    assert PROPERTIES["leaf"]["description"] == "The leaf of it."
    assert PROPERTIES["spare"]["description"] == "A leaf."
    assert PROPERTIES["leaf"]["properties"] == PROPERTIES["spare"]["properties"]
    assert PROPERTIES["byName"]["additionalProperties"]["type"] == "object"


def test_descriptions_are_one_line() -> None:
    assert PROPERTIES["leaf"]["properties"]["size"]["description"] == "Its size, in leaves."


def test_defaults_inside_an_object_hold_where_it_is_not_written() -> None:
    assert PROPERTIES["leaf"]["default"] == {}
    assert "default" not in PROPERTIES["spare"]
    assert "default" not in PROPERTIES["bare"]


def test_what_may_be_none_is_what_may_be_left_out() -> None:
    assert PROPERTIES["kind"] == {"type": "string", "enum": ["oak", "elm"]}
    assert "required" not in structural(Tree)


def test_one_choice_is_an_enum_of_one() -> None:
    assert PROPERTIES["only"]["enum"] == ["tree"]


def test_exclusive_bounds_are_said_as_openapi_v3_says_them() -> None:
    size = PROPERTIES["leaf"]["properties"]["size"]
    assert (size["minimum"], size["exclusiveMinimum"]) == (0, True)
    assert (size["maximum"], size["exclusiveMaximum"]) == (10, True)


def test_a_number_or_a_text_is_marked_as_one() -> None:
    weight = PROPERTIES["weight"]
    assert weight["x-kubernetes-int-or-string"] is True
    assert weight["anyOf"] == [{"type": "integer"}, {"type": "string"}]
    assert weight["pattern"].startswith("^[0-9]+")
    assert weight["default"] == "1Gi"
    assert "type" not in weight


def test_rules_of_a_model_and_of_a_field_are_kept() -> None:
    assert PROPERTIES["leaf"]["x-kubernetes-validations"] == [
        {"rule": "self.size > 0", "message": "size must be above 0"}
    ]
    rules = PROPERTIES["age"]["x-kubernetes-validations"]
    assert rules[-1] == {"rule": "self != '0s'", "messageExpression": "'age is ' + self"}
    assert len(rules) == 2


def test_lists_and_sets_say_how_they_are_merged() -> None:
    assert PROPERTIES["leaves"]["x-kubernetes-list-map-keys"] == ["size"]
    assert PROPERTIES["marks"]["x-kubernetes-list-type"] == "set"


def test_an_opaque_object_keeps_what_it_holds() -> None:
    assert PROPERTIES["anything"] == {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


class Pair(Resource):
    pair: tuple[int, int]


class Either(Resource):
    either: Leaf | Bare


class Anything(Resource):
    anything: Any = None


class AnyMap(Resource):
    values: dict[str, Any]


class Recursive(Resource):
    child: "Recursive | None" = None


class NullWithDefault(Resource):
    text: str | None = "x"


class Mixed(Resource):
    number: int | float | str = 1


@pytest.mark.parametrize("model", [Pair, Either, Anything, AnyMap, Recursive, NullWithDefault, Mixed])
def test_what_no_structural_schema_can_say_is_refused_by_place(model: type[Resource]) -> None:
    with pytest.raises(UnsupportedSchema, match=rf"^{model.__name__}\.\w+"):
        structural(model)
