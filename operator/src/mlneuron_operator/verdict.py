"""Where a neuron or a variant stands: ordered checks on what is observed, the first that speaks counts; pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .api.names import ANNOTATION_REVISION
from .api.status import Reason
from .api.workload import Workload
from .desired.source import image_of
from .observation import Object, Observation, Problem, problem_of
from .outcome import Stalled

_NO_IMAGE_VOLUMES: Final = (
    "spec.model.uri: this cluster mounts no image as a volume; use Kubernetes 1.35 or newer (or 1.33 with the feature "
    "gate ImageVolume), or put the model elsewhere than at oci://"
)


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a verdict is made of. ``fault`` is how applying its objects ended, when not well."""

    workload: Workload
    observation: Observation
    fault: Stalled | None = None

    @property
    def deployment(self) -> Object | None:
        """The live Deployment."""
        return self.observation.deployment(self.workload.name)

    @property
    def wanted(self) -> int:
        """How many pods there should be: the Deployment's count once it exists, since an autoscaler may own it."""
        live = self.deployment
        if live is None or self.workload.spec.autoscaling is None:
            return self.workload.spec.replicas
        return int(live["spec"].get("replicas", 1))

    @property
    def current_pods(self) -> list[Object]:
        """Pods of the newest revision."""
        live = self.deployment
        if live is None:
            return []
        revision = live["spec"]["template"]["metadata"].get("annotations", {}).get(ANNOTATION_REVISION)
        return [pod for pod in self.observation.pods if pod["revision"] == revision]

    @property
    def newest_alone_serves(self) -> bool:
        """Whether some pod serves, and none of an older revision, which may answer by another model."""
        current = {pod["metadata"]["uid"] for pod in self.current_pods}
        ready = {pod["metadata"]["uid"] for pod in self.observation.ready_pods}
        return bool(ready) and ready <= current


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a neuron is not (yet) as it should be. ``stalled``: it will not become so unless somebody acts."""

    reason: Reason
    message: str
    stalled: bool = False


def verdict(situation: Situation) -> Verdict | None:
    """The first check that speaks; None when all is as it should be."""
    return next(filter(None, (check(situation) for check in _CHECKS)), None)


def _fault(situation: Situation) -> Verdict | None:
    fault = situation.fault
    return Verdict(fault.reason, fault.message, stalled=True) if fault else None


def _no_deployment(situation: Situation) -> Verdict | None:
    return Verdict(Reason.CREATING, "its objects are being made") if situation.deployment is None else None


def _image_volume_dropped(situation: Situation) -> Verdict | None:
    """An API server without image volumes drops them without a word, and the pods would find no model."""
    live = situation.deployment
    if image_of(situation.workload.spec.model) is None or live is None:
        return None
    if any("image" in volume for volume in live["spec"]["template"].get("spec", {}).get("volumes", ())):
        return None
    return Verdict(Reason.VOLUME_UNAVAILABLE, _NO_IMAGE_VOLUMES, stalled=True)


def _pods_refused(situation: Situation) -> Verdict | None:
    said = _condition(situation.deployment, "ReplicaFailure", "True")
    if said is None:
        return None
    message = f"the cluster refuses its pods: {said}; mend the quota or the policy that refuses, or the neuron"
    return Verdict(Reason.PODS_REFUSED, message, stalled=True)


def _pod_problem(situation: Situation) -> Verdict | None:
    problems = [problem for problem in map(problem_of, situation.current_pods) if problem]
    worst: Problem | None = next(iter(problems), None)
    return Verdict(worst.reason, worst.message, stalled=True) if worst else None


def _no_progress(situation: Situation) -> Verdict | None:
    said = _condition(situation.deployment, "Progressing", "False")
    if said is None:
        return None
    return Verdict(Reason.NO_PROGRESS, f"{said} see kubectl describe pod for what holds its pods up", stalled=True)


def _moving(situation: Situation) -> Verdict | None:
    live, wanted = situation.deployment, situation.wanted
    assert live is not None  # noqa: S101 - _no_deployment speaks before
    status = live["status"]
    seen = status.get("observedGeneration", 0) >= live["metadata"].get("generation", 0)
    updated, total = status.get("updatedReplicas", 0), status.get("replicas", 0)
    ready = status.get("readyReplicas", 0)
    if ready == 0 and wanted > 0:
        return Verdict(Reason.CREATING, f"0 of {wanted} pods are ready; {_waits_for(situation)}")
    if not seen or updated < min(wanted, total):
        return Verdict(Reason.ROLLING_OUT, f"{updated} of {wanted} pods are of the new revision")
    if total > wanted or updated < wanted:
        return Verdict(Reason.SCALING, f"{total} pods exist and {wanted} are wanted")
    if ready < wanted:
        return Verdict(Reason.RECOVERING, f"{ready} of {wanted} pods are ready")
    return None


def _waits_for(situation: Situation) -> str:
    """What pods are doing; the kubelet waits without a word for a volume that is to be mounted."""
    spec = situation.workload.spec
    volumes = []
    if spec.serving.auth is not None:
        volumes.append(f"the Secret {spec.serving.auth.secret_name} of spec.serving.auth")
    if image_of(spec.model) is not None:
        volumes.append("the image of spec.model.uri (a kubelet without the feature gate ImageVolume never mounts it)")
    bare = (item for pod in situation.current_pods for item in pod["conditions"] if item["status"] == "False")
    if volumes and any(item["type"] == "PodReadyToStartContainers" for item in bare):
        return f"a pod waits for its volumes, among them {' and '.join(volumes)}"
    return "the model is being loaded"


def _condition(deployment: Object | None, kind: str, status: str) -> str | None:
    for item in deployment["status"]["conditions"] if deployment else ():
        if item["type"] == kind and item["status"] == status:
            return str(item.get("message", "")) or str(item.get("reason", ""))
    return None


_CHECKS: Final[tuple[Callable[[Situation], Verdict | None], ...]] = (
    _fault,
    _no_deployment,
    _image_volume_dropped,
    _pods_refused,
    _pod_problem,
    _no_progress,
    _moving,
)
