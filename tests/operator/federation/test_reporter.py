"""The reporter in good weather: coming, beating, changing, going."""

import itertools
from dataclasses import replace

import pytest
from mlneuron_operator.federation.state import FederationReason

from .world import CHURN, World, facts


async def test_a_new_neuron_is_registered_and_heard_at_once(world: World) -> None:
    world.put(facts())
    await world.step()
    assert world.core.rows["ml.churn"].status == "active"
    assert world.vault.records["ml.churn"].uid == "uid-ml-churn"
    state = world.state()
    assert (state.reason, state.ready, state.registered) == (FederationReason.REGISTERED, True, True)
    assert state.last_heartbeat == world.time.wall()


async def test_it_then_beats_once_a_minute(world: World) -> None:
    world.put(facts())
    await world.run(630)
    times = [beat["receivedAt"] for beat in world.beats()]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert 30 <= gaps[0] <= 90
    assert set(gaps[1:]) == {60.0}


async def test_the_rhythm_that_the_core_asks_for_wins(world: World) -> None:
    world.core.switches.next_heartbeat = 20.0
    world.put(facts())
    await world.run(200)
    times = [beat["receivedAt"] for beat in world.beats()]
    assert times[-1] - times[-2] == 20.0


async def test_the_status_is_written_anew_only_every_five_minutes(world: World) -> None:
    world.put(facts())
    await world.run(1200)
    assert 4 <= len(world.published) <= 5


async def test_a_neuron_that_fails_says_so_before_its_next_slot(world: World) -> None:
    world.put(facts())
    await world.run(20)
    world.put(facts(ready=False, stalled=True, message="the model can not be loaded"))
    await world.step()
    last = world.beats()[-1]
    assert (last["status"], last["healthScore"], last["errorLog"]) == ("error", 1, "the model can not be loaded")


async def test_a_flapping_neuron_beats_at_most_every_ten_seconds(world: World) -> None:
    for second in range(60):
        world.put(facts(ready=second % 2 == 0))
        await world.run(1)
    times = [beat["receivedAt"] for beat in world.beats()]
    assert min(b - a for a, b in itertools.pairwise(times)) >= 10


async def test_a_deleted_neuron_says_goodbye_once_and_its_token_stays(world: World) -> None:
    world.put(facts())
    await world.run(5)
    world.remove()
    await world.run(120)
    assert [beat["status"] for beat in world.beats()] == ["active", "inactive"]
    assert world.beats()[-1]["uptime"] == 95
    record = world.vault.records["ml.churn"]
    assert record.token
    assert record.departed_at == world.time.wall() - 120


async def test_a_recreated_neuron_speaks_with_the_kept_token(world: World) -> None:
    world.put(facts())
    await world.step()
    token = world.vault.records["ml.churn"].token
    world.remove()
    await world.run(3)
    world.put(facts(uid="another"))
    await world.run(3)
    assert world.core.rows["ml.churn"].status == "active"
    record = world.vault.records["ml.churn"]
    assert (record.token, record.uid, record.departed_at) == (token, "another", None)
    assert world.core.calls["POST /api/api-neurons/register"] == 1


async def test_a_neuron_replaced_between_two_ticks_gets_its_state_published_again(world: World) -> None:
    world.put(facts())
    await world.run(3)
    before = len(world.published)
    world.put(facts(uid="another"))
    await world.step()
    assert len(world.published) == before + 1
    assert world.state().reason is FederationReason.REGISTERED
    assert [beat["status"] for beat in world.beats()] == ["active", "active"]


async def test_a_changed_id_leaves_the_old_entry_and_makes_a_new_one(world: World) -> None:
    world.put(facts())
    await world.run(3)
    world.put(facts(neuron_id="renamed"))
    await world.run(3)
    assert world.core.rows["ml.churn"].status == "inactive"
    assert world.core.rows["renamed"].status == "active"
    assert world.state().neuron_id == "renamed"


async def test_of_two_neurons_with_one_id_the_first_keeps_it_and_the_other_is_told(world: World) -> None:
    world.put(facts())
    await world.step()
    world.put(facts("other", neuron_id="ml.churn", created="2020-01-01T00:00:00Z"))
    await world.run(70)
    state = world.state(("other", "churn"))
    assert (state.reason, state.ready) == (FederationReason.NEURON_ID_TAKEN, False)
    assert "spec.federation.neuronId" in state.message
    assert "ml/churn" in state.message
    assert world.state().ready is True
    world.remove(CHURN)
    await world.run(3)
    assert world.state(("other", "churn")).ready is True
    assert world.vault.records["ml.churn"].namespace == "other"
    assert "inactive" not in [beat["status"] for beat in world.beats()]


async def test_an_id_longer_than_the_core_takes_is_named_and_not_sent(world: World) -> None:
    world.put(facts(neuron_id="n" * 101))
    await world.run(5)
    assert world.state().reason is FederationReason.INVALID_REPORT
    assert "spec.federation.neuronId" in world.state().message
    assert not world.core.calls


async def test_nobody_is_told_goodbye_while_the_neurons_are_not_known_yet(world: World) -> None:
    world.put(facts())
    await world.run(3)
    known = world.neurons
    await world.start()
    world.neurons = None
    await world.run(30)
    world.neurons = known
    await world.run(70)
    assert "inactive" not in [beat["status"] for beat in world.beats()]


async def test_a_new_leader_keeps_every_neurons_slot_and_registers_nobody_again(world: World) -> None:
    world.put(facts())
    await world.run(200)
    await world.start()
    await world.run(200)
    times = [beat["receivedAt"] for beat in world.beats()][1:]
    assert {b - a for a, b in itertools.pairwise(times)} == {60.0}
    assert world.core.calls["POST /api/api-neurons/register"] == 1


async def test_a_new_leader_says_the_goodbye_that_the_old_one_did_not(world: World) -> None:
    world.put(facts())
    await world.run(3)
    world.remove()
    await world.start()
    await world.run(3)
    assert world.core.rows["ml.churn"].status == "inactive"
    assert world.vault.records["ml.churn"].departed_at is not None


async def test_the_metrics_count_calls_and_neurons(world: World) -> None:
    world.put(facts(), facts(name="fraud"))
    await world.run(2)
    assert world.metric("mlneuron_federation_requests_total", call="register", result="Registered") == 2
    assert world.metric("mlneuron_federation_registered_neurons") == 2
    assert world.metric("mlneuron_federation_last_success_age_seconds") == 2.0
    world.remove()
    await world.run(2)
    assert world.metric("mlneuron_federation_registered_neurons") == 1


async def test_a_publish_that_fails_does_not_stop_the_reporting(world: World) -> None:
    world.publish_fails = True
    await world.start()
    world.put(facts())
    await world.run(100)
    assert len(world.beats()) > 1
    assert not world.published


async def test_run_reports_until_cancelled_and_resyncs_the_vault(world: World) -> None:
    class Enough(Exception):
        pass

    async def sleep(seconds: float) -> None:
        await reporter.idle()
        world.time.now += seconds
        if world.time.now == 1300:
            world.vault.records.clear()
        if world.time.now > 1700:
            raise Enough

    world.put(facts())
    reporter = world.new_reporter(sleep)
    with pytest.raises(Enough):
        await reporter.run()
    assert world.vault.records["ml.churn"].token
    assert len(world.beats()) > 10


async def test_changed_versions_are_told_with_the_next_heartbeat(world: World) -> None:
    world.put(facts())
    await world.step()
    world.put(replace(facts(), version="2.0.0", build_version="b2", config_version="7"))
    await world.run(100)
    last = world.beats()[-1]
    assert (last["buildVersion"], last["configVersion"]) == ("b2", "7")
    assert last["applicationMetrics"]["modelVersion"] == "2.0.0"
