"""What is, in the words that decisions are made in; pure. Built from the store's trimmed objects."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from .api.names import LABEL_VARIANT, PRIMARY
from .api.status import RUNTIME_REASONS, Reason
from .api.workload import Workload
from .engine.trim import OWNS_REPLICAS
from .kinds import DEPLOYMENT, POD, Kind

Object = dict[str, Any]

_PULL_REASONS: Final = {
    "ErrImagePull",
    "ImagePullBackOff",
    "ImageInspectError",
    "InvalidImageName",
    "ErrImageNeverPull",
    "RegistryUnavailable",
    "SignatureValidationFailed",
}
_CONFIG_REASONS: Final = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
_NOT_MOUNTED: Final = ("ImageVolumeMountFailed", 'failed to mkdir ""')
"""How containerd says that it did not mount an image: from 2.1 on, and before, when it sees a volume with no path."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a pod does not come up, and what mends it."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Observation:
    """The children and pods of a neuron's own model, or of a variant, as last seen."""

    children: Mapping[tuple[Kind, str], Object]
    pods: Sequence[Object]

    @classmethod
    def of(cls, owned: Mapping[tuple[Kind, str], Object]) -> "Observation":
        """The observation of everything that the store holds for a neuron."""
        children = {ref: obj for ref, obj in owned.items() if ref[0] is not POD}
        pods = [obj for ref, obj in owned.items() if ref[0] is POD and "deletionTimestamp" not in obj["metadata"]]
        return cls(children, sorted(pods, key=lambda pod: str(pod["metadata"]["name"])))

    @classmethod
    def by_variant(cls, owned: Mapping[tuple[Kind, str], Object]) -> dict[str, "Observation"]:
        """An observation for each variant that something exists of, the primary always among them."""
        groups: dict[str, dict[tuple[Kind, str], Object]] = {PRIMARY: {}}
        for ref, obj in owned.items():
            groups.setdefault(obj["metadata"].get("labels", {}).get(LABEL_VARIANT, PRIMARY), {})[ref] = obj
        return {variant: cls.of(group) for variant, group in groups.items()}

    def deployment(self, name: str) -> Object | None:
        """The Deployment of this name."""
        return self.children.get((DEPLOYMENT, name))

    @property
    def ready_pods(self) -> list[Object]:
        """Pods that serve."""
        return [pod for pod in self.pods if is_ready(pod)]

    @property
    def configs_in_use(self) -> set[str]:
        """ConfigMaps that a pod was made with."""
        return {pod["config"] for pod in self.pods if pod["config"]}


def wanted_replicas(workload: Workload, live: Object | None) -> int | None:
    """The count to apply to the Deployment; None leaves it to the autoscaler that has taken it over.

    An autoscaler writes the count only when it wants another one. Until then the operator keeps the count as it is:
    to leave it out would give up the field, and Kubernetes would reset it to 1.
    """
    scaling = workload.spec.autoscaling
    if scaling is None:
        return workload.spec.replicas
    if live is None:
        return scaling.min_replicas
    return max(int(live["spec"].get("replicas", 1)), scaling.min_replicas) if live[OWNS_REPLICAS] else None


def is_ready(pod: Object) -> bool:
    """Whether the pod serves: its runtime has loaded the model and answered an inference."""
    return any(item["type"] == "Ready" and item["status"] == "True" for item in pod["conditions"])


def problem_of(pod: Object) -> Problem | None:
    """Why the pod does not come up; None while nothing is known to be wrong."""
    if is_ready(pod):
        return None
    for container in pod["containers"]:
        problem = _container_problem(pod, container)
        if problem is not None:
            return problem
    return _pod_problem(pod)


def _container_problem(pod: Object, container: Object) -> Problem | None:
    state = container["state"] or {}
    waiting = state.get("waiting") or {}
    reason, message = waiting.get("reason", ""), waiting.get("message", "")
    if reason in _PULL_REASONS:
        return _pull_problem(container["image"], pod["modelImage"], message or reason)
    if reason in _CONFIG_REASONS and pod["modelImage"] and any(sign in message for sign in _NOT_MOUNTED):
        return Problem(
            Reason.VOLUME_UNAVAILABLE,
            f"spec.model.uri: the node can't mount the image {pod['modelImage']}: {message}; a node needs containerd "
            "2.1 or CRI-O 1.31 for it, or put the model elsewhere than at oci://",
        )
    if reason in _CONFIG_REASONS:
        return Problem(
            Reason.CONTAINER_CONFIG_INVALID,
            f"container {container['name']} can't be made: {message or reason}; check the Secrets and "
            "ConfigMaps that spec.podTemplate.env and spec.model.credentials name",
        )
    ended = state.get("terminated") or (container["lastState"] or {}).get("terminated") or {}
    if not ended.get("exitCode") or container["ready"]:
        return None
    return _exit_problem(pod["metadata"]["name"], container, ended, backing_off=reason == "CrashLoopBackOff")


def _pull_problem(image: str, model_image: str | None, said: str) -> Problem:
    """The kubelet tells of a volume's image where it tells of a container's: on the container that mounts it."""
    cause = f"can't be pulled: {said}; "
    private = "spec.podTemplate.imagePullSecrets for a private registry"
    if model_image and image not in said:
        mend = f"correct the uri, push the image, or set {private}"
        return Problem(Reason.IMAGE_PULL_FAILED, f"spec.model.uri: image {model_image} {cause}{mend}")
    return Problem(Reason.IMAGE_PULL_FAILED, f"image {image} {cause}check its name, and {private}")


def _exit_problem(pod: str, container: Object, ended: Object, *, backing_off: bool) -> Problem | None:
    own = _runtime_word(ended.get("message", ""))
    if own is not None:
        return own
    if ended.get("reason") == "OOMKilled":
        return Problem(
            Reason.OUT_OF_MEMORY,
            f"container {container['name']} was killed for memory; raise spec.resources.limits.memory",
        )
    if backing_off or (container["restartCount"] or 0) > 1:
        return Problem(
            Reason.CRASH_LOOP,
            f"container {container['name']} ends with exit code {ended['exitCode']} again and again "
            f"({container['restartCount']} restarts); see kubectl logs {pod} -c {container['name']} --previous",
        )
    return None


def _runtime_word(message: str) -> Problem | None:
    """What the runtime itself said in its termination message."""
    try:
        word = orjson.loads(message)
        reason = Reason(word["reason"])
        return Problem(reason, str(word["message"])[:2000]) if reason in RUNTIME_REASONS else None
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


def _pod_problem(pod: Object) -> Problem | None:
    for item in pod["conditions"]:
        if item["type"] == "PodScheduled" and item["status"] == "False":
            return _scheduling_problem(item.get("message") or "no node takes the pod")
    if pod["phase"] == "Failed":
        word = pod["message"] or pod["reason"] or "it ended"
        return Problem(Reason.CRASH_LOOP, f"pod {pod['metadata']['name']} failed: {word}; it is being replaced")
    return None


def _scheduling_problem(said: str) -> Problem:
    said = (
        re.split(r"\.? (?:no new claims to deallocate, )?preemption:", said)[0].rstrip(".").removesuffix(". not found")
    )
    if "persistentvolumeclaim" in said.lower() or "volume" in said.lower():
        return Problem(
            Reason.VOLUME_UNAVAILABLE,
            f"spec.model.uri: {said}; create the PersistentVolumeClaim in the neuron's namespace, or mend the uri "
            "(or spec.model.cache)",
        )
    if "nvidia.com/" in said:
        return Problem(
            Reason.GPU_UNAVAILABLE,
            f"spec.resources: {said}; free or add a GPU node, or ask for fewer GPUs",
        )
    return Problem(
        Reason.UNSCHEDULABLE,
        f"{said}; lower spec.resources, change spec.podTemplate's placement, or add nodes",
    )
