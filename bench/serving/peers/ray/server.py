"""Ray Serve with one replica on one CPU.

python server.py MODEL PORT [--batching]
"""

# Ray is in an environment of its own.
# mypy: ignore-errors

import signal
import sys
from pathlib import Path

import ray
from ray import serve
from ray.serve.config import HTTPOptions
from starlette.requests import Request

from bench.serving.peers.predictor import load


@serve.deployment(num_replicas=1, max_ongoing_requests=128, ray_actor_options={"num_cpus": 0})
class Served:
    """A model file behind `/`: one row in, one class out."""

    def __init__(self, path: str, batching: bool) -> None:
        self.predictor = load(Path(path))
        self.batching = batching

    async def __call__(self, request: Request):
        """One request."""
        features = (await request.json())["features"]
        return {"prediction": await self.together(features) if self.batching else self.predictor([features])[0]}

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.001)
    async def together(self, rows):
        """What came within a millisecond."""
        return self.predictor(rows)


if __name__ == "__main__":
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, configure_logging=False)
    serve.start(
        logging_config={"enable_access_log": False}, http_options=HTTPOptions(host="127.0.0.1", port=int(sys.argv[2]))
    )
    serve.run(Served.bind(sys.argv[1], "--batching" in sys.argv))
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
