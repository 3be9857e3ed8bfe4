"""The bare model, without a server: microseconds a call of one row, and rows a second at many rows a call.

    python model_call.py MODEL INPUTS.npy ROWS

Prints `{"row_us": …, "rows_per_second": …}`. The call is the one that gives the class and its probability.
"""

# Runs in the runtime's environment, on untyped libraries.
# mypy: ignore-errors

import json
import sys
import time
from pathlib import Path

import numpy as np

SECONDS = 1.5


def load(path: Path):
    """A function from rows to probabilities."""
    if path.suffix == ".pt":
        return _torch(path)
    if path.suffix == ".ubj":
        import xgboost

        return xgboost.Booster(model_file=path).inplace_predict
    import joblib

    return joblib.load(path).predict_proba


def _torch(path: Path):
    import torch

    torch.set_num_threads(1)
    network = torch.jit.load(path).eval()

    def call(rows):
        with torch.inference_mode():
            return torch.softmax(network(torch.from_numpy(rows.astype(np.float32))), dim=1).numpy()

    return call


def seconds_a_call(call, rows) -> float:
    """The median over calls for a while."""
    taken = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        call(rows)
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


if __name__ == "__main__":
    model, inputs, many = load(Path(sys.argv[1])), np.load(sys.argv[2]), int(sys.argv[3])
    one, batch = seconds_a_call(model, inputs[:1]), seconds_a_call(model, inputs[:many])
    print(json.dumps({"row_us": one * 1e6, "rows_per_second": many / batch}))
