"""A rollout from look to look, over restarts of the operator: nothing counted is lost, only what matters is written."""

from dataclasses import dataclass, field
from typing import Any

from mlneuron_operator.api.variant import ModelVariant, VariantWorkload
from mlneuron_operator.health import Sample
from mlneuron_operator.kinds import DEPLOYMENT
from mlneuron_operator.looks import Looks, Rolling
from mlneuron_operator.observation import Observation
from mlneuron_operator.rolling import WRITE_SECONDS, direct_readings_of, kept, progressed, readings_of
from mlneuron_operator.rollout.evidence import BOUNDS
from mlneuron_operator.traffic import Split
from mlneuron_operator.variant_status import Heard, derive
from mlneuron_operator.verdict import Situation

from .facts import neuron, observed, pod, settled

STEPS = [{"traffic": 10, "hold": "60s"}, {"traffic": 50, "hold": "60s"}]
PRIMARY = observed(settled(), pod("churn-1", ready=True))


def variant(**spec: Any) -> ModelVariant:
    meta = {"name": "candidate", "namespace": "ml", "uid": "v", "generation": 1, "creationTimestamp": "1"}
    rollout = {"steps": STEPS, **spec.pop("rollout", {})}
    model = {"uri": "https://models.example.com/m2.joblib"}
    guard = {"minRequests": 100}
    return ModelVariant.parse(
        {"metadata": meta, "spec": {"neuron": "churn", "model": model, "guard": guard, "rollout": rollout, **spec}}
    )


def counted(requests: int, errors: int) -> dict[str, Any]:
    latency = [0] * (len(BOUNDS) + 1)
    latency[40] = requests
    return {"requests": requests, "errors": errors, "feedback": 0, "correct": 0, "latency": latency, "fallback": {}}


@dataclass
class World:
    """Pods that count, an operator that looks, and the status that it writes."""

    looks: Looks = field(default_factory=Looks)
    status: dict[str, Any] = field(default_factory=dict)
    now: float = 1_795_521_600.0
    spec: ModelVariant = field(default_factory=variant)
    totals: dict[str, tuple[int, int]] = field(default_factory=lambda: {"primary": (0, 0), "candidate": (0, 0)})
    writes: int = 0
    events: list[str] = field(default_factory=list)

    def look(self, seconds: float = 5, requests: int = 50, errors: int = 0, *, serving: bool = True) -> Rolling:
        """A look after a while in which each model had requests, and the variant errors."""
        self.now += seconds
        for name, (before, failed) in self.totals.items():
            self.totals[name] = before + requests, failed + (errors if name == "candidate" else 0)
        counters = {name: counted(*total) for name, total in self.totals.items()}
        sample = Sample("1", "d", "sklearn", 100, 1_795_500_000.0, 0, 0, counters=counters)
        rolling = self.looks.look(
            self.spec,
            self.status,
            serving=serving,
            readings=readings_of("candidate", PRIMARY.ready_pods, [sample]),
            present=frozenset({"uid-churn-1"}),
            now=self.now,
        )
        assert rolling is not None
        self.write(rolling)
        return rolling

    def write(self, rolling: Rolling) -> None:
        whole = neuron()
        workload = VariantWorkload.of(self.spec, whole)
        serves = Observation({(DEPLOYMENT, workload.name): settled()}, [pod(ready=True)])
        shares = Split(None, {"candidate": rolling.share}, {"candidate": rolling.share})
        found = derive(
            self.spec,
            Situation(workload, serves),
            Heard(shares, (), rolling.rolled),
            self.status,
            "2026-11-24T12:00:00Z",
        )
        self.writes += found != self.status
        self.events += [f"{notice.reason}: {notice.note}" for notice in progressed(self.status, found)]
        self.status = found

    def restart(self) -> None:
        self.looks = Looks()

    def condition(self, kind: str) -> tuple[str, str] | None:
        found = {item["type"]: (item["status"], item["reason"]) for item in self.status["conditions"]}
        return found.get(kind)


def test_the_events_tell_of_steps_a_pause_and_the_end_and_of_nothing_else() -> None:
    world = World()
    world.look(serving=False)
    world.look()
    world.look()
    world.spec = variant(rollout={"paused": True})
    world.look()
    world.spec = variant()
    for _ in range(40):
        world.look()
    world.spec = variant(traffic=0)
    world.look()
    assert world.events == [
        "Stepping: step 1 of 2 at 10 %: until 2026-11-24T12:01:10Z at least",
        "Paused: step 1 of 2 at 10 %: paused after 10s of 1m, set spec.rollout.paused to false",
        "Stepping: step 1 of 2 at 10 %: until 2026-11-24T12:01:15Z at least",
        "Stepping: step 2 of 2 at 50 %: until 2026-11-24T12:02:15Z at least",
        "Completed: all 2 steps done, stays at 50 %",
        "Aborted: spec.traffic is 0: set another value to begin a new rollout",
    ]


def test_harm_is_told_by_the_event_of_its_condition_alone() -> None:
    world = World()
    while world.look(errors=25).state.looking:
        pass
    assert [event.split(":")[0] for event in world.events] == ["Stepping"]


def test_it_goes_through_its_steps_and_stays_at_the_last() -> None:
    world = World()
    shares = [world.look().share for _ in range(40)]
    assert list(dict.fromkeys(shares)) == [1000, 5000]
    assert world.condition("RolloutHealthy") == ("True", "Completed")
    assert world.status["summary"]["step"] == "2/2"
    assert world.status["summary"]["verdict"] == "Succeeded"
    assert world.condition("Reconciling") is None


def test_while_it_goes_on_a_deployer_waits() -> None:
    world = World()
    world.look()
    assert world.condition("Reconciling") == ("True", "Stepping")
    assert world.condition("RolloutHealthy") == ("Unknown", "Stepping")


def test_harm_takes_the_share_away_at_the_next_look_with_the_numbers() -> None:
    world = World()
    world.look()
    while world.look(requests=100, errors=20).share:
        assert world.now < 1_795_521_600.0 + 600, "a fifth of the requests fail"
    assert world.condition("Stalled") == ("True", "RolledBack")
    assert world.condition("RolloutHealthy") == ("False", "RolledBack")
    message = next(item["message"] for item in world.status["conditions"] if item["type"] == "Stalled")
    assert "error rate" in message
    world.restart()
    assert world.look().share == 0, "it stays away after a restart"


def test_a_restart_in_mid_rollout_loses_no_step_no_count_and_no_hold() -> None:
    undisturbed, restarted = World(), World()
    for number in range(30):
        if number % 3 == 1:
            restarted.restart()
        ours, theirs = undisturbed.look(), restarted.look()
        assert ours.share == theirs.share, number
    assert undisturbed.looks is not restarted.looks
    totals = [rolling.state.ledger.total for rolling in (ours, theirs)]
    assert totals[0] == totals[1]


def test_counts_alone_are_written_only_every_now_and_then() -> None:
    world = World()
    world.look()
    first = world.writes
    for _ in range(int(WRITE_SECONDS // 5)):
        world.look()
    assert world.writes - first <= 2


def test_a_pause_stops_the_clock_and_an_end_to_it_goes_on() -> None:
    world = World()
    world.look()
    world.spec = variant(rollout={"paused": True})
    for _ in range(30):
        assert world.look().share == 1000
    assert world.condition("RolloutHealthy") == ("Unknown", "Paused")
    world.spec = variant()
    assert [world.look().share for _ in range(20)][-1] == 5000


def test_traffic_of_0_ends_it() -> None:
    world = World()
    world.look()
    world.spec = variant(traffic=0)
    assert world.look().share == 0
    assert world.condition("RolloutHealthy") == ("Unknown", "Aborted")
    assert world.condition("Reconciling") is None


def test_a_status_that_cannot_be_understood_begins_anew() -> None:
    world = World(status={"rollout": {"state": "{}"}})
    assert kept(world.status) is None
    assert world.look().share == 1000


def test_a_variant_that_does_not_serve_waits_and_its_clock_stands() -> None:
    world = World()
    for _ in range(20):
        world.look(requests=0, serving=False)
    assert world.status["summary"] | {"step": "1/2", "verdict": "Waiting"} == world.status["summary"]


def test_a_variant_that_comes_back_to_the_table_brings_nothing_that_was_counted_before() -> None:
    world = World()
    world.look()
    before = world.look(requests=50).state.ledger.total
    gone = world.totals.pop("candidate")
    world.look()
    world.totals["candidate"] = gone
    assert world.look(requests=50).state.ledger.total.variant.asked == before.variant.asked + 50


def test_what_a_gateway_gave_to_a_variants_own_pods_counts_beside_what_the_front_door_gave_it() -> None:
    looks, now = Looks(), 1_795_521_600.0
    rolling = None
    for requests in (0, 70):
        door = Sample("1", "d", "sklearn", 100, now + 1, 0, 0, counters={
            "primary": counted(2 * requests, 0), "candidate": counted(requests // 2, 0),
        })  # fmt: skip
        own = Sample("2", "d", "sklearn", 100, now - 60, 0, 0, counters={"candidate": counted(7 + requests, 1)})
        readings = [
            *readings_of("candidate", PRIMARY.ready_pods, [door]),
            *direct_readings_of("candidate", [pod("churn-candidate-1", ready=True)], [own]),
        ]
        uids = frozenset({"uid-churn-1", "uid-churn-candidate-1"})
        status: dict[str, Any] = {} if rolling is None else {"rollout": rolling.rolled.entry}
        rolling = looks.look(variant(), status, serving=True, readings=readings, present=uids, now=now)
    assert rolling is not None
    total = rolling.state.ledger.total
    assert (total.primary.asked, total.variant.asked, total.variant.errors) == (140, 35 + 70, 0)


def test_a_variants_pod_that_does_not_count_what_a_gateway_gives_to_it_is_left_out() -> None:
    pods = [pod("old", ready=True), pod("odd", ready=True), pod("mute", ready=True)]
    old = Sample("1", "d", "sklearn", 100, 0.0, 0, 0)
    odd = Sample("1", "d", "sklearn", 100, 0.0, 0, 0, counters={"candidate": {"requests": 1}})
    assert direct_readings_of("candidate", pods, [old, odd, None]) == []
