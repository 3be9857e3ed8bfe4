"""Models from a bucket on a real node: with the credentials of a Secret, and one download for all pods."""

import hashlib
from collections.abc import Iterator

import pytest
import xgboost
from sklearn.datasets import load_iris

from dev.node import Node
from tests.e2e.conftest import SPACE, Lab
from tests.support.kube import eventually
from tests.support.s3_server import S3Server, s3_server

pytestmark = pytest.mark.e2e

SETOSA = [5.1, 3.5, 1.4, 0.2]
URI = "s3://models/iris/model.ubj"
KEYS = {"credentials": {"secretName": "bucket-reader"}}


def booster(rounds: int) -> bytes:
    """A classifier of iris."""
    rows, labels = load_iris(return_X_y=True)
    parameters = {"objective": "multi:softprob", "num_class": 3, "max_depth": 3}
    return bytes(xgboost.train(parameters, xgboost.DMatrix(rows, labels), rounds).save_raw("ubj"))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def bucket(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A bucket with a model, and the Secret that opens it; only where pods reach this machine."""
    if not isinstance(lab.cluster, Node):
        pytest.skip("the pods of this cluster reach no server of this machine")
    with s3_server(tmp_path_factory.mktemp("s3"), lab.cluster.outside) as server:
        server.put("models", {"iris/model.ubj": booster(10)})
        metadata = {"name": "bucket-reader", "namespace": SPACE}
        lab.kube.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": server.variables()})
        yield server


def test_a_bucket_is_read_with_the_credentials_of_a_secret_which_only_the_fetch_step_sees(
    lab: Lab, bucket: S3Server
) -> None:
    lab.neuron("bucket", URI, model={**KEYS, "sha256": sha256(booster(10))})
    assert lab.ready("bucket")["status"]["model"]["framework"] == "xgboost"
    assert lab.predict("bucket", SETOSA).body["prediction"] == 0
    pod = lab.pods("bucket")[0]["metadata"]["name"]
    names = lab.kube.run("exec", "-n", SPACE, pod, "--", "python3", "-c", "import os; print(list(os.environ))").stdout
    assert "AWS_" not in names
    assert (
        bucket.variables()["AWS_SECRET_ACCESS_KEY"] not in lab.kube.run("logs", "-n", SPACE, pod, "-c", "fetch").stdout
    )
    lab.delete("bucket")


def test_a_secret_that_is_missing_is_told(lab: Lab, bucket: S3Server) -> None:
    lab.neuron("keyless", URI, model={"credentials": {"secretName": "nowhere"}})
    assert 'secret "nowhere" not found' in lab.stalled("keyless", "ContainerConfigInvalid")
    lab.delete("keyless")


def test_a_second_pod_takes_the_model_from_the_cache(lab: Lab, bucket: S3Server) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Mi"}}}
    metadata = {"name": "cache", "namespace": SPACE}
    lab.kube.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claim})
    lab.neuron("cached", URI, model={**KEYS, "cache": {"claimName": "cache"}, "sha256": sha256(booster(10))})
    lab.ready("cached")
    bucket.guard(True)
    lab.kube.run("scale", "mlneuron", "cached", "-n", SPACE, "--replicas=2")
    eventually("two pods", lambda: lab.get("cached")["status"]["summary"]["replicas"] == "2/2", 60)
    lab.delete("cached")


def test_a_moved_model_is_followed_when_its_pods_are_made_anew(lab: Lab, bucket: S3Server) -> None:
    lab.neuron("moving", URI, model=KEYS)
    lab.ready("moving")
    eventually("its digest", lambda: digest(lab) == sha256(booster(10)))
    bucket.put("models", {"iris/model.ubj": booster(11)})
    lab.kube.run("rollout", "restart", "deployment/moving", "-n", SPACE)
    eventually("the new digest", lambda: digest(lab) == sha256(booster(11)), 90)
    lab.settled("moving")
    lab.delete("moving")


def digest(lab: Lab) -> str | None:
    found: str | None = lab.get("moving")["status"]["model"].get("digest")
    return found
