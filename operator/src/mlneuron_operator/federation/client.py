"""The HTTP calls to the federation core, with every answer turned into a typed outcome.

Judged by status and content type: an unknown path is HTML with 404, or with 200 behind the development front end.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from .metrics import FederationMetrics
from .outcomes import (
    Accepted,
    AnalyticsOutcome,
    HeartbeatOutcome,
    Invalid,
    NotKnown,
    Registered,
    RegisterOutcome,
    RegistrationRefused,
    Taken,
    Unauthorized,
    Unreachable,
)
from .report import Body, text

REGISTER = "/api/api-neurons/register"
ANALYTICS = "/api/api-neurons/analytics/report"
HEARTBEAT = "/api/api-neurons/heartbeat"
CONFIG = "/api/neuron/config"
"""The token-checked one that works: the api-neurons path of the same name always answers 403."""

MAX_ANSWER_BYTES = 1 << 20
MAX_SAID = 300


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. Registering gets long: when its answer is lost, so is the only token that the id will ever get."""

    connect: float = 5.0
    call: float = 10.0
    register: float = 60.0


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: dict[str, Any]


class FederationClient:
    """Calls to one core. The session is the caller's to close."""

    def __init__(
        self,
        base_url: str,
        session: aiohttp.ClientSession,
        metrics: FederationMetrics,
        timeouts: Timeouts | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError("the federation's URL must be http(s)://HOST[:PORT][/PATH], without user or password")
        self.base_url = base_url.rstrip("/")
        self._session = session
        self._metrics = metrics
        self._timeouts = timeouts or Timeouts()

    async def register(self, body: Body) -> RegisterOutcome:
        """Register a neuron, once for ever; see report.registration."""
        answer = await self._call("POST", REGISTER, self._timeouts.register, body=body)
        outcome = answer if isinstance(answer, Unreachable) else _registered(answer)
        self._count("register", outcome, success=isinstance(outcome, Registered))
        return outcome

    async def heartbeat(self, token: str, body: Body) -> HeartbeatOutcome:
        """Send a heartbeat; on a 500, ask with a second call whether the core still knows the neuron."""
        answer = await self._call("POST", HEARTBEAT, self._timeouts.call, token=token, body=body)
        if isinstance(answer, Unreachable):
            outcome: HeartbeatOutcome = answer
        elif answer.status == 500:
            outcome = await self._why_refused(token, answer)
        else:
            outcome = _accepted(answer)
        self._count("heartbeat", outcome, success=isinstance(outcome, Accepted))
        return outcome

    async def analytics(self, token: str, body: Body) -> AnalyticsOutcome:
        """Send an analytics report. The published core refuses every one, by a fault of its own (400)."""
        answer = await self._call("POST", ANALYTICS, self._timeouts.call, token=token, body=body)
        outcome: AnalyticsOutcome
        if isinstance(answer, Unreachable):
            outcome = answer
        else:
            outcome = Taken() if answer.status in (200, 201) else Invalid(_said(answer))
        self._count("analytics", outcome, success=isinstance(outcome, Taken))
        return outcome

    async def _why_refused(self, token: str, refused: _Answer) -> HeartbeatOutcome:
        answer = await self._call("GET", CONFIG, self._timeouts.call, token=token)
        if isinstance(answer, Unreachable):
            return answer
        if answer.status == 404:
            return NotKnown("the core no longer knows the neuron")
        if answer.status == 401:
            return Unauthorized(_said(answer))
        if answer.status == 200:
            return Invalid(_said(refused))
        return Unreachable(f"answers {answer.status} to every call: {_said(answer)}")

    async def _call(
        self, method: str, path: str, seconds: float, *, token: str | None = None, body: Body | None = None
    ) -> _Answer | Unreachable:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            async with self._session.request(
                method,
                self.base_url + path,
                data=None if body is None else json.dumps(body, ensure_ascii=False).encode(),
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=self._timeouts.connect),
                allow_redirects=False,
            ) as response:
                return await _read(response, path)
        except TimeoutError:
            return Unreachable("does not answer in time")
        except (aiohttp.ClientError, OSError) as error:
            return Unreachable(_network_trouble(error))

    def _count(self, call: str, outcome: object, *, success: bool) -> None:
        self._metrics.called(call, type(outcome).__name__, success=success)


async def _read(response: aiohttp.ClientResponse, path: str) -> _Answer | Unreachable:
    if 300 <= response.status < 400:
        return Unreachable(f"redirects {path} elsewhere; set the URL that it leads to")
    if response.content_type != "application/json":
        return Unreachable(
            f"answers {path} with {response.status} and {response.content_type}, not JSON: no core is there"
        )
    raw = bytearray()
    async for chunk in response.content.iter_any():
        raw += chunk
        if len(raw) > MAX_ANSWER_BYTES:
            return Unreachable(f"answers {path} with more than a core would say")
    try:
        body = json.loads(raw)
    except ValueError:
        return Unreachable(f"answers {path} with broken JSON")
    return _Answer(response.status, body if isinstance(body, dict) else {})


def _registered(answer: _Answer) -> RegisterOutcome:
    data = answer.body.get("data")
    token = data.get("token") if isinstance(data, dict) else None
    if answer.status in (200, 201) and isinstance(token, str) and token.isascii() and token.isprintable() and token:
        return Registered(token)
    if answer.status in (409, 500):
        return RegistrationRefused(_said(answer))
    if answer.status in (400, 413, 422):
        return Invalid(_said(answer))
    return Unreachable(f"answers {REGISTER} with {answer.status} and no token")


def _accepted(answer: _Answer) -> HeartbeatOutcome:
    if answer.status == 200 and answer.body.get("success") is True:
        data = answer.body.get("data")
        pending = data.get("pendingCommands") if isinstance(data, dict) else None
        beat = answer.body.get("nextHeartbeat")
        return Accepted(
            next_heartbeat=float(beat) if isinstance(beat, int | float) and beat > 0 else None,
            pending_commands=pending if isinstance(pending, int) else 0,
        )
    if answer.status == 401:
        return Unauthorized(_said(answer))
    if answer.status in (400, 413, 422):
        return Invalid(_said(answer))
    return Unreachable(f"answers {HEARTBEAT} with {answer.status}")


def _said(answer: _Answer) -> str:
    """The core's own words; details name the field, as in ``[{"path": ["date"], "message": ...}]``."""
    said = str(answer.body.get("error") or answer.body.get("message") or "no reason given")
    details = answer.body.get("details")
    for each in details if isinstance(details, list) else []:
        if isinstance(each, dict):
            where = ".".join(str(part) for part in each.get("path") or [])
            said += f"; {where}: {each.get('message')}"
    return f"{answer.status} {text(said, MAX_SAID) or ''}".rstrip()


def _network_trouble(error: Exception) -> str:
    """The kind of failure alone: texts with addresses in them change from call to call, and would rewrite a status."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "has a host name that does not resolve"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "has a certificate that is not trusted"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "refuses connections"
    return "breaks off the connection"
