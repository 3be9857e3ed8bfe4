"""Many requests of every kind over raw connections, and what a server's processes hold afterwards.

Raw bytes rather than a client's library: malformed requests are what no library sends.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psutil

COLUMNS = 4
SIZES = (1, 1, 1, 2, 3, 7, 16, 33, 100, 250)
"""Rows in a request: mostly one, sometimes more than a batch of the model's."""


def raw(path: str, body: bytes, kind: str = "application/json", method: str = "POST", **headers: str) -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: soak", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def good(count: int, seed: int = 1) -> list[bytes]:
    """Rows of COLUMNS numbers in batches of different sizes, by every way that HTTP has."""
    drawn = random.Random(seed)  # noqa: S311  # no secret
    made = []
    for _ in range(count):
        rows = [[round(drawn.uniform(0, 8), 3) for _ in range(COLUMNS)] for _ in range(drawn.choice(SIZES))]
        tensor = {"name": "input", "shape": [len(rows), COLUMNS], "datatype": "FP64", "data": rows}
        path, body = drawn.choice(
            [
                ("/predict", {"features": rows[0], "user_id": str(drawn.random())}),
                ("/batch_predict", {"batch_features": rows}),
                ("/v1/models/churn:predict", {"instances": rows}),
                ("/v2/models/churn/infer", {"inputs": [tensor]}),
            ]
        )
        made.append(raw(path, json.dumps(body).encode(), x_request_id=f"soak-{drawn.random()}"))
    return made


def bad() -> list[bytes]:
    """Each wrong in its own way; all are answered, with 4xx."""
    bodies = [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}", b'{"features": null}', b'{"features": []}',
        b'{"features": "1234"}',
        b'{"features": [1, 2, 3]}', b'{"features": [1, 2, 3, "4"]}', b'{"features": [1, 2, 3, NaN]}',
        b'{"features": [1, 2, 3, 1e999]}', b'{"features": [[[[1]]]]}', b'{"features": {"a": 1}}', b"[" * 2000,
        b'{"features": [1, 2, 3, 4], "model_version": "none"}',
        b'{"batch_features": []}', b'{"batch_features": 7}', b'{"instances": []}', b'{"instances": [[1], 2]}',
        b'{"inputs": []}', b'{"inputs": [{"name": "input", "shape": [-1], "datatype": "FP64", "data": []}]}',
        b'{"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP99", "data": [1, 2, 3, 4]}]}',
        b'{"inputs": [{"name": "input", "shape": [9, 9], "datatype": "FP64", "data": [1]}]}',
    ]  # fmt: skip
    paths = ("/predict", "/batch_predict", "/v1/models/churn:predict", "/v2/models/churn/infer")
    made = [raw(path, body) for path in paths for body in bodies]
    fine = b'{"features": [1, 2, 3, 4]}'
    made += [raw(path, fine, kind="text/plain") for path in paths]
    made += [raw(path, fine, content_encoding="gzip") for path in paths]
    made += [raw(path, b"", method="DELETE") for path in (*paths, "/health", "/models")]
    made += [raw(path, fine) for path in ("/nowhere", "/predict/", "/v2/models/none/infer", "/v1/models/none:predict")]
    made.append(raw("/v2/models/churn/infer", b"{}\0\0\0\0", inference_header_content_length="7"))
    made.append(raw("/predict", fine, x_long="a" * 100_000))
    made.append(b"POST /predict HTTP/1.1\r\nContent-Length: many\r\n\r\n")
    made.append(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
    return made


async def send(port: int, requests: Sequence[bytes], count: int, connections: int = 16) -> Counter[int]:
    """Send `count` of them in turn, and count the answers by status. One that a connection ends under instead of an
    answer counts as 0.
    """
    turns = iter(range(count))
    statuses: Counter[int] = Counter()
    await asyncio.gather(*(_client(port, requests, turns, statuses) for _ in range(connections)))
    return statuses


async def _client(port: int, requests: Sequence[bytes], turns: Iterable[int], statuses: Counter[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for turn in turns:
        try:
            writer.write(requests[turn % len(requests)])
            status, closes = await _answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            status, closes = 0, True
        statuses[status] += 1
        if closes:
            await _close(writer)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        return  # it was closed by the other side


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Its status, and whether the connection ends with it."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length or 0))
    return int(head.split(b" ", 2)[1]), b"connection: close" in head


async def leave(port: int, count: int) -> None:
    """Connections that end in the middle of what they send, or before the answer is read."""
    whole = good(1)[0]
    for turn in range(count):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(whole[: turn % (len(whole) + 1)])
        writer.transport.abort()


@dataclass(frozen=True, slots=True)
class Held:
    """By a server, its supervisor and workers together."""

    resident: int
    """Bytes."""
    files: int
    threads: int

    @classmethod
    def by(cls, pid: int) -> "Held":
        server = psutil.Process(pid)
        processes = [server, *server.children(recursive=True)]
        return cls(
            sum(one.memory_info().rss for one in processes),
            sum(one.num_fds() for one in processes),
            sum(one.num_threads() for one in processes),
        )
