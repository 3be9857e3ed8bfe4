"""The names that tie the objects of a neuron together: API group, labels, annotations, suffixes."""

from typing import Final

GROUP: Final = "ml.findawise.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
NEURON_KIND: Final = "MLNeuron"
NEURON_PLURAL: Final = "mlneurons"

MANAGER: Final = "mlneuron-operator"
"""Field manager of every write, and the value of the managed-by label."""

LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
LABEL_NAME: Final = "app.kubernetes.io/name"
LABEL_INSTANCE: Final = "app.kubernetes.io/instance"
LABEL_NEURON: Final = f"{GROUP}/neuron"
LABEL_VARIANT: Final = f"{GROUP}/variant"
PRIMARY: Final = "primary"

ANNOTATION_DESIRED: Final = f"{GROUP}/desired"
"""On every child: digest of the object as the operator last applied it."""

ANNOTATION_REVISION: Final = f"{GROUP}/revision"
"""On every pod: digest of the pod template it was made from, so that old and new pods can be told apart."""

RUNTIME_NAME: Final = "mlneuron-runtime"
SUPPORT_SUFFIX: Final = "-mlneuron"
"""Ends the names of children that nobody addresses (ServiceAccount, ConfigMap), so that they meet no one else's."""


def support_name(neuron: str) -> str:
    """Name of the ServiceAccount and the ConfigMap of a neuron."""
    return neuron + SUPPORT_SUFFIX


def selector_labels(neuron: str) -> dict[str, str]:
    """Labels that select a neuron's own pods; a Deployment's selector can never change, so neither may these."""
    return {LABEL_NAME: RUNTIME_NAME, LABEL_NEURON: neuron, LABEL_VARIANT: PRIMARY}


def child_labels(neuron: str) -> dict[str, str]:
    """Labels on every object that the operator makes for a neuron."""
    return {
        LABEL_MANAGED_BY: MANAGER,
        LABEL_NAME: RUNTIME_NAME,
        LABEL_INSTANCE: neuron,
        LABEL_NEURON: neuron,
    }
