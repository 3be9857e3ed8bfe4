"""A neuron that asks for a Gateway, on a cluster that comes to know the Gateway API and forgets it again."""

import pytest

from tests.support.kube import Kube, eventually

from .gateway import gateway_api
from .neurons import neuron
from .variants import serves, traffic, variant

pytestmark = pytest.mark.integration

ROUTE = {"host": "churn.example.com", "gateway": {"parentRefs": [{"name": "public", "namespace": "default"}]}}


def reason(kube: Kube, space: str, kind: str = "TrafficApplied") -> str:
    return str((kube.condition("churn", space, kind) or {}).get("reason"))


@pytest.mark.usefixtures("running")
def test_all_but_the_route_works_and_the_route_is_made_once_it_can_be(kube: Kube, space: str) -> None:
    kube.apply(neuron("churn", space, route=ROUTE), variant("candidate", space, 20))
    serves(kube, space, "primary")
    serves(kube, space, "candidate")
    eventually("the split", lambda: traffic(kube, space) == "primary=80 candidate=20")
    stalled = eventually("it is told", lambda: kube.condition("churn", space, "Stalled"))
    assert stalled["reason"] == "GatewayAPIMissing"
    assert "install the Gateway API's CRDs" in stalled["message"]
    assert (kube.condition("churn", space, "Ready") or {})["status"] == "True"
    assert reason(kube, space) == "GatewayAPIMissing"
    with gateway_api(kube):
        found = eventually("a route", lambda: kube.get("httproute", "churn", space))
        assert [item["weight"] for item in found["spec"]["rules"][0]["backendRefs"]] == [8000, 2000]
        eventually("it waits for a Gateway", lambda: reason(kube, space) == "RoutePending")
        eventually("nothing is stalled", lambda: kube.condition("churn", space, "Stalled") is None)
        kube.patch("httproute", "churn", space, {"spec": {"hostnames": ["other.example.com"]}})
        eventually("an edit is undone", lambda: hostnames(kube, space) == ["churn.example.com"])
        kube.patch("mlneuron", "churn", space, {"spec": {"route": {"gateway": None}}})
        eventually("an Ingress instead", lambda: kube.get("ingress", "churn", space))
        eventually("no route", lambda: kube.get("httproute", "churn", space) is None)
        kube.patch("mlneuron", "churn", space, {"spec": {"route": ROUTE}})
        eventually("a route again", lambda: kube.get("httproute", "churn", space))
        eventually("no Ingress", lambda: kube.get("ingress", "churn", space) is None)
    eventually("it is told when they go", lambda: reason(kube, space) == "GatewayAPIMissing", 30)


def hostnames(kube: Kube, space: str) -> list[str]:
    found: list[str] = (kube.get("httproute", "churn", space) or {})["spec"]["hostnames"]
    return found
