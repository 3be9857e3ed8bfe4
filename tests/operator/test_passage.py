"""What TrafficApplied says of a neuron behind Gateways."""

from typing import Any

import pytest
from mlneuron_operator.api.status import Reason
from mlneuron_operator.health import Sample
from mlneuron_operator.kinds import HTTP_ROUTE
from mlneuron_operator.observation import Observation
from mlneuron_operator.outcome import Stalled
from mlneuron_operator.passage import Passage, passage
from mlneuron_operator.spread import applied, spreading
from mlneuron_operator.traffic import Split
from mlneuron_operator.verdict import Situation

from .facts import neuron

PUBLIC, INSIDE = {"name": "public", "namespace": "infra", "sectionName": "web"}, {"name": "inside"}
SPLIT = Split({"revision": "r", "variants": []}, {"primary": 9_000, "a": 1_000}, {"a": 1_000})
GENERATION = 3


def condition(kind: str, status: str = "True", reason: str = "", message: str = "", seen: int = GENERATION) -> Any:
    return {"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": seen}


def said(reference: dict[str, Any], *conditions: Any) -> dict[str, Any]:
    """As a Gateway's controller tells it, with the API server's defaults."""
    defaults = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}
    taken = (condition("Accepted"), condition("ResolvedRefs"))
    return {"parentRef": {**defaults, **reference}, "conditions": list(conditions or taken)}


def through(
    *parents: dict[str, Any], refs: Any = (PUBLIC,), fault: Stalled | None = None, made: bool = True
) -> Passage:
    one = neuron(route={"host": "ml.example.com", "gateway": {"parentRefs": list(refs)}})
    live = {"metadata": {"name": "churn", "generation": GENERATION}, "status": {"parents": list(parents)}}
    children = {(HTTP_ROUTE, "churn"): live} if made else {}
    found = passage(one, Situation(one, Observation(children, ()), fault))
    assert found is not None
    return found


def told(found: Passage, split: Split = SPLIT) -> tuple[str, str, str]:
    sample = Sample("1", "d", "sklearn", 100, 0.0, 0, 0, traffic_revision="r")
    draft = applied(split, [sample, sample], found)
    assert draft is not None
    assert not spreading(draft)
    return draft.status, draft.reason, draft.message


@pytest.mark.parametrize("spec", [{}, {"route": {"host": "ml.example.com"}}])
def test_without_a_gateway_there_is_no_passage(spec: dict[str, Any]) -> None:
    one = neuron(**spec)
    assert passage(one, Situation(one, Observation({}, ()))) is None


def test_a_route_that_is_taken_is_said_to_split_and_not_to_be_sticky() -> None:
    status, reason, message = told(through(said(PUBLIC), said(INSIDE), refs=(PUBLIC, INSIDE)))
    assert (status, reason) == ("True", "Applied")
    assert message.startswith("primary=90 a=10 in all of 2 pods; Gateway infra/public (web), ml/inside splits alike")
    assert message.endswith("it is not sticky")


def test_without_variants_all_that_comes_through_is_the_primarys() -> None:
    alone = Split(None, {"primary": 10_000}, {})
    assert told(through(said(PUBLIC)), alone) == (
        "True",
        "Applied",
        "the primary has all that comes through Gateway infra/public (web)",
    )


@pytest.mark.parametrize("kind", ["Accepted", "ResolvedRefs"])
def test_a_refusal_is_told_in_the_gateways_words(kind: str) -> None:
    taken = [condition(other) for other in ("Accepted", "ResolvedRefs") if other != kind]
    refusal = condition(kind, "False", "NotAllowedByListeners", "no listener takes routes from ml")
    status, reason, message = told(through(said(PUBLIC, *taken, refusal)))
    assert (status, reason) == ("False", "RouteRefused")
    assert message == (
        "Gateway infra/public (web) does not take the route: NotAllowedByListeners: no listener takes routes from ml"
    )


def test_one_refusal_among_several_gateways_is_told() -> None:
    refused = said(INSIDE, condition("Accepted", "False", "NoMatchingListenerHostname", ""))
    _, reason, message = told(through(said(PUBLIC), refused, refs=(PUBLIC, INSIDE)))
    assert (reason, message) == (
        "RouteRefused",
        "Gateway ml/inside does not take the route: NoMatchingListenerHostname",
    )


@pytest.mark.parametrize(
    ("parents", "words"),
    [
        ([], "no controller has said whether Gateway infra/public (web) takes the route"),
        ([said({**PUBLIC, "sectionName": "other"})], "no controller has said"),
        ([said(INSIDE)], "no controller has said"),
        ([said(PUBLIC, condition("Accepted", seen=2), condition("ResolvedRefs"))], "has not taken the newest split"),
        ([said(PUBLIC, condition("Accepted"))], "has not taken the newest split"),
    ],
)
def test_a_gateway_that_has_not_answered_yet_is_waited_for(parents: Any, words: str) -> None:
    status, reason, message = told(through(*parents))
    assert (status, reason) == ("Unknown", "RoutePending")
    assert words in message


def test_a_cluster_without_the_gateway_api_is_told_so() -> None:
    missing = Stalled(Reason.GATEWAY_API_MISSING, "install the CRDs")
    assert told(through(fault=missing, made=False)) == ("False", "GatewayAPIMissing", "install the CRDs")


def test_a_route_that_is_not_made_yet_is_waited_for() -> None:
    assert told(through(made=False))[:2] == ("Unknown", "RoutePending")


def test_what_the_split_itself_lacks_is_told_first() -> None:
    down = Split(SPLIT.table, {"a": 10_000}, {"a": 1_000}, front="a")
    assert told(through(), down)[:2] == ("False", "PrimaryDown")
