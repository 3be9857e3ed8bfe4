"""Steps, holds, pauses, ends: a rollout look by look."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlneuron_operator.rollout.evidence import Evidence
from mlneuron_operator.rollout.guards import Guard
from mlneuron_operator.rollout.plan import ENDED, Plan, Step, Verdict
from mlneuron_operator.rollout.state import Moment, State, look
from mlneuron_operator.rollout.wording import message

from .worlds import BEGAN, GOOD, LOOK, PLAN, STEPS, Behaviour, World

ERRING = Behaviour(error_rate=0.5)


def words(world: World) -> str:
    state = world.state
    assert state is not None
    return message(state.progress, world.plan, state.ledger.total, world.now)


def at_step(step: int) -> World:
    world = World()
    world.until(lambda state: state.progress.step == step)
    return world


def harmed() -> World:
    world = at_step(1)
    world.variant = ERRING
    world.until(lambda state: state.progress.verdict is Verdict.HARM)
    return world


def share(world: World) -> float:
    assert world.state is not None
    return world.state.progress.share(world.plan)


def test_a_good_variant_goes_through_all_steps_and_keeps_the_last_share() -> None:
    world = World()
    seen = [world.look().progress.share(world.plan)]
    while world.look().looking:
        seen.append(share(world))
    assert list(dict.fromkeys(seen)) == [1, 10, 50]
    assert share(world) == 50
    assert world.now - BEGAN == pytest.approx(240, abs=4 * LOOK)
    assert words(world) == "all 3 steps done, stays at 50 %"


def test_a_step_in_its_hold_says_until_when() -> None:
    world = World()
    world.look()
    first = words(world)
    assert first == "step 1 of 3 at 1 %: until 1970-01-12T13:47:40Z at least"
    world.look()
    assert words(world) == first


def test_no_step_ends_before_its_hold() -> None:
    world = World(rates=(90_000, 10_000))
    world.until(lambda state: state.progress.step == 1)
    assert world.now - BEGAN == STEPS[0].hold


def test_a_step_that_was_held_waits_for_its_requests_and_says_how_many_are_missing() -> None:
    world = World(rates=(4, 2))
    world.until(lambda state: state.progress.verdict is Verdict.HOLDING)
    assert words(world) == (
        "step 1 of 3 at 1 %: held long enough, but the primary lacks 52 and the variant lacks 76 of 100 requests "
        "in this step"
    )
    world.until(lambda state: state.progress.step == 1)
    assert world.told.variant.asked == 100


def test_requests_of_an_earlier_step_do_not_count_for_the_next_one() -> None:
    world = World(rates=(1000, 1000))
    world.until(lambda state: state.progress.step == 1)
    world.rates = (1, 1)
    world.until(lambda state: state.progress.verdict is Verdict.HOLDING)


def test_a_primary_without_any_share_lacks_no_requests() -> None:
    world = World(plan=replace(PLAN, steps=(Step(100, 10),)), rates=(0, 100))
    world.until(lambda state: state.progress.verdict is Verdict.SUCCEEDED)


def test_harm_takes_all_traffic_at_the_look_that_shows_it() -> None:
    world = harmed()
    assert share(world) == 0
    assert "more than 1 point worse" in words(world)


def test_harm_ends_a_rollout_whose_hold_and_requests_are_there() -> None:
    world = World(rates=(9000, 1000))
    world.until(lambda state: state.progress.elapsed(world.now) >= STEPS[0].hold - LOOK)
    world.variant = ERRING
    world.look(1)
    state = world.look()
    assert state.progress.verdict is Verdict.HARM
    assert state.progress.step == 0


def test_harm_is_final_while_model_and_spec_stay() -> None:
    world = harmed()
    world.variant = GOOD
    world.change(paused=True)
    world.look()
    world.change(paused=False)
    for _ in range(100):
        assert world.look(3600).progress.verdict is Verdict.HARM


@pytest.mark.parametrize(
    "change", [{"most": 20.0}, {"steps": (Step(1, 5),)}, {"guard": Guard(max_error_rate_increase=0.9)}]
)
def test_after_harm_a_changed_spec_begins_anew(change: dict[str, object]) -> None:
    world = harmed()
    world.change(**change)
    state = world.look()
    assert (state.progress.verdict, state.progress.step) == (Verdict.PROGRESSING, 0)
    assert state.ledger.total == Evidence()


@pytest.mark.parametrize("world", [harmed(), at_step(2)])
def test_another_model_begins_anew(world: World) -> None:
    world.subject = "another"
    state = world.look()
    assert (state.progress.verdict, state.progress.step, share(world)) == (Verdict.PROGRESSING, 0, 1)
    assert state.watch.harm(world.plan.guard) is None


def test_a_pause_keeps_the_share_and_stops_the_clock() -> None:
    world = at_step(1)
    world.look(20)
    world.change(paused=True)
    world.look(10)
    for _ in range(50):
        world.look(3600)
    assert share(world) == 10
    assert words(world) == "step 2 of 3 at 10 %: paused after 30s of 1m, set spec.rollout.paused to false"
    world.change(paused=False)
    world.look()
    start = world.now
    world.until(lambda state: state.progress.step == 2)
    assert world.now - start == 30


def test_harm_is_seen_in_a_pause() -> None:
    world = at_step(1)
    world.change(paused=True)
    world.variant = ERRING
    world.until(lambda state: state.progress.verdict is Verdict.HARM)


def test_the_clock_stands_while_no_pod_of_the_variant_serves() -> None:
    world = at_step(1)
    world.look(20)
    world.serving = False
    world.look(10)
    for _ in range(50):
        world.look(3600)
    assert words(world) == "step 2 of 3 at 10 %: no pod of the variant serves, the clock stands at 30s of 1m"


def test_a_rollout_waits_for_the_first_pod_before_its_clock_starts() -> None:
    world = World(serving=False)
    world.look()
    world.look(3600)
    assert words(world) == "step 1 of 3 at 1 %: no pod of the variant serves, the clock stands at 0s of 1m"
    world.serving = True
    world.look()
    start = world.now
    world.until(lambda state: state.progress.step == 1)
    assert world.now - start == STEPS[0].hold


def test_what_came_before_the_first_pod_served_is_not_the_rollouts() -> None:
    world = World(serving=False)
    world.look()
    state = world.look()
    assert world.look() is state
    assert share(world) == 0
    world.told += Evidence(GOOD.counts(900), ERRING.counts(900))
    world.serving = True
    assert world.look().ledger.total == Evidence()
    world.until(lambda state: state.progress.step == 1)


def test_failures_of_pods_that_then_serve_no_more_are_evidence() -> None:
    world = at_step(1)
    world.variant = ERRING
    for _ in range(20):
        world.serving = True
        world.look()
        world.told += Evidence(GOOD.counts(90), ERRING.counts(10))
        world.serving = False
        state = world.look()
    assert state.progress.verdict is Verdict.HARM


def test_traffic_0_aborts_and_another_value_begins_anew() -> None:
    world = at_step(2)
    world.change(most=0.0)
    world.look()
    assert share(world) == 0
    assert words(world) == "spec.traffic is 0: set another value to begin a new rollout"
    world.change(most=100.0)
    world.look()
    assert share(world) == 1


def test_an_aborted_rollout_may_lose_steps() -> None:
    world = at_step(2)
    world.change(most=0.0)
    world.look()
    world.change(steps=STEPS[:1])
    world.look()
    assert words(world) == "spec.traffic is 0: set another value to begin a new rollout"


def test_traffic_0_aborts_a_rollout_that_succeeded() -> None:
    world = World()
    world.until(lambda state: not state.looking)
    world.change(most=0.0)
    assert world.look().progress.verdict is Verdict.ABORTED


def test_traffic_bounds_the_share_of_each_step() -> None:
    world = at_step(2)
    world.change(most=20.0)
    world.look()
    assert share(world) == 20


def test_a_step_of_the_same_share_goes_on_where_it_was() -> None:
    world = at_step(1)
    world.look(30)
    world.change(steps=(Step(5, 10), Step(10, 40), Step(100, 10)))
    state = world.look()
    assert (state.progress.step, share(world)) == (1, 10)
    assert state.progress.elapsed(world.now) == 35


def test_where_no_step_has_the_share_the_largest_smaller_one_begins() -> None:
    world = at_step(1)
    world.look(30)
    world.change(steps=(Step(2, 60), Step(8, 60), Step(30, 60)))
    state = world.look()
    assert (state.progress.step, share(world), state.progress.elapsed(world.now)) == (1, 8, 0)


def test_where_all_steps_are_larger_the_first_begins() -> None:
    world = World()
    world.look()
    world.change(steps=(Step(5, 60), Step(50, 60)))
    assert world.look().progress.step == 0


def test_steps_that_are_added_after_success_go_on_from_its_share() -> None:
    world = World()
    world.until(lambda state: not state.looking)
    world.change(steps=(*STEPS, Step(80, 60)))
    world.look()
    assert share(world) == 50
    world.until(lambda state: state.progress.step == 3)
    world.until(lambda state: state.progress.verdict is Verdict.SUCCEEDED)


def test_time_in_which_no_operator_runs_counts_for_the_hold() -> None:
    world = World(rates=(900, 100))
    world.look()
    assert world.look(3600).progress.step == 1


def test_a_clock_that_is_set_back_takes_no_time_away() -> None:
    world = World()
    world.look()
    world.look(30)
    assert world.look(-600).progress.elapsed(world.now) == 0


ACTIONS = st.sampled_from(["look", "long", "pause", "resume", "down", "up", "bad", "good", "restart"])


@settings(max_examples=150, deadline=None)
@given(st.lists(ACTIONS, max_size=40), st.integers(1, 400))
def test_whatever_happens_steps_come_one_by_one_and_each_was_earned(actions: list[str], rate: int) -> None:
    world = World(rates=(rate * 9, rate))
    before = world.look()
    for action in actions:
        act(world, action)
        held, total = before.progress.elapsed(world.now + LOOK), before.ledger.total
        after = world.look(40 if action == "long" else LOOK)
        if before.progress.verdict in ENDED:
            assert after == before
        step = before.progress.step
        assert after.progress.step in (step, step + 1)
        if after.progress.step > step:
            assert after.progress.verdict is Verdict.PROGRESSING
            assert after.watch.harm(world.plan.guard) is None
            assert world.serving
            assert not world.plan.paused
            assert max(held, before.progress.elapsed(world.now)) >= STEPS[step].hold
            assert after.progress.variant - before.progress.variant >= PLAN.guard.min_requests
        assert after.ledger.total.variant.asked >= total.variant.asked
        before = after


def act(world: World, action: str) -> None:
    match action:
        case "pause" | "resume":
            world.change(paused=action == "pause")
        case "down" | "up":
            world.serving = action == "up"
        case "bad" | "good":
            world.variant = ERRING if action == "bad" else GOOD
        case "restart":
            assert world.state is not None
            world.state = State.parse(json.loads(json.dumps(world.state.document())))


@settings(max_examples=50, deadline=None)
@given(st.lists(ACTIONS, max_size=30))
def test_the_same_looks_give_the_same_state_through_any_number_of_restarts(actions: list[str]) -> None:
    without, restarted = World(), World()
    assert without.look() == restarted.look()
    for action in actions:
        act(without, "look" if action == "restart" else action)
        act(restarted, action)
        assert without.look() == restarted.look()
        act(restarted, "restart")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 50)), min_size=1, max_size=30))
def test_a_hold_is_the_time_outside_pauses(spans: list[tuple[bool, int]]) -> None:
    world = World(plan=replace(PLAN, steps=(Step(1, 10_000),)))
    world.look()
    ran, running = 0, True
    for paused, seconds in spans:
        ran += seconds if running else 0
        world.change(paused=paused)
        state = world.look(seconds)
        running = not paused
        assert state.progress.elapsed(world.now) == ran


def test_a_lost_state_loses_no_request() -> None:
    world = at_step(1)
    kept = world.state
    assert kept is not None
    world.look()
    world.look()
    world.state = kept
    state = world.look()
    assert state.ledger.total.variant.asked == world.told.variant.asked


def test_an_ended_rollout_remembers_no_pods() -> None:
    world = harmed()
    assert world.state is not None
    assert not world.state.ledger.last
    assert world.state.ledger.total.variant.asked == world.told.variant.asked


def test_the_state_stays_small() -> None:
    world = World(plan=Plan((Step(1, 1e6),)), variant=Behaviour(0.001, 0.011))
    for _ in range(2000):
        world.look()
    assert world.state is not None
    assert len(json.dumps(world.state.document())) < 4000


def test_a_look_without_readings_changes_no_evidence() -> None:
    world = at_step(1)
    assert world.state is not None
    after = look(world.plan, "model", world.state, Moment(world.now + LOOK, True))
    assert after.ledger == world.state.ledger
    assert {q: w.log for q, w in after.watch.wagers.items()} == {q: w.log for q, w in world.state.watch.wagers.items()}
