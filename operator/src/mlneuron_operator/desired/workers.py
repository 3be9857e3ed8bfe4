"""How many processes serve in a pod."""

from typing import Final

from ..api.neuron import MLNeuron
from ..api.quantity import amount

MOST: Final = 8
"""The most that auto chooses: each process holds the model in its memory."""


def workers(neuron: MLNeuron) -> int:
    """As spec.serving.workers says; auto is one a whole CPU, and one for what uses several CPUs by itself."""
    wanted = neuron.spec.serving.workers
    if wanted != "auto":
        return int(wanted)
    if neuron.gpu or neuron.spec.model.resolved_framework() == "torch":
        return 1
    resources = neuron.spec.resources
    cpus = resources.limits.get("cpu", resources.requests.get("cpu", 1))
    return max(1, min(MOST, int(amount(cpus))))
