"""Both packages have the same function of slots: the one writes by it what the other reads."""

import random

import pytest
from mlneuron_operator import slots as operators
from mlneuron_runtime.traffic import slots as runtimes


@pytest.mark.parametrize("seed", range(8))
def test_both_give_the_same_slots_over_any_history(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - a history that can be repeated
    held: dict[str, frozenset[int]] = {}
    for _ in range(6):
        names = draw.sample(["a", "b", "c", "d"], draw.randint(1, 4))
        shares = {name: draw.randint(0, operators.SLOTS // len(names)) for name in names}
        mine, theirs = operators.allocated(shares, held), runtimes.allocated(shares, held)
        assert mine == theirs
        for slots in mine.values():
            assert runtimes.decoded(operators.encoded(slots)) == slots
        held = mine
