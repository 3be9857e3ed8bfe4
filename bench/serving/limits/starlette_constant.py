"""The least that a Starlette app with checked bodies does: a route that decodes the body with msgspec and answers a
constant.

    python starlette_constant.py MODEL PORT
"""

import sys

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class Asked(msgspec.Struct):
    """The guide's body."""

    features: list[float]


class Answer(msgspec.Struct):
    """The guide's answer."""

    prediction: float
    confidence: float
    model_version: str
    inference_time_ms: int


DECODER, ENCODER = msgspec.json.Decoder(Asked), msgspec.json.Encoder()


async def predict(request: Request) -> Response:
    """A constant for a good body."""
    DECODER.decode(await request.body())
    answer = Answer(prediction=0, confidence=0.981656829444016, model_version="1", inference_time_ms=0)
    return Response(ENCODER.encode(answer), media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(
        Starlette(routes=[Route("/predict", predict, methods=["POST"])]),
        host="127.0.0.1", port=int(sys.argv[2]), loop="uvloop", http="httptools", lifespan="off", access_log=False,
    )  # fmt: skip
