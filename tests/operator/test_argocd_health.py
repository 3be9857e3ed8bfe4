"""The health that Argo CD shows, from its script run on statuses that the operator writes."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from lupa import lua51  # Argo CD's interpreter speaks Lua 5.1
from mlneuron_operator.api.status import ConditionType, Reason
from mlneuron_operator.api.variant import ModelVariant, VariantWorkload
from mlneuron_operator.api.variant_status import VariantReason
from mlneuron_operator.conditions import Draft
from mlneuron_operator.federation.state import FederationReason, FederationState
from mlneuron_operator.kinds import DEPLOYMENT
from mlneuron_operator.observation import Observation
from mlneuron_operator.outcome import Stalled
from mlneuron_operator.rollout.plan import Verdict
from mlneuron_operator.status import Told, derive, invalid
from mlneuron_operator.traffic import Split
from mlneuron_operator.variant_status import Heard, Rolled, waiting
from mlneuron_operator.variant_status import derive as derive_variant
from mlneuron_operator.verdict import Situation

from .facts import OLD, deployment, neuron, observed, pod, settled

DOCS = Path(__file__).parents[2] / "docs"
SCRIPT = (DOCS / "argocd" / "health.lua").read_text()
NOW = "2026-11-24T12:00:00Z"
GENERATION = 2
"""Of the neurons in ``facts``."""

CRASHED: dict[str, Any] = {
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"exitCode": 78, "message": '{"reason": "ModelNotFound", "message": "no file"}'}},
}
CANDIDATE = ModelVariant.parse(
    {
        "metadata": {"name": "candidate", "namespace": "ml", "uid": "v", "generation": GENERATION},
        "spec": {"neuron": "churn", "model": {"uri": "https://models.example.com/m2.joblib"}, "traffic": 10},
    }
)
SERVES = Situation(neuron(), observed(settled(), pod(ready=True)))
FAILS = Situation(neuron(), observed(deployment(updatedReplicas=1, replicas=1), pod(**CRASHED)))


def health(status: dict[str, Any] | None, generation: int = GENERATION) -> tuple[str, str]:
    """(status, message) as Argo CD would show them for a neuron with this status."""
    lua = lua51.LuaRuntime(unpack_returned_tuples=True)
    obj: dict[str, Any] = {"metadata": {"name": "churn", "generation": generation}, "spec": {}}
    lua.globals().obj = lua.table_from({**obj, **({"status": status} if status is not None else {})}, recursive=True)
    found = lua.execute(SCRIPT)
    return found.status, found.message


@pytest.mark.parametrize(
    ("situation", "verdict", "says"),
    [
        (Situation(neuron(), observed(None)), "Progressing", "Creating: "),
        (SERVES, "Healthy", "Serving: 1 of 1 pods serve at http://churn.ml.svc"),
        (FAILS, "Degraded", "ModelNotFound: no file"),
        (
            Situation(
                neuron(),
                observed(
                    deployment(updatedReplicas=1, replicas=1, readyReplicas=1),
                    pod("old-1", ready=True, revision=OLD),
                    pod(**CRASHED),
                ),
            ),
            "Degraded",
            "ModelNotFound: no file",
        ),
        (
            Situation(
                neuron(replicas=3),
                observed(
                    deployment(wanted=3, updatedReplicas=1, replicas=4, readyReplicas=3),
                    pod("old-1", ready=True, revision=OLD),
                ),
            ),
            "Progressing",
            "RollingOut: ",
        ),
        (Situation(neuron(replicas=0), observed(settled(0))), "Suspended", "ScaledToZero: spec.replicas is 0"),
        (Situation(neuron(), observed(None), Stalled(Reason.NAME_TAKEN, "rename it")), "Degraded", "NameTaken: rename"),
    ],
    ids=[
        "nothing is there yet",
        "it serves",
        "the model is not found",
        "the new revision fails while the old one serves",
        "a rollout goes on",
        "it is scaled to zero",
        "its name is taken",
    ],
)
def test_the_health_of(situation: Situation, verdict: str, says: str) -> None:
    found, message = health(derive(situation, Told(), {}, NOW))
    assert found == verdict
    assert message.startswith(says)


@pytest.mark.parametrize("situation", [SERVES, FAILS])
def test_a_status_of_an_earlier_generation_tells_nothing(situation: Situation) -> None:
    assert health(derive(situation, Told(), {}, NOW), GENERATION + 1)[0] == "Progressing"


@pytest.mark.parametrize("status", [None, {}, {"observedGeneration": GENERATION}])
def test_a_neuron_that_the_operator_has_not_seen_is_progressing(status: dict[str, Any] | None) -> None:
    assert health(status)[0] == "Progressing"


def test_a_spec_that_cannot_be_understood_is_degraded() -> None:
    status = invalid(GENERATION, "spec.model.uri: write https://HOST/PATH", {}, NOW)
    assert health(status) == ("Degraded", "SpecInvalid: spec.model.uri: write https://HOST/PATH")


def test_a_dead_core_leaves_a_neuron_healthy() -> None:
    down = FederationState(FederationReason.CORE_UNREACHABLE, False, "no answer", "ml.churn")
    assert health(derive(SERVES, Told(federated=True, federation=down), {}, NOW))[0] == "Healthy"


def rollout(verdict: Verdict, kind: ConditionType, reason: VariantReason) -> dict[str, Any]:
    """The status of a variant that serves, in mid-rollout."""
    drafts = [Draft(kind, "True", reason, "as it is")]
    workload = VariantWorkload.of(CANDIDATE, neuron())
    serves = Observation({(DEPLOYMENT, workload.name): settled()}, [pod(ready=True)])
    split = Split(None, {"primary": 9000, "candidate": 1000}, {"candidate": 1000})
    heard = Heard(split, (), Rolled(drafts, {}, "1/3", str(verdict)))
    return derive_variant(CANDIDATE, Situation(workload, serves), heard, {}, NOW)


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (rollout(Verdict.HOLDING, ConditionType.RECONCILING, VariantReason.STEPPING), "Progressing"),
        (rollout(Verdict.PAUSED, ConditionType.RECONCILING, VariantReason.PAUSED), "Suspended"),
        (rollout(Verdict.HARM, ConditionType.STALLED, VariantReason.ROLLED_BACK), "Degraded"),
        (waiting(GENERATION, ("ml", "churn"), {}, NOW), "Progressing"),
    ],
    ids=["a rollout goes on", "it is paused", "it did harm", "there is no neuron"],
)
def test_the_health_of_a_variant(status: dict[str, Any], found: str) -> None:
    assert health(status)[0] == found


def test_the_page_shows_the_script_that_is_tested() -> None:
    page = (DOCS / "argocd.md").read_text()
    shown = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    assert shown["data"] == {
        f"resource.customizations.health.ml.findawise.io_{kind}": SCRIPT for kind in ("MLNeuron", "ModelVariant")
    }
