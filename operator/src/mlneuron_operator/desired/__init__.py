"""All objects that a neuron implies, as pure functions: one builder a noun, none of them reads anything."""

from typing import Any

from ..api.neuron import MLNeuron
from ..settings import RuntimeImages
from .access import ingress, service
from .config import config_map
from .deployment import deployment
from .identity import service_account
from .meta import seal
from .scaling import horizontal_pod_autoscaler, pod_disruption_budget

Object = dict[str, Any]

__all__ = ["Object", "desired_state"]


def desired_state(neuron: MLNeuron, images: RuntimeImages, replicas: int | None) -> list[Object]:
    """Everything that is to exist for the neuron, in the order in which it is to be made.

    ``replicas`` is the Deployment's count, or None where an autoscaler owns it (see ``observation``).
    Every object carries a digest of itself (``meta.seal``), by which a later pass knows that it was applied as is.
    """
    config = config_map(neuron)
    objects = [
        service_account(neuron) if neuron.spec.pod_template.service_account_name is None else None,
        config,
        service(neuron),
        deployment(neuron, images, config["metadata"]["name"], replicas),
        pod_disruption_budget(neuron),
        horizontal_pod_autoscaler(neuron),
        ingress(neuron),
    ]
    return [seal(obj) for obj in objects if obj is not None]
