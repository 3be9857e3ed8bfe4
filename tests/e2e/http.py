"""HTTP as a client of a neuron speaks it, one request or many at once."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any, Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """A status and a JSON body."""

    status: int
    body: dict[str, Any]


def post(url: str, body: dict[str, Any]) -> Answer:
    """One request; an error's answer as well."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return Answer(response.status, json.load(response))
    except urllib.error.HTTPError as error:
        return Answer(error.code, json.load(error))


@dataclass
class Load:
    """Clients that predict without a pause until the block ends: half keep their connection, half open one each time.

    ``answers`` counts statuses, and the kinds of exceptions where no answer came. A kept connection that the server
    closed between two requests is opened anew, as every HTTP client does; in mid-request that is a failure.
    """

    url: str
    clients: int = 4
    answers: Counter[str] = field(default_factory=Counter)
    _end: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        for number in range(self.clients):
            thread = threading.Thread(target=self._run, args=(number % 2 == 0,), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(30)

    @property
    def failures(self) -> dict[str, int]:
        """Everything but success."""
        return {what: count for what, count in self.answers.items() if what != "200"}

    def _run(self, keep: bool) -> None:
        connection = self._connection()
        while not self._end.is_set():
            try:
                kept = self._request(connection)
            except (HTTPException, OSError) as error:
                self.answers[type(error).__name__] += 1
                kept = False
            if not (keep and kept):
                connection.close()
                connection = self._connection()
            time.sleep(0.002)  # a client's own time between two requests: the node has two cores for everybody
        connection.close()

    def _request(self, connection: HTTPConnection) -> bool:
        body = json.dumps({"features": [5.1, 3.5, 1.4, 0.2]})
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        self.answers[str(response.status)] += 1
        return not response.will_close

    def _connection(self) -> HTTPConnection:
        parts = urlsplit(self.url)
        return HTTPConnection(parts.hostname or "", parts.port or 80, timeout=15)
