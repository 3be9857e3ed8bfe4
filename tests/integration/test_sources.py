"""Where models come from, before a real API server: what a cluster can't do is told, and a policy holds."""

from pathlib import Path

import pytest
import yaml

from tests.integration.conftest import ROOT, Start
from tests.integration.neurons import neuron
from tests.support.kube import Kube, eventually

pytestmark = pytest.mark.integration

DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
EXAMPLES = sorted(path for path in (ROOT / "examples").rglob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT / "examples")))
def test_an_example_is_admitted(kube: Kube, path: Path) -> None:
    done = kube.run("apply", "--dry-run=server", "--validate=strict", "-f", str(path))
    assert not done.stderr
    assert len(done.stdout.splitlines()) == len([one for one in yaml.safe_load_all(path.read_text()) if one])


def test_a_cluster_that_mounts_no_images_says_so_instead_of_finding_no_model(
    kube: Kube, space: str, start: Start
) -> None:
    """The API server of these tests is one: it drops the volume without a word."""
    model = {"uri": "oci://registry.example.com/churn:1.0/model.joblib"}
    with start() as process:
        process.wait_until_leading()
        kube.apply(neuron("churn", space, model=model))
        stalled = eventually("stalled", lambda: kube.condition("churn", space, "Stalled"))
        assert stalled["reason"] == "VolumeUnavailable"
        assert "use Kubernetes 1.35 or newer" in stalled["message"]
        kube.patch("mlneuron", "churn", space, {"spec": {"model": {"uri": "pvc://models/model.joblib"}}})
        eventually("no longer stalled", lambda: kube.condition("churn", space, "Stalled") is None)


def test_where_digests_are_required_a_model_without_one_is_not_served(kube: Kube, space: str, start: Start) -> None:
    with start(MLNEURON_REQUIRE_MODEL_DIGEST="true") as process:
        process.wait_until_leading()
        kube.apply(neuron("churn", space), neuron("plain", space, model={"uri": "https://example.com/m.onnx"}))
        stalled = eventually("stalled", lambda: kube.condition("churn", space, "Stalled"))
        assert stalled["reason"] == "SpecInvalid"
        assert "spec.model.sha256 is not set" in stalled["message"]
        eventually("data needs none", lambda: kube.get("deployment", "plain", space))
        assert kube.get("deployment", "churn", space) is None
        kube.patch("mlneuron", "churn", space, {"spec": {"model": {"sha256": DIGEST}}})
        eventually("pinned, it is served", lambda: kube.get("deployment", "churn", space))
