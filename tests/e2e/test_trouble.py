"""What a user can get wrong: each ends in a condition that names the cause and the mend, from the pods' own word."""

from typing import Any

import pytest

from dev.images import RUNTIME
from tests.e2e.conftest import MISSING_IMAGE, Install, Lab

pytestmark = pytest.mark.e2e

SECRET = [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "nowhere", "key": "key"}}}]


@pytest.mark.parametrize(
    ("name", "uri", "spec", "reason", "said"),
    [
        ("no-claim", "pvc://nowhere/m.joblib", {}, "VolumeUnavailable", '"nowhere" not found; create the Persistent'),
        ("no-file", "pvc://models/absent.joblib", {}, "ModelNotFound", "absent.joblib"),
        ("no-url", "http://store/absent.joblib", {}, "ModelNotFound", "http://store/absent.joblib"),
        ("no-host", "http://nowhere.invalid/m.joblib", {}, "ModelFetchFailed", "nowhere.invalid"),
        ("no-model", "pvc://models/broken.joblib", {}, "ModelLoadFailed", "spec.model.uri: the artifact cannot be"),
        (
            "no-secret",
            "pvc://models/iris.joblib",
            {"podTemplate": {"env": SECRET}},
            "ContainerConfigInvalid",
            "nowhere",
        ),
        (
            "no-memory",
            "pvc://models/iris.joblib",
            {"resources": {"requests": {"memory": "24Mi"}, "limits": {"memory": "24Mi"}}},
            "OutOfMemory",
            "raise spec.resources.limits.memory",
        ),
        (
            "no-node",
            "pvc://models/iris.joblib",
            {"resources": {"requests": {"cpu": "500"}}},
            "Unschedulable",
            "Insufficient cpu; lower spec.resources",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("no-") else "",
)
def test_what_is_wrong_is_told_with_its_mend(
    lab: Lab, name: str, uri: str, spec: dict[str, Any], reason: str, said: str
) -> None:
    lab.neuron(name, uri, **spec)
    message = lab.stalled(name, reason)
    assert said in message
    ready = lab.kube.condition(name, "e2e", "Ready")
    assert ready is not None
    assert ready["status"] == "False"
    lab.delete(name)


def test_a_gpu_neuron_waits_for_a_gpu_then_for_its_image_then_serves(lab: Lab, install: Install) -> None:
    """The node's GPUs are claimed, not there; the image that stands in for the GPU one is the CPU runtime."""
    requests, limits = {"cpu": "20m", "memory": "128Mi"}, {"nvidia.com/gpu": "1"}
    lab.neuron("gpu", resources={"requests": requests, "limits": limits})
    assert "nvidia.com/gpu" in lab.stalled("gpu", "GPUUnavailable")
    lab.cluster.advertise_gpus(4)
    assert MISSING_IMAGE in lab.stalled("gpu", "ImagePullFailed")
    install(f"runtime.images.gpu={lab.cluster.image(RUNTIME)}")
    lab.ready("gpu")
    (container,) = lab.pods("gpu")[-1]["spec"]["containers"]
    assert (
        container["resources"]["requests"]["nvidia.com/gpu"]
        == container["resources"]["limits"]["nvidia.com/gpu"]
        == "1"
    )
    assert lab.predict("gpu", [5.1, 3.5, 1.4, 0.2]).status == 200
    lab.delete("gpu")
