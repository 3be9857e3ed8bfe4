"""A data plane and its app in this process, around models that are cheap to make."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mlneuron_runtime.app import serving_app, telemetry_app
from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.loading import Served
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.settings import Config
from mlneuron_runtime.signature import FloatArray, Signature

from tests.runtime.odd_models import Summing
from tests.runtime.support import config_for, until


@dataclass
class InlineModel:
    """A model that is a function."""

    answer: Callable[[FloatArray], Prediction]
    signature: Signature
    type: str = "sklearn_summing"
    details: Mapping[str, object] = field(default_factory=lambda: {"classes": ["no", "yes"]})

    def predict(self, rows: FloatArray) -> Prediction:
        return self.answer(rows)


def summing(rows: FloatArray) -> Prediction:
    """The sum of each row, with no confidence."""
    return Prediction(Summing().predict(rows))


@dataclass
class Neuron:
    """A data plane that serves, and its two apps."""

    plane: DataPlane
    app: Any
    telemetry: Any


@asynccontextmanager
async def serving(
    answer: Callable[[FloatArray], Prediction] = summing,
    features: int | None = 2,
    clock: Callable[[], float] = time.perf_counter,
    **changes: dict[str, Any],
) -> AsyncIterator[Neuron]:
    """Open for requests; `changes` go into the config's sections."""
    config = msgspec.convert(config_for(Path("m.joblib"), "sklearn", **changes), Config)
    plane = DataPlane(config, clock=clock)
    served = Served("churn", "1.0.0", "sklearn", "ab" * 32, InlineModel(answer, Signature(features)), 1.7e9)
    plane.serve(served)
    try:
        yield Neuron(plane, serving_app(plane), telemetry_app(plane, started_at=1.7e9))
    finally:
        plane.close()
        await until(lambda: not plane.works)


@pytest.fixture
async def neuron() -> AsyncIterator[Neuron]:
    """A neuron that sums rows of two numbers."""
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(serving())
