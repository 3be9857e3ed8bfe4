"""Rollbacks for harm: the next heartbeat comes early and says so, and an event is sent once."""

from dataclasses import replace

from mlneuron_operator.federation.report import VariantFacts

from .world import World, facts

ANALYTICS = "POST /api/api-neurons/analytics/report"
GOOD = VariantFacts("candidate", "Split", 10.0, verdict="Progressing")
HARMED = replace(GOOD, traffic=0.0, verdict="Harm", harm="error rate 9 %", harmed_at="2026-11-24T12:00:00Z")


async def harm(world: World, *variants: VariantFacts) -> None:
    """A variant does well for 20 s, and then these are the variants."""
    world.put(facts(variants=(GOOD,)))
    await world.run(20)
    world.put(facts(variants=variants))
    await world.step()


async def test_a_heartbeat_ahead_of_time_tells_of_a_rollback(world: World) -> None:
    await harm(world, HARMED)
    last = world.beats()[-1]
    assert last["receivedAt"] == world.time.wall()
    assert last["status"] == "active"
    assert [each["harm"] for each in last["applicationMetrics"]["variants"]] == ["error rate 9 %"]


async def test_another_step_is_no_reason_for_one(world: World) -> None:
    before = replace(GOOD, traffic=50.0)
    await harm(world, before)
    assert world.beats()[-1]["receivedAt"] < world.time.wall()


async def test_a_core_that_takes_events_gets_each_once(world: World) -> None:
    world.core.switches.takes_analytics = True
    await harm(world, HARMED)
    (event,) = world.core.rows["ml.churn"].analytics["events"]
    assert (event["variant"], event["message"]) == ("candidate", "error rate 9 %")
    await world.run(300)
    assert world.core.calls[ANALYTICS] == 1
    world.put(facts(variants=(HARMED, replace(HARMED, name="other"))))
    await world.run(300)
    assert world.core.calls[ANALYTICS] == 2
    told = world.core.rows["ml.churn"].analytics["events"]
    assert [each["variant"] for each in told] == ["candidate", "other"], "the core keeps the day's last report alone"


async def test_the_published_cores_refusal_changes_nothing(world: World) -> None:
    await harm(world, HARMED)
    await world.run(300)
    assert world.core.calls[ANALYTICS] == 1
    assert world.state().ready is True
    assert len(world.beats()) >= 5


async def test_the_same_variant_harmed_again_is_another_event(world: World) -> None:
    await harm(world, HARMED)
    world.put(facts(variants=(GOOD,)))
    await world.run(60)
    world.put(facts(variants=(replace(HARMED, harmed_at="2026-11-24T13:00:00Z"),)))
    await world.run(60)
    assert world.core.calls[ANALYTICS] == 2
