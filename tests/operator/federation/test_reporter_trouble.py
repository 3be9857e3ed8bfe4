"""The reporter in bad weather: a core that is down, refuses, forgets; a vault that can not write."""

import asyncio
from collections.abc import Callable

import pytest
from mlneuron_operator.federation.records import secret_name
from mlneuron_operator.federation.reporter import Reporter
from mlneuron_operator.federation.state import FederationReason

from .world import World, facts

REGISTER = "POST /api/api-neurons/register"
HEARTBEAT = "POST /api/api-neurons/heartbeat"


async def test_a_core_that_is_down_is_told_at_once_for_a_neuron_it_never_heard(world: World) -> None:
    world.core.switches.down = True
    world.put(facts())
    await world.step()
    state = world.state()
    assert (state.reason, state.ready, state.registered) == (FederationReason.CORE_UNREACHABLE, False, False)
    assert world.url in state.message
    assert "Serving is not affected" in state.message


async def test_an_outage_under_two_minutes_changes_no_condition(world: World) -> None:
    world.put(facts())
    await world.run(5)
    before = len(world.published)
    world.core.switches.down = True
    await world.run(100)
    world.core.switches.down = False
    await world.run(100)
    assert len(world.published) == before
    assert len(world.beats()) > 1


async def test_a_longer_outage_is_published_once_and_so_is_its_end(world: World) -> None:
    world.put(facts())
    await world.run(5)
    before = len(world.published)
    world.core.switches.down = True
    await world.run(900)
    world.core.switches.down = False
    await world.run(70)
    reasons = [state.reason for _, state in world.published[before:]]
    assert reasons == [FederationReason.CORE_UNREACHABLE, FederationReason.REGISTERED]


async def test_a_core_that_is_down_gets_one_probe_a_step_however_many_neurons_wait(world: World) -> None:
    world.put(*(facts(name=f"n{i}") for i in range(200)))
    await world.run(3)
    world.core.switches.down = True
    before = world.core.calls[HEARTBEAT]
    await world.run(600)
    assert world.core.calls[HEARTBEAT] - before < 40
    states = {name: world.state(("ml", name)).reason for name in ("n0", "n99", "n199")}
    assert set(states.values()) == {FederationReason.CORE_UNREACHABLE}


async def test_when_the_core_is_back_the_neurons_speak_one_after_another(world: World) -> None:
    world.put(*(facts(name=f"n{i}") for i in range(500)))
    await world.run(3)
    world.core.switches.down = True
    await world.run(300)
    world.core.switches.down = False
    back = len(world.core.heard)
    await world.run(75)
    seconds = [at for at, _ in world.core.heard[back:]]
    assert len({neuron for _, neuron in world.core.heard[back:]}) == 500
    assert max(seconds.count(at) for at in set(seconds)) <= 80


@pytest.mark.parametrize("switch", ["html", "database_down"])
async def test_whatever_answers_in_the_cores_place_is_no_core(world: World, switch: str) -> None:
    world.put(facts())
    await world.run(5)
    setattr(world.core.switches, switch, True)
    await world.run(300)
    assert world.state().reason is FederationReason.CORE_UNREACHABLE
    setattr(world.core.switches, switch, False)
    await world.run(70)
    assert world.state().ready is True


async def test_a_lost_token_is_told_with_its_mends(world: World) -> None:
    world.put(facts())
    await world.step()
    world.vault.records.clear()
    await world.start()
    await world.step()
    state = world.state()
    assert (state.reason, state.ready, state.registered) == (FederationReason.REGISTRATION_REFUSED, False, False)
    assert secret_name("ml.churn") in state.message
    assert "spec.federation.neuronId" in state.message


async def test_a_refused_registration_is_tried_again_seldom(world: World) -> None:
    world.put(facts())
    await world.step()
    world.vault.records.clear()
    await world.start()
    await world.run(3600)
    assert 5 <= world.core.calls[REGISTER] <= 14


async def test_a_restored_secret_is_taken_up(world: World) -> None:
    world.put(facts())
    await world.step()
    kept = dict(world.vault.records)
    world.vault.records.clear()
    await world.start()
    await world.step()
    world.vault.records.update(kept)
    await world.reporter.resync()
    await world.step()
    assert world.state().ready is True


async def test_a_secret_deleted_by_hand_is_written_again(world: World) -> None:
    world.put(facts())
    await world.step()
    world.vault.records.clear()
    await world.reporter.resync()
    await world.step()
    assert world.vault.records["ml.churn"].token


async def test_a_rejected_token_is_told_with_its_mends_and_each_attempt_registers_once(world: World) -> None:
    world.put(facts())
    await world.step()
    world.core.rotate_secret()
    await world.run(100)
    state = world.state()
    assert (state.reason, state.ready, state.registered) == (FederationReason.TOKEN_REJECTED, False, True)
    assert "delete the id from its database" in state.message
    assert world.core.calls[REGISTER] == world.core.calls[HEARTBEAT]


async def test_a_rejected_token_mends_itself_once_the_core_forgot_the_id(world: World) -> None:
    world.put(facts())
    await world.step()
    old = world.vault.records["ml.churn"].token
    world.core.rotate_secret()
    await world.run(100)
    world.core.delete_row("ml.churn")
    await world.run(700)
    assert world.state().ready is True
    assert world.vault.records["ml.churn"].token != old


async def test_a_core_that_lost_its_database_gets_its_neurons_again(world: World) -> None:
    world.put(facts())
    await world.step()
    world.core.lose_database()
    await world.run(100)
    assert world.core.rows["ml.churn"].status == "active"
    assert world.state().ready is True
    assert world.core.calls["GET /api/neuron/config"] == 1


async def test_a_deactivated_neuron_goes_on_beating(world: World) -> None:
    world.put(facts())
    await world.step()
    world.core.deactivate("ml.churn")
    await world.run(100)
    assert world.state().ready is True


async def test_a_goodbye_waits_for_the_core_to_come_back(world: World) -> None:
    world.put(facts())
    await world.step()
    world.core.switches.down = True
    world.remove()
    await world.run(300)
    world.core.switches.down = False
    await world.run(120)
    assert world.core.rows["ml.churn"].status == "inactive"


async def test_a_goodbye_is_given_up_after_ten_minutes(world: World) -> None:
    world.put(facts())
    await world.step()
    world.core.switches.down = True
    world.remove()
    await world.run(599)
    assert world.vault.records["ml.churn"].departed_at is None
    await world.run(10)
    assert world.vault.records["ml.churn"].departed_at is not None


@pytest.mark.parametrize("spoil", [lambda w: w.core.rotate_secret(), lambda w: w.core.lose_database()])
async def test_a_goodbye_that_the_core_can_not_place_is_not_repeated(
    world: World, spoil: Callable[[World], None]
) -> None:
    world.put(facts())
    await world.step()
    spoil(world)
    world.remove()
    await world.run(100)
    assert world.core.calls[HEARTBEAT] == 2
    assert world.vault.records["ml.churn"].departed_at is not None


async def test_a_token_not_saved_is_saved_later_and_holds_back_other_registrations(world: World) -> None:
    world.put(facts())
    world.vault.broken = True
    await world.step()
    world.put(facts(), facts(name="fraud"))
    await world.run(20)
    assert world.core.calls[REGISTER] == 1
    waiting = world.state(("ml", "fraud"))
    assert (waiting.reason, waiting.ready) == (FederationReason.REGISTERING, None)
    assert "Secrets" in waiting.message
    world.vault.broken = False
    await world.run(120)
    assert set(world.vault.records) == {"ml.churn", "ml.fraud"}
    assert world.state(("ml", "fraud")).ready is True


async def test_a_token_is_saved_even_while_the_core_is_down(world: World) -> None:
    world.put(*(facts(name=f"n{i}") for i in range(30)))
    await world.step()
    world.core.switches.down = True
    await world.run(200)
    del world.vault.records["ml.n7"]
    await world.reporter.resync()
    await world.step()
    assert world.vault.records["ml.n7"].token


async def test_a_neuron_that_returns_during_its_goodbye_is_active_again_at_once(world: World) -> None:
    world.put(facts())
    await world.step()
    world.core.switches.slow_seconds = 0.05
    world.remove()
    world.reporter.tick()
    await world.until_called(HEARTBEAT, 2)
    world.put(facts())
    await world.step()
    assert world.core.rows["ml.churn"].status == "inactive"
    await world.run(2)
    assert world.core.rows["ml.churn"].status == "active"
    assert world.vault.records["ml.churn"].departed_at is None


async def test_a_neuron_that_returns_before_its_goodbye_was_heard_speaks_at_once(world: World) -> None:
    world.put(facts())
    await world.step()
    world.core.switches.html = True
    world.remove()
    await world.run(2)
    world.core.switches.html = False
    world.put(facts())
    await world.step()
    assert len(world.beats()) == 2


async def test_a_neuron_that_goes_while_it_registers_says_goodbye_at_once(world: World) -> None:
    world.core.switches.slow_seconds = 0.05
    world.put(facts())
    world.reporter.tick()
    await world.until_called(REGISTER)
    world.remove()
    await world.step()
    await world.run(2)
    assert [beat["status"] for beat in world.beats()] == ["active", "inactive"]
    assert world.vault.records["ml.churn"].departed_at is not None


async def test_a_neuron_that_can_not_be_reported_does_not_use_up_the_probes(world: World) -> None:
    world.put(facts())
    await world.step()
    world.core.switches.down = True
    await world.run(200)
    world.put(*(facts(name=f"n{i}", neuron_id="n" * (101 + i)) for i in range(5)))
    await world.run(100)
    world.core.switches.down = False
    await world.run(100)
    assert world.state().ready is True


async def test_nothing_begins_before_the_tokens_are_read(world: World) -> None:
    class Enough(Exception):
        pass

    async def sleep(seconds: float) -> None:
        world.time.now += seconds
        if world.time.now > 1300:
            raise Enough

    world.put(facts())
    world.vault.broken = True
    with pytest.raises(Enough):
        await world.new_reporter(sleep).run()
    assert not world.core.calls


async def test_a_reporter_that_is_stopped_lets_a_registration_end_and_keeps_its_token(world: World) -> None:
    world.core.switches.slow_seconds = 0.05
    world.put(facts())
    began = asyncio.Event()

    async def sleep(_: float) -> None:
        began.set()
        await asyncio.Event().wait()

    reporter: Reporter = world.new_reporter(sleep)
    running = asyncio.create_task(reporter.run())
    await began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert world.vault.records["ml.churn"].token


async def test_one_neuron_that_the_core_finds_invalid_leaves_the_others_alone(world: World) -> None:
    world.put(facts(), facts(name="fraud", version="2"))
    await world.step()
    world.core.refuse_heartbeats_of = "ml.fraud"
    await world.run(100)
    assert world.state(("ml", "fraud")).reason is FederationReason.INVALID_REPORT
    assert world.state().ready is True
    world.core.refuse_heartbeats_of = None
    world.put(facts(), facts(name="fraud", version="3"))
    await world.run(2)
    assert world.state(("ml", "fraud")).ready is True
