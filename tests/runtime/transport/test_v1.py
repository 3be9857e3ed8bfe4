"""V1: rows as lists, objects and columns, and one refusal for a request with a bad row."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlneuron_runtime import tallies
from mlneuron_runtime.dataplane import DataPlane
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.signature import Matrix

from tests.runtime.conftest import Neuron, counts, serving
from tests.runtime.odd_models import POISON, SENSITIVE
from tests.runtime.support import call, post

PREDICT = "/v1/models/churn:predict"
NAMES = ("age", "income")


def named(neuron: Neuron, names: tuple[str, ...] | None = NAMES) -> None:
    """Give the model's columns names."""
    served = neuron.plane.served
    assert served is not None
    served.model.signature = Matrix(2, names)  # type: ignore[misc]  # the model of the tests lets it be set


async def test_instances_are_answered_by_predictions(neuron: Neuron) -> None:
    reply = await post(neuron.app, PREDICT, {"instances": [[1, 2], [3, 4.5]]})
    assert (reply.status, reply.json) == (200, {"predictions": [3.0, 7.5]})
    assert reply.headers["x-request-id"]


async def test_inputs_are_answered_by_outputs(neuron: Neuron) -> None:
    assert (await post(neuron.app, PREDICT, {"inputs": [[1, 2], [3, 4.5]]})).json == {"outputs": [3.0, 7.5]}


async def test_inputs_may_hold_the_only_input_by_its_name(neuron: Neuron) -> None:
    assert (await post(neuron.app, PREDICT, {"inputs": {"features": [[1, 2]]}})).json == {"outputs": [3.0]}


@pytest.mark.parametrize(
    "body",
    [
        {"instances": [{"age": 1, "income": 2}, {"income": 4, "age": 3}]},
        {"instances": [[1, 2], {"income": 4, "age": 3}]},
        {"inputs": {"age": [1, 3], "income": [2, 4]}},
        {"inputs": {"income": [[2], [4]], "age": [[1], [3]]}},
        {"inputs": {"features": [[1, 2], [3, 4]]}},
    ],
    ids=str,
)
async def test_columns_are_told_by_their_names(neuron: Neuron, body: dict[str, Any]) -> None:
    named(neuron)
    reply = await post(neuron.app, PREDICT, body)
    assert (reply.status, list(reply.json.values())) == (200, [[3.0, 7.0]])


async def test_labels_stay_labels_and_several_outputs_are_lists() -> None:
    async with serving(lambda inputs: Prediction(np.array(["yes"] * len(inputs[0])))) as neuron:
        assert (await post(neuron.app, PREDICT, {"instances": [[1, 2]]})).json == {"predictions": ["yes"]}
    async with serving(lambda inputs: Prediction(inputs[0] * 2)) as neuron:
        assert (await post(neuron.app, PREDICT, {"instances": [[1, 2]]})).json == {"predictions": [[2.0, 4.0]]}


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "neither is there"),
    ({"instances": [[1, 2]], "inputs": [[1, 2]]}, "both are there"),
    ({"instances": [[1, 2], [1, "x"]]}, "instances[1][1] is a string; send a number"),
    ({"instances": [[1, 2], [1]]}, "instances[1] has 1 values"),
    ({"instances": []}, "instances is empty"),
    ({"instances": {"features": [[1, 2]]}}, "instances is an object"),
    ({"inputs": None}, "inputs is null"),
    ({"inputs": {"age": [1], "income": [2]}}, "columns have no names"),
    ({"inputs": {}}, "columns have no names"),
]

BAD_COLUMNS: list[tuple[Any, str]] = [
    ({"age": [1]}, "inputs[0] lacks 'income'; send age, income"),
    ({"age": [1], "income": [2], "x": [3]}, "unknown column"),
    ({"age": [1, 2], "income": [2]}, "different lengths"),
    ({"age": [], "income": []}, "empty or of different lengths"),
    ({"age": 1, "income": [2]}, "inputs.age is a number; send an array"),
    ({"age": [1], "income": ["a"]}, "is a string; send a number"),
    ({}, "inputs is empty; send the columns age, income"),
    ({"age": [[1], [2]], "income": [1, [2]]}, "is an array"),
]


@pytest.mark.parametrize(("body", "message"), BAD, ids=[message for _, message in BAD])
async def test_bad_input_is_a_400_that_says_what_and_where(neuron: Neuron, body: dict[str, Any], message: str) -> None:
    reply = await post(neuron.app, PREDICT, body)
    assert (reply.status, list(reply.json)) == (400, ["error"])
    assert message in reply.json["error"]
    assert counts(neuron) == (1, 0, 0)


@pytest.mark.parametrize(("columns", "message"), BAD_COLUMNS, ids=[message for _, message in BAD_COLUMNS])
async def test_bad_columns_are_told_by_name(neuron: Neuron, columns: Any, message: str) -> None:
    named(neuron)
    reply = await post(neuron.app, PREDICT, {"inputs": columns})
    assert reply.status == 400
    assert message in reply.json["error"]


async def test_a_row_that_the_model_raises_on_fails_the_request(neuron: Neuron) -> None:
    reply = await post(neuron.app, PREDICT, {"instances": [[1, 2], [POISON, 1]]})
    assert reply.status == 500
    assert SENSITIVE not in reply.body.decode()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (PREDICT, 200),
        ("/v1/models/churn/versions/1.0.0:predict", 200),
        ("/v1/models/churn/versions/2.0.0:predict", 404),
        ("/v1/models/other:predict", 404),
        ("/v1/models/churn", 405),
        ("/v1/nothing", 404),
    ],
)
async def test_a_model_is_found_by_its_path(neuron: Neuron, path: str, status: int) -> None:
    reply = await post(neuron.app, path, {"instances": [[1, 2]]})
    assert reply.status == status
    assert status == 200 or isinstance(reply.json["error"], str)


async def test_a_prediction_is_only_posted(neuron: Neuron) -> None:
    for path in (PREDICT, "/v1/models/churn/versions/1.0.0:predict"):
        reply = await call(neuron.app, "GET", path)
        assert (reply.status, reply.headers["allow"]) == (405, "POST")


async def test_metadata_tells_what_is_served(neuron: Neuron) -> None:
    assert (await call(neuron.app, "GET", "/v1/models")).json == {"models": ["churn"]}
    for path in ("/v1/models/churn", "/v1/models/churn/versions/1.0.0"):
        reply = await call(neuron.app, "GET", path)
        assert (reply.status, reply.json) == (200, {"name": "churn", "ready": True})
    assert (await call(neuron.app, "GET", "/v1/models/other")).status == 404
    neuron.plane.draining = True
    reply = await call(neuron.app, "GET", "/v1/models/churn")
    assert (reply.status, reply.json) == (503, {"name": "churn", "ready": False})


async def test_without_a_model_nothing_is_ready(neuron: Neuron) -> None:
    from mlneuron_runtime.app import serving_app

    app = serving_app(DataPlane(neuron.plane.config))
    assert (await call(app, "GET", "/v1/models")).json == {"models": []}
    assert (await call(app, "GET", "/v1/models/churn")).status == 503
    assert (await post(app, PREDICT, {"instances": [[1, 2]]})).status == 503


async def test_its_requests_are_counted_as_its_own(neuron: Neuron) -> None:
    await post(neuron.app, PREDICT, {"instances": [[1, 2]]})
    await post(neuron.app, "/v1/models/other:predict", {"instances": [[1, 2]]})
    assert neuron.plane.counted().count(tallies.PROTOCOL["v1"]) == 2


async def test_a_large_body_is_answered_in_whole(neuron: Neuron) -> None:
    rows = [[float(place), 1.0] for place in range(9000)]
    reply = await post(neuron.app, PREDICT, {"instances": rows})
    assert reply.json["predictions"] == [place + 1.0 for place in range(9000)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*NAMES, "features", "x"]), inner),
    max_leaves=12,
)
BODIES = st.fixed_dictionaries({}, optional={"instances": JSON, "inputs": JSON, "signature_name": JSON}) | JSON


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES, names=st.sampled_from([None, NAMES]))
async def test_any_json_gets_a_documented_answer(neuron: Neuron, body: Any, names: tuple[str, ...] | None) -> None:
    named(neuron, names)
    reply = await call(neuron.app, "POST", PREDICT, json.dumps(body).encode())
    assert reply.status in {200, 400}
    assert (
        isinstance(reply.json["error"], str) if reply.status == 400 else set(reply.json) <= {"predictions", "outputs"}
    )
