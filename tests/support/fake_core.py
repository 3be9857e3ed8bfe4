"""A federation core for tests, written from the wire contract with its oddities: real HTTP, rows in memory.

By hand: ``python -m tests.support.fake_core --port 5000``. Everything under ``/_`` is for tests and not in the
contract: ``GET /_state`` tells what the core holds, ``POST /_switch`` sets the switches, such as ``{"down": true}``.
"""

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from aiohttp import web

MAX_INTEGER = 2_147_483_647
MAX_BODY = 100 * 1024
ADMIN_KEY = "fake-admin-key"
YEAR = 365 * 24 * 3600
HTML = "<!DOCTYPE html><html><body><pre>Cannot {method} {path}</pre></body></html>"

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REGISTER_TEXTS = {"name": 255, "type": 100, "language": 50, "version": 50, "healthcheckEndpoint": None}
REGISTER_ANY = ("apiEndpoints", "authentication", "capabilities")
REGISTER_INTEGERS = ("totalRequests", "successfulRequests", "averageResponseTime")
REGISTER_DATES = ("lastHeartbeat", "registeredAt", "createdAt", "updatedAt")
HEARTBEAT_TEXTS = {"processId": None, "errorLog": None, "configVersion": 50, "buildVersion": 100}
HEARTBEAT_OTHERS = (
    "hostInfo",
    "systemMetrics",
    "applicationMetrics",
    "dependencyStatus",
    "warningsLog",
    "performanceMetrics",
)


class Refused(Exception):
    """An answer of the core that is not a success."""

    def __init__(self, status: int, error: str, details: list[Json] | None = None) -> None:
        super().__init__(error)
        self.response = answer({"success": False, "error": error} | ({"details": details} if details else {}), status)


@dataclass
class Row:
    """A registered neuron, with what it sent; names are the wire's."""

    neuronId: str
    registration: Json
    status: str = "inactive"
    isActive: bool = True
    heartbeats: list[Json] = field(default_factory=list)
    analytics: Json = field(default_factory=dict)
    """The newest report, where the core takes any."""


@dataclass
class Switches:
    """What can be wrong with the core."""

    down: bool = False
    """Connections are cut."""
    html: bool = False
    """Something else answers in the core's place."""
    database_down: bool = False
    """Every call that needs a row is a 500."""
    slow_seconds: float = 0.0
    """Delay of every answer."""
    takes_analytics: bool = False
    """A core that has mended its refusal of every analytics report."""
    next_heartbeat: float | None = None
    """Rhythm that the core asks for."""


class FakeCore:
    """The core; its attributes are for tests to read and set."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.rows: dict[str, Row] = {}
        self.switches = Switches()
        self.calls: Counter[str] = Counter()
        self.heard: list[tuple[float, str]] = []
        """Time and neuron of every heartbeat taken, by the core's clock."""
        self.most_at_once = 0
        """The most calls that were open at a time."""
        self._open = 0
        self.refuse_heartbeats_of: str | None = None
        """A neuron whose heartbeats are a 500 for no told reason, as with a value that a column does not hold."""
        self._secret = b"1"

    def lose_database(self) -> None:
        """Every row is gone; tokens stay good."""
        self.rows.clear()

    def rotate_secret(self) -> None:
        """No token given until now is good any more."""
        self._secret += b"1"

    def delete_row(self, neuron_id: str) -> None:
        """What the core's operator does in its database; no call does."""
        del self.rows[neuron_id]

    def deactivate(self, neuron_id: str) -> None:
        """The admin's DELETE: the row stays, and so does the token."""
        self.rows[neuron_id].isActive = False

    def app(self) -> web.Application:
        """The server."""
        app = web.Application(middlewares=[self._front], client_max_size=MAX_BODY)
        app.router.add_post("/api/api-neurons/register", self._register)
        app.router.add_post("/api/api-neurons/heartbeat", self._heartbeat)
        app.router.add_post("/api/api-neurons/analytics/report", self._analytics)
        app.router.add_get("/api/api-neurons/commands/pending", self._pending)
        app.router.add_get("/api/neuron/config", self._config)
        app.router.add_get("/api/api-neurons/all", self._all)
        app.router.add_get("/api/api-neurons/{id}", self._one)
        app.router.add_put("/api/api-neurons/{id}", self._update)
        app.router.add_delete("/api/api-neurons/{id}", self._delete)
        app.router.add_get("/_state", self._state)
        app.router.add_post("/_switch", self._switch)
        return app

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Serve until the block ends; gives the base URL."""
        runner = web.AppRunner(self.app(), access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            yield f"http://{host}:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    @web.middleware
    async def _front(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/_"):
            return await handler(request)
        self.calls[f"{request.method} {request.path}"] += 1
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        try:
            await asyncio.sleep(self.switches.slow_seconds)
            return await self._answer(request, handler)
        finally:
            self._open -= 1

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self.switches.down and request.transport is not None:
            request.transport.abort()
            return html(request, 503)  # to nobody
        if self.switches.html:
            return html(request, 200)
        try:
            return await handler(request)
        except Refused as refused:
            return refused.response
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            return html(request, 404)
        except web.HTTPRequestEntityTooLarge:
            return answer({"message": "request entity too large"}, 413)

    async def _register(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        wrong = [issue(name, "Required") for name in REGISTER_ANY if body.get(name) is None]
        wrong += [issue(name, "Expected string") for name in REGISTER_TEXTS if not isinstance(body.get(name), str)]
        wrong += [issue(name, "Expected date, received string") for name in REGISTER_DATES if name in body]
        if wrong:
            raise Refused(400, "Invalid neuron data", wrong)
        neuron_id = str(body.get("neuronId") or f"api-neuron-{round(self.clock() * 1000)}")
        self._database(
            [(body[name], limit) for name, limit in REGISTER_TEXTS.items()] + [(neuron_id, 100)],
            [body.get(name) for name in REGISTER_INTEGERS],
        )
        if neuron_id in self.rows:
            raise Refused(500, "Failed to register API neuron")
        row = self.rows[neuron_id] = Row(neuron_id, body)
        data = {
            "neuron": public(row),
            "token": self._token(neuron_id),
            "instructions": {"heartbeat": "POST /api/neuron/status", "interval": 60},
        }
        return answer({"success": True, "data": data}, 201)

    async def _heartbeat(self, request: web.Request) -> web.Response:
        caller = self._caller(request)
        body = await body_of(request)
        beat = self._beat(body)
        row = self.rows.get(body.get("neuronId") or caller)
        if row is None or row.neuronId == self.refuse_heartbeats_of:
            raise Refused(500, "Failed to record heartbeat")
        row.heartbeats.append(beat)
        if caller in self.rows:
            self.rows[caller].status = beat["status"]
        self.heard.append((self.clock(), row.neuronId))
        data = {"heartbeatId": len(self.heard), "pendingCommands": 0, "timestamp": iso(self.clock())}
        rhythm = self.switches.next_heartbeat
        return answer({"success": True, "data": data} | ({} if rhythm is None else {"nextHeartbeat": rhythm}))

    def _beat(self, body: Json) -> Json:
        """The heartbeat as the core stores it: unknown keys dropped, a health score of 0 taken for 100."""
        wrong = [issue(name, "Expected string") for name in HEARTBEAT_TEXTS if not isinstance(body.get(name, ""), str)]
        if not isinstance(body.get("status"), str):
            wrong.append(issue("status", "Expected string"))
        score, uptime = body.get("healthScore", 100), body.get("uptime", 0)
        if not is_number(score) or not 0 <= score <= 100:
            wrong.append(issue("healthScore", "Expected number between 0 and 100"))
        if not is_number(uptime):
            wrong.append(issue("uptime", "Expected number"))
        if wrong:
            raise Refused(400, "Invalid heartbeat data", wrong)
        texts = [(body.get(name), limit) for name, limit in HEARTBEAT_TEXTS.items()]
        self._database([*texts, (body["status"], 50)], [round(uptime)])
        kept = {name: body[name] for name in (*HEARTBEAT_TEXTS, *HEARTBEAT_OTHERS) if name in body}
        stored = {"status": body["status"], "healthScore": round(score) or 100, "uptime": round(uptime)}
        return kept | stored | {"receivedAt": self.clock()}

    def _database(self, texts: list[tuple[Any, int | None]], integers: list[Any]) -> None:
        """What PostgreSQL refuses, and the core then answers with a bare 500."""
        too_long = any(limit is not None and len(value or "") > limit for value, limit in texts)
        unstorable = any("\0" in (value or "") for value, _ in texts)
        too_big = any(value is not None and value > MAX_INTEGER for value in integers)
        if self.switches.database_down or too_long or unstorable or too_big:
            raise Refused(500, "Internal server error")

    async def _analytics(self, request: web.Request) -> web.Response:
        caller = self._caller(request)
        body = await body_of(request)
        if not self.switches.takes_analytics or "date" in body:
            raise Refused(400, "Invalid analytics data", [issue("date", "Expected date, received string")])
        self._database([], [])
        self.rows[caller].analytics = body
        return answer({"success": True, "data": body})

    async def _pending(self, request: web.Request) -> web.Response:
        self._caller(request)
        return answer({"success": True, "data": []})

    async def _config(self, request: web.Request) -> web.Response:
        caller = self._caller(request)
        self._database([], [])
        row = self.rows.get(caller)
        if row is None:
            raise Refused(404, "Neuron not found")
        metadata = row.registration.get("metadata") or {}
        data = {
            "config": metadata.get("config", {}),
            "configVersion": row.registration["version"],
            "status": row.status,
            "lastUpdate": iso(self.clock()),
        }
        return answer({"success": True, "data": data})

    async def _all(self, request: web.Request) -> web.Response:
        admin(request)
        data = [public(row) | {"isOnline": self._online(row)} for row in self.rows.values() if row.isActive]
        online = sum(1 for each in data if each["isOnline"])
        return answer({"success": True, "data": data, "total": len(data), "online": online})

    async def _one(self, request: web.Request) -> web.Response:
        """Also what answers GET /api/api-neurons/config, which is why that is always a 403 to a neuron."""
        admin(request)
        row = self.rows.get(request.match_info["id"])
        if row is None:
            raise Refused(404, "Neuron not found")
        return answer({"success": True, "data": public(row) | {"heartbeatHistory": row.heartbeats}})

    async def _update(self, request: web.Request) -> web.Response:
        admin(request)
        body, row = await body_of(request), self.rows.get(request.match_info["id"])
        if row is None:
            raise Refused(404, "Neuron not found")
        row.isActive = bool(body.get("isActive", row.isActive))
        row.registration |= {name: body[name] for name in ("metadata", "version") if name in body}
        return answer({"success": True, "data": public(row)})

    async def _delete(self, request: web.Request) -> web.Response:
        admin(request)
        if request.match_info["id"] in self.rows:
            self.deactivate(request.match_info["id"])
        return answer({"success": True, "message": "API neuron deactivated"})

    async def _state(self, _: web.Request) -> web.Response:
        rows = {neuron_id: asdict(row) for neuron_id, row in self.rows.items()}
        return answer({"rows": rows, "calls": dict(self.calls), "switches": asdict(self.switches)})

    async def _switch(self, request: web.Request) -> web.Response:
        """Switches by name, and the acts ``lose_database`` and ``rotate_secret``."""
        for name, value in (await request.json()).items():
            if name in {"lose_database", "rotate_secret"} and value:
                getattr(self, name)()
            elif hasattr(self.switches, name):
                setattr(self.switches, name, value)
            else:
                raise web.HTTPBadRequest(text=f"no switch {name}")
        return await self._state(request)

    def _online(self, row: Row) -> bool:
        return bool(row.heartbeats) and self.clock() - row.heartbeats[-1]["receivedAt"] < 120

    def _token(self, neuron_id: str) -> str:
        head = encode({"alg": "HS256", "typ": "JWT"})
        now = int(self.clock())
        claims = encode({"neuronId": neuron_id, "iat": now, "exp": now + YEAR})
        return f"{head}.{claims}.{self._sign(f'{head}.{claims}')}"

    def _sign(self, text: str) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self._secret, text.encode(), hashlib.sha256)).decode().rstrip("=")

    def _caller(self, request: web.Request) -> str:
        """The neuron that a good token names, spelled ``Bearer`` and no other way."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        text, _, signature = token.rpartition(".")
        if scheme != "Bearer" or not hmac.compare_digest(signature, self._sign(text)):
            raise Refused(401, "Invalid or missing token")
        claims = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
        if claims["exp"] < self.clock():
            raise Refused(401, "Invalid or missing token")
        return str(claims["neuronId"])


async def body_of(request: web.Request) -> Json:
    """The body; what is not a JSON object gets the answer of the core's body parser."""
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise web.HTTPBadRequest(text='{"message": "Bad JSON"}', content_type="application/json") from None
    return body if isinstance(body, dict) else {}


def admin(request: web.Request) -> None:
    """Refuse whoever is not the admin."""
    if request.headers.get("x-admin-key") != ADMIN_KEY:
        raise Refused(403, "Admin access required")


def answer(body: Json, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.json_response(body, status=status)


def html(request: web.Request, status: int) -> web.Response:
    """The answer to a path or method that is not there."""
    return web.Response(
        status=status, content_type="text/html", text=HTML.format(method=request.method, path=request.path)
    )


def public(row: Row) -> Json:
    """A row as the core shows it."""
    return row.registration | {"neuronId": row.neuronId, "status": row.status, "isActive": row.isActive}


def issue(name: str, message: str) -> Json:
    """A validation's complaint."""
    return {"path": [name], "message": message}


def is_number(value: object) -> bool:
    """Whether JSON calls it a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def iso(seconds: float) -> str:
    """A time as the core writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))


def encode(part: Json) -> str:
    """A part of a JWT."""
    return base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).decode().rstrip("=")


async def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A fake federation core, for tests and by hand.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    async with FakeCore().serve(options.host, options.port) as url:
        print(url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
