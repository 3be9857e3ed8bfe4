"""What the core is told, against the contract's bounds and oddities."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlneuron_operator.federation import report
from mlneuron_operator.federation.report import NeuronFacts, VariantFacts

from .world import facts

NOW = 1_800_000_000.0
LATELY = {"requests": 1200, "errorRate": 0.01, "p95Milliseconds": 4.2}


def test_a_registration_says_what_the_neuron_is() -> None:
    body = report.registration(facts())
    assert body == {
        "neuronId": "ml.churn",
        "name": "churn",
        "type": "python-ml-inference",
        "language": "python",
        "version": "1.0.0",
        "baseUrl": "http://churn.ml.svc:80",
        "healthcheckEndpoint": "http://churn.ml.svc:80/health",
        "apiEndpoints": ["POST /predict", "POST /batch_predict", "GET /models", "GET /health"],
        "authentication": {"type": "jwt", "required": True},
        "capabilities": ["churn-prediction"],
        "resourceRequirements": {"requests": {"cpu": "1"}},
        "deploymentInfo": {
            "type": "kubernetes",
            "namespace": "ml",
            "name": "churn",
            "replicas": 2,
            "ports": [8080, 8081, 9090],
        },
        "metadata": {
            "namespace": "ml",
            "name": "churn",
            "uid": "uid-ml-churn",
            "framework": "sklearn",
            "modelUri": "https://models.example.com/churn.joblib",
            "managedBy": "mlneuron-operator",
        },
    }


def test_a_heartbeat_says_how_the_neuron_is_and_never_names_it() -> None:
    assert report.heartbeat(facts(config_version="7", build_version="b1", performance=LATELY), NOW) == {
        "status": "active",
        "healthScore": 100,
        "uptime": 90,
        "hostInfo": {"platform": "kubernetes", "namespace": "ml", "name": "churn"},
        "applicationMetrics": {
            "ready": True,
            "replicasReady": 2,
            "replicasDesired": 2,
            "framework": "sklearn",
            "modelVersion": "1.0.0",
        },
        "performanceMetrics": LATELY,
        "configVersion": "7",
        "buildVersion": "b1",
    }


HARMED = VariantFacts(
    name="candidate",
    mode="Split",
    traffic=0.0,
    version="2.0.0",
    step="1/3",
    verdict="Harm",
    harm="error rate 9 % (9/100) against 1 % (1/100) of the primary: worse, with 99 % confidence",
    harmed_at="2026-11-24T12:00:00Z",
)


def test_a_heartbeat_says_how_its_variants_fare() -> None:
    good = VariantFacts("next", "Split", 12.5)
    told = report.heartbeat(facts(variants=(HARMED, good)), NOW)["applicationMetrics"]["variants"]
    assert told == [
        {
            "name": "candidate",
            "mode": "Split",
            "traffic": 0.0,
            "modelVersion": "2.0.0",
            "step": "1/3",
            "verdict": "Harm",
            "harm": HARMED.harm,
        },
        {"name": "next", "mode": "Split", "traffic": 12.5},
    ]


def test_an_event_is_of_each_variant_that_was_rolled_back_and_has_no_date() -> None:
    assert report.harm_events(facts(variants=(HARMED, VariantFacts("next", "Split", 12.5)))) == {
        "events": [
            {
                "type": "rollout_rolled_back",
                "timestamp": "2026-11-24T12:00:00Z",
                "variant": "candidate",
                "modelVersion": "2.0.0",
                "message": HARMED.harm,
            }
        ]
    }


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "active"),
        ({"stalled": True}, "active"),
        ({"ready": False, "stalled": True}, "error"),
        ({"ready": False, "reconciling": True}, "starting"),
        ({"ready": False, "replicas_desired": 0}, "maintenance"),
        ({"ready": False}, "error"),
    ],
)
def test_the_status_is_the_cores_word_for_what_is(changes: dict[str, object], status: str) -> None:
    assert report.status(replace(facts(), **changes)) == status  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    ("ready", "score", "sent"),
    [
        (True, 100, 100),
        (True, None, 100),
        (True, 70, 70),
        (True, 0, 1),
        (True, 120, 100),
        (False, 100, 1),
        (False, None, 1),
    ],
)
def test_a_sick_neuron_sends_one_since_the_core_takes_zero_for_a_hundred(
    ready: bool, score: int | None, sent: int
) -> None:
    assert report.heartbeat(facts(ready=ready, health_score=score), NOW)["healthScore"] == sent


def test_a_goodbye_needs_no_facts() -> None:
    assert report.goodbye(None, NOW) == {"status": "inactive", "healthScore": 1, "uptime": 0}
    assert report.goodbye(facts(), NOW)["uptime"] == 90


def test_only_the_id_cannot_be_cut_so_it_is_a_problem() -> None:
    assert report.problem(facts()) is None
    assert "shorter" in (report.problem(facts(neuron_id="n" * 101)) or "")
    assert report.problem(facts(neuron_id=""))


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("https://user:pw@host/m.joblib?X-Amz-Signature=abc#part", "https://host/m.joblib"),
        ("pvc://claim/path/m.joblib", "pvc://claim/path/m.joblib"),
        ("models:/churn@champion", "models:/churn@champion"),
        ("oci://ghcr.io/a/churn:1/m.pt", "oci://ghcr.io/a/churn:1/m.pt"),
        ("file:///opt/m.onnx", "file:///opt/m.onnx"),
        ("s3://models/m.ubj?versionId=secret", "s3://models/m.ubj"),
        ("http://[broken", None),
        (None, None),
    ],
)
def test_a_model_uri_is_told_without_its_credentials(uri: str | None, told: str | None) -> None:
    assert report.without_credentials(uri) == told


def test_an_error_log_is_told_without_passwords_and_tokens() -> None:
    message = "cannot fetch https://user:pw@host/m with eyJhbGciOi.eyJzdWIi.c2ln\0"
    body = report.heartbeat(facts(ready=False, message=message), NOW)
    assert body["errorLog"] == "cannot fetch https://host/m with [token]"


anything = st.text(max_size=300)
perhaps = st.none() | anything
numbers = st.integers(-(10**12), 10**12)
neurons = st.builds(
    NeuronFacts,
    key=st.tuples(anything, anything),
    uid=anything,
    neuron_id=anything,
    display_name=anything,
    framework=anything,
    ready=st.booleans(),
    version=perhaps,
    capabilities=st.lists(anything, max_size=80).map(tuple),
    url=perhaps,
    stalled=st.booleans(),
    reconciling=st.booleans(),
    message=anything,
    health_score=st.none() | numbers,
    started_at=st.none() | st.floats(-1e15, 1e15),
    replicas_ready=numbers,
    replicas_desired=numbers,
    model_uri=perhaps,
    config_version=perhaps,
    build_version=perhaps,
)


@settings(max_examples=50)
@given(neurons)
def test_no_report_passes_a_bound_of_the_contract(neuron: NeuronFacts) -> None:
    beat = report.heartbeat(neuron, NOW)
    assert 1 <= beat["healthScore"] <= 100
    assert 0 <= beat["uptime"] <= 2_147_483_647
    assert len(beat.get("configVersion", "")) <= 50
    assert len(beat.get("buildVersion", "")) <= 100
    assert None not in beat.values()
    assert "neuronId" not in beat
    body = report.registration(neuron)
    assert len(body["version"]) <= 50
    assert len(body["name"]) <= 255
    assert all(isinstance(each, str) for each in body["capabilities"])


def test_the_longest_report_stays_under_what_the_core_reads() -> None:
    long = "\N{GRINNING FACE}" * 5000
    neuron = facts(display_name=long, version=long, capabilities=(long,) * 500, message=long, ready=False)
    for body in (report.registration(neuron), report.heartbeat(neuron, NOW)):
        assert len(json.dumps(body, ensure_ascii=False).encode()) < 100 * 1024
