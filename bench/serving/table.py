"""The tables that a person reads."""

from collections.abc import Iterable, Iterator

from bench.serving.catalog import CATALOG
from bench.serving.results import Results, middle
from bench.serving.targets import targets

NAME = 42


def table(results: Results, models: Iterable[str], connections: Iterable[int]) -> str:
    """Everything: a table a model, rows a second, notes, targets."""
    counts = tuple(connections)
    blocks = [block for model in models if (block := "\n".join(_model(results, model, counts)))]
    blocks.append("\n".join([*_rows(results), "", *_load(results)]))
    blocks.append("\n".join(_targets(results)))
    if results.failures:
        blocks.append("\n".join(["Could not run", *(f"{what}: {why}" for what, why in results.failures.items())]))
    return "\n\n".join(blocks)


def _model(results: Results, model: str, counts: tuple[int, ...]) -> Iterator[str]:
    named = [server.name for server in CATALOG if (model, server.name) in results.starts]
    if not named:
        return
    yield f"{model}: requests/s (p50 / p99 in ms), memory (when ready, after the load), start to first answer"
    heads = "".join(f"{f'{count} connections':>26}" for count in counts)
    yield f"{'':<{NAME}}{heads}{'MB':>12}{'s':>7}{'wrong':>7}{'rounds':>8}"
    for name in named:
        yield _line(results, model, name, counts)
    if model in results.bare_us:
        bare = middle(results.bare_us[model]) or 0
        yield f"{'limit: the bare call':<{NAME}}{f'{1e6 / bare:,.0f} ({bare:,.0f} us)':>26}"
    for name in (name for name in named if name.startswith("ours")):
        yield from _ratios(results, model, name, counts)


def _line(results: Results, model: str, name: str, counts: tuple[int, ...]) -> str:
    cells = "".join(f"{_cell(results, model, name, count):>26}" for count in counts)
    start, wrong = results.start(model, name), results.wrong.get((model, name))
    memory = f"{start.ready_mb:.0f}, {start.loaded_mb:.0f}" if start else "-"
    seconds = f"{start.cold_seconds:.2f}" if start else "-"
    rounds = len(results.starts[model, name])
    return f"{name:<{NAME}}{cells}{memory:>12}{seconds:>7}{'-' if wrong is None else wrong:>7}{rounds:>8}"


def _cell(results: Results, model: str, name: str, count: int) -> str:
    rate, p50, p99 = (figure(model, name, count) for figure in (results.rate, results.p50, results.p99))
    return "-" if rate is None else f"{rate:,.0f} ({p50:.2f} / {p99:.2f})"


def _ratios(results: Results, model: str, name: str, counts: tuple[int, ...]) -> Iterator[str]:
    peers = [results.best_peer(model, count) for count in counts]
    times = [results.ratio_to_peer(model, name, count) for count in counts]
    cells = [f"{ratio:.2f} x {peer[0]}" if ratio and peer else "" for ratio, peer in zip(times, peers, strict=True)]
    yield from _ratio_line(f"{name} / best peer", cells)
    for server in CATALOG:
        if server.project == "limit" and server.grpc == ("gRPC" in name):
            ratios = [results.ratio(model, name, server.name, count) for count in counts]
            yield from _ratio_line(f"{name} / {server.name}", [f"{ratio:.2f}" if ratio else "" for ratio in ratios])
    ratios = [results.ratio_to_bare(model, name, count) for count in counts]
    yield from _ratio_line(f"{name} / the bare call", [f"{ratio:.2f}" if ratio else "" for ratio in ratios])


def _ratio_line(head: str, cells: list[str]) -> Iterator[str]:
    """Under the columns of the figures, though the head is longer than a name."""
    if any(cells):
        line = head
        for column, cell in enumerate(cells, start=1):
            line += f" {cell}".rjust(NAME + 26 * column - len(line))
        yield line


def _rows(results: Results) -> Iterator[str]:
    yield "Rows/s in bodies of 1,000 rows over 4 connections, of the bare model's, and of its between JSON and JSON"
    for (model, protocol), rates in results.rows.items():
        ratios = results.rows_ratio(model, protocol), results.json_ratio(model, protocol)
        cells = "".join("" if ratio is None else f"{ratio:>8.2f}" for ratio in ratios)
        yield f"{f'{model}, {protocol}':<{NAME}}{middle(rates):>14,.0f}{cells}"
    for model, rates in results.bare_rows.items():
        yield f"{f'{model}, bare model':<{NAME}}{middle(rates):>14,.0f}"
    for (model, protocol), rates in results.json_rows.items():
        yield f"{f'{model}, bare model, {protocol} in JSON':<{NAME}}{middle(rates):>14,.0f}"


def _load(results: Results) -> Iterator[str]:
    if busiest := results.busiest():
        where, sample = busiest
        yield f"The load generator used at most {sample.busy:.0%} of its core: {where}, {sample.rate:,.0f} requests/s"


def _targets(results: Results) -> Iterator[str]:
    every = targets(results)
    measured = [target for target in every if target.reached is not None]
    yield f"Targets: {sum(bool(target.reached) for target in measured)} reached of {len(measured)} measured"
    yield from (target.line() for target in measured)
    if len(measured) < len(every):
        yield f"{len(every) - len(measured)} not measured in this run"
