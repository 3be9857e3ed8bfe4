"""How a row is asked for and how an answer is read, protocol by protocol: bytes out, classes in."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
"""(rows, features)."""


@dataclass(frozen=True)
class Protocol:
    """One endpoint. `path` may name `{model}`; `read` gives the classes in an answer, one a row."""

    path: str
    body: Callable[[Rows], bytes]
    read: Callable[[bytes], list[float]]
    headers: Callable[[Rows], dict[str, str]] = lambda rows: {"Content-Type": "application/json"}

    def request(self, model: str, rows: Rows, host: str) -> bytes:
        """A whole HTTP request."""
        body = self.body(rows)
        headers = {"Host": host, **self.headers(rows), "Content-Length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {self.path.format(model=model)} HTTP/1.1\r\n{lines}\r\n".encode() + body


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _one(rows: Rows) -> list[float]:
    """The only row."""
    (row,) = rows.tolist()
    return list(row)


def _tensor(rows: Rows) -> dict[str, Any]:
    return {"name": "input-0", "shape": list(rows.shape), "datatype": "FP64", "data": rows.ravel().tolist()}


def _binary_head(rows: Rows) -> bytes:
    tensor = {key: value for key, value in _tensor(rows).items() if key != "data"}
    sent = {**tensor, "parameters": {"binary_data_size": rows.nbytes}}
    return _json({"inputs": [sent], "parameters": {"binary_data_output": True}})


def _binary_headers(rows: Rows) -> dict[str, str]:
    return {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(_binary_head(rows))),
    }


def _field(name: str) -> Callable[[bytes], list[float]]:
    return lambda answer: [float(json.loads(answer)[name])]


def _guide_batch(answer: bytes) -> list[float]:
    return [float(row["prediction"]) for row in json.loads(answer)["predictions"]]


def _first_output(answer: bytes) -> list[float]:
    return [float(value) for value in json.loads(answer)["outputs"][0]["data"]]


def _first_bytes(answer: bytes) -> list[float]:
    """Of an answer whose outputs follow its JSON as bytes, the first of them eight bytes each."""
    head, end = json.JSONDecoder().raw_decode(answer.decode("latin-1"))
    output = head["outputs"][0]
    dtype = {"INT64": np.int64, "FP64": np.float64}[output["datatype"]]
    values = np.frombuffer(answer, dtype, output["parameters"]["binary_data_size"] // 8, end)
    return [float(value) for value in values]


PROTOCOLS = {
    "guide": Protocol("/predict", lambda rows: _json({"features": _one(rows)}), _field("prediction")),
    "guide batch": Protocol("/batch_predict", lambda rows: _json({"batch_features": rows.tolist()}), _guide_batch),
    "v1": Protocol(
        "/v1/models/{model}:predict",
        lambda rows: _json({"instances": rows.tolist()}),
        lambda answer: [float(value) for value in json.loads(answer)["predictions"]],
    ),
    "v2": Protocol("/v2/models/{model}/infer", lambda rows: _json({"inputs": [_tensor(rows)]}), _first_output),
    "v2 binary": Protocol(
        "/v2/models/{model}/infer",
        lambda rows: _binary_head(rows) + rows.tobytes(),
        _first_bytes,
        _binary_headers,
    ),
    "rows": Protocol(
        "/predict",
        lambda rows: _json({"rows": rows.tolist()}),
        lambda answer: [float(value) for value in json.loads(answer)],
    ),
}
