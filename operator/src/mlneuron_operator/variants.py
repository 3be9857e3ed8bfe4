"""The variants of a neuron as they are found: which can be understood, and how each competes; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson
from pydantic import ValidationError

from .api.names import traffic_name
from .api.neuron import MLNeuron
from .api.variant import ModelVariant, VariantWorkload
from .desired.config import TRAFFIC_KEY
from .kinds import CONFIG_MAP, SERVICE
from .observation import Observation
from .traffic import Competitor, hundredths

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Contender:
    """A variant, its pods, and what is known of them. ``obj`` is the variant as it is stored, its status included."""

    variant: ModelVariant
    workload: VariantWorkload
    observation: Observation
    obj: Object

    @classmethod
    def of(cls, obj: Object, neuron: MLNeuron, observations: Mapping[str, Observation]) -> Self:
        """Raises ValueError (also pydantic's) for a variant that can't be understood."""
        variant = ModelVariant.parse(obj)
        observation = observations.get(variant.name) or Observation({}, ())
        return cls(variant, VariantWorkload.of(variant, neuron), observation, obj)

    @property
    def ready(self) -> bool:
        """Whether a pod of it serves."""
        return bool(self.observation.ready_pods)

    def competes(self, share: int, *, ready: bool) -> Competitor:
        """It, as the split sees it, with a share in hundredths of a percent."""
        version = self.obj["status"].get("model", {}).get("version") or self.variant.spec.model.version
        one = self.variant
        return Competitor(one.name, one.splits, share, ready, one.created, version, self._address)

    @property
    def _address(self) -> str | None:
        service = self.observation.children.get((SERVICE, self.workload.name))
        address = (service or {}).get("spec", {}).get("clusterIP")
        return address if address and address != "None" else None


def plain_share(variant: ModelVariant) -> int:
    """The share that the spec gives to a variant without a rollout, in hundredths of a percent."""
    return hundredths(variant.spec.traffic or 0.0)


def contenders(
    objects: Sequence[Object], neuron: MLNeuron, observations: Mapping[str, Observation]
) -> tuple[list[Contender], list[tuple[Object, ValueError]]]:
    """The variants that exist and can be understood, and those that can't with what is wrong. One that is being deleted
    has left already."""
    found: list[Contender] = []
    wrong: list[tuple[Object, ValueError]] = []
    for obj in objects:
        if "deletionTimestamp" in obj["metadata"]:
            continue
        try:
            found.append(Contender.of(obj, neuron, observations))
        except (ValidationError, ValueError) as error:
            wrong.append((obj, error))
    return found, wrong


def standing_table(neuron: MLNeuron, observation: Observation) -> Object | None:
    """The traffic table as it was last applied; None where there is none, or none that was the operator's."""
    live = observation.children.get((CONFIG_MAP, traffic_name(neuron.name)))
    try:
        table: Object = orjson.loads((live or {})["data"][TRAFFIC_KEY])
        for item in table["variants"]:
            if not {"name", "mode", "wanted"} <= item.keys():
                return None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return table
