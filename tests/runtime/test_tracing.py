"""Traces, as a collector receives them: spans of requests and of the model's calls, in the caller's trace."""

import json
import logging
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mlneuron_runtime.settings import traces
from mlneuron_runtime.tracing import OnceAMinute
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.runtime.conftest import Neuron, serving
from tests.runtime.odd_models import POISON
from tests.runtime.otlp_receiver import OtlpReceiver, Told, otlp_receiver
from tests.runtime.payload_sink import payload_sink
from tests.runtime.support import config_for, environment, post, until
from tests.runtime.support import serving as process_serving

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
ANSWERED_LATE = 20.0


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with otlp_receiver() as receiver:
        yield receiver


@asynccontextmanager
async def traced(
    receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch, **changes: dict[str, Any]
) -> AsyncIterator[Neuron]:
    """A neuron that tells the receiver; its spans are there when it is closed."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    async with serving(**changes) as neuron:  # type: ignore[arg-type]  # sections of the config
        yield neuron
        requests: Any = neuron.plane.requests
        requests.tracing.close()


def one(spans: list[Told]) -> Told:
    (only,) = spans
    return only


async def test_a_request_is_a_span_with_the_models_call_within(
    receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with traced(receiver, monkeypatch) as neuron:
        await post(neuron.app, "/batch_predict", {"batch_features": [[1, 2], [3, 4]]}, {"x-request-id": "r-1"})
    request, model = one(receiver.named("POST /batch_predict")), one(receiver.named("model"))
    assert request.span.kind == Span.SPAN_KIND_SERVER
    assert (request.parent, model.parent, model.trace) == ("", request.id, request.trace)
    assert request.attributes == {
        "http.request.method": "POST", "http.route": "/batch_predict", "http.response.status_code": 200,
        "mlneuron.protocol": "guide", "mlneuron.model.name": "churn", "mlneuron.model.version": "1.0.0",
        "mlneuron.rows": 2, "mlneuron.request.id": "r-1",
    }  # fmt: skip
    assert model.attributes == {"mlneuron.rows": 2, "mlneuron.batch.rows": 2, "mlneuron.engine": "sklearn"}
    assert request.resource.items() >= {"service.name": "churn", "mlneuron.namespace": "ml"}.items()


@pytest.mark.parametrize("path", ["/predict", "/v1/models/churn:predict"])
async def test_the_callers_trace_is_joined(receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    body = {"features": [1, 2], "instances": [[1, 2]]}
    async with traced(receiver, monkeypatch) as neuron:
        await post(neuron.app, path, body, {"traceparent": SAMPLED, "tracestate": "a=b"})
    request = one(receiver.named(f"POST {path}"))
    assert (request.trace, request.parent, request.span.trace_state) == (TRACE, PARENT, "a=b")


async def test_a_caller_that_does_not_sample_is_followed(
    receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with traced(receiver, monkeypatch) as neuron:
        await post(neuron.app, "/predict", {"features": [1, 2]}, {"traceparent": UNSAMPLED})
        await post(neuron.app, "/predict", {"features": [1, 2]}, {"traceparent": "nonsense"})
    assert one(receiver.named("POST /predict")).trace != TRACE


async def test_the_standard_sampler_is_used(receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    async with traced(receiver, monkeypatch) as neuron:
        assert (await post(neuron.app, "/predict", {"features": [1, 2]})).status == 200
    assert receiver.spans == []


@pytest.mark.parametrize("with_payloads", [False, True])
async def test_errors_are_told_by_kind_and_never_by_text(
    receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, with_payloads: bool
) -> None:
    (tmp_path / "tokens").write_text("t")
    section: dict[str, Any] = {"tokenFile": str(tmp_path / "tokens")}
    if with_payloads:
        section["payloadLog"] = {"url": "http://127.0.0.1:9/", "sample": 1.0}
    async with traced(receiver, monkeypatch, serving=section) as neuron:
        token = {"authorization": "Bearer t"}
        await post(neuron.app, "/predict", {"features": [1, "x"]}, token)
        await post(neuron.app, "/predict", {"features": [POISON, 1]}, token)
        await post(neuron.app, "/predict", {"features": [1, 2]})
    told = [
        (span.attributes["error.type"], span.attributes["http.response.status_code"], span.span.status.code)
        for span in receiver.named("POST /predict")
    ]
    assert told == [
        ("InvalidInput", 422, Status.STATUS_CODE_UNSET),
        ("ModelFailed", 500, Status.STATUS_CODE_ERROR),
        ("Unauthorized", 401, Status.STATUS_CODE_UNSET),
    ]
    assert one(receiver.named("model")).span.status.code == Status.STATUS_CODE_ERROR
    assert not any(span.span.events or span.span.status.message for span in receiver.spans)


async def test_payload_events_tell_their_trace(receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with payload_sink() as sink:
        async with traced(receiver, monkeypatch, serving={"payloadLog": {"url": sink.url}}) as neuron:
            await post(neuron.app, "/predict", {"features": [1, 2]}, {"traceparent": SAMPLED})
            await until(lambda: len(sink.posted) == 2)
    span = one(receiver.named("POST /predict"))
    assert {event.headers["ce-traceparent"] for event in sink.posted} == {f"00-{TRACE}-{span.id}-01"}


async def test_the_present_trace_can_be_passed_on(receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str]] = []
    async with traced(receiver, monkeypatch) as neuron:
        requests: Any = neuron.plane.requests
        with requests.tracing.request("one", {"traceparent": [SAMPLED]}, {}):
            seen.append(requests.tracing.passed_on())
    assert seen == [{"traceparent": f"00-{TRACE}-{one(receiver.spans).id}-01"}]


@pytest.mark.parametrize(
    ("variables", "exporter"),
    [
        ({}, None),
        ({"OTEL_SERVICE_NAME": "x"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, None),
        ({"OTEL_SDK_DISABLED": "True", "OTEL_TRACES_EXPORTER": "otlp"}, None),
    ],
)
def test_the_standard_variables_turn_it_on(variables: dict[str, str], exporter: str | None) -> None:
    assert traces(variables) == exporter


def test_a_collector_that_is_away_is_told_of_once_a_minute() -> None:
    seconds = iter([0.0, 1.0, 59.0, 60.0, 61.0])
    lines = OnceAMinute(lambda: next(seconds))
    record = logging.makeLogRecord({"msg": "Transient error"})
    assert [lines.filter(record) for _ in range(5)] == [True, False, False, True, False]


def test_without_them_nothing_of_it_is_imported(tmp_path: Path) -> None:
    program = "import sys, mlneuron_runtime.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], env=environment(tmp_path), capture_output=True, text=True)
    names = {name.partition(".")[0] for name in done.stdout.split()}
    assert "starlette" in names
    assert names.isdisjoint({"opentelemetry", "http.client", "requests"})
    assert "mlneuron_runtime.payloads" not in done.stdout.split()


def test_a_server_tells_its_traces_and_names_them_in_its_log(tmp_path: Path, receiver: OtlpReceiver) -> None:
    import joblib
    from sklearn.linear_model import LogisticRegression

    path = tmp_path / "m.joblib"
    joblib.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), path)
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_SERVICE_NAME": "mine"}
    with process_serving(tmp_path, config_for(path), **variables) as process:
        headers = {"Content-Type": "application/json", "traceparent": SAMPLED}
        for row in ([1.0], [1.0, 2.0]):
            asked = urllib.request.Request(f"{process.url}/predict", json.dumps({"features": row}).encode(), headers)
            try:
                urllib.request.urlopen(asked, timeout=ANSWERED_LATE).close()
            except urllib.error.HTTPError as error:
                error.close()
        refused = process.wait_for("request refused")
        process.process.terminate()
        assert process.finish() == 0
    assert refused["trace_id"] == TRACE
    assert [(span.trace, span.resource["service.name"]) for span in receiver.named("POST /predict")] == [
        (TRACE, "mine")
    ] * 2
