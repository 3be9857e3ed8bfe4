"""Progress is told often enough to be followed, and seldom enough to be read."""

import structlog
from mlneuron_runtime.sources.download import Progress


def lines(seconds_each: float, total: int | None) -> list[int]:
    """At which percent, of 100 bytes that come one at a time, a line is logged."""
    now = [0.0]
    progress = Progress("https://host/m", total, clock=lambda: now[0])
    with structlog.testing.capture_logs() as events:
        for _ in range(100):
            now[0] += seconds_each
            progress.advance(1)
    return [event["bytes"] for event in events]


def test_a_quick_download_is_not_commented() -> None:
    assert lines(0.04, 100) == []


def test_a_steady_one_is_told_by_tenths() -> None:
    assert lines(1, 100) == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]


def test_lines_are_five_seconds_apart() -> None:
    assert lines(0.25, 100) == [20, 40, 60, 80, 100]


def test_a_slow_one_is_told_each_half_minute() -> None:
    assert lines(15, 1000) == list(range(2, 101, 2))


def test_a_download_of_unknown_size_is_told_each_half_minute() -> None:
    assert lines(1, None) == [30, 60, 90]
