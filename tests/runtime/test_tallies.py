"""What is counted, over processes, and the guide's health rules."""

import pytest
from mlneuron_runtime import errors, tallies
from mlneuron_runtime.health import health_score, health_status
from mlneuron_runtime.tallies import SECONDS, WINDOW, Sum, Tallies
from mlneuron_runtime.transport import wire


def counted(predictions: int = 0, good: int = 0, *seconds: float) -> Tallies:
    made = Tallies()
    made.cells[tallies.PREDICTED] = good
    made.cells[tallies.FAILED_ROWS] = predictions - good
    for each in seconds:
        made.answered(each)
    return made


@pytest.mark.parametrize(
    ("one", "models", "score", "status"),
    [
        (counted(100, 100, 0.001), 0, 0, "unhealthy"),
        (counted(100, 100, 0.001), 1, 100, "healthy"),
        (counted(100, 90, 0.001), 1, 100, "healthy"),
        (counted(100, 89, 0.001), 1, 70, "healthy"),
        (counted(100, 100, 1.2), 1, 80, "healthy"),
        (counted(100, 10, 1.2), 1, 70, "healthy"),
        (counted(), 1, 100, "healthy"),
    ],
)
def test_health_follows_the_guides_rules(one: Tallies, models: int, score: int, status: str) -> None:
    assert health_score(Sum([one]), models) == score
    assert health_status(score) == status


def test_an_idle_neuron_is_not_called_ill() -> None:
    idle = Sum([Tallies(), Tallies()])
    assert (idle.success_rate, idle.average_ms, idle.p95_ms) == (1.0, 0.0, None)


def test_p95_looks_at_the_latest_requests_only() -> None:
    one = counted(0, 0, *[9.0] * 100, *[0.010] * WINDOW)
    assert Sum([one]).p95_ms == pytest.approx(10.0)
    assert Sum([one]).average_ms > 10.0


def test_several_processes_add_up_to_what_one_would_have_counted() -> None:
    times = [0.0004, 0.001, 0.3, 99.0, 0.02, 0.02]
    together, apart = counted(10, 9, *times), [counted(4, 4, *times[:2]), counted(6, 5, *times[2:])]
    one, both = Sum([together]), Sum(apart)
    assert both.latency == one.latency
    assert sum(both.latency) == len(times)
    assert both.latency[0] == 1
    assert both.latency[len(SECONDS)] == 1
    assert both.p95_ms == one.p95_ms
    assert both[tallies.TOTAL_SECONDS] == pytest.approx(one[tallies.TOTAL_SECONDS])
    assert both.success_rate == one.success_rate == 0.9


def test_cells_live_in_memory_that_is_given() -> None:
    shared = bytearray(tallies.BYTES)
    Tallies(memoryview(shared)).cells[tallies.REQUESTS] += 3
    assert Sum([Tallies(memoryview(shared))]).count(tallies.REQUESTS) == 3


def test_every_error_has_a_reason_that_is_counted() -> None:
    def below(kind: type[errors.RequestError]) -> set[str]:
        return {kind.__name__, *(name for sub in kind.__subclasses__() for name in below(sub))}

    assert wire.STATUS, "the transports' errors are defined"
    assert below(errors.RequestError) - {"RequestError"} <= set(tallies.REASONS)
