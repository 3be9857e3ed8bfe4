"""A real HTTP server for artifacts, with the faults of real ones."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

CONTENT = bytes(range(256)) * 8192
"""2 MiB: more than one block."""


@dataclass
class Artifacts:
    """What the server does next and what it was asked. `script` is used up first, one answer a request."""

    url: str = ""
    script: list[str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)


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
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    shared.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield shared
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
