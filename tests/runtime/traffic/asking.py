"""Questions to a front door."""

from typing import Any

import aiohttp
from mlneuron_runtime.transport.grpc.inference_pb2 import ModelInferRequest, ModelInferResponse

from tests.runtime.asking import stats
from tests.runtime.support import Process, until_asked
from tests.runtime.traffic.neurons import ADDS

METHOD = "/inference.GRPCInferenceService/ModelInfer"


async def in_force(http: aiohttp.ClientSession, front: Process, revision: str) -> None:
    """Until every process of the front door has a table."""

    async def so() -> bool:
        told = (await stats(http, front))["traffic"]
        return bool(told["revision"] == revision and told["agreed"])

    await until_asked(so)


async def predict(http: aiohttp.ClientSession, url: str, body: dict[str, Any], **headers: str) -> tuple[int, Any, Any]:
    """Status, body and headers; `X_User_Id` is the header X-User-Id."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.post(f"{url}/predict", json=body, headers=sent) as reply:
        return reply.status, await reply.json(), reply.headers


async def answering(http: aiohttp.ClientSession, url: str, subjects: range) -> dict[str, str]:
    """Who answers each subject; every answer is a good one, and says who gave it."""
    found = {}
    for subject in subjects:
        status, told, headers = await predict(http, url, {"features": [1, 2], "user_id": f"user-{subject}"})
        assert status == 200, told
        name = told["model_variant"]
        assert headers["X-Neuron-Variant"] == name
        assert told["prediction"] == 3 + ADDS[name]
        found[f"user-{subject}"] = name
    return found


def call(user: str = "", version: str = "") -> ModelInferRequest:
    """A row of 1 and 2."""
    message = ModelInferRequest(model_name="churn", model_version=version)
    tensor = message.inputs.add(name="features", datatype="FP64", shape=[1, 2])
    tensor.contents.fp64_contents.extend([1, 2])
    if user:
        message.parameters["user_id"].string_param = user
    return message


async def called(
    channel: Any, message: ModelInferRequest, metadata: tuple[tuple[str, str], ...] = ()
) -> tuple[float, str]:
    """The prediction, and who made it."""
    asking = channel.unary_unary(METHOD)(message.SerializeToString(), metadata=metadata)
    answer = ModelInferResponse.FromString(await asking)
    trailing = dict(await asking.trailing_metadata())
    return answer.outputs[0].contents.fp64_contents[0], trailing["x-neuron-variant"]
