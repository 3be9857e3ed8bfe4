"""Models in images, which a real kubelet mounts: no copy, no fetch, read-only."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import joblib
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from dev import buildah
from dev.node import Node
from tests.e2e.conftest import SPACE, Lab
from tests.support.kube import eventually

pytestmark = pytest.mark.e2e

SETOSA = [5.1, 3.5, 1.4, 0.2]
IMAGE = "localhost/e2e/iris:1.0.0"
PATH = "v1/model.joblib"


@dataclass(frozen=True)
class Held:
    """What the node has: an image, and the digest of the model in it."""

    sha256: str

    @property
    def uri(self) -> str:
        return f"oci://{IMAGE}/{PATH}"


@pytest.fixture(scope="module")
def held(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Held:
    """An image of a model alone; only where images can be handed to the node."""
    if not isinstance(lab.cluster, Node):
        pytest.skip("this cluster takes images from registries only")
    root = tmp_path_factory.mktemp("image")
    model = root / "files" / PATH
    model.parent.mkdir(parents=True)
    joblib.dump(LogisticRegression(max_iter=1000).fit(*load_iris(return_X_y=True)), model)
    buildah.data_image(IMAGE, root / "files", root / "image.tar")
    lab.cluster.import_images(root / "image.tar")
    return Held(hashlib.sha256(model.read_bytes()).hexdigest())


@pytest.fixture(autouse=True)
def gone(lab: Lab) -> Iterator[None]:
    yield
    lab.delete("imaged")


def test_a_model_in_an_image_is_mounted_and_served(lab: Lab, held: Held) -> None:
    lab.neuron("imaged", held.uri, model={"sha256": held.sha256})
    status = lab.ready("imaged")["status"]
    assert status["model"]["digest"] == held.sha256
    answer = lab.predict("imaged", SETOSA)
    assert (answer.status, answer.body["prediction"]) == (200, 0)
    pod = lab.pods("imaged")[0]
    (volume,) = [one for one in pod["spec"]["volumes"] if "image" in one]
    assert volume["image"]["reference"] == IMAGE
    script = "import os; print(bool(os.statvfs('/models').f_flag & os.ST_RDONLY))"
    told = lab.kube.run("exec", "-n", SPACE, pod["metadata"]["name"], "-c", "runtime", "--", "python3", "-c", script)
    assert told.stdout.strip() == "True"


def test_another_content_than_was_pinned_is_not_served(lab: Lab, held: Held) -> None:
    lab.neuron("imaged", held.uri, model={"sha256": "0" * 64})
    assert held.sha256 in lab.stalled("imaged", "ModelDigestMismatch")


def test_a_path_that_the_image_lacks_is_told(lab: Lab, held: Held) -> None:
    lab.neuron("imaged", held.uri.replace("model.joblib", "other.joblib"))
    assert "other.joblib" in lab.stalled("imaged", "ModelNotFound")


def test_an_image_that_cannot_be_pulled_is_told_and_one_that_can_then_serves(lab: Lab, held: Held) -> None:
    lab.neuron("imaged", held.uri.replace(":1.0.0", ":2.0.0"))
    message = lab.stalled("imaged", "ImagePullFailed")
    assert message.startswith(f"spec.model.uri: image {IMAGE.replace(':1.0.0', ':2.0.0')} can't be pulled: ")
    lab.neuron("imaged", held.uri)
    lab.ready("imaged")
    eventually("no longer stalled", lambda: lab.kube.condition("imaged", SPACE, "Stalled") is None)
