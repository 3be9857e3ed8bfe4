"""Leader election on a Lease: one process acts, the others wait for its lease to run out (client-go's defaults).

The holder's clock is not compared with anyone's: a lease is taken over when this process has seen it unchanged for its
whole duration, by its own monotonic clock.
"""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from ..cluster import FAULTS, ApiError, Cluster
from ..kinds import LEASE

log = structlog.get_logger(__name__)

Object = dict[str, Any]
DURATION: Final = 15.0
RENEW_DEADLINE: Final = 10.0
RETRY: Final = 2.0


class Election:
    """One candidate. ``clock`` is monotonic, in seconds."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        name: str,
        identity: str,
        clock: Callable[[], float],
        duration: float = DURATION,
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._clock = clock
        self._duration = duration
        self._deadline = duration * RENEW_DEADLINE / DURATION
        self._retry = duration * RETRY / DURATION
        self._seen: tuple[str, str] = ("", "")
        self._seen_at = clock()
        self.leading = False

    async def acquire(self) -> None:
        """Return once this process is the leader."""
        while not await self._try():  # noqa: ASYNC110 - nothing in this process tells when a lease runs out
            await asyncio.sleep(self._retry * random.uniform(1.0, 1.2))  # noqa: S311 - spreads candidates, no secret
        self.leading = True
        log.info("leading", lease=self._name, identity=self._identity)

    async def hold(self) -> None:
        """Renew the lease; return when it is lost, before another process can have taken it."""
        renewed = self._clock()
        while self._clock() - renewed < self._deadline:
            await asyncio.sleep(self._retry)
            if await self._try():
                renewed = self._clock()
            elif self._seen[0] not in ("", self._identity):
                break
        self.leading = False
        log.error("leadership lost", lease=self._name, holder=self._seen[0])

    async def release(self) -> None:
        """Give the lease back, so that a standby need not wait for it to run out."""
        if not self.leading:
            return
        self.leading = False
        try:
            async with asyncio.timeout(self._retry):
                lease = await self._cluster.get(LEASE, self._namespace, self._name)
                if lease is not None and lease["spec"].get("holderIdentity") == self._identity:
                    lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
                    await self._cluster.update(LEASE, lease)
        except FAULTS as error:
            log.warning("lease not released", error=repr(error))

    async def _try(self) -> bool:
        """Take or renew the lease if that is allowed now."""
        try:
            async with asyncio.timeout(self._deadline / 2):
                lease = await self._cluster.get(LEASE, self._namespace, self._name)
                if lease is None:
                    await self._cluster.create(LEASE, self._namespace, self._lease(None))
                    return True
                if not self._free(lease):
                    return False
                await self._cluster.update(LEASE, self._lease(lease))
                return True
        except ApiError as error:
            if error.status != 409:
                log.warning("lease not reachable", error=str(error))
        except FAULTS as error:
            log.warning("lease not reachable", error=repr(error))
        return False

    def _free(self, lease: Object) -> bool:
        spec = lease.get("spec", {})
        seen = (spec.get("holderIdentity") or "", str(spec.get("renewTime")))
        if seen != self._seen:
            self._seen, self._seen_at = seen, self._clock()
        if seen[0] in ("", self._identity):
            return True
        return self._clock() - self._seen_at > float(spec.get("leaseDurationSeconds") or self._duration)

    def _lease(self, old: Object | None) -> Object:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec: Object = dict(old["spec"]) if old else {"leaseTransitions": 0}
        if spec.get("holderIdentity") != self._identity:
            spec |= {"acquireTime": now, "leaseTransitions": spec.get("leaseTransitions", 0) + (1 if old else 0)}
        spec |= {"holderIdentity": self._identity, "renewTime": now, "leaseDurationSeconds": round(self._duration) or 1}
        meta = old["metadata"] if old else {"name": self._name, "namespace": self._namespace}
        return {"apiVersion": LEASE.api_version, "kind": LEASE.name, "metadata": meta, "spec": spec}
