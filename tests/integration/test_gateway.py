"""A neuron behind a Gateway, on a real API server, with Traefik as the Gateway and real runtimes as the pods."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.support.kube import Kube, Object, eventually
from tests.support.operator_process import OperatorProcess, operator

from .gateway import BAD_ROW, CANDIDATE_MODEL, PRIMARY_MODEL, Answers, Caller, Gate, Node, calling, gate
from .neurons import neuron
from .variants import condition, status, variant

pytestmark = pytest.mark.integration


def reason(kube: Kube, space: str, kind: str = "TrafficApplied") -> str:
    return str((kube.condition("churn", space, kind) or {}).get("reason"))


@pytest.fixture(scope="module")
def public(kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with gate(kube, tmp_path_factory.mktemp("traefik") / "log") as found:
        yield found


@pytest.fixture(scope="module")
def near(kube: Kube, public: Gate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """An operator that reads pods at their own addresses, as inside the cluster, and that often."""
    env = {"KUBERNETES_SERVICE_HOST": "", "MLNEURON_TELEMETRY_SECONDS": "1"}
    with operator(kube.kubeconfig, tmp_path_factory.mktemp("operator") / "log", **env) as process:
        process.wait_until_leading()
        yield process


@pytest.fixture
def node(kube: Kube, space: str, near: OperatorProcess, tmp_path: Path) -> Iterator[Node]:
    with ExitStack() as stack:
        yield Node(kube, space, tmp_path, stack)


def applied(node: Node, words: str) -> Object:
    """The condition, once it holds and says this."""

    def so() -> Object | None:
        found = node.condition()
        return found if found.get("status") == "True" and words in found["message"] else None

    return eventually(f"TrafficApplied with {words}", so)


def share(caller: Caller) -> float:
    """The percentage of 500 requests about one subject that the candidate answers; a Gateway's processes follow its
    word within seconds."""
    found = caller.ask_often(500, Answers(), user_id="ann")
    assert not found.bad
    return found.by["candidate"] / 5


def about(caller: Caller, percent: float) -> bool:
    return abs(share(caller) - percent) < 1


class TestBehindTraefik:
    def test_requests_split_by_weight_and_a_new_weight_costs_no_answer(
        self, kube: Kube, space: str, public: Gate, node: Node
    ) -> None:
        kube.apply(neuron("churn", space, route=public.route("/ml/")))
        node.serve("primary", PRIMARY_MODEL)
        applied(node, "the primary has all that comes through Gateway default/public")
        caller = node.caller(public.port, "/ml/predict")
        eventually("answers", lambda: caller.ask()[0] == 200)
        assert caller.ask_often(50, Answers()).by.total() == 50

        kube.apply(variant("candidate", space, 12.34))
        node.serve("candidate", CANDIDATE_MODEL)
        told = applied(node, "primary=87.66 candidate=12.34 in all of 1 pods; Gateway default/public splits alike")
        assert told["message"].endswith("it is not sticky")
        eventually("12.34 %", lambda: about(caller, 12.34))
        with calling(public.port, "/ml/predict") as meanwhile:
            for percent, words in ((80, "primary=20 candidate=80"), (0.01, "primary=99.99 candidate=0.01")):
                kube.patch("modelvariant", "candidate", space, {"spec": {"traffic": percent}})
                applied(node, words)
                eventually(words, partial(about, caller, percent))
            kube.patch("modelvariant", "candidate", space, {"spec": {"traffic": 50}})
            applied(node, "primary=50 candidate=50")
            eventually("a half", lambda: about(caller, 50))
            node.say("candidate", ready=False)
            applied(node, "primary=100 in all of 1 pods")
            eventually("none", lambda: share(caller) == 0)
        assert meanwhile.total > 100
        assert not meanwhile.bad

    def test_who_names_a_variant_and_how_predictions_turn_out_is_the_front_doors(
        self, kube: Kube, space: str, public: Gate, node: Node
    ) -> None:
        kube.apply(neuron("churn", space, route=public.route("/ml")), variant("candidate", space, 50))
        node.serve("primary", PRIMARY_MODEL)
        node.serve("candidate", CANDIDATE_MODEL)
        applied(node, "primary=50 candidate=50")
        caller = node.caller(public.port, "/ml/predict")
        eventually("both answer", lambda: len(caller.ask_often(10, Answers()).by) == 2)
        for name in ("primary", "candidate"):
            named = caller.ask_often(20, Answers(), headers={"X-Neuron-Variant": name})
            assert (named.by, named.bad) == ({name: 20}, [])
        feedback = node.caller(public.port, "/ml/feedback")
        for name in ("primary", "candidate", "primary", "candidate"):
            mark = caller.ask(headers={"X-Neuron-Variant": name})[1]["X-Request-Id"]
            code, _, told = feedback.ask(None, request_id=mark, outcome=3)
            assert code == 200, told
            assert f'"variant":"{name}"'.encode() in told

    def test_a_refusal_is_told_in_the_gateways_words(self, kube: Kube, space: str, public: Gate, node: Node) -> None:
        kube.apply(neuron("churn", space, route=public.route(host="churn.example.org")))
        eventually("by the Gateway", lambda: reason(kube, space) == "RouteRefused")
        refused = kube.condition("churn", space, "TrafficApplied") or {}
        assert refused["status"] == "False"
        assert "Gateway default/public does not take the route: NoMatchingListenerHostname" in refused["message"]
        kube.patch("mlneuron", "churn", space, {"spec": {"route": public.route(name="nobody")}})
        eventually("nobody answers", lambda: reason(kube, space) == "RoutePending")
        kube.patch("mlneuron", "churn", space, {"spec": {"route": public.route()}})
        node.serve("primary", PRIMARY_MODEL)
        applied(node, "the primary has all that comes through Gateway default/public")

    def test_a_rollout_goes_by_what_the_variants_own_pods_counted(
        self, kube: Kube, space: str, public: Gate, node: Node
    ) -> None:
        rolled_out(kube, space, public, node)
        with calling(public.port) as answers:
            eventually("it is over", lambda: verdict(node) == "Succeeded", 90)
        assert not answers.bad
        assert answers.by["candidate"] >= 60

    def test_a_variant_that_fails_behind_the_gateway_is_rolled_back(
        self, kube: Kube, space: str, public: Gate, node: Node
    ) -> None:
        rolled_out(kube, space, public, node, maxErrorRateIncrease=0.05)
        with calling(public.port, row=BAD_ROW) as answers:
            eventually("harm is seen", lambda: verdict(node) == "Harm", 90)
        assert {code for code, _ in answers.bad} == {500}
        applied(node, "primary=100 in all of 1 pods")
        caller = node.caller(public.port)
        eventually("only good answers", lambda: caller.ask_often(100, Answers(), row=BAD_ROW).by == {"primary": 100})
        assert (condition(kube, space, "RolloutHealthy") or {})["reason"] == "RolledBack"


def rolled_out(kube: Kube, space: str, public: Gate, node: Node, **guard: float) -> None:
    steps = [{"traffic": 20, "hold": "1s"}, {"traffic": 60, "hold": "1s"}]
    guards = {"minRequests": 30, "maxP95Increase": 100, **guard}
    kube.apply(
        neuron("churn", space, route=public.route()),
        variant("candidate", space, None, rollout={"steps": steps}, guard=guards),
    )
    node.serve("primary", PRIMARY_MODEL)
    node.serve("candidate", CANDIDATE_MODEL)
    applied(node, "primary=80 candidate=20")


def verdict(node: Node) -> str:
    node.bring_table()
    return str(status(node.kube, node.space).get("summary", {}).get("verdict"))
