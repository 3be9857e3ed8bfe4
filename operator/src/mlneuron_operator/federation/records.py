"""The kept tokens, and the Secrets they lie in. An id is never registered twice, so its token is kept for ever."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..api.names import GROUP, LABEL_MANAGED_BY, MANAGER
from .report import Key

LABEL_TOKEN = f"{GROUP}/token"
SELECTOR = f"{LABEL_TOKEN}=true"
_NEURON_ID = f"{GROUP}/neuron-id"
_NAMESPACE = f"{GROUP}/neuron-namespace"
_NAME = f"{GROUP}/neuron-name"
_UID = f"{GROUP}/neuron-uid"
_DEPARTED = f"{GROUP}/departed-at"


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """One id that the core gave a token for, and the neuron that it speaks for now or spoke for last."""

    neuron_id: str
    token: str = field(repr=False)
    namespace: str
    name: str
    uid: str
    departed_at: float | None = None
    """When the core was told goodbye, in seconds since the epoch; None while the neuron is there."""

    @property
    def key(self) -> Key:
        """Namespace and name of its neuron."""
        return self.namespace, self.name


def secret_name(neuron_id: str) -> str:
    """Name of the id's Secret: a digest, since ids may hold what a Kubernetes name may not."""
    return f"mlneuron-token-{hashlib.sha256(neuron_id.encode()).hexdigest()[:16]}"


def to_secret(record: TokenRecord, namespace: str) -> dict[str, Any]:
    """The Secret that keeps a record, in the operator's own namespace, where neurons' owners need not have access."""
    annotations = {
        _NEURON_ID: record.neuron_id,
        _NAMESPACE: record.namespace,
        _NAME: record.name,
        _UID: record.uid,
    }
    if record.departed_at is not None:
        annotations[_DEPARTED] = datetime.fromtimestamp(record.departed_at, UTC).isoformat(timespec="seconds")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret_name(record.neuron_id),
            "namespace": namespace,
            "labels": {LABEL_MANAGED_BY: MANAGER, LABEL_TOKEN: "true"},
            "annotations": annotations,
        },
        "type": "Opaque",
        "data": {"token": base64.b64encode(record.token.encode()).decode()},
    }


def from_secret(secret: Mapping[str, Any]) -> TokenRecord | None:
    """The record that a Secret keeps; None when the Secret was not written by this module, or was spoilt by hand."""
    annotations = secret.get("metadata", {}).get("annotations") or {}
    try:
        token = base64.b64decode((secret.get("data") or {})["token"], validate=True).decode("ascii").strip()
        departed = annotations.get(_DEPARTED)
        record = TokenRecord(
            neuron_id=annotations[_NEURON_ID],
            token=token,
            namespace=annotations[_NAMESPACE],
            name=annotations[_NAME],
            uid=annotations.get(_UID, ""),
            departed_at=datetime.fromisoformat(departed).timestamp() if departed else None,
        )
    except (KeyError, ValueError, binascii.Error):
        return None
    return record if record.token and record.token.isprintable() else None
