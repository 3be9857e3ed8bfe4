"""The names that tie the objects of a neuron together: API group, labels, annotations, suffixes."""

from typing import Final

GROUP: Final = "ml.findawise.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
NEURON_KIND: Final = "MLNeuron"
NEURON_PLURAL: Final = "mlneurons"
VARIANT_KIND: Final = "ModelVariant"
VARIANT_PLURAL: Final = "modelvariants"
GATEWAY_GROUP: Final = "gateway.networking.k8s.io"

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

ANNOTATION_TRAFFIC: Final = f"{GROUP}/traffic"
"""On the pods of the front door: the revision of the traffic table. Writing it makes the kubelet look at the pod, and
thereby at the ConfigMap, at once; by itself it looks about once a minute."""

RUNTIME_NAME: Final = "mlneuron-runtime"
SUPPORT_SUFFIX: Final = "-mlneuron"
"""Ends the names of children that nobody addresses (ServiceAccount, ConfigMap), so that they meet no one else's."""


def support_name(neuron: str) -> str:
    """Name of the ServiceAccount and the ConfigMap of a neuron."""
    return neuron + SUPPORT_SUFFIX


def variant_name(neuron: str, variant: str) -> str:
    """Name of the Service, the Deployment and the other objects of a variant."""
    return f"{neuron}-{variant}"


def traffic_name(neuron: str) -> str:
    """Name of the ConfigMap that holds a neuron's traffic table."""
    return f"{support_name(neuron)}-traffic"


def selector_labels(neuron: str, variant: str = PRIMARY) -> dict[str, str]:
    """Labels that select the pods of a neuron's own model, or of a variant; a Deployment's selector can never change,
    so neither may these."""
    return {LABEL_NAME: RUNTIME_NAME, LABEL_NEURON: neuron, LABEL_VARIANT: variant}


def child_labels(neuron: str, variant: str = PRIMARY) -> dict[str, str]:
    """Labels on every object that the operator makes for a neuron, or for a variant of it."""
    labels = {
        LABEL_MANAGED_BY: MANAGER,
        LABEL_NAME: RUNTIME_NAME,
        LABEL_INSTANCE: neuron if variant == PRIMARY else variant_name(neuron, variant),
        LABEL_NEURON: neuron,
    }
    return labels if variant == PRIMARY else {**labels, LABEL_VARIANT: variant}
