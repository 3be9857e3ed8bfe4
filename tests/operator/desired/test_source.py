"""Where the model is in the pod, what is done before it is served, and who may write what."""

import json
from typing import Any

import pytest
from mlneuron_operator.api.model import ModelSpec
from mlneuron_operator.desired.source import unpinned

from .built import CASES, build, by_kind, changed, load, pod


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("pvc://models/a/b/model.joblib", "/models/a/b/model.joblib"),
        ("https://host/deep/model.joblib?token=x#frag", "/models/model.joblib"),
        ("http://host:8000/m.pkl", "/models/m.pkl"),
        ("https://host/?file=m", "/models/model"),
        ("s3://bucket/churn/1/model.skops", "/models/model.skops"),
        ("gs://bucket/model", "/models/model"),
        ("oci://ghcr.io/team/churn:1.0/a/model.joblib", "/models/a/model.joblib"),
        ("file:///opt/models/model.joblib", "/opt/models/model.joblib"),
    ],
)
def test_the_model_lies_where_its_uri_says(uri: str, path: str) -> None:
    config = by_kind(build(changed(load("minimal"), model={"uri": uri, "framework": "sklearn"})))["ConfigMap"]
    assert f'"path": "{path}"' in config["data"]["config.json"]


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("models:/churn/3", "/models/model"),
        ("models:/churn@champion", "/models/model"),
        ("s3://bucket/churn/1/", "/models/1"),
        ("pvc://models/churn/", "/models/churn/"),
    ],
)
def test_a_folder_lies_where_its_uri_says(uri: str, path: str) -> None:
    config = by_kind(build(changed(load("minimal"), model={"uri": uri, "framework": "mlflow"})))["ConfigMap"]
    assert f'"path": "{path}"' in config["data"]["config.json"]


PREPARED = "pvc://models/m.joblib"
TMP = "/tmp"  # noqa: S108 - the pod's own emptyDir


@pytest.mark.parametrize(
    ("model", "steps"),
    [
        ({"uri": PREPARED}, 1),
        ({"uri": PREPARED, "acceleration": "Off"}, 0),
        ({"uri": "pvc://models/m.ubj"}, 1),
        ({"uri": "pvc://models/m.onnx"}, 0),
        ({"uri": "pvc://models/m.pt"}, 0),
        ({"uri": "file:///opt/m.skops"}, 1),
        ({"uri": "oci://ghcr.io/a/b:1/m.joblib", "acceleration": "Off"}, 0),
        ({"uri": "https://host/m.onnx"}, 1),
        ({"uri": "pvc://models/folder", "framework": "mlflow"}, 1),
        ({"uri": "models:/m/1", "acceleration": "Off"}, 1),
    ],
)
def test_a_step_comes_before_the_runtime_only_where_there_is_something_to_do(model: Any, steps: int) -> None:
    spec = pod(build(changed(load("minimal"), model=model)))["spec"]
    assert len(spec.get("initContainers", ())) == steps


def mounts(container: dict[str, Any]) -> dict[str, bool]:
    """Path -> whether it can be written."""
    return {item["mountPath"]: not item.get("readOnly", False) for item in container["volumeMounts"]}


@pytest.mark.parametrize("uri", [PREPARED, "oci://ghcr.io/a/b:1/m.joblib"])
def test_what_is_mounted_is_written_by_no_step(uri: str) -> None:
    spec = pod(build(changed(load("minimal"), model={"uri": uri})))["spec"]
    fetch, runtime = mounts(spec["initContainers"][0]), mounts(spec["containers"][0])
    assert fetch == {"/etc/mlneuron": False, TMP: True, "/models": False, "/prepared": True}
    assert runtime == {
        path: path == TMP for path in ("/etc/mlneuron", TMP, "/models", "/prepared", "/etc/mlneuron-traffic")
    }


def test_the_runtime_can_write_nothing_but_its_own_tmp() -> None:
    for name in CASES:
        (runtime,) = pod(build(load(name)))["spec"]["containers"]
        assert [path for path, writable in mounts(runtime).items() if writable] == [TMP], name


def test_only_the_fetch_step_has_the_credentials_and_only_the_runtime_the_tokens() -> None:
    obj = changed(load("bucket"), serving={"auth": {"secretName": "callers"}})
    spec = pod(build(obj))["spec"]
    (fetch,), (runtime,) = spec["initContainers"], spec["containers"]
    assert fetch["envFrom"] == [{"secretRef": {"name": "bucket-reader"}}]
    assert "envFrom" not in runtime
    assert "/etc/mlneuron-tokens" in mounts(runtime)
    assert "/etc/mlneuron-tokens" not in mounts(fetch)
    assert "/etc/mlneuron-credentials" in mounts(fetch)
    assert "/etc/mlneuron-credentials" not in mounts(runtime)


def test_every_mount_is_of_a_volume_and_every_volume_is_mounted() -> None:
    for name in CASES:
        spec = pod(build(load(name)))["spec"]
        containers = [*spec["containers"], *spec.get("initContainers", ())]
        mounted = {mount["name"] for container in containers for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in spec["volumes"]}, name


def test_a_model_on_a_gpu_is_left_to_its_own_library() -> None:
    obj = changed(load("minimal"), model={"uri": "pvc://models/m.ubj"}, resources={"limits": {"nvidia.com/gpu": 1}})
    config = json.loads(by_kind(build(obj))["ConfigMap"]["data"]["config.json"])["model"]
    assert (config["acceleration"], config["prepared"]) == ("Off", None)
    assert "initContainers" not in pod(build(obj))["spec"]


DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


@pytest.mark.parametrize(
    ("model", "loose"),
    [
        ({"uri": "https://h/m.joblib"}, True),
        ({"uri": "https://h/m.skops"}, True),
        ({"uri": "https://h/m.json"}, True),
        ({"uri": "https://h/m.pt"}, True),
        ({"uri": "models:/m/1"}, True),
        ({"uri": "oci://ghcr.io/a/b:1/m.joblib"}, True),
        ({"uri": "https://h/m.joblib", "sha256": DIGEST}, False),
        ({"uri": "https://h/m.onnx"}, False),
        ({"uri": f"oci://ghcr.io/a/b@sha256:{DIGEST}/m.joblib"}, False),
        ({"uri": "file:///opt/m.joblib"}, False),
    ],
)
def test_a_model_that_can_run_code_is_loose_unless_a_digest_holds_it(model: Any, loose: bool) -> None:
    assert unpinned(ModelSpec.model_validate(model)) is loose
