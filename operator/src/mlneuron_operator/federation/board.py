"""Where reconciliation and reporting meet: facts of every neuron one way, states of their reporting the other."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..api.neuron import MLNeuron
from ..api.quantity import canonical
from ..api.status import ConditionType
from ..api.variant import ModelVariant
from ..api.variant_status import VariantConditionType, VariantReason
from ..desired.pod import container_ports
from ..health import Sample
from ..standing import RECENTLY
from .report import Key, NeuronFacts, VariantFacts
from .state import FederationState


class FederationBoard:
    """What is known now; nothing here is kept over a restart, since every neuron is reconciled after one.

    ``present`` gives the keys of all neurons that exist: until each of them has been looked at, nothing is told about
    any, lest one that has not had its turn be taken for gone.
    """

    def __init__(self, enabled: bool, present: Callable[[], Iterable[Key]]) -> None:
        self._enabled = enabled
        self._present = present
        self._facts: dict[Key, NeuronFacts] = {}
        self._looked_at: set[Key] = set()
        self._states: dict[Key, FederationState] = {}
        self._complete = False

    def federates(self, neuron: MLNeuron) -> bool:
        """Whether the neuron is to be reported."""
        return self._enabled and neuron.spec.federation.enabled

    def state(self, key: Key) -> FederationState | None:
        """How its reporting stands; None while the reporter has not spoken."""
        return self._states.get(key)

    def publish(self, key: Key, state: FederationState) -> None:
        """The reporter's word."""
        self._states[key] = state

    def post(
        self,
        neuron: MLNeuron,
        status: Mapping[str, Any],
        samples: Sequence[Sample],
        created: str,
        variants: Sequence[VariantFacts],
    ) -> None:
        """The reconciler's word."""
        self._looked_at.add(neuron.key)
        if self.federates(neuron):
            self._facts[neuron.key] = facts_of(neuron, status, samples, created, variants)
        else:
            self._facts.pop(neuron.key, None)
            self._states.pop(neuron.key, None)

    def skip(self, key: Key) -> None:
        """The neuron was looked at and can't be understood; what was known of it before stays."""
        self._looked_at.add(key)

    def forget(self, key: Key) -> None:
        """The neuron is gone."""
        self._facts.pop(key, None)
        self._states.pop(key, None)
        self._looked_at.discard(key)

    def facts(self) -> Mapping[Key, NeuronFacts] | None:
        """Facts of every neuron that is to be reported; None until all have been looked at once."""
        if not self._complete:
            self._complete = all(key in self._looked_at for key in self._present())
        return self._facts if self._complete else None


def facts_of(
    neuron: MLNeuron,
    status: Mapping[str, Any],
    samples: Sequence[Sample],
    created: str,
    variants: Sequence[VariantFacts],
) -> NeuronFacts:
    """The facts of a neuron as its status tells them; pure."""
    conditions = {item["type"]: item for item in status["conditions"]}
    ready = conditions[ConditionType.READY]
    resources, health = neuron.spec.resources, status.get("health", {})
    return NeuronFacts(
        key=neuron.key,
        uid=neuron.uid,
        neuron_id=neuron.neuron_id,
        display_name=neuron.name,
        framework=status["model"]["framework"],
        ready=ready["status"] == "True",
        version=status["model"].get("version"),
        capabilities=tuple(neuron.spec.federation.capabilities),
        url=status["url"],
        stalled=ConditionType.STALLED in conditions,
        reconciling=ConditionType.RECONCILING in conditions,
        message=ready["message"],
        health_score=health.get("score"),
        performance={name: health[name] for name in RECENTLY if name in health},
        started_at=min((sample.started_at for sample in samples), default=None),
        replicas_ready=status["readyReplicas"],
        replicas_desired=int(status["summary"]["replicas"].partition("/")[2]),
        resources={
            "requests": {name: canonical(value) for name, value in resources.requests.items()},
            "limits": {name: canonical(value) for name, value in resources.limits.items()},
        },
        model_uri=neuron.spec.model.uri,
        config_version=str(neuron.generation),
        created=created,
        ports=tuple(sorted(container_ports(neuron).values())),
        variants=tuple(variants),
    )


def variant_facts(variant: ModelVariant, status: Mapping[str, Any]) -> VariantFacts:
    """The facts of a variant as its status tells them; pure."""
    summary, conditions = status["summary"], {item["type"]: item for item in status["conditions"]}
    healthy = conditions.get(VariantConditionType.ROLLOUT_HEALTHY, {})
    harmed = healthy.get("reason") == VariantReason.ROLLED_BACK
    return VariantFacts(
        name=variant.name,
        mode=variant.spec.mode,
        traffic=status["traffic"],
        version=status["model"].get("version"),
        step=summary.get("step"),
        verdict=summary.get("verdict"),
        harm=healthy["message"] if harmed else None,
        harmed_at=healthy["lastTransitionTime"] if harmed else "",
    )
