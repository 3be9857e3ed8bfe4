"""The bare model, without a server: microseconds a call of one row, and rows a second at many rows a call. `in_json` is
the same between a protocol's body and its answer, by orjson and numpy.

    python model_call.py MODEL INPUTS.npy ROWS

Prints `{"row_us": …, "rows_per_second": …, "in_json": {"guide batch": …, "v2": …}}`. The call is the one that gives the
class and its probability.
"""

# Runs in the runtime's environment, on untyped libraries.
# mypy: ignore-errors

import json
import sys
import time
from pathlib import Path

import numpy as np
import orjson

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


def batch_predict(call, rows):
    """What the guide's body of these rows takes: its bytes, and a function from them to an answer's."""

    def answer(body: bytes) -> bytes:
        classes, confidences = told(call(np.array(orjson.loads(body)["batch_features"])))
        entries = [
            {"prediction": one, "confidence": sure, "model_version": "1", "inference_time_ms": 0}
            for one, sure in zip(classes.tolist(), confidences.tolist(), strict=True)
        ]
        return orjson.dumps({"predictions": entries, "batch_size": len(entries)})

    return orjson.dumps({"batch_features": rows.tolist()}), answer


def infer(call, rows):
    """The same of the Open Inference Protocol."""

    def answer(body: bytes) -> bytes:
        tensor = orjson.loads(body)["inputs"][0]
        probabilities = call(np.array(tensor["data"]).reshape(tensor["shape"]))
        classes, confidences = told(probabilities)
        arrays = {"prediction": classes, "confidence": confidences, "probabilities": probabilities}
        outputs = [
            {
                "name": name,
                "datatype": str(values.dtype),
                "shape": values.shape,
                "data": np.ascontiguousarray(values).ravel(),
            }
            for name, values in arrays.items()
        ]
        return orjson.dumps({"model_name": "x", "outputs": outputs}, option=orjson.OPT_SERIALIZE_NUMPY)

    tensor = {"name": "input-0", "datatype": "FP64", "shape": rows.shape, "data": rows.ravel().tolist()}
    return orjson.dumps({"inputs": [tensor]}), answer


def told(probabilities):
    """Classes and their probabilities; of a single column, that of class 1."""
    if probabilities.ndim == 1:
        return (probabilities > 0.5).astype(np.int64), np.maximum(probabilities, 1 - probabilities)
    return probabilities.argmax(axis=1), probabilities.max(axis=1)


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
    bodies = {"guide batch": batch_predict(model, inputs[:many]), "v2": infer(model, inputs[:many])}
    in_json = {name: many / seconds_a_call(answer, body) for name, (body, answer) in bodies.items()}
    print(json.dumps({"row_us": one * 1e6, "rows_per_second": many / batch, "in_json": in_json}))
