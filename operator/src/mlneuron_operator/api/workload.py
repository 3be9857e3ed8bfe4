"""What a set of pods that serve one model is made from: a neuron's own pods, or those of one of its variants."""

from typing import Protocol

from .neuron import MLNeuronSpec


class Workload(Protocol):
    """What the builders read. ``MLNeuron`` and ``VariantWorkload`` are such; for a neuron's own pods ``name`` and
    ``neuron_name`` are the same, and ``variant`` is primary."""

    @property
    def name(self) -> str:
        """Of its Deployment, Service and whatever else it has."""

    @property
    def namespace(self) -> str:
        """Where all of it is."""

    @property
    def kind(self) -> str:
        """Kind of the object that owns its children."""

    @property
    def owner(self) -> str:
        """Name of the object that owns its children."""

    @property
    def uid(self) -> str:
        """Of the object that owns its children."""

    @property
    def generation(self) -> int:
        """Of the object that owns its children."""

    @property
    def neuron_name(self) -> str:
        """The neuron that it serves for."""

    @property
    def variant(self) -> str:
        """primary, or the variant's name."""

    @property
    def spec(self) -> MLNeuronSpec:
        """What is wanted of it."""

    @property
    def gpu(self) -> bool:
        """Whether a pod asks for an NVIDIA GPU, whole or a slice of one."""
