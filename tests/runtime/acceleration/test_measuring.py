"""Whether an engine is worth it, by what calls cost. Figures are microseconds of an xgboost model on two processors."""

import pytest
from mlneuron_runtime.acceleration.measuring import SIZES, crossover, faster, slower_where

ENGINE = (10.9, 44.4, 143.7, 265.6, 973.1, 3906.3)
ORIGINAL = (99.1, 111.9, 138.5, 174.0, 386.6, 1223.4)


def costs(micros: tuple[float, ...]) -> dict[int, float]:
    return {size: each / 1e6 for size, each in zip(SIZES, micros, strict=True)}


def test_an_engine_for_few_rows_leaves_more_to_the_original() -> None:
    engine, original = costs(ENGINE), costs(ORIGINAL)
    assert faster(engine, original)
    assert crossover(engine, original) == 64  # 32 rows cost about the same


def test_an_engine_that_is_always_faster_leaves_nothing() -> None:
    assert crossover(costs(ENGINE), {size: 2 * each for size, each in costs(ENGINE).items()}) is None


@pytest.mark.parametrize("size", [1, 8])
def test_an_engine_that_is_not_clearly_faster_for_few_rows_is_none(size: int) -> None:
    engine, original = costs(ENGINE), costs(ORIGINAL)
    engine[size] = original[size] * 0.95
    assert not faster(engine, original)
    told = slower_where(engine, original)
    assert told.startswith(f"{engine[size] * 1e6:,.1f} µs for {size} row")
    assert told.endswith(f"{original[size] * 1e6:,.1f} µs by the original")


def test_the_original_is_not_asked_for_sizes_between_those_that_the_engine_is_faster_for() -> None:
    engine, original = costs(ENGINE), costs(ORIGINAL)
    engine[1000] = original[1000] / 2
    assert crossover(engine, original) is None
