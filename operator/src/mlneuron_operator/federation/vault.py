"""Where tokens are kept: Secrets in the operator's namespace."""

from typing import Any, Protocol

import structlog

from ..kinds import SECRET, Kind
from .records import SELECTOR, TokenRecord, from_secret, to_secret

log = structlog.get_logger(__name__)


class TokenVault(Protocol):
    """Keeps records for ever. Any exception means "not now" and is retried."""

    async def load(self) -> dict[str, TokenRecord]:
        """Every record by neuron id, the departed ones too."""
        ...

    async def save(self, record: TokenRecord) -> None:
        """Keep the record, in place of an older one of the same id."""
        ...


def trouble(error: Exception) -> str:
    """The kind of a vault's failure, for the log: its message may hold the object, and so the token."""
    details = (getattr(error, name, "") for name in ("status", "reason"))
    return " ".join(str(part) for part in (type(error).__name__, *details) if part)


class SecretStore(Protocol):
    """What the vault needs of the cluster client."""

    async def list_all(self, kind: Kind, *, namespace: str | None, label_selector: str = "") -> list[dict[str, Any]]:
        """All objects of a kind with these labels."""
        ...

    async def apply(self, obj: dict[str, Any], *, force: bool = True) -> dict[str, Any]:
        """Server-side apply."""
        ...


class SecretVault:
    """The vault on a cluster."""

    def __init__(self, store: SecretStore, namespace: str) -> None:
        self._store = store
        self._namespace = namespace

    async def load(self) -> dict[str, TokenRecord]:
        """Every record; a Secret that cannot be read is named in the log and left alone."""
        records: dict[str, TokenRecord] = {}
        for secret in await self._store.list_all(SECRET, namespace=self._namespace, label_selector=SELECTOR):
            record = from_secret(secret)
            if record is None:
                name = secret.get("metadata", {}).get("name")
                log.warning("token secret unreadable", secret=name, namespace=self._namespace)
            else:
                records[record.neuron_id] = record
        return records

    async def save(self, record: TokenRecord) -> None:
        """Write the record's Secret."""
        await self._store.apply(to_secret(record, self._namespace))
