"""LitServe with one worker.

python server.py MODEL PORT [--batching]
"""

# Litserve is in an environment of its own.
# mypy: ignore-errors

import sys
from pathlib import Path

import litserve

from bench.serving.peers.predictor import load


class Served(litserve.LitAPI):
    """A model file behind `/predict`: one row in, one class out."""

    def __init__(self, path: str, **options) -> None:
        super().__init__(**options)
        self.path = path

    def setup(self, device) -> None:
        """Called once in the worker."""
        self.predictor = load(Path(self.path))

    def decode_request(self, request):
        """The row."""
        return request["features"]

    def batch(self, inputs):
        """Rows stay a list: the predictor makes one array of them."""
        return inputs

    def unbatch(self, output):
        """A class for each row."""
        return output

    def predict(self, rows):
        """A row, or with batching a list of rows."""
        return self.predictor(rows) if self.max_batch_size > 1 else self.predictor([rows])[0]

    def encode_response(self, output):
        """The answer's body."""
        return {"prediction": output}


if __name__ == "__main__":
    batching = {"max_batch_size": 64, "batch_timeout": 0.001} if "--batching" in sys.argv else {}
    server = litserve.LitServer(
        Served(sys.argv[1], **batching), accelerator="cpu", workers_per_device=1, timeout=60, track_requests=False
    )
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), num_api_servers=1, generate_client_file=False, log_level="warning"
    )
