"""Giving the cluster a moment: a pod that has just become ready is not yet reached from every node."""

from typing import Any, Final

from .variants import Contender

SETTLE_SECONDS: Final = 3.0
"""Between a variant's first ready pod and its share: nodes learn of an endpoint about a second after the operator."""


class Settling:
    """Since when variants have been ready that have no traffic yet; by uid, in seconds of any monotonic scale."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def settled(self, one: Contender, table: dict[str, Any] | None, now: float) -> bool:
        """Whether a variant can be given traffic: it is ready, and has been for a while or has traffic already."""
        uid = one.variant.uid
        if not one.ready:
            self._since.pop(uid, None)
            return False
        entries = table["variants"] if table else ()
        if any(item["name"] == one.variant.name and item.get("percent") for item in entries):
            self._since.pop(uid, None)
            return True
        return now - self._since.setdefault(uid, now) >= SETTLE_SECONDS
