"""Over a real connection to the real server: every bad input's answer, and each framework's prediction."""

from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import joblib
import numpy as np
import pytest
import torch
import xgboost
from sklearn.linear_model import LinearRegression

from tests.runtime.support import Process, config_for, serving

ROWS = np.random.default_rng(3).uniform(-1, 1, size=(200, 3))
TARGET = (ROWS[:, 0] > 0).astype(int)
POSITIVE, NEGATIVE = [0.9, 0.1, 0.2], [-0.9, 0.1, 0.2]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A regression of three features that takes bodies of up to 1000 bytes."""
    folder = tmp_path_factory.mktemp("wire")
    joblib.dump(LinearRegression().fit(ROWS, ROWS.sum(axis=1)), folder / "m.joblib")
    with serving(folder, config_for(folder / "m.joblib", serving={"maxBodyBytes": 1000})) as process:
        yield process


@pytest.mark.parametrize(
    ("path", "body", "status", "field", "mend"),
    [
        ("predict", '{"features": [1, 2]}', 422, "features", "send an array of 3 numbers"),
        ("predict", '{"features": [1, "2", 3]}', 422, "features[1]", "send a number"),
        ("predict", '{"features": "1,2,3"}', 422, "features", "send an array of 3 numbers"),
        ("predict", '{"features": [1, null, 3]}', 422, "features[1]", "send a number"),
        ("predict", '{"features": [1, NaN, 3]}', 400, "features[1]", "send a number"),
        ("predict", '{"features": [1, 2, Infinity]}', 400, "features[2]", "send a number"),
        ("predict", '{"features": [1, 2, 1e39]}', 422, "features[2]", "send a finite number"),
        ("predict", "{}", 422, "features", 'send {"features": […]}'),
        ("predict", '{"features": [1, 2, 3]', 400, "body", "send a JSON object"),
        ("predict", "", 400, "body", "send a JSON object"),
        ("predict", '{"features": [1, 2, 3], "model_version": "0.9"}', 404, "model_version", "available: primary"),
        ("predict", " " * 1001, 413, "body", "send fewer rows in one request"),
        ("batch_predict", " " * 900_000, 413, "body", "send fewer rows in one request"),
        ("batch_predict", '{"batch_features": []}', 422, "batch_features", "send at least one row"),
        ("batch_predict", '{"batch_features": 5}', 422, "batch_features", "send an array"),
    ],
)
async def test_a_bad_input_is_answered_with_its_field_and_mend(
    server: Process, path: str, body: str, status: int, field: str, mend: str
) -> None:
    json_type = {"content-type": "application/json"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{server.url}/{path}", data=body, headers=json_type) as reply,
    ):
        told = await reply.json()
        assert (reply.status, told["error"]["field"]) == (status, field)
        assert mend in told["error"]["message"]
        assert told["request_id"] == reply.headers["x-request-id"]


def xgboost_ubj(path: Path) -> None:
    data = xgboost.DMatrix(ROWS, TARGET)
    xgboost.train({"objective": "binary:logistic"}, data, 5).save_model(path.with_suffix(".ubj"))
    path.with_suffix(".ubj").rename(path)


def xgboost_wrapper(path: Path) -> None:
    joblib.dump(xgboost.XGBClassifier(n_estimators=5).fit(ROWS, TARGET), path)


class First(torch.nn.Module):
    """Class 1 when the first feature is positive."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, 1, bias=False)
        self.linear.weight = torch.nn.Parameter(torch.tensor([[1.0, 0.0, 0.0]]))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        positive: torch.Tensor = self.linear(rows) > 0
        return positive.float()


def torch_script(path: Path) -> None:
    torch.jit.save(torch.jit.trace(First().eval(), torch.zeros(1, 3)), path)  # type: ignore[no-untyped-call]


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning", "ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize(
    ("framework", "save"),
    [("xgboost", xgboost_ubj), ("xgboost", xgboost_wrapper), ("torch", torch_script)],
)
async def test_each_framework_is_served(tmp_path: Path, framework: str, save: Callable[[Path], None]) -> None:
    save(tmp_path / "model")
    with serving(tmp_path, config_for(tmp_path / "model", framework)) as process:
        async with aiohttp.ClientSession() as http:
            body = {"batch_features": [POSITIVE, NEGATIVE, [1]]}
            async with http.post(f"{process.url}/batch_predict", json=body) as reply:
                told = await reply.json()
            async with http.get(f"{process.url}/models") as reply:
                metadata = (await reply.json())["model_metadata"]["primary"]
    first, second, third = told["predictions"]
    assert (first["prediction"], second["prediction"]) == (1, 0)
    assert third["error"]["field"] == "batch_features[2]"
    assert (metadata["framework"], metadata["features"]) == (framework, 3)
