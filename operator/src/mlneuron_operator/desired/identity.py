"""The ServiceAccount of a neuron's pods: an identity without any right and without a token."""

from typing import Any

from ..api.names import support_name
from ..api.workload import Workload
from .meta import metadata


def service_account(workload: Workload) -> dict[str, Any]:
    """A ServiceAccount whose token is mounted nowhere: serving a model needs no access to the API."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(workload, support_name(workload.name)),
        "automountServiceAccountToken": False,
    }
