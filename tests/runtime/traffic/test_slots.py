"""Who has which slots: the shares are exact, and a change moves only what it must."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlneuron_runtime.traffic.slots import SLOTS, allocated, decoded, encoded

NAMES = ("a", "b", "c", "d")


@st.composite
def shares(draw: st.DrawFn) -> dict[str, int]:
    """Of some variants, adding up to the whole at most."""
    left = SLOTS
    found = {}
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        found[name] = draw(st.integers(0, left))
        left -= found[name]
    return found


@given(history=st.lists(shares(), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_shares_are_exact_and_disjoint_whatever_came_before(history: list[dict[str, int]]) -> None:
    held: dict[str, frozenset[int]] = {}
    for wanted in history:
        held = allocated(wanted, held)
        assert {name: len(slots) for name, slots in held.items()} == wanted
        assert sum(map(len, held.values())) == len(frozenset().union(*held.values()))


@given(history=st.lists(shares(), min_size=1, max_size=4), name=st.sampled_from(NAMES), data=st.data())
@settings(max_examples=60, deadline=None)
def test_one_weights_change_moves_its_difference_and_nobody_else(
    history: list[dict[str, int]], name: str, data: st.DataObject
) -> None:
    held: dict[str, frozenset[int]] = {}
    for wanted in history:
        held = allocated(wanted, held)
    others = {other: share for other, share in history[-1].items() if other != name}
    changed = data.draw(st.integers(0, SLOTS - sum(others.values())))
    after = allocated({**others, name: changed}, held)
    assert {other: after[other] for other in others} == {other: held[other] for other in others}
    before = held.get(name, frozenset())
    assert len(before ^ after[name]) == abs(changed - len(before))


@given(wanted=shares(), history=st.lists(shares(), max_size=3))
@settings(max_examples=40, deadline=None)
def test_each_change_moves_no_more_than_the_weights_do(wanted: dict[str, int], history: list[dict[str, int]]) -> None:
    held: dict[str, frozenset[int]] = {}
    for earlier in history:
        held = allocated(earlier, held)
    after = allocated(wanted, held)
    moved = sum(owner(held, slot) != owner(after, slot) for slot in range(SLOTS))
    grown = sum(max(0, len(after.get(name, ())) - len(held.get(name, ()))) for name in NAMES)
    shrunk = sum(max(0, len(held.get(name, ())) - len(after.get(name, ()))) for name in NAMES)
    assert max(grown, shrunk) <= moved <= grown + shrunk


def owner(held: dict[str, frozenset[int]], slot: int) -> str | None:
    return next((name for name, slots in held.items() if slot in slots), None)


@given(steps=st.lists(st.integers(0, SLOTS), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_a_single_variants_slots_depend_on_its_weight_alone(steps: list[int]) -> None:
    held: dict[str, frozenset[int]] = {}
    for step in steps:
        held = allocated({"candidate": step}, held)
    assert held == allocated({"candidate": steps[-1]})


def test_a_lost_memory_gives_most_of_the_slots_back() -> None:
    held: dict[str, frozenset[int]] = {}
    for wanted in ({"a": 1000}, {"a": 1000, "b": 1000}, {"a": 3000, "b": 1000}, {"a": 1000, "b": 2000}):
        held = allocated(wanted, held)
    again = allocated({"a": 1000, "b": 2000})
    same = sum(owner(held, slot) == owner(again, slot) for slot in range(SLOTS))
    assert same > 0.9 * SLOTS


def test_nothing_and_everything_are_exact() -> None:
    assert allocated({"a": 0}) == {"a": frozenset()}
    assert allocated({"a": SLOTS}) == {"a": frozenset(range(SLOTS))}


@pytest.mark.parametrize("wrong", [{"a": -1}, {"a": 5000, "b": 5001}])
def test_impossible_shares_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be from 0 and add up to 10000"):
        allocated(wrong)


@given(slots=st.frozensets(st.integers(0, SLOTS - 1)))
def test_slots_are_written_and_read_again(slots: frozenset[int]) -> None:
    assert decoded(encoded(slots)) == slots


@pytest.mark.parametrize("wrong", ["?", "AAAA", ""])
def test_what_is_no_set_of_slots_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="slots must be"):
        decoded(wrong)


def test_the_allocation_is_the_same_on_every_machine_and_version() -> None:
    """These slots are what pods of every version must agree on."""
    held = allocated({"candidate": 3, "other": 3})
    assert {name: sorted(slots) for name, slots in held.items()} == {
        "candidate": [331, 3337, 4298],
        "other": [1136, 4813, 9716],
    }
