"""The guide's health rules, on counters since the start."""

import pytest
from mlneuron_runtime.stats import WINDOW, Stats, health_status


def stats(predictions: int, good: int, seconds: float = 0.001) -> Stats:
    counted = Stats(predictions=predictions, successful_predictions=good)
    counted.time(seconds)
    return counted


@pytest.mark.parametrize(
    ("counted", "models", "score", "status"),
    [
        (stats(100, 100), 0, 0, "unhealthy"),
        (stats(100, 100), 1, 100, "healthy"),
        (stats(100, 90), 1, 100, "healthy"),
        (stats(100, 89), 1, 70, "healthy"),
        (stats(100, 100, seconds=1.2), 1, 80, "healthy"),
        (stats(100, 10, seconds=1.2), 1, 70, "healthy"),
        (Stats(), 1, 100, "healthy"),
    ],
)
def test_health_follows_the_guides_rules(counted: Stats, models: int, score: int, status: str) -> None:
    assert counted.health_score(models) == score
    assert health_status(score) == status


def test_an_idle_neuron_is_not_called_ill() -> None:
    assert Stats().success_rate == 1.0
    assert Stats().average_ms == 0.0
    assert Stats().p95_ms is None


def test_p95_looks_at_the_latest_requests_only() -> None:
    counted = Stats()
    for _ in range(100):
        counted.time(9.0)
    for _ in range(WINDOW):
        counted.time(0.010)
    assert counted.p95_ms == pytest.approx(10.0)
    assert counted.average_ms > 10.0
