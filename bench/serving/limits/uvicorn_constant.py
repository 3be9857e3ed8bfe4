"""The least that an HTTP server in Python does: uvicorn with uvloop and httptools, an ASGI app that reads the body
and answers a constant of the runtime's usual size.

    python uvicorn_constant.py MODEL PORT
"""

import sys

import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

ANSWER = b'{"prediction":0,"confidence":0.981656829444016,"model_version":"1","inference_time_ms":0}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]


async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """A constant."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS, "trailers": False})
    await send({"type": "http.response.body", "body": ANSWER, "more_body": False})


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[2]), loop="uvloop", http="httptools", lifespan="off", access_log=False
    )
