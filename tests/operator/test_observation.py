"""What a pod's own word says about why it does not come up, and how many there should be."""

import json
from typing import Any

import pytest
from mlneuron_operator.api.status import Reason
from mlneuron_operator.observation import problem_of, wanted_replicas

from .facts import deployment, neuron, observed, pod


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def ended(code: int, message: str = "", reason: str = "Error") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


WORD = json.dumps({"reason": "ModelDigestMismatch", "message": "spec.model.sha256: not the pinned one"})
UNSCHEDULABLE = "0/3 nodes are available: {}. no new claims to deallocate, preemption: 0/3 nodes are available."


def unscheduled(message: str) -> dict[str, Any]:
    item = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return pod(conditions=[item], state={}, lastState={})


@pytest.mark.parametrize(
    ("found", "reason", "said"),
    [
        (pod(**waiting("ImagePullBackOff", "not found")), Reason.IMAGE_PULL_FAILED, "image runtime:1 can't be pulled"),
        (pod(**waiting("InvalidImageName")), Reason.IMAGE_PULL_FAILED, "imagePullSecrets"),
        (
            pod(**waiting("CreateContainerConfigError", 'secret "key" not found')),
            Reason.CONTAINER_CONFIG_INVALID,
            'secret "key" not found; check the Secrets and ConfigMaps that spec.podTemplate.env',
        ),
        (pod(state=ended(78, WORD)), Reason.MODEL_DIGEST_MISMATCH, "spec.model.sha256"),
        (pod(**waiting("CrashLoopBackOff"), lastState=ended(78, WORD)), Reason.MODEL_DIGEST_MISMATCH, "pinned"),
        (pod(state={"running": {}}, lastState=ended(78, WORD), restartCount=1), Reason.MODEL_DIGEST_MISMATCH, "pinned"),
        (pod(state=ended(137, reason="OOMKilled")), Reason.OUT_OF_MEMORY, "raise spec.resources.limits.memory"),
        (
            pod(**waiting("CrashLoopBackOff"), lastState=ended(139), restartCount=4),
            Reason.CRASH_LOOP,
            "exit code 139 again and again (4 restarts); see kubectl logs churn-1 -c runtime --previous",
        ),
        (
            unscheduled(UNSCHEDULABLE.format("3 Insufficient nvidia.com/gpu")),
            Reason.GPU_UNAVAILABLE,
            "spec.resources: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu; free or add a GPU node",
        ),
        (unscheduled('persistentvolumeclaim "models" not found'), Reason.VOLUME_UNAVAILABLE, '"models" not found'),
        (
            unscheduled("pod has unbound immediate PersistentVolumeClaims. not found"),
            Reason.VOLUME_UNAVAILABLE,
            "unbound",
        ),
        (unscheduled(UNSCHEDULABLE.format("3 Insufficient cpu")), Reason.UNSCHEDULABLE, "lower spec.resources"),
    ],
)
def test_a_pods_own_word_becomes_a_reason_and_a_mend(found: dict[str, Any], reason: Reason, said: str) -> None:
    problem = problem_of(found)
    assert problem is not None
    assert problem.reason is reason
    assert said in problem.message
    assert "preemption" not in problem.message
    assert "claims to deallocate" not in problem.message


@pytest.mark.parametrize(
    "found",
    [
        pod(ready=True, lastState=ended(78, WORD), restartCount=3),
        pod(**waiting("ContainerCreating")),
        pod(**waiting("PodInitializing")),
        pod(state=ended(0)),
        pod(state={"running": {}}),
        pod(state={"running": {}}, lastState=ended(143), restartCount=1),
    ],
)
def test_what_is_only_on_its_way_is_no_problem(found: dict[str, Any]) -> None:
    assert problem_of(found) is None


@pytest.mark.parametrize(
    "message", ["", "not json", "[1]", '{"reason": "Nonsense", "message": "x"}', '{"reason": "Ready"}']
)
def test_a_termination_message_that_is_not_the_runtimes_is_not_believed(message: str) -> None:
    problem = problem_of(pod(**waiting("CrashLoopBackOff"), lastState=ended(1, message)))
    assert problem is not None
    assert problem.reason is Reason.CRASH_LOOP


def test_pods_that_are_being_deleted_do_not_count() -> None:
    leaving = pod(ready=True)
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert observed(None, leaving).ready_pods == []


IMAGE = "registry.example.com/models/churn:1"
NO_SUCH_TAG = f'Back-off pulling image "{IMAGE}": ErrImagePull: failed to resolve reference "{IMAGE}": not found'
NO_SUCH_RUNTIME = 'failed to pull and unpack image "docker.io/library/runtime:1": not found'


@pytest.mark.parametrize(
    ("waits", "reason", "said"),
    [
        (
            waiting("ImagePullBackOff", NO_SUCH_TAG),
            Reason.IMAGE_PULL_FAILED,
            f"spec.model.uri: image {IMAGE} can't be pulled: {NO_SUCH_TAG}; correct the uri",
        ),
        (
            waiting("ErrImagePull", NO_SUCH_RUNTIME),
            Reason.IMAGE_PULL_FAILED,
            "image runtime:1 can't be pulled: failed",
        ),
        (
            waiting("CreateContainerError", "ImageVolumeMountFailed: failed to unpack image volume: no space left"),
            Reason.VOLUME_UNAVAILABLE,
            f"spec.model.uri: the node can't mount the image {IMAGE}: ImageVolumeMountFailed: failed to unpack",
        ),
        (
            waiting("CreateContainerError", 'failed to generate spec: failed to mkdir "": mkdir : no such file'),
            Reason.VOLUME_UNAVAILABLE,
            "a node needs containerd 2.1 or CRI-O 1.31 for it",
        ),
        (
            waiting("CreateContainerConfigError", 'secret "key" not found'),
            Reason.CONTAINER_CONFIG_INVALID,
            'secret "key" not found',
        ),
    ],
    ids=["no such tag", "no such runtime", "not unpacked", "an old containerd", "no such secret"],
)
def test_trouble_with_the_models_image_is_told_from_other_trouble(
    waits: dict[str, Any], reason: Reason, said: str
) -> None:
    problem = problem_of(pod(model_image=IMAGE, **waits))
    assert problem is not None
    assert problem.reason is reason
    assert said in problem.message


SCALED = {"autoscaling": {"minReplicas": 2, "maxReplicas": 8}, "resources": {"requests": {"cpu": "1"}}}


@pytest.mark.parametrize(
    ("live", "replicas"),
    [
        (None, 2),
        (deployment(wanted=5, owns=True), 5),
        (deployment(wanted=1, owns=True), 2),
        (deployment(wanted=5, owns=False), None),
    ],
    ids=["starts at the fewest", "keeps what it set", "raises to the fewest", "leaves what the autoscaler set"],
)
def test_an_autoscalers_count_is_left_alone(live: Any, replicas: int | None) -> None:
    assert wanted_replicas(neuron(**SCALED), live) == replicas


def test_without_an_autoscaler_the_spec_says_how_many_whoever_set_it() -> None:
    assert wanted_replicas(neuron(replicas=3), deployment(wanted=5, owns=False)) == 3
