"""What was measured: kept sample by sample, asked for as medians."""

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median

from bench.serving.catalog import CATALOG
from bench.serving.load import Sample

PROJECT = {server.name: server.project for server in CATALOG}


@dataclass(frozen=True)
class Start:
    """One start of a server: seconds to the first good answer, megabytes then and after the load."""

    cold_seconds: float
    ready_mb: float
    loaded_mb: float


@dataclass
class Results:
    """All samples of a run. Keys begin with the model's name, then the server's."""

    samples: dict[tuple[str, str, int], list[Sample]] = field(default_factory=lambda: defaultdict(list))
    starts: dict[tuple[str, str], list[Start]] = field(default_factory=lambda: defaultdict(list))
    wrong: dict[tuple[str, str], int] = field(default_factory=dict)
    """Answers of the 2,000 that were not the model's."""
    rows: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    """Rows a second in large bodies, by model and protocol."""
    bare_us: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Microseconds of the bare model for one row."""
    bare_rows: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Rows a second of the bare model in large batches."""
    json_rows: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    """The same between a protocol's body and its answer in JSON, without a server."""
    failures: dict[str, str] = field(default_factory=dict)
    """What could not run, and why."""

    def rate(self, model: str, server: str, connections: int) -> float | None:
        """Median requests a second."""
        return middle([sample.rate for sample in self.samples.get((model, server, connections), [])])

    def p50(self, model: str, server: str, connections: int) -> float | None:
        """Median of the rounds' p50, in milliseconds."""
        return middle([sample.p50_ms for sample in self.samples.get((model, server, connections), [])])

    def p99(self, model: str, server: str, connections: int) -> float | None:
        """Median of the rounds' p99, in milliseconds."""
        return middle([sample.p99_ms for sample in self.samples.get((model, server, connections), [])])

    def start(self, model: str, server: str) -> Start | None:
        """Medians of the starts."""
        starts = self.starts.get((model, server))
        if not starts:
            return None
        return Start(
            median(start.cold_seconds for start in starts),
            median(start.ready_mb for start in starts),
            median(start.loaded_mb for start in starts),
        )

    def best_peer(self, model: str, connections: int) -> tuple[str, float] | None:
        """The fastest way of any peer at this many connections."""
        rates = [
            (name, rate)
            for (other, name, count) in self.samples
            if (other, count) == (model, connections) and PROJECT[name] not in ("ours", "limit")
            if (rate := self.rate(model, name, count)) is not None
        ]
        return max(rates, key=lambda rate: rate[1], default=None)

    def ratio_to_peer(self, model: str, server: str, connections: int) -> float | None:
        """This server's rate over the best peer's."""
        rate, best = self.rate(model, server, connections), self.best_peer(model, connections)
        return rate / best[1] if rate is not None and best else None

    def ratio(self, model: str, server: str, other: str, connections: int) -> float | None:
        """This server's rate over another's."""
        rate, limit = self.rate(model, server, connections), self.rate(model, other, connections)
        return rate / limit if rate is not None and limit else None

    def ratio_to_bare(self, model: str, server: str, connections: int) -> float | None:
        """This server's rate over that of bare calls of one row; batches may take it above 1."""
        rate, bare = self.rate(model, server, connections), middle(self.bare_us.get(model, []))
        return rate * bare / 1e6 if rate is not None and bare else None

    def rows_ratio(self, model: str, protocol: str) -> float | None:
        """Rows a second through a protocol, over the bare model's."""
        return over(self.rows.get((model, protocol), []), self.bare_rows.get(model, []))

    def json_ratio(self, model: str, protocol: str) -> float | None:
        """Rows a second through a protocol in JSON, over the bare model's between such bodies and answers."""
        return over(self.rows.get((model, protocol), []), self.json_rows.get((model, protocol), []))

    def hopeless(self, model: str, name: str) -> bool:
        """Whether more rounds cannot make this way of a peer the best peer: another way of the same peer is faster at
        every number of connections, or the best peer is twice as fast at every one.
        """
        mine = {
            count: self.rate(of, other, count) or 0
            for (of, other, count) in self.samples
            if (of, other) == (model, name)
        }
        project = PROJECT[name]
        if not mine or project in ("ours", "limit"):
            return False
        ways = {other for (of, other, _) in self.samples if of == model and PROJECT[other] == project}
        beaten = any(all((self.rate(model, way, count) or 0) > rate for count, rate in mine.items()) for way in ways)
        best = {count: self.best_peer(model, count) for count in mine}
        return beaten or all(peer is not None and peer[1] > 2 * mine[count] for count, peer in best.items())

    def busiest(self) -> tuple[str, Sample] | None:
        """The run in which the load generator was least idle."""
        runs = [
            (f"{model}, {name}, {count} connections", sample)
            for (model, name, count), samples in self.samples.items()
            for sample in samples
        ]
        return max(runs, key=lambda run: run[1].busy, default=None)


def over(values: list[float], limits: list[float]) -> float | None:
    """The median over that of the limit, where both were measured."""
    value, limit = middle(values), middle(limits)
    return value / limit if value is not None and limit else None


def middle(values: list[float]) -> float | None:
    """The median, or None of nothing."""
    return median(values) if values else None
