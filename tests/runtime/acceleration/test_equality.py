"""Whatever is accelerated answers as the original does; whatever is not says why."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from mlneuron_runtime.acceleration.comparison import compared
from mlneuron_runtime.acceleration.conversion import candidates
from mlneuron_runtime.acceleration.preparing import answered, contender, engine_of, prepared
from mlneuron_runtime.models.accelerated import AcceleratedModel
from mlneuron_runtime.models.base import Model
from mlneuron_runtime.models.few import FEW
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from tests.runtime.acceleration.estimators import ACCELERATED, BOOSTERS, COARSE, REFUSED, ROWS, model, with_gaps


def accelerated(original: Model) -> AcceleratedModel:
    """The first engine that agrees with the original, whatever it costs."""
    asked = answered(original)
    told = []
    for make in candidates(original):
        candidate = make()
        engine = contender(original, candidate, engine_of(candidate, asked))
        verdict = compared(asked, engine)
        if verdict.equal:
            return engine
        told.append(str(verdict))
    raise AssertionError(told)


def fresh_rows(original: Model) -> list[Any]:
    """Rows that no probe was made of: as many as one, a few, and more than fit one part."""
    random = np.random.default_rng(99)
    spread = ROWS.std(axis=0)
    rows = random.normal(size=(2500, 5)) * spread + ROWS.mean(axis=0)
    blocks = [rows[:1], rows[1:8], rows, np.rint(rows), COARSE, ROWS, rows * 1e4]
    if getattr(original.signature, "nullable", False):
        blocks.append(with_gaps(rows))
    return blocks


def assert_same(original: Model, engine: Model) -> None:
    assert (engine.type, engine.details, engine.signature) == (original.type, original.details, original.signature)
    for rows in fresh_rows(original):
        answer, given = original.predict((rows,)), engine.predict((rows,))
        if answer.values.dtype.kind == "f" and answer.confidence is None:
            np.testing.assert_allclose(given.values, answer.values, rtol=1e-5, atol=1e-5 * np.abs(answer.values).mean())
        else:
            np.testing.assert_array_equal(given.values, answer.values)
        assert given.specs() == answer.specs()
        assert [type(value) for value in given.listed[0][:3]] == [type(value) for value in answer.listed[0][:3]]
        if answer.confidence is not None:
            assert given.confidence is not None
            np.testing.assert_allclose(given.confidence, answer.confidence, rtol=0, atol=1e-5)
        for name, array in answer.others.items():
            np.testing.assert_allclose(given.others[name], array, rtol=0, atol=1e-5)
        assert_few_are_read_as_many(engine, rows)


def assert_few_are_read_as_many(engine: Model, rows: Any) -> None:
    """What Python reads of an engine's outputs, to the last digit, is what numpy reads."""
    for part in (rows[:1], rows[-1:], rows[:FEW]):
        found = engine.predict((part,))
        confidences = [None] * len(found) if found.confidence is None else found.confidence.tolist()
        np.testing.assert_array_equal(found.listed[0], found.values.tolist())
        np.testing.assert_array_equal(found.listed[1], confidences)
        assert len(found) == len(found.values)
        assert found.is_finite == (found.values.dtype.kind != "f" or bool(np.isfinite(found.values).all()))


@pytest.mark.parametrize("name", ACCELERATED)
def test_an_accelerated_estimator_answers_fresh_rows_as_the_original_does(name: str) -> None:
    original = model(ACCELERATED[name]())
    assert_same(original, accelerated(original))


@pytest.mark.parametrize("name", BOOSTERS)
def test_an_accelerated_booster_answers_fresh_rows_as_the_original_does(name: str) -> None:
    original = BOOSTERS[name]()
    assert_same(original, accelerated(original))


@pytest.mark.parametrize(("make", "why"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_converted_exactly_says_why(make: Callable[[], Any], why: str) -> None:
    found = prepared(model(make()))
    assert found.content is None
    assert why in found.reason
    assert found.reason.startswith(("sklearn: ", "xgboost: "))


def test_the_same_model_becomes_the_same_bytes() -> None:
    original = model(ACCELERATED["forest_words"]())
    one, other = (candidates(original)[0]().content for _ in range(2))
    assert one == other


def test_rows_in_parts_are_answered_as_rows_at_once() -> None:
    original = model(ACCELERATED["forest"]())
    candidate = candidates(original)[0]()
    engine = engine_of(candidate, answered(original))
    whole = contender(original, candidate, engine).predict((ROWS,))
    parts = contender(original, candidate, msgspec.structs.replace(engine, split=7)).predict((ROWS,))
    np.testing.assert_array_equal(parts.values, whole.values)
    np.testing.assert_array_equal(parts.others["probabilities"], whole.others["probabilities"])


def test_a_model_that_refuses_unknown_categories_keeps_refusing_them() -> None:
    rows = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]] * 10)
    fitted = make_pipeline(OrdinalEncoder(), LogisticRegression()).fit(rows, [0, 1, 1] * 10)
    reason = prepared(model(fitted)).reason
    assert "refuses rows that an engine answers: ValueError: Found unknown categories" in reason
    assert len(reason) < 500
