"""The route through a Gateway: whose weights are what, and what is beside them."""

from typing import Any

import pytest
from mlneuron_operator.desired.route import http_route

from ..facts import neuron

GATEWAY = {"parentRefs": [{"name": "public"}]}


def route(shares: dict[str, int], *variants: str, **spec: Any) -> dict[str, Any]:
    made = http_route(neuron(route={"host": "ml.example.com", "gateway": GATEWAY, **spec}), shares, variants)
    assert made is not None
    return made


def weights(made: dict[str, Any]) -> dict[str, int]:
    return {backend["name"]: backend["weight"] for backend in made["spec"]["rules"][0]["backendRefs"]}


@pytest.mark.parametrize("spec", [{}, {"route": {"host": "ml.example.com"}}])
def test_without_a_gateway_there_is_none(spec: dict[str, Any]) -> None:
    assert http_route(neuron(**spec), {"primary": 10_000}, ()) is None


def test_weights_are_hundredths_of_a_percent_of_who_answers() -> None:
    made = route({"primary": 9_875, "a": 1, "b": 124}, "a", "b", "shadow")
    assert weights(made) == {"churn": 9_875, "churn-a": 1, "churn-b": 124}


def test_whoever_has_no_share_is_not_there() -> None:
    assert weights(route({"primary": 0, "a": 10_000}, "a")) == {"churn-a": 10_000}


def test_while_nothing_serves_the_primary_is_asked() -> None:
    assert weights(route({}, "a")) == {"churn": 10_000}


def test_only_what_is_split_is_marked_so() -> None:
    split, *others = route({"primary": 9_000, "a": 1_000}, "a")["spec"]["rules"]
    (mark,) = split["filters"]
    assert mark["requestHeaderModifier"] == {"set": [{"name": "X-Mlneuron-Split", "value": "gateway"}]}
    assert [rule.get("filters") for rule in others] == [None] * 3
    assert {backend["name"] for rule in others for backend in rule["backendRefs"]} == {"churn"}


def test_without_variants_there_is_one_rule_and_no_mark() -> None:
    (rule,) = route({"primary": 10_000})["spec"]["rules"]
    assert set(rule) == {"matches", "backendRefs"}


def test_who_names_a_variant_or_tells_an_outcome_comes_to_the_front_door() -> None:
    _, feedback, *named = route({"primary": 9_000, "a": 1_000}, "b", "a")["spec"]["rules"]
    assert feedback["matches"] == [{"path": {"type": "PathPrefix", "value": "/feedback"}}]
    assert [rule["matches"][0]["headers"][0]["value"] for rule in named] == ["primary", "a", "b"]
    assert {rule["matches"][0]["path"]["value"] for rule in named} == {"/"}


@pytest.mark.parametrize("path", ["/churn", "/churn/"])
def test_a_path_is_stripped(path: str) -> None:
    rules = route({"primary": 10_000}, "a", path=path)["spec"]["rules"]
    told = [(rule["matches"][0]["path"]["value"], rule["filters"][-1]["urlRewrite"]["path"]) for rule in rules]
    whole = ("/churn", {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"})
    assert told[1] == ("/churn/feedback", {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/feedback"})
    assert [told[0], *told[2:]] == [whole] * 3


def test_as_many_variants_as_a_neuron_takes_fit_into_a_route() -> None:
    """The API takes 16 rules."""
    assert len(route({"primary": 10_000}, *(f"v{number}" for number in range(8)))["spec"]["rules"]) <= 16
