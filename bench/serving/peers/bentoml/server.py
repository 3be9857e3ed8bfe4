"""BentoML's service with a JSON method. BENCH_MODEL is the model file, BENCH_BATCHING=1 turns adaptive batching on.

bentoml serve server:Served
"""

# Bentoml is in an environment of its own.
# mypy: ignore-errors

import os
from pathlib import Path

import bentoml

from bench.serving.peers.predictor import load

BATCHING = os.environ.get("BENCH_BATCHING") == "1"


@bentoml.service(workers=1, traffic={"timeout": 60})
class Served:
    """A model file behind `/predict`."""

    def __init__(self) -> None:
        self.predictor = load(Path(os.environ["BENCH_MODEL"]))

    @bentoml.api(batchable=BATCHING, max_batch_size=64, max_latency_ms=1000)
    def predict(self, rows: list[list[float]]) -> list[int]:
        """Classes, one a row; with batching, of several requests at once."""
        return self.predictor(rows)
