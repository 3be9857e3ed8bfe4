"""What the serving benchmark concludes from its samples, and what it sends."""

import re

import numpy as np
import pytest

from bench.serving.catalog import CATALOG
from bench.serving.environments import OURS, PEERS
from bench.serving.load import Sample
from bench.serving.protocols import PROTOCOLS
from bench.serving.results import Results
from bench.serving.targets import Target, targets


def results(**rates: tuple[float, float]) -> Results:
    """Rates at 1 and 16 connections of iris, by server; `_` stands for the `, ` in a name."""
    made = Results()
    for name, pair in rates.items():
        for connections, rate in zip((1, 16), pair, strict=True):
            key = ("iris", name.replace("_", ", "), connections)
            made.samples[key].append(Sample(rate, p50_ms=1, p99_ms=2, busy=0.1))
    return made


def test_the_best_peer_is_the_fastest_way_of_any_peer_at_that_load_and_never_this_runtime() -> None:
    measured = results(ours=(4000, 9000), kserve=(1300, 1600), mlserver_batching=(400, 2000))
    assert measured.best_peer("iris", 1) == ("kserve", 1300)
    assert measured.best_peer("iris", 16) == ("mlserver, batching", 2000)
    assert measured.ratio_to_peer("iris", "ours", 16) == pytest.approx(4.5)


def test_more_rounds_are_hopeless_for_a_way_that_is_beaten_everywhere_and_only_for_it() -> None:
    measured = results(kserve=(1300, 1600), mlserver=(1400, 1200), mlserver_batching=(400, 1300), ray=(100, 150))
    hopeless = {name for (_, name, _) in measured.samples if measured.hopeless("iris", name)}
    assert hopeless == {"ray"}


def test_this_runtime_is_measured_in_every_round_however_slow() -> None:
    measured = results(ours=(10, 10), kserve=(1300, 1600))
    assert not measured.hopeless("iris", "ours")


def test_a_target_that_was_not_measured_is_neither_reached_nor_missed() -> None:
    assert {target.reached for target in targets(Results())} == {None}
    assert Target("p99", 10.0, 10.0, least=False).reached is False
    assert Target("ratio", 3.0, 3.0).reached is True


@pytest.mark.parametrize("name", sorted({name for server in CATALOG for name in server.environments.values()} - {""}))
def test_every_environment_of_a_peer_is_pinned_to_the_last_package(name: str) -> None:
    if name in OURS:
        return
    lines = (PEERS / name / "requirements.txt").read_text().splitlines()
    packages = [line for line in lines if not line.startswith("#")]
    assert packages
    assert all(re.match(r"[a-z0-9._-]+==[^ ]+", line) for line in packages)


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_a_request_says_how_long_its_body_is(name: str) -> None:
    sent = PROTOCOLS[name].request("iris", np.ones((1, 4)), "127.0.0.1:8080")
    head, _, body = sent.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
