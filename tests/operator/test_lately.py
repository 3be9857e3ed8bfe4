"""Windows of a few minutes: what pods did between two looks at their counters."""

from dataclasses import replace

from mlneuron_operator.health import Recent, Sample
from mlneuron_operator.lately import WINDOW_SECONDS, Lately

KEY = ("ml", "churn")
FIRST = Sample("1", "abc", "sklearn", 100, started_at=1000.0, requests=100, failures=3, p95_ms=4.0)
LATER = replace(FIRST, requests=250, failures=5, p95_ms=6.0)


def looks(*given: tuple[float, dict[str, Sample]]) -> list[dict[str, Recent | None]]:
    """What each of these looks tells, at these seconds."""
    lately, before, told = Lately(), dict[str, Sample](), []
    for now, samples in given:
        before = lately.look(KEY, before, samples, now)
        told.append({uid: sample.recent for uid, sample in before.items()})
    return told


def test_nothing_is_told_until_a_window_is_whole_and_then_it_stays_for_the_next() -> None:
    told = looks((0, {"a": FIRST}), (150, {"a": LATER}), (WINDOW_SECONDS, {"a": LATER}), (450, {"a": LATER}))
    did = Recent(150, 2, 6.0)
    assert told == [{"a": None}, {"a": None}, {"a": did}, {"a": did}]


def test_a_quiet_window_has_no_percentile() -> None:
    assert looks((0, {"a": LATER}), (300, {"a": LATER}))[-1] == {"a": Recent(0, 0, None)}


def test_a_container_that_was_started_anew_counts_from_nothing() -> None:
    again = replace(FIRST, started_at=2000.0, requests=7, failures=1)
    assert looks((0, {"a": LATER}), (300, {"a": again}))[-1] == {"a": Recent(7, 1, 4.0)}


def test_a_pod_that_came_meanwhile_waits_for_its_first_whole_window() -> None:
    told = looks(
        (0, {"a": FIRST}), (100, {"a": FIRST, "b": FIRST}), (300, {"a": LATER, "b": LATER}), (600, {"b": LATER})
    )
    assert told[2:] == [{"a": Recent(150, 2, 6.0), "b": None}, {"b": Recent(0, 0, None)}]


def test_a_neuron_that_was_forgotten_begins_anew() -> None:
    lately = Lately()
    lately.look(KEY, {}, {"a": FIRST}, 0)
    lately.forget(KEY)
    assert lately.look(KEY, {}, {"a": LATER}, 400)["a"].recent is None
