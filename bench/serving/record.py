"""The figures of a run for programs: every median, and the targets."""

from collections.abc import Iterator

from bench.report import Report
from bench.serving.results import Results, middle
from bench.serving.targets import targets

Figure = tuple[str, float | None, str]
"""What it is, its value, its unit."""


def record(results: Results, report: Report) -> None:
    """Keep all that was measured."""
    for figures in (_loads(results), _starts(results), _models(results), _targets(results)):
        for name, value, unit in figures:
            if value is not None:
                report.keep(name, value, unit)


def _loads(results: Results) -> Iterator[Figure]:
    for model, name, count in results.samples:
        of = f"{model}, {name}, {count} connections"
        yield f"{of}: throughput", results.rate(model, name, count), "requests/s"
        yield f"{of}: p50", results.p50(model, name, count), "ms"
        yield f"{of}: p99", results.p99(model, name, count), "ms"


def _starts(results: Results) -> Iterator[Figure]:
    for model, name in results.starts:
        if start := results.start(model, name):
            yield f"{model}, {name}: start to first answer", start.cold_seconds, "s"
            yield f"{model}, {name}: memory when ready", start.ready_mb, "MB"
            yield f"{model}, {name}: memory after the load", start.loaded_mb, "MB"
    for (model, name), wrong in results.wrong.items():
        yield f"{model}, {name}: wrong answers", wrong, "of 2000"


def _models(results: Results) -> Iterator[Figure]:
    for model, bare in results.bare_us.items():
        yield f"{model}: bare call of one row", middle(bare), "us"
    for model, rates in results.bare_rows.items():
        yield f"{model}: bare model at 1000 rows a call", middle(rates), "rows/s"
    for (model, protocol), rates in results.json_rows.items():
        yield f"{model}: bare model between 1000 rows of {protocol} and its answer", middle(rates), "rows/s"
    for (model, protocol), rates in results.rows.items():
        yield f"{model}: 1000 rows a body by {protocol}", middle(rates), "rows/s"


def _targets(results: Results) -> Iterator[Figure]:
    for target in targets(results):
        yield f"target: {target.name}", target.value, f"{'>=' if target.least else '<'} {target.bound:g}"
