"""A batch in which each row has a subject of its own: the rows go to their variants at the same time, and the answers
come back in the rows' order.

A part that its variant does not answer falls back to the primary. Where that refuses a part, too, it answers the whole,
so that what is wrong is said of the rows as they were sent.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson
from starlette.types import Message, Receive, Scope, Send

from mlneuron_runtime import log
from mlneuron_runtime.errors import RequestError
from mlneuron_runtime.tallies import PROTOCOL
from mlneuron_runtime.traffic import marks
from mlneuron_runtime.traffic.remote import Fallen, Remote
from mlneuron_runtime.traffic.subject import Asked, Rows
from mlneuron_runtime.traffic.table import PRIMARY, Table
from mlneuron_runtime.transport.noted import FALLBACK, VARIANT
from mlneuron_runtime.transport.wire import BODY, encode, send_json

if TYPE_CHECKING:
    from mlneuron_runtime.transport.split import Split

ANSWERED_BY = {"batch_features": "predictions", "instances": "predictions", "inputs": "outputs"}


async def answered(split: "Split", table: Table, asked: Rows, scope: Scope, receive: Receive, send: Send) -> None:
    """Each row by its own variant."""
    groups = grouped(split, table, asked)
    if len(groups) <= 1:
        name, whole = next(iter(groups), PRIMARY), Asked(subject=next(iter(asked.subjects), None))
        if name == PRIMARY:
            await split.here(table, whole, scope, receive, send)
        else:
            await split.there(table, split.traffic.remotes[name], whole, scope, receive, send)
        return
    parts = [Part(split, table, asked, scope, name, places) for name, places in groups.items()]
    outcomes = await asyncio.gather(*(part.answer() for part in parts), return_exceptions=True)
    if any(isinstance(outcome, RequestError) for outcome in outcomes):
        others = ",".join(name for name in groups if name != PRIMARY)
        await split.here(table, Asked(), scope, receive, send, f"{others}; refused")
        return
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    entries: list[Any] = [None] * len(asked.subjects)
    for part in parts:
        for place, entry in zip(part.places, part.entries, strict=True):
            entries[place] = entry
    if not any(part.local for part in parts):
        split.plane.telemetry.passed(PROTOCOL[split.protocol])
    told: dict[str, Any] = {ANSWERED_BY[asked.field]: entries}
    if asked.field == "batch_features":
        told["batch_size"] = len(entries)
    fallen = [(FALLBACK, part.fallen.encode()) for part in parts if part.fallen]
    await send_json(send, 200, encode(told), [(VARIANT, ",".join(groups).encode()), *fallen])


def grouped(split: "Split", table: Table, asked: Rows) -> dict[str, list[int]]:
    """The rows' places by who answers them."""
    groups: dict[str, list[int]] = {}
    for place, subject in enumerate(asked.subjects):
        groups.setdefault(split.traffic.assigned(table, Asked(subject), None), []).append(place)
    return groups


class Part:
    """The rows of one variant. `local`: the primary's process answered; `fallen` says for whom it then stood in."""

    def __init__(
        self, split: "Split", table: Table, asked: Rows, scope: Scope, name: str, places: Sequence[int]
    ) -> None:
        self.split, self.table, self.asked, self.name, self.places = split, table, asked, name, places
        self.remote = None if name == PRIMARY else split.traffic.remotes[name]
        self.local = self.remote is None
        self.fallen: str | None = None
        self.entries: list[Any] = []
        rows = asked.body[asked.field]
        subjects = {table.where.field, table.where.plural}
        kept = {field: value for field, value in asked.body.items() if field not in subjects}
        self.body = orjson.dumps({**kept, asked.field: [rows[place] for place in places]})
        headers = [header for header in scope["headers"] if header[0] != b"content-length"]
        self.scope: Scope = {**scope, "state": {**scope["state"], BODY: self.body}, "headers": headers}

    async def answer(self) -> None:
        """The entries; runs in a task of its own, and so under an id of its own."""
        log.request_id.set(f"{log.request_id.get()}-{self.name}")
        marks.prediction.set(None)
        if self.remote is None:
            self.entries = self.read(await self.answered_here())
            return
        try:
            response = await self.split.ask(self.remote, self.scope, self.body)
            self.entries = self.read(response.body)
        except Fallen as fallen:
            await self.stand_in(self.remote, fallen)
        except (ValueError, LookupError, TypeError):  # a good status, and no answer to these rows
            await self.stand_in(self.remote, Fallen("server_error"))

    async def stand_in(self, remote: Remote, fallen: Fallen) -> None:
        """The primary's entries, where the variant gave none."""
        self.fallen, self.local = f"{self.name}; {fallen.reason}", True
        if not fallen.refused:
            remote.counters.fell(fallen.reason, fallen.seconds)
        self.entries = self.read(await self.answered_here())
        if fallen.refused:
            remote.counters.fell(fallen.reason)

    async def answered_here(self) -> bytes:
        """The primary's body; raises RequestError."""
        chunks: list[bytes] = []

        async def keep(message: Message) -> None:
            chunks.append(message.get("body", b""))

        await self.split.here(self.table, Asked(), self.scope, nothing_more, keep, self.fallen)
        return b"".join(chunks)

    def read(self, body: bytes) -> list[Any]:
        """The entries of an answer, each told of the place that its row was sent in; raises where it has none."""
        entries = orjson.loads(body)[ANSWERED_BY[self.asked.field]]
        if len(entries) != len(self.places):
            raise ValueError(f"{len(entries)} answers to {len(self.places)} rows")
        for here, (place, entry) in enumerate(zip(self.places, entries, strict=True)):
            if isinstance(entry, dict) and "row" in entry:
                moved(entry, f"{self.asked.field}[{here}]", f"{self.asked.field}[{place}]")
                entry["row"] = place
        return list(entries)


def moved(entry: dict[str, Any], old: str, new: str) -> None:
    """Let a row's error speak of its place in the whole."""
    error = entry["error"]
    for key in ("field", "message"):
        if isinstance(error.get(key), str):
            error[key] = error[key].replace(old, new)


async def nothing_more() -> Message:
    return {"type": "http.disconnect"}
