"""What the core is told about a neuron: the bodies of register and heartbeat, within the bounds of the wire contract.

The core answers 500, which says nothing, to a value too long for its column, and 400 to a null where a string may
stand; so texts are cut here and what is unknown is left out. Times are seconds since the epoch.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

Key = tuple[str, str]
"""Namespace and name of a neuron."""

Body = dict[str, Any]

MAX_INTEGER = 2_147_483_647
MAX_NEURON_ID = 100
MAX_NAME = 255
MAX_CAPABILITY = 100
MAX_VERSION = 50
MAX_BUILD_VERSION = 100
MAX_TEXT = 1000
MAX_LIST = 64
SICKEST = 1
"""The least health score to send: the core takes 0 for "not given" and stores 100."""
ENDPOINTS = ("POST /predict", "POST /batch_predict", "GET /models", "GET /health")
"""Plain strings: the core's dashboard prints each entry as text and fails on objects."""

_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@]*@", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+")


@dataclass(frozen=True, slots=True)
class VariantFacts:
    """A model that competes under a neuron."""

    name: str
    mode: str
    traffic: float
    """Its share in effect, in percent."""
    version: str | None = None
    step: str | None = None
    """Of its rollout, such as 2/3."""
    verdict: str | None = None
    """Of its rollout."""
    harm: str | None = None
    """The harm for which it was rolled back, with its numbers; None while none was seen."""
    harmed_at: str = ""
    """When that was seen (RFC 3339)."""


@dataclass(frozen=True, slots=True)
class NeuronFacts:
    """A neuron as the operator knows it now; all that the reports are made of."""

    key: Key
    uid: str
    neuron_id: str
    display_name: str
    framework: str
    ready: bool
    version: str | None = None
    capabilities: tuple[str, ...] = ()
    url: str | None = None
    stalled: bool = False
    reconciling: bool = False
    message: str = ""
    """Why it is not ready, in the words of its Ready condition."""
    health_score: int | None = None
    """0-100 by the federation's rules; None when no pod tells."""
    performance: Mapping[str, float] = field(default_factory=dict)
    """requests, errorRate (0 to 1) and p95Milliseconds of the last minutes, as far as they are known."""
    started_at: float | None = None
    """Since when it serves."""
    replicas_ready: int = 0
    replicas_desired: int = 0
    resources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """requests and limits, as in the pod."""
    model_uri: str | None = None
    config_version: str | None = None
    build_version: str | None = None
    created: str = ""
    """metadata.creationTimestamp: who was first, when two claim one id."""
    ports: tuple[int, ...] = ()
    variants: tuple[VariantFacts, ...] = ()

    @property
    def harms(self) -> frozenset[tuple[str, str]]:
        """The variants that were rolled back for harm, each with the time."""
        return frozenset((each.name, each.harmed_at) for each in self.variants if each.harm is not None)


def problem(facts: NeuronFacts) -> str | None:
    """Why this neuron cannot be reported at all, with the mend; None when it can."""
    if not facts.neuron_id:
        return "spec.federation.neuronId: is empty; set an id"
    if len(facts.neuron_id) > MAX_NEURON_ID:
        return (
            f"spec.federation.neuronId: {facts.neuron_id!r} is {len(facts.neuron_id)} characters long and the core "
            f"takes {MAX_NEURON_ID}; set a shorter id"
        )
    return None


def registration(facts: NeuronFacts) -> Body:
    """Body of the one register call of a neuron."""
    namespace, name = facts.key
    base = facts.url.rstrip("/") if facts.url else None
    return {
        "neuronId": facts.neuron_id,
        "name": text(facts.display_name, MAX_NAME) or name,
        "type": "python-ml-inference",
        "language": "python",
        "version": text(facts.version, MAX_VERSION) or "unversioned",
        "healthcheckEndpoint": f"{base or ''}/health",
        "apiEndpoints": list(ENDPOINTS),
        "authentication": {"type": "jwt", "required": True},
        "capabilities": [short for each in facts.capabilities[:MAX_LIST] if (short := text(each, MAX_CAPABILITY))],
        "resourceRequirements": {kind: dict(amounts) for kind, amounts in facts.resources.items()},
        "deploymentInfo": {
            "type": "kubernetes",
            "namespace": namespace,
            "name": name,
            "replicas": _integer(facts.replicas_desired),
            "ports": list(facts.ports),
        },
        "metadata": _without_nothing(
            {
                "namespace": namespace,
                "name": name,
                "uid": facts.uid,
                "framework": facts.framework,
                "modelUri": without_credentials(facts.model_uri),
                "managedBy": "mlneuron-operator",
            }
        ),
    } | _without_nothing({"baseUrl": base})


def heartbeat(facts: NeuronFacts, now: float) -> Body:
    """Body of a heartbeat. It never names the neuron: the core would let that override the token's."""
    return {
        "status": status(facts),
        "healthScore": health(facts),
        "uptime": uptime(facts, now),
        "hostInfo": {"platform": "kubernetes", "namespace": facts.key[0], "name": facts.key[1]},
        "applicationMetrics": _without_nothing(
            {
                "ready": facts.ready,
                "replicasReady": _integer(facts.replicas_ready),
                "replicasDesired": _integer(facts.replicas_desired),
                "framework": facts.framework,
                "modelVersion": text(facts.version, MAX_VERSION),
                "variants": [_variant(each) for each in facts.variants[:MAX_LIST]] or None,
            }
        ),
    } | _without_nothing(
        {
            "performanceMetrics": dict(facts.performance) or None,
            "errorLog": None if facts.ready else text(facts.message, MAX_TEXT),
            "configVersion": text(facts.config_version, MAX_VERSION),
            "buildVersion": text(facts.build_version, MAX_BUILD_VERSION),
        }
    )


def harm_events(facts: NeuronFacts) -> Body:
    """Body of an analytics report of every rollback for harm that stands. A later report of the day replaces an earlier
    one, so it tells all of them; it has no date, which the core can not read.
    """
    return {
        "events": [
            _without_nothing(
                {
                    "type": "rollout_rolled_back",
                    "timestamp": each.harmed_at or None,
                    "variant": each.name,
                    "modelVersion": text(each.version, MAX_VERSION),
                    "message": text(each.harm, MAX_TEXT),
                }
            )
            for each in facts.variants[:MAX_LIST]
            if each.harm is not None
        ]
    }


def goodbye(facts: NeuronFacts | None, now: float) -> Body:
    """Body of the last heartbeat; the facts are None where the operator was away when the neuron went."""
    return {
        "status": "inactive",
        "healthScore": SICKEST,
        "uptime": uptime(facts, now) if facts else 0,
    }


def status(facts: NeuronFacts) -> str:
    """The core's word for the neuron's state. Serving wins: a failed change beside a model that serves is no outage."""
    if facts.ready:
        return "active"
    if facts.stalled:
        return "error"
    if facts.replicas_desired == 0:
        return "maintenance"
    return "starting" if facts.reconciling else "error"


def health(facts: NeuronFacts) -> int:
    """The score to send: 1 for a neuron that serves nothing, else its own (100 when nothing speaks against it)."""
    if not facts.ready:
        return SICKEST
    score = 100 if facts.health_score is None else facts.health_score
    return max(SICKEST, min(100, score))


def uptime(facts: NeuronFacts, now: float) -> int:
    """Whole seconds since the neuron began to serve."""
    return _integer(now - facts.started_at) if facts.started_at is not None else 0


def text(value: str | None, limit: int) -> str | None:
    """The text cut to what the core's column holds, without what PostgreSQL or UTF-8 cannot hold, nor a secret."""
    if not value:
        return None
    storable = value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return _JWT.sub("[token]", _USERINFO.sub(r"\1", storable))[:limit] or None


def without_credentials(uri: str | None) -> str | None:
    """The URI without user, password, query and fragment: presigned URLs carry their secret in the query."""
    if not uri:
        return None
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    host = parts.netloc.rpartition("@")[2]
    return text(urlunsplit((parts.scheme, host, parts.path, "", "")), MAX_TEXT)


def _variant(facts: VariantFacts) -> Body:
    return _without_nothing(
        {
            "name": facts.name,
            "mode": facts.mode,
            "traffic": facts.traffic,
            "modelVersion": text(facts.version, MAX_VERSION),
            "step": facts.step,
            "verdict": facts.verdict,
            "harm": text(facts.harm, MAX_TEXT),
        }
    )


def _integer(value: float) -> int:
    return max(0, min(MAX_INTEGER, round(value)))


def _without_nothing(values: Mapping[str, Any]) -> Body:
    return {name: value for name, value in values.items() if value is not None}
