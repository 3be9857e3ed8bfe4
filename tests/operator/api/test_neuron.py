from typing import Any

import pytest
from mlneuron_operator.api.neuron import MLNeuron


def neuron(spec: dict[str, Any], *, name: str = "churn", namespace: str = "ml") -> MLNeuron:
    meta = {"name": name, "namespace": namespace, "uid": "u-1", "generation": 3}
    return MLNeuron.parse({"metadata": meta, "spec": spec})


def served(**more: Any) -> dict[str, Any]:
    return {"model": {"uri": "https://models.example.com/churn.joblib"}, **more}


def test_a_model_is_all_that_a_neuron_needs() -> None:
    parsed = neuron(served())
    assert (parsed.name, parsed.namespace, parsed.uid, parsed.generation) == ("churn", "ml", "u-1", 3)
    assert parsed.key == ("ml", "churn")
    assert parsed.spec.replicas == 1
    assert parsed.spec.batching.max_size == 32
    assert parsed.spec.serving.timeout == "10s"
    assert parsed.spec.federation.enabled
    assert parsed.spec.route is None


def test_fields_of_a_later_version_are_let_be() -> None:
    assert neuron(served(fromTheFuture={"x": 1})).spec == neuron(served()).spec


@pytest.mark.parametrize(
    ("uri", "framework"),
    [
        ("https://h/m.joblib", "sklearn"),
        ("pvc://claim/m.pkl", "sklearn"),
        ("pvc://claim/m.json", "xgboost"),
        ("pvc://claim/a.b/m.ubj", "xgboost"),
        ("https://h/m.pt?token=x.joblib", "torch"),
        ("pvc://claim/m.pt2", "torch"),
        ("pvc://claim/m.pth", "torch"),
        ("s3://bucket/m.skops", "sklearn"),
        ("oci://ghcr.io/a/b:1.0/m.onnx", "onnx"),
        ("models:/churn@champion", "mlflow"),
    ],
)
def test_the_framework_is_told_from_the_end_of_the_uri(uri: str, framework: str) -> None:
    assert neuron({"model": {"uri": uri}}).spec.model.resolved_framework() == framework


def test_the_framework_that_is_set_wins_over_the_end_of_the_uri() -> None:
    model = {"uri": "https://h/m.json", "framework": "sklearn"}
    assert neuron({"model": model}).spec.model.resolved_framework() == "sklearn"


def test_a_framework_that_nothing_tells_is_asked_for() -> None:
    with pytest.raises(ValueError, match=r"spec\.model\.framework is not set"):
        neuron({"model": {"uri": "https://h/model.bin"}})


def test_amounts_may_be_numbers_or_texts() -> None:
    spec = neuron(served(resources={"requests": {"cpu": 2, "memory": "4Gi"}}, serving={"maxBodyBytes": 4096})).spec
    assert spec.resources.requests == {"cpu": 2, "memory": "4Gi"}
    assert spec.serving.max_body_bytes == 4096


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({}, "model"),
        (served(replicas=-1), "replicas"),
        (served(resources={"requests": {"memory": "4GB"}}), "resources.requests.memory"),
        (served(serving={"timeout": "10 s"}), "serving.timeout"),
        (served(serving={"maxBodyBytes": -1}), "serving.maxBodyBytes"),
        (served(type="Training"), "type"),
        ({"model": {"uri": "https://h/m.joblib", "sha256": "sha256:abc"}}, "model.sha256"),
        ({"model": {"uri": "oci://ghcr.io/a/m.joblib"}}, "spec.model.uri"),
        (served(serving={"payloadLog": {"url": "http://c", "sample": "0.1"}}), "serving.payloadLog.sample"),
        (served(serving={"workers": "all"}), "serving.workers"),
    ],
)
def test_a_spec_that_slipped_past_the_api_server_is_refused_by_field(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=r"(?m)^" + field.replace(".", r"\.")):
        neuron(spec)


@pytest.mark.parametrize("kind", ["requests", "limits"])
@pytest.mark.parametrize("name", ["nvidia.com/gpu", "nvidia.com/mig-1g.5gb"])
def test_a_gpu_or_a_slice_of_one_makes_a_gpu_neuron(kind: str, name: str) -> None:
    assert neuron(served(resources={kind: {name: "1"}})).gpu
    assert not neuron(served(resources={kind: {"cpu": "1"}})).gpu


def test_the_id_at_the_core_names_namespace_and_neuron() -> None:
    assert neuron(served()).neuron_id == "ml.churn"
    assert neuron(served(federation={"neuronId": "churn-eu"})).neuron_id == "churn-eu"


def test_neurons_with_long_names_share_no_id_at_the_core() -> None:
    ids = {neuron(served(), name="n" * 62 + last, namespace="s" * 63).neuron_id for last in "ab"}
    assert len(ids) == 2
    assert all(len(each) == 100 for each in ids)
