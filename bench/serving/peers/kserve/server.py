"""KServe's own sklearnserver is not on PyPI; this is what it does: a `Model` that loads a file and predicts.

python server.py MODEL PORT
"""

# Kserve is in an environment of its own.
# mypy: ignore-errors

import sys
from pathlib import Path

from kserve import Model, ModelServer

from bench.serving.peers.predictor import load


class Served(Model):
    """A model file behind V1's `:predict`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.stem)
        self.path = path

    def load(self) -> bool:
        """Called once before serving."""
        self.predictor = load(self.path)
        self.ready = True
        return True

    def predict(self, payload, headers=None, response_headers=None):
        """V1 in, V1 out."""
        return {"predictions": self.predictor(payload["instances"])}


if __name__ == "__main__":
    served = Served(Path(sys.argv[1]))
    served.load()
    ModelServer(http_port=int(sys.argv[2]), enable_grpc=False, workers=1, access_log_format=None).start([served])
