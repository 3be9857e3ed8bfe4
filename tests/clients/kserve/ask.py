"""What KServe's own inference client makes of a server, as JSON: `python ask.py HTTP_URL GRPC_ADDRESS MODEL ROWS`.

Runs in the environment of the pyproject.toml beside it, which has nothing of this repository.
"""

import asyncio
import json
import sys
from typing import Any

import grpc
import httpx  # type: ignore[import-not-found]  # as kserve is
import numpy as np
from kserve import (  # type: ignore[import-not-found]  # only in its own environment
    InferenceGRPCClient,
    InferenceRESTClient,
    InferInput,
    InferRequest,
    RESTConfig,
)


def request(model: str, rows: Any, binary: bool, **parameters: bool) -> Any:
    tensor = InferInput("features", list(rows.shape), "FP64")
    tensor.set_data_from_numpy(rows, binary_data=binary)
    return InferRequest(model, [tensor], request_id="mine", parameters=parameters)


def told(response: Any) -> dict[str, Any]:
    outputs = {output.name: output.as_numpy().tolist() for output in response.outputs}
    texts = [value.decode() if isinstance(value, bytes) else value for value in outputs["prediction"]]
    return {"model": response.model_name, "id": response.id, "outputs": {**outputs, "prediction": texts}}


async def over_rest(url: str, model: str, rows: Any) -> dict[str, Any]:
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    answers = {
        "live": await client.is_server_live(url),
        "ready": await client.is_server_ready(url),
        "model_ready": [await client.is_model_ready(url, name) for name in (model, "other")],
        "json": told(await client.infer(url, request(model, rows, binary=False), model_name=model)),
        "binary": told(await client.infer(url, request(model, rows, binary=True), model_name=model)),
        "all_binary": told(
            await client.infer(url, request(model, rows, binary=True, binary_data_output=True), model_name=model)
        ),
    }
    try:
        await client.infer(url, request("other", rows, binary=False), model_name="other")
    except httpx.HTTPStatusError as error:
        answers["error"] = [error.response.status_code, str(error)]
    await client.close()
    return answers


async def over_grpc(address: str, model: str, rows: Any) -> dict[str, Any]:
    client = InferenceGRPCClient(address)
    answers = {
        "live": await client.is_server_live(),
        "ready": await client.is_server_ready(),
        "model_ready": await client.is_model_ready(model),
        "typed": told(await client.infer(request(model, rows, binary=False))),
        "raw": told(await client.infer(request(model, rows, binary=True))),
    }
    try:
        await client.infer(request("other", rows, binary=False))
    except grpc.RpcError as error:
        answers["error"] = [error.code().name, error.details()]
    await client.close()
    return answers


async def main(url: str, address: str, model: str, rows: str) -> None:
    values = np.array(json.loads(rows))
    answers = {"rest": await over_rest(url, model, values), "grpc": await over_grpc(address, model, values)}
    print(json.dumps(answers))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
