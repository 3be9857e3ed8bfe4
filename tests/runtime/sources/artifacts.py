"""A real HTTP server for artifacts, with the faults of real ones."""

import http.server
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.loopback import served

CONTENT = bytes(range(256)) * 8192
"""2 MiB: more than one block."""


@dataclass
class Artifacts:
    """What the server does next and what it was asked. `script` is used up first, one answer a request. `content` and
    its ETag `tag` are what the kinds of answer serve that can be continued; `served` counts their bytes.
    """

    url: str = ""
    script: list[str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    content: bytes = CONTENT
    tag: str = '"one"'
    served: int = 0


@contextmanager
def artifacts() -> Iterator[Artifacts]:
    """Answers by path: /model whole, /404 and other numbers that status, /elsewhere redirects to the other server."""
    shared = Artifacts()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shared.asked.append({name.lower(): value for name, value in self.headers.items()} | {"path": self.path})
            todo = shared.script.pop(0) if shared.script else self.path.strip("/").partition("?")[0]
            getattr(self, f"answer_{todo}", lambda: self.answer_status(todo))()

        def answer_status(self, status: str) -> None:
            self.send_response(int(status))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def answer_model(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT)

        def answer_chunked(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(CONTENT), CONTENT))

        def answer_truncated(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[:-1])

        def answer_broken_chunks(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s" % (len(CONTENT), CONTENT[:1000]))

        def answer_silent(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[:1000])
            self.rfile.read(1)  # until the client gives up

        def answer_tagged(self, most: int | None = None) -> None:
            """As a file server does; breaks off after `most` bytes."""
            start, end = self.range()
            rest = shared.content[start:end]
            whole = len(rest) == len(shared.content)
            self.send_response(200 if whole else 206)
            if not whole:
                self.send_header("Content-Range", f"bytes {start}-{start + len(rest) - 1}/{len(shared.content)}")
            self.send_header("ETag", shared.tag)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            shared.served += len(rest[:most])  # before the client has it, and looks
            self.wfile.write(rest[:most])
            self.close_connection = most is not None

        def answer_tagged_half(self) -> None:
            self.answer_tagged(len(shared.content) // 2)

        def answer_tagged_slice(self) -> None:
            self.answer_tagged(1200 * 1024)

        def answer_tagged_held(self) -> None:
            """All but a little, and then silence."""
            self.send_response(200)
            self.send_header("ETag", shared.tag)
            self.send_header("Content-Length", str(len(shared.content)))
            self.end_headers()
            self.wfile.write(shared.content[:-1000])
            self.rfile.read(1)  # until the client is gone

        def answer_tagged_elsewhere(self) -> None:
            """A server that answers another range than the one asked for."""
            self.send_response(206)
            self.send_header("ETag", shared.tag)
            self.send_header("Content-Range", f"bytes 1-{len(shared.content) - 1}/{len(shared.content)}")
            self.send_header("Content-Length", str(len(shared.content) - 1))
            self.end_headers()
            self.wfile.write(shared.content[1:])

        def answer_tagged_deaf(self) -> None:
            """A server that knows no ranges."""
            self.headers.replace_header("Range", "none")
            self.answer_tagged()

        def range(self) -> tuple[int, int | None]:
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if asked is None or self.headers.get("If-Range", shared.tag) != shared.tag:
                return 0, None
            return int(asked[1]), int(asked[2]) + 1 if asked[2] else None

        def answer_moved(self) -> None:
            self.redirect("/model")

        def answer_to_file(self) -> None:
            self.redirect("file:///etc/passwd")

        def redirect(self, location: str) -> None:
            self.send_response(302)
            self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    Handler.protocol_version = "HTTP/1.1"
    with served(Handler) as url:
        shared.url = url
        yield shared
