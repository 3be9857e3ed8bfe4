"""How many processes serve in a pod."""

from typing import Final

from ..api.quantity import amount
from ..api.workload import Workload

MOST: Final = 8
"""The most that auto chooses: each process holds the model in its memory."""


def workers(workload: Workload) -> int:
    """As spec.serving.workers says; auto is one a whole CPU, and one for what uses several CPUs by itself."""
    wanted = workload.spec.serving.workers
    if wanted != "auto":
        return int(wanted)
    if workload.gpu or workload.spec.model.resolved_framework() == "torch":
        return 1
    resources = workload.spec.resources
    cpus = resources.limits.get("cpu", resources.requests.get("cpu", 1))
    return max(1, min(MOST, int(amount(cpus))))
