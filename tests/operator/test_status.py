"""The whole status, as a table of situations: what a person and Argo CD are told."""

from dataclasses import replace
from typing import Any

import pytest
from mlneuron_operator.api.status import Reason
from mlneuron_operator.federation.state import FederationReason, FederationState
from mlneuron_operator.health import ModelWarning, Recent, Sample
from mlneuron_operator.outcome import Stalled
from mlneuron_operator.status import Told, derive, invalid
from mlneuron_operator.verdict import Situation

from .facts import OLD, deployment, neuron, observed, pod, settled

NOW = "2026-11-24T12:00:00Z"
BEFORE = "2026-11-24T11:00:00Z"


def sample(score: int = 100, version: str = "1.0.0") -> Sample:
    return Sample(version, "abc", "sklearn", score, 1000.0, 10, 2)


SKEW = ModelWarning("VersionSkew", "saved by scikit-learn 1.5.2, served by 1.7.0")


def status(situation: Situation, told: Told | None = None, previous: Any = None) -> dict[str, Any]:
    return derive(situation, told or Told(), previous or {}, NOW)


def conditions(found: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {item["type"]: (item["status"], item["reason"]) for item in found["conditions"]}


def kstatus(found: dict[str, Any]) -> str:
    """sigs.k8s.io/cli-utils kstatus: what Argo CD, Flux and kubectl plugins make of the conditions."""
    told = {item["type"]: item["status"] for item in found["conditions"]}
    if told.get("Reconciling") == "True":
        return "InProgress"
    if told.get("Stalled") == "True":
        return "Failed"
    return "Current" if told["Ready"] == "True" else "InProgress"


CRASHED: dict[str, Any] = {
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"exitCode": 78, "message": '{"reason": "ModelNotFound", "message": "no file"}'}},
}
SERVING = pod("old-1", ready=True, revision=OLD)


@pytest.mark.parametrize(
    ("situation", "ready", "extra", "verdict"),
    [
        (Situation(neuron(), observed(None)), ("Unknown", "Creating"), "Reconciling", "InProgress"),
        (
            Situation(neuron(), observed(deployment(updatedReplicas=1, replicas=1), pod())),
            ("Unknown", "Creating"),
            "Reconciling",
            "InProgress",
        ),
        (Situation(neuron(), observed(settled(), pod(ready=True))), ("True", "Serving"), None, "Current"),
        (
            Situation(neuron(), observed(deployment(updatedReplicas=1, replicas=1), pod(**CRASHED))),
            ("False", "ModelNotFound"),
            "Stalled",
            "Failed",
        ),
        (
            Situation(
                neuron(), observed(deployment(updatedReplicas=1, replicas=1, readyReplicas=1), SERVING, pod(**CRASHED))
            ),
            ("True", "Serving"),
            "Stalled",
            "Failed",
        ),
        (
            Situation(
                neuron(replicas=3),
                observed(deployment(wanted=3, updatedReplicas=1, replicas=4, readyReplicas=3), SERVING),
            ),
            ("True", "Serving"),
            "Reconciling",
            "InProgress",
        ),
        (
            Situation(
                neuron(replicas=3),
                observed(
                    deployment(wanted=3, replicas=3, updatedReplicas=3, readyReplicas=2),
                    pod(ready=True),
                ),
            ),
            ("True", "Serving"),
            "Reconciling",
            "InProgress",
        ),
        (Situation(neuron(replicas=0), observed(settled(0))), ("False", "ScaledToZero"), None, "InProgress"),
        (
            Situation(neuron(), observed(None), Stalled(Reason.NAME_TAKEN, "rename")),
            ("False", "NameTaken"),
            "Stalled",
            "Failed",
        ),
        (
            Situation(
                neuron(),
                observed(
                    deployment(conditions=[{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}])
                ),
            ),
            ("False", "PodsRefused"),
            "Stalled",
            "Failed",
        ),
        (
            Situation(
                neuron(model={"uri": "oci://ghcr.io/team/churn:1.0/model.joblib"}),
                observed(deployment(updatedReplicas=1, replicas=1), pod(**CRASHED)),
            ),
            ("False", "VolumeUnavailable"),
            "Stalled",
            "Failed",
        ),
        (
            Situation(
                neuron(),
                observed(
                    deployment(conditions=[{"type": "Progressing", "status": "False", "message": "timed out."}]), pod()
                ),
            ),
            ("False", "NoProgress"),
            "Stalled",
            "Failed",
        ),
    ],
    ids=[
        "nothing is there yet",
        "the model is loading",
        "it serves",
        "the model is not found",
        "the new revision fails while the old one serves",
        "a rollout goes on",
        "a pod is being replaced",
        "it is scaled to zero",
        "its name is taken",
        "a quota refuses its pods",
        "the cluster drops the image with the model",
        "nothing moves any more",
    ],
)
def test_the_conditions_of(situation: Situation, ready: tuple[str, str], extra: str | None, verdict: str) -> None:
    found = status(situation)
    told = conditions(found)
    assert told["Ready"] == ready
    assert {name for name in ("Reconciling", "Stalled") if name in told} == ({extra} if extra else set())
    assert kstatus(found) == verdict
    assert all(item["observedGeneration"] == 2 for item in found["conditions"])


def test_a_failing_new_revision_is_told_while_the_old_one_serves() -> None:
    live = deployment(updatedReplicas=1, replicas=1, readyReplicas=1)
    found = status(Situation(neuron(), observed(live, SERVING, pod(**CRASHED))))
    message = found["conditions"][0]["message"]
    assert "1 of 1 pods serve at http://churn.ml.svc" in message
    assert "does not come up: no file" in message
    assert conditions(found)["ModelLoaded"] == ("False", "ModelNotFound")
    assert found["summary"]["reason"] == "ModelNotFound", "kubectl get shows it beside READY True"


def test_a_secret_and_an_image_that_a_pod_waits_for_are_named() -> None:
    live = deployment(updatedReplicas=1, replicas=1)
    waiting = pod(conditions=[{"type": "PodReadyToStartContainers", "status": "False"}])
    held = neuron(model={"uri": "oci://ghcr.io/team/churn:1.0/model.joblib"})
    mounts = deployment(updatedReplicas=1, replicas=1)
    mounts["spec"]["template"]["spec"] = {"volumes": [{"name": "model", "image": {"reference": "churn:1.0"}}]}
    assert "without the feature gate ImageVolume" in message(Situation(held, observed(mounts, waiting)))
    guarded = neuron(serving={"auth": {"secretName": "callers"}})
    assert "the Secret callers of spec.serving.auth" in message(Situation(guarded, observed(live, waiting)))
    assert "the model is being loaded" in message(Situation(guarded, observed(live, pod())))
    assert "the model is being loaded" in message(Situation(neuron(), observed(live, waiting)))


def message(situation: Situation) -> str:
    return str(status(situation)["conditions"][0]["message"])


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    situation = Situation(neuron(), observed(settled(), pod(ready=True)))
    first = derive(situation, Told(), {}, BEFORE)
    again = derive(situation, Told(), first, NOW)
    assert again == first, "nothing changed, so nothing is to be written"
    broken = derive(Situation(neuron(), observed(None)), Told(), first, NOW)
    assert {item["type"]: item["lastTransitionTime"] for item in broken["conditions"]}["Ready"] == NOW


def test_the_pods_tell_version_digest_and_health() -> None:
    situation = Situation(neuron(), observed(settled(), pod(ready=True)))
    found = status(situation, Told([sample(), sample(70)]))
    assert found["model"] == {"version": "1.0.0", "digest": "abc", "framework": "sklearn"}
    assert found["health"]["score"] == 70
    assert "2 of 10 requests failed" in found["health"]["message"]


def test_the_pods_tell_what_they_did_in_the_last_minutes_and_the_slowest_counts() -> None:
    situation = Situation(neuron(), observed(settled(), pod(ready=True)))
    quiet = replace(sample(), recent=Recent(0, 0, None))
    pods = [replace(sample(), recent=Recent(900, 9, 4.0)), replace(sample(), recent=Recent(100, 0, 12.3456)), quiet]
    told = status(situation, Told(pods))["health"]
    assert (told["requests"], told["errorRate"], told["p95Milliseconds"]) == (1000, 0.009, 12.346)
    assert status(situation, Told([quiet]))["health"] == {
        "score": 100,
        "status": "healthy",
        "requests": 0,
        "errorRate": 0.0,
    }
    later = status(situation, Told([sample()]), {"health": told})["health"]
    assert later == told, "a new operator has not watched for long enough, and changes nothing"


def test_the_pods_tell_what_runs_the_model_and_why() -> None:
    situation = Situation(neuron(), observed(settled(), pod(ready=True)))
    quick = replace(sample(), engine="onnxruntime", engine_reason="answers as the model does")
    model = status(situation, Told([quick]))["model"]
    assert (model["engine"], model["engineReason"]) == ("onnxruntime", "answers as the model does")


def test_a_warning_is_a_condition_while_a_pod_has_it_and_takes_nothing_from_readiness() -> None:
    situation = Situation(neuron(), observed(settled(), pod(ready=True)))
    warned = status(situation, Told([sample(), replace(sample(), warnings=(SKEW,))]))
    told = conditions(warned)
    assert told["ModelWarning"] == ("True", "VersionSkew")
    assert told["Ready"] == ("True", "Serving")
    assert kstatus(warned) == "Current"
    assert warned["summary"]["reason"] == "Serving"
    (message,) = (item["message"] for item in warned["conditions"] if item["type"] == "ModelWarning")
    assert "1.5.2" in message
    assert "1.7.0" in message
    assert "ModelWarning" not in conditions(status(situation, Told([sample()]), warned))
    down = Situation(neuron(), observed(deployment(updatedReplicas=1), pod()))
    assert "ModelWarning" not in conditions(status(down, previous=warned)), "nothing serves that it could be about"


def test_what_pods_told_stays_over_a_restart_of_the_operator() -> None:
    situation = Situation(neuron(), observed(settled(), pod(ready=True)))
    odd = replace(sample(version="7"), engine="onnxruntime", engine_reason="quick", warnings=(SKEW,))
    told = Told([odd], federated=True, federation=HEARD)
    before = status(situation, told)
    assert status(situation, Told(federated=True), before) == before


def test_a_neuron_that_served_and_does_not_any_more_has_no_health() -> None:
    before = status(Situation(neuron(), observed(settled(), pod(ready=True))), Told([sample()]))
    after = status(Situation(neuron(), observed(deployment(updatedReplicas=1), pod())), previous=before)
    assert after["health"] == {"score": 0, "status": "unhealthy", "message": "no pod serves"}
    assert after["summary"] == {"reason": "Creating", "replicas": "0/1", "traffic": "none"}


HEARD = FederationState(FederationReason.REGISTERED, True, "reported", "ml.churn", 1_795_521_600.0, registered=True)


def test_the_cores_word_is_a_condition_and_an_entry() -> None:
    situation = Situation(neuron(), observed(settled(), pod(ready=True)))
    found = status(situation, Told(federated=True, federation=HEARD))
    assert conditions(found)["FederationReady"] == ("True", "Registered")
    assert found["federation"] == {
        "neuronId": "ml.churn",
        "registered": True,
        "lastHeartbeat": "2026-11-24T12:00:00Z",
    }


@pytest.mark.parametrize(("later", "written"), [(60, False), (299, False), (301, True), (-3600, True)])
def test_a_heartbeat_alone_is_written_only_when_it_moved_by_minutes(later: float, written: bool) -> None:
    situation = Situation(neuron(), observed(settled(), pod(ready=True)))
    before = status(situation, Told(federated=True, federation=HEARD))
    moved = replace(HEARD, last_heartbeat=(HEARD.last_heartbeat or 0) + later)
    after = status(situation, Told(federated=True, federation=moved), before)
    assert (after != before) is written


def test_a_neuron_that_is_not_to_be_reported_says_nothing_of_the_core() -> None:
    situation = Situation(neuron(), observed(settled(), pod(ready=True)))
    before = status(situation, Told(federated=True, federation=HEARD))
    found = status(situation, Told(federated=False), before)
    assert "FederationReady" not in conditions(found)
    assert "federation" not in found


def test_a_dead_core_changes_nothing_about_readiness() -> None:
    situation = Situation(neuron(), observed(settled(), pod(ready=True)))
    down = FederationState(FederationReason.CORE_UNREACHABLE, False, "no answer", "ml.churn")
    found = status(situation, Told(federated=True, federation=down))
    assert conditions(found)["Ready"] == ("True", "Serving")
    assert kstatus(found) == "Current"


def test_a_spec_that_cannot_be_understood_keeps_what_was_known() -> None:
    before = status(Situation(neuron(), observed(settled(), pod(ready=True))), Told([sample()]))
    found = invalid(3, "spec.model.uri: bad", before, NOW)
    assert conditions(found) == {"Ready": ("False", "SpecInvalid"), "Stalled": ("True", "SpecInvalid")}
    assert found["url"] == before["url"]
    assert found["summary"] == {**before["summary"], "reason": "SpecInvalid"}
    assert found["observedGeneration"] == 3
