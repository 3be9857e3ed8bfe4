"""What the runtime has to reach, each as one line: the figure, its bound, whether it is reached."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.serving.results import Results

CONNECTIONS = (1, 16, 64)
BEST_PEER = {
    "iris": (3.0, 7.0, 8.0),
    "forest": (25.0, 20.0, 12.0),
    "xgboost": (3.0, 8.0, 9.0),
    "torch": (1.7, 4.0, 4.0),
}
"""Times the best peer's rate at CONNECTIONS; for torch the guide's server is the only peer."""
NOT_ACCELERATED = {"xgboost": (1.8, 7.0, 8.0)}
OF_STARLETTE = 0.70
P99_MS = 10.0
OF_GRPC = 0.85
OF_BARE_ROWS = 0.8
READY_SECONDS = 1.0
READY_MB = 85.0


@dataclass(frozen=True)
class Target:
    """One figure and its bound; `value` is None where it was not measured."""

    name: str
    value: float | None
    bound: float
    least: bool = True
    """Whether the bound is the least that will do, or else the limit to stay under."""

    @property
    def reached(self) -> bool | None:
        """None where it was not measured."""
        if self.value is None:
            return None
        return self.value >= self.bound if self.least else self.value < self.bound

    def line(self) -> str:
        """For a person."""
        verdict = {True: "reached", False: "MISSED", None: "not measured"}[self.reached]
        value = "-" if self.value is None else f"{self.value:.2f}"
        return f"{self.name:<72} {value:>8} {'>=' if self.least else '<':>3} {self.bound:<5g} {verdict}"


def targets(results: Results) -> list[Target]:
    """All targets in the order of the issue."""
    return [*_rates(results), *_limits(results), *_rows(results), *_start(results), *_correct(results)]


def _rates(results: Results) -> Iterator[Target]:
    for server, bounds in (("ours", BEST_PEER), ("ours, acceleration off", NOT_ACCELERATED)):
        for model, of in bounds.items():
            for connections, bound in zip(CONNECTIONS, of, strict=True):
                name = f"{model}, {server}: times the best peer at {connections} connections"
                yield Target(name, results.ratio_to_peer(model, server, connections), bound)


def _limits(results: Results) -> Iterator[Target]:
    for connections in CONNECTIONS:
        ratio = results.ratio("iris", "ours", "limit: starlette", connections)
        yield Target(f"iris: of Starlette + msgspec constant at {connections} connections", ratio, OF_STARLETTE)
    for model in ("iris", "forest"):
        yield Target(f"{model}: p99 at 64 connections, ms", results.p99(model, "ours", 64), P99_MS, least=False)
    for connections in CONNECTIONS:
        ratio = results.ratio("iris", "ours, gRPC", "limit: gRPC", connections)
        yield Target(f"iris, gRPC: of an empty grpc.aio server at {connections} connections", ratio, OF_GRPC)


def _rows(results: Results) -> Iterator[Target]:
    for model in BEST_PEER:
        for protocol in ("guide batch", "v2", "v2 binary"):
            ratio = results.rows_ratio(model, protocol)
            yield Target(f"{model}: rows/s by {protocol}, of the bare model's", ratio, OF_BARE_ROWS)


def _start(results: Results) -> Iterator[Target]:
    start = results.start("iris", "ours")
    yield Target("iris: start to first answer, s", start.cold_seconds if start else None, READY_SECONDS, least=False)
    yield Target("iris: memory when ready, MB", start.ready_mb if start else None, READY_MB, least=False)


def _correct(results: Results) -> Iterator[Target]:
    wrong = [count for (_, server), count in results.wrong.items() if server.startswith("ours")]
    yield Target("wrong answers, all models and transports", float(sum(wrong)) if wrong else None, 1, least=False)
