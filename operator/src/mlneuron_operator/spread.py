"""How far a split has come: what the pods of the front door say of the table they have, and Gateways of the route;
pure."""

from collections.abc import Sequence

from .api.status import ConditionType, TrafficReason
from .conditions import ConditionStatus, Draft
from .health import Sample
from .passage import Passage
from .traffic import Split, in_words


def applied(split: Split, pods: Sequence[Sample | None], passage: Passage | None = None) -> Draft | None:
    """The neuron's condition TrafficApplied; None where there never was a variant, nor a Gateway.

    ``pods`` are the ready ones of the primary, None for one that has not told anything yet; ``passage`` is the way
    through Gateways.
    """
    if split.table is None and passage is None:
        return None
    if split.excess is not None:
        reason = TrafficReason.TOO_MANY_VARIANTS if split.excess.too_many else TrafficReason.SHARES_EXCEED_100
        return _draft("False", reason, split.excess.message)
    if split.front is not None:
        turned = f"no pod of the primary is ready: the Service has turned to {split.front} until one is"
        return _draft("False", TrafficReason.PRIMARY_DOWN, turned)
    problem = next((pod.traffic_problem for pod in pods if pod and pod.traffic_problem), None)
    if problem is not None:
        return _draft("False", TrafficReason.TABLE_REFUSED, f"a pod does not take the table: {problem}")
    if passage is not None and passage.hindrance is not None:
        return passage.hindrance
    if passage is not None and split.table is None:
        return _draft("True", TrafficReason.APPLIED, f"the primary has all that comes through {passage.gateways}")
    having = sum(1 for pod in pods if pod and pod.traffic_revision == split.revision)
    if having == len(pods) and pods:
        unsticky = f"; {passage.gateways} splits alike, but not by subject: it is not sticky" if passage else ""
        return _draft("True", TrafficReason.APPLIED, f"{in_words(split.shares)} in all of {having} pods{unsticky}")
    missing = f"{having} of {len(pods)} ready pods have the split {in_words(split.shares)}"
    return _draft("Unknown", TrafficReason.SPREADING, missing)


def spreading(draft: Draft | None) -> bool:
    """Whether pods are still to be told."""
    return draft is not None and draft.reason == TrafficReason.SPREADING


def _draft(status: ConditionStatus, reason: TrafficReason, message: str) -> Draft:
    return Draft(ConditionType.TRAFFIC_APPLIED, status, reason, message)
