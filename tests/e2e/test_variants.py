"""Two versions on a real node under load: they share subjects, one goes bad or away, and no client notices."""

import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from itertools import count
from typing import Any

import pytest

from dev import quickstart
from tests.e2e.conftest import SPACE, Lab
from tests.e2e.http import Load
from tests.support.core_process import CoreProcess
from tests.support.kube import Object, eventually

pytestmark = pytest.mark.e2e

NEURON = "rivals"
USERS = 200


@dataclass
class Crowd(Load):
    """Clients that speak for USERS in turn, and remember who answered each of them."""

    answered_by: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _turn: Iterator[int] = field(default_factory=count)

    def _request(self, connection: HTTPConnection) -> bool:
        user = f"user-{next(self._turn) % USERS}"
        body = json.dumps({"features": [5.1, 3.5, 1.4, 0.2], "user_id": user})
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        self.answers[str(response.status)] += 1
        if response.status == 200:
            self.answered_by[user].append(json.loads(content).get("model_variant", "primary"))
        return not response.will_close

    def shares(self) -> dict[str, int]:
        """How many answers each model has given."""
        return dict(Counter(name for names in list(self.answered_by.values()) for name in list(names)))

    def newest(self) -> dict[str, str]:
        """Who answered each user last."""
        return {user: names[-1] for user, names in list(self.answered_by.items())}

    def settled(self) -> dict[str, str]:
        """Who answers each user, once all of them were answered again."""
        seen = {user: len(names) for user, names in list(self.answered_by.items())}
        users = [f"user-{number}" for number in range(USERS)]
        eventually("all users are answered", lambda: all(len(self.answered_by[u]) > seen.get(u, 0) for u in users), 30)
        return self.newest()


@contextmanager
def crowd(lab: Lab) -> Iterator[Crowd]:
    """The crowd at the neuron's Service; none of it may have been answered other than well."""
    with quickstart.reach(lab.cluster, NEURON, SPACE) as (url, _):
        with Crowd(url) as everybody:
            yield everybody
        assert not everybody.failures, everybody.failures


@pytest.fixture
def rivals(lab: Lab) -> Iterator[Lab]:
    """A neuron with two pods of its own; its variants go with the test."""
    lab.neuron(NEURON, replicas=2)
    lab.ready(NEURON)
    eventually("two pods", lambda: lab.get(NEURON)["status"]["readyReplicas"] == 2, 90)
    yield lab
    lab.kube.run("delete", "modelvariants", "--all", "-n", SPACE)


def variant(lab: Lab, uri: str = "pvc://models/iris.ubj", acceleration: str = "Auto", **spec: Any) -> None:
    lab.kube.apply(
        {
            "apiVersion": "ml.findawise.io/v1alpha1",
            "kind": "ModelVariant",
            "metadata": {"name": "candidate", "namespace": SPACE},
            "spec": {"neuron": NEURON, "model": {"uri": uri, "version": "2.0.0", "acceleration": acceleration}, **spec},
        }
    )


def status(lab: Lab) -> Object:
    found = lab.kube.get("modelvariant", "candidate", SPACE) or {}
    told: Object = found.get("status", {})
    return told


def applied(lab: Lab, words: str, seconds: float = 90) -> None:
    """Wait until all pods of the front door have this split."""

    def look() -> bool:
        found = lab.kube.condition(NEURON, SPACE, "TrafficApplied")
        return found is not None and found["status"] == "True" and words in found["message"]

    eventually(f"{words} is applied", look, seconds)


def test_a_split_is_answered_by_both_and_a_change_moves_only_whom_it_must(rivals: Lab) -> None:
    variant(rivals, traffic=10)
    applied(rivals, "primary=90 candidate=10")
    with crowd(rivals) as everybody:
        eventually("all users were answered", lambda: len(everybody.answered_by) == USERS)
        first = everybody.newest()
        assert 0 < list(first.values()).count("candidate") < 50
        assert all(len(set(names)) == 1 for names in list(everybody.answered_by.values())), "subjects stick"
        start = time.monotonic()
        rivals.kube.patch("modelvariant", "candidate", SPACE, {"spec": {"traffic": 50}})
        eventually("half of the users moved", lambda: moved(everybody) > 70, 5, every=0.1)
        print(f"a new weight reached the clients {time.monotonic() - start:.1f} s after the patch")
        applied(rivals, "primary=50 candidate=50")
        second = everybody.newest()
    assert not [user for user, who in first.items() if who == "candidate" and second[user] != "candidate"]
    assert rivals.get(NEURON)["status"]["summary"]["traffic"] == "primary=50 candidate=50"


def moved(everybody: Crowd) -> int:
    return list(everybody.newest().values()).count("candidate")


def test_nobody_notices_when_the_variants_pods_are_killed(rivals: Lab) -> None:
    variant(rivals, traffic=50)
    applied(rivals, "primary=50 candidate=50")
    with crowd(rivals) as everybody:
        eventually("both answer", lambda: len(everybody.shares()) == 2)
        selector = f"ml.findawise.io/neuron={NEURON},ml.findawise.io/variant=candidate"
        rivals.kube.run("delete", "pods", "-n", SPACE, "-l", selector, "--grace-period=0", "--force")
        eventually("its share is back at the primary", lambda: traffic(rivals) == "primary=100", 30)
        eventually("and with it again", lambda: traffic(rivals) == "primary=50 candidate=50", 90)


def traffic(lab: Lab) -> str:
    return str(lab.get(NEURON)["status"]["summary"]["traffic"])


def test_a_variant_that_fails_is_caught_and_loses_its_traffic(rivals: Lab, federation: CoreProcess | None) -> None:
    steps = [{"traffic": 50, "hold": "10m"}, {"traffic": 100, "hold": "10m"}]
    variant(rivals, "pvc://models/erring.joblib", "Off", rollout={"steps": steps})
    with crowd(rivals):
        eventually("the harm is seen", lambda: status(rivals).get("summary", {}).get("verdict") == "Harm", 120)
        eventually("all is the primary's", lambda: traffic(rivals) == "primary=100", 10)
    told = {item["type"]: item for item in status(rivals)["conditions"]}
    assert told["Stalled"]["reason"] == "RolledBack"
    assert "error rate" in told["Stalled"]["message"]
    assert ("RolledBack", told["Stalled"]["message"]) in events(rivals)
    if federation is not None:
        eventually("the core is told", lambda: told["Stalled"]["message"] in harms(federation), 30)


def harms(core: CoreProcess) -> list[str | None]:
    """What harm the neuron's newest heartbeat tells of its variants."""
    row = core.row(f"{SPACE}.{NEURON}") or {"heartbeats": []}
    told = row["heartbeats"][-1]["applicationMetrics"].get("variants", []) if row["heartbeats"] else []
    return [each.get("harm") for each in told]


def test_a_variant_that_is_slow_is_caught_and_nobody_but_its_own_users_met_it(rivals: Lab) -> None:
    """It sleeps for a tenth of a second before each answer, where the primary needs a few milliseconds."""
    guard = {"maxErrorRateIncrease": 1, "maxP95Increase": 1}
    steps = [{"traffic": 50, "hold": "10m"}, {"traffic": 100, "hold": "10m"}]
    variant(rivals, "pvc://models/slow.joblib", "Off", rollout={"steps": steps}, guard=guard)
    with crowd(rivals) as everybody:
        applied(rivals, "primary=50 candidate=50")
        slow = {user for user, who in everybody.settled().items() if who == "candidate"}
        eventually("the harm is seen", lambda: status(rivals)["summary"]["verdict"] == "Harm", 90)
        eventually("all is the primary's", lambda: traffic(rivals) == "primary=100", 10)
        applied(rivals, "primary=100", 10)
        assert set(everybody.settled().values()) == {"primary"}
    assert 60 < len(slow) < 140
    assert {user for user, names in everybody.answered_by.items() if "candidate" in names} == slow
    told = {item["type"]: item for item in status(rivals)["conditions"]}
    assert told["Stalled"]["reason"] == told["RolloutHealthy"]["reason"] == "RolledBack"
    message = told["Stalled"]["message"]
    assert re.match(r"p95 \S+ ms against \S+ ms of the primary \(.*: more than 100 % longer", message)
    assert ("RolledBack", message) in events(rivals)


def events(lab: Lab) -> list[tuple[str, str]]:
    """What the events say of the variant, in their order."""
    uid = (lab.kube.get("modelvariant", "candidate", SPACE) or {})["metadata"]["uid"]
    found = [item for item in lab.kube.items("events.events.k8s.io", SPACE) if item["regarding"].get("uid") == uid]
    return [(item["reason"], item["note"]) for item in sorted(found, key=lambda item: str(item["eventTime"]))]


def test_a_good_variant_goes_through_its_steps_and_moves_only_whom_it_must(rivals: Lab) -> None:
    steps = [{"traffic": 20, "hold": "5s"}, {"traffic": 50, "hold": "5s"}]
    guard = {"minRequests": 50, "maxP95Increase": 20}
    variant(rivals, rollout={"steps": steps, "paused": True}, guard=guard)
    with crowd(rivals) as everybody:
        applied(rivals, "primary=80 candidate=20")
        first = everybody.settled()
        everybody.answered_by.clear()
        rivals.kube.patch("modelvariant", "candidate", SPACE, {"spec": {"rollout": {"paused": False}}})
        eventually("it is through", lambda: status(rivals)["summary"]["verdict"] == "Succeeded", 150)
        applied(rivals, "primary=50 candidate=50")
        second = everybody.settled()
    steps_told = [reason for reason, _ in events(rivals) if reason != "Serving"]
    assert steps_told == ["Paused", "Stepping", "Stepping", "Completed"]
    assert 0 < list(first.values()).count("candidate") < list(second.values()).count("candidate")
    assert not [user for user, who in first.items() if who == "candidate" and second[user] == "primary"]
    stayed = {user: who for user, who in first.items() if second[user] == who}
    assert {user: {who} for user, who in stayed.items()} == {user: set(everybody.answered_by[user]) for user in stayed}


def test_the_service_turns_to_the_variant_while_the_primary_is_down(rivals: Lab) -> None:
    variant(rivals, traffic=10)
    applied(rivals, "primary=90 candidate=10")
    rivals.kube.run("scale", "mlneuron", NEURON, "-n", SPACE, "--replicas=0")
    eventually("the variant answers alone", lambda: traffic(rivals) == "candidate=100", 60)
    answer = eventually("an answer", lambda: answered(rivals), 10)
    assert answer["model_version"] == "2.0.0"
    rivals.kube.run("scale", "mlneuron", NEURON, "-n", SPACE, "--replicas=2")
    applied(rivals, "primary=90 candidate=10")


def answered(lab: Lab) -> dict[str, Any] | None:
    answer = lab.predict(NEURON, [5.1, 3.5, 1.4, 0.2])
    return answer.body if answer.status == 200 else None
