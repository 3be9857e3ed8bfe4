"""A data plane and its app in this process, around models that are cheap to make."""

import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import joblib
import msgspec
import pytest
from mlneuron_runtime import tallies
from mlneuron_runtime.app import direct, serving_app, telemetry_app
from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.loading import Served
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.settings import Config
from mlneuron_runtime.signature import Matrix, Signature
from mlneuron_runtime.tensors import Inputs, TensorSpec
from mlneuron_runtime.transport.around import Around
from mlneuron_runtime.transport.direct import Direct
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from tests.runtime.odd_models import Summing
from tests.runtime.support import DEADLINE, HERE, config_for, until


@dataclass
class InlineModel:
    """A model that is a function."""

    answer: Callable[[Inputs], Prediction]
    signature: Signature
    type: str = "sklearn_summing"
    steady: bool = True
    details: Mapping[str, object] = field(default_factory=lambda: {"classes": ["no", "yes"]})

    def predict(self, inputs: Inputs) -> Prediction:
        return self.answer(inputs)


def summing(inputs: Inputs) -> Prediction:
    """The sum of each row, with no confidence."""
    (rows,) = inputs
    return Prediction(Summing().predict(rows))


@dataclass
class Neuron:
    """A data plane that serves, its two apps, and who answers before the first of them is asked."""

    plane: DataPlane
    app: Any
    telemetry: Any
    takers: Mapping[str, Direct] = field(default_factory=dict)


def counts(neuron: Neuron) -> tuple[int, int, int]:
    """Requests, successes, and failures that are the server's."""
    counted = neuron.plane.counted()
    return counted.count(tallies.REQUESTS), counted.count(tallies.SUCCESS), counted.count(tallies.SERVER_ERROR)


@asynccontextmanager
async def serving(
    answer: Callable[[Inputs], Prediction] = summing,
    features: int | None = 2,
    clock: Callable[[], float] = time.perf_counter,
    inline_rows: int = 0,
    outputs: tuple[TensorSpec, ...] = (),
    **changes: dict[str, Any],
) -> AsyncIterator[Neuron]:
    """Open for requests; `changes` go into the config's sections."""
    config = msgspec.convert(config_for(Path("m.joblib"), "sklearn", **changes), Config)
    plane = DataPlane(config, clock=clock)
    model = InlineModel(answer, Matrix(features))
    served = Served(
        "churn", "1.0.0", "sklearn", "ab" * 32, model, 1.7e9, outputs=outputs, inline_rows=inline_rows,
        engine="sklearn", acceleration="Off",
    )  # fmt: skip
    plane.serve(served)
    try:
        around = Around.of(plane)
        app = serving_app(plane, around)
        yield Neuron(plane, app, telemetry_app(plane, started_at=1.7e9), direct(plane, around))
    finally:
        plane.close()
        await until(lambda: not plane.works)


@pytest.fixture
async def neuron() -> AsyncIterator[Neuron]:
    """A neuron that sums rows of two numbers."""
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(serving())


@pytest.fixture
def gated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that stops on BLOCK until somebody writes to the pipe beside it; the server imports its class."""
    monkeypatch.syspath_prepend(str(HERE))
    import odd_models  # type: ignore[import-not-found]  # on the path since the line above

    os.mkfifo(tmp_path / "pipe")
    joblib.dump(odd_models.Gated(tmp_path / "pipe"), tmp_path / "gated.joblib")
    return tmp_path / "gated.joblib"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """For questions to a server in another process."""
    limits = aiohttp.ClientTimeout(total=DEADLINE)
    async with aiohttp.ClientSession(timeout=limits, connector=aiohttp.TCPConnector(limit=64)) as session:
        yield session


@pytest.fixture(scope="session")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of the iris data."""
    data = load_iris()
    path = tmp_path_factory.mktemp("iris") / "iris.joblib"
    joblib.dump(LogisticRegression(max_iter=500).fit(data.data, data.target_names[data.target]), path)
    return path
