"""What is read of a pod's statistics, from this runtime, from an older one, and from one that went mad."""

from typing import Any

import pytest
from mlneuron_operator.health import ModelWarning, Sample, health_of, warnings_of

OLDER: dict[str, Any] = {
    "model": {"name": "churn", "version": "1.0.0", "framework": "sklearn", "sha256": "abc"},
    "startedAt": 1000.0,
    "requests": 10,
    "failures": 2,
    "healthScore": 100,
}
SKEW = {"reason": "VersionSkew", "message": "saved by scikit-learn 1.5.2, served by 1.7.0"}


def read(**more: Any) -> Sample:
    return Sample.parse({**OLDER, **more})


@pytest.mark.parametrize("more", [{}, {"acceleration": None, "warnings": []}])
def test_a_runtime_that_says_less_is_understood(more: dict[str, Any]) -> None:
    sample = read(**more)
    assert (sample.version, sample.digest, sample.score, sample.requests) == ("1.0.0", "abc", 100, 10)
    assert (sample.engine, sample.engine_reason, sample.warnings) == (None, None, ())


@pytest.mark.parametrize(("engine", "shown"), [("onnxruntime", "onnxruntime"), (None, "sklearn")])
def test_what_runs_the_model_is_its_framework_unless_something_faster_does(engine: str | None, shown: str) -> None:
    sample = read(acceleration={"engine": engine, "reason": "as fast as it gets"})
    assert sample.engine == shown
    assert sample.engine_reason == "as fast as it gets"


def test_warnings_of_several_pods_are_told_once() -> None:
    other = {"reason": "SlowWarmup", "message": "it took a minute"}
    samples = [read(warnings=[SKEW]), read(warnings=[SKEW, other]), read()]
    assert [warning.reason for warning in warnings_of(samples)] == ["VersionSkew", "SlowWarmup"]


@pytest.mark.parametrize(
    "odd",
    [
        {"acceleration": "onnxruntime"},
        {"acceleration": {}},
        {"warnings": ["VersionSkew"]},
        {"warnings": [{"reason": "no reason", "message": ""}]},
        {"warnings": 7},
        {"model": None},
    ],
)
def test_what_is_no_statistics_is_refused_as_the_reader_expects(odd: dict[str, Any]) -> None:
    """``telemetry`` takes these for a pod that tells nothing; another exception would end the operator."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        read(**odd)


def test_only_what_status_shows_is_worth_a_reconciliation() -> None:
    assert read().told() == read(requests=11, failures=3, p95Ms=7.5).told()
    for change in (
        {"healthScore": 70},
        {"warnings": [SKEW]},
        {"acceleration": {"engine": "onnxruntime", "reason": "verified"}},
    ):
        assert read().told() != read(**change).told()


def test_a_warning_takes_nothing_from_health() -> None:
    health = health_of([read(warnings=[SKEW])])
    assert health is not None
    assert (health.score, health.message) == (100, None)
    assert read(warnings=[SKEW]).warnings == (ModelWarning(**SKEW),)
