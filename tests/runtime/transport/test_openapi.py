"""The OpenAPI document: valid, about the model that is served, and true whatever is sent."""

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types
from mlneuron_runtime.models.base import Prediction
from mlneuron_runtime.signature import Column, Matrix, Signature, Table, Tensors
from mlneuron_runtime.tensors import TensorSpec
from mlneuron_runtime.transport.openapi import document
from openapi_spec_validator import validate
from schemathesis.specs.openapi import checks

from tests.runtime.conftest import serving
from tests.runtime.support import Process, call, config_for, post
from tests.runtime.support import serving as process_serving

UNDONE = "POST /v2/repository/models/{name}/unload"
"""Always a 404 or a 501, which schemathesis takes for a failure."""

ALWAYS = [
    checks.status_code_conformance, checks.content_type_conformance, checks.response_headers_conformance,
    checks.response_schema_conformance,
]  # fmt: skip

EXAMPLES = 12
"""Requests an operation, and as many that do not fit its schema."""

EXACT = {"POST /predict", "POST /batch_predict"}
"""What fits their schema is never refused; V2's shapes and V1's columns of one length are beyond JSON schemas."""


async def told(**changes: Any) -> Any:
    async with serving(**changes) as neuron:
        reply = await call(neuron.app, "GET", "/openapi.json")
        assert reply.status == 200
        return reply.json


async def test_the_document_is_valid_and_describes_the_served_model() -> None:
    held = await told()
    validate(held)
    assert held["info"] == {
        "title": "ml/churn", "version": "1.0.0", "description": "Model churn: sklearn_summing, served by sklearn",
    }  # fmt: skip
    row = held["components"]["schemas"]["Row"]
    assert (row["minItems"], row["maxItems"]) == (2, 2)
    assert held["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"] == {
        "features": [1.0, 1.0]
    }
    assert "securitySchemes" not in held["components"]


async def test_columns_with_names_are_told() -> None:
    async with serving() as neuron:
        assert neuron.plane.served is not None
        neuron.plane.served.model.signature = Matrix(2, ("age", "income"))  # type: ignore[misc]
        held = document(neuron.plane.config, neuron.plane.served)
    validate(held)
    _, by_name = held["components"]["schemas"]["Row"]["anyOf"]
    assert (list(by_name["properties"]), by_name["additionalProperties"]) == (["age", "income"], False)


SIGNATURES: list[Signature] = [
    Matrix(2),
    Matrix(2, ("age", "income")),
    Table((Column("age", "INT64"), Column("city", "BYTES", nullable=True), Column("vip", "BOOL"))),
    Table((Column("city", "BYTES", choices=frozenset({"Ulm", "Bonn"})), Column("age")), frozenset({"extra"})),
    Tensors((TensorSpec("image", "FP32", (2, 3)),)),
    Tensors((TensorSpec("image", "FP32", (2, 3)), TensorSpec("weight", "FP64", (1,)))),
]


@pytest.mark.parametrize("signature", SIGNATURES, ids=[f"{type(one).__name__}{len(one.inputs)}" for one in SIGNATURES])
async def test_every_documented_example_fits_its_schema_and_is_answered(signature: Signature) -> None:
    async with serving(lambda inputs: Prediction(np.zeros(len(inputs[0])))) as neuron:
        assert neuron.plane.served is not None
        neuron.plane.served.model.signature = signature  # type: ignore[misc]
        held = document(neuron.plane.config, neuron.plane.served)
        validate(held)
        tried = 0
        for path, methods in held["paths"].items():
            content = methods.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
            if "example" not in content:
                continue
            tried += 1
            schema = {**content["schema"], "components": held["components"]}
            Draft202012Validator(schema).validate(content["example"])
            reply = await post(neuron.app, path.format(name="churn", version="1.0.0"), content["example"])
            assert reply.status == 200, reply.body
            answer = methods["post"]["responses"]["200"]["content"]["application/json"]["schema"]
            Draft202012Validator({**answer, "components": held["components"]}).validate(reply.json)
        assert tried == 6


async def test_tokens_are_told_where_they_are_asked_for(tmp_path: Path) -> None:
    held = await told(serving={"tokenFile": str(tmp_path / "tokens")})
    validate(held)
    guarded = {path for path, methods in held["paths"].items() if "security" in methods.get("post", {})}
    assert guarded == {
        "/predict", "/batch_predict", "/v1/models/{name}:predict", "/v1/models/{name}/versions/{version}:predict",
        "/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer",
    }  # fmt: skip
    assert "401" in held["paths"]["/predict"]["post"]["responses"]


async def test_before_the_model_is_loaded_the_document_is_valid() -> None:
    async with serving() as neuron:
        validate(document(neuron.plane.config, None))


async def test_every_route_is_documented() -> None:
    async with serving() as neuron:
        held = document(neuron.plane.config, neuron.plane.served)
        routes = {route.path for route in neuron.app.routes} | set(neuron.app.middleware_stack.hot)
    known = {path.replace("{name}", "churn").replace("{version}", "1.0.0") for path in held["paths"]}
    named = {path.replace("{name}", "churn").replace("{version}", "1.0.0") for path in routes}
    assert named - known == {"/v2/models/{rest:path}"}


@pytest.fixture(params=["matrix", "named"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Process]:
    """A server of a model with columns by number, and of one with named ones."""
    import pandas
    from sklearn.linear_model import LogisticRegression

    rows: Any = [[0.0, 1.0], [1.0, 0.0]]
    labels: Any = ["no", "yes"]
    if request.param == "named":
        rows, labels = pandas.DataFrame(rows, columns=["age", "income"]), [0, 1]
    joblib.dump(LogisticRegression().fit(rows, labels), tmp_path / "m.joblib")
    with process_serving(tmp_path, config_for(tmp_path / "m.joblib")) as process:
        output = process.process.stdout
        assert output is not None
        drain = threading.Thread(target=output.read)  # else the log of all that is refused fills the pipe
        drain.start()
        yield process
        process.process.kill()
        drain.join()


def at_home(case: Any, really: bool) -> None:
    """Ask for what is served, else hardly any request would reach the model."""
    for name, value in (("name", "churn"), ("version", "1.0.0")):
        if really and name in case.path_parameters:
            case.path_parameters[name] = value


def try_out(operation: Any, mode: Any, statuses: Counter[int]) -> None:
    """Send what the operation's schema says, or what it does not."""
    wanted = list(ALWAYS)
    if operation.label != UNDONE:
        wanted.append(schemathesis.checks.not_a_server_error)
    if operation.label in EXACT:
        wanted.append(checks.positive_data_acceptance)

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode), really=st.booleans())
    def sent(case: Any, really: bool) -> None:
        at_home(case, really)
        response = case.call()
        statuses[response.status_code] += 1
        case.validate_response(response, checks=wanted)

    sent()


def test_whatever_is_sent_the_answer_is_a_documented_one(server: Process) -> None:
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    tried: dict[str, Counter[int]] = {}
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # the document is valid
        statuses = tried[operation.label] = Counter()
        try_out(operation, schemathesis.GenerationMode.POSITIVE, statuses)
        if operation.body:
            try_out(operation, schemathesis.GenerationMode.NEGATIVE, statuses)
    assert len(tried) == len(schema.raw_schema["paths"]) - 1  # it leaves the document itself out
    value = schema.raw_schema["components"]["schemas"]["Value"]
    assert value in ({"enum": ["no", "yes"]}, {"type": "integer"})
    for label in ("POST /predict", "POST /batch_predict", "POST /v1/models/{name}:predict"):
        assert tried[label][200], f"no request to {label} reached the model"
