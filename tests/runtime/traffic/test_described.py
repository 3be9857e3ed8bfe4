"""The OpenAPI document where versions compete: valid, and true of what is answered."""

from pathlib import Path
from typing import Any

import aiohttp
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types
from openapi_spec_validator import validate

from tests.runtime.conftest import serving
from tests.runtime.support import call
from tests.runtime.traffic.asking import in_force
from tests.runtime.traffic.neurons import fleet


async def test_the_document_is_valid_and_answers_are_as_it_says(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    with fleet(tmp_path, "candidate") as two:
        two.write("half", two.entry("candidate", 50))
        await in_force(http, two.front, "half")
        async with http.get(f"{two.front.url}/openapi.json") as reply:
            document = await reply.json()
        validate(document)

        async def asked(path: str, body: dict[str, Any]) -> Any:
            async with http.post(two.front.url + path, json=body) as reply:
                told = await reply.json()
                answer = document["paths"][path]["post"]["responses"][str(reply.status)]
                schema = answer["content"]["application/json"]["schema"] | {"components": document["components"]}
                Draft202012Validator(schema).validate(told)
                return told

        names = set()
        for user in range(20):
            told = await asked("/predict", {"features": [1, 2], "user_id": str(user)})
            names.add(told["model_variant"])
            await asked("/feedback", {"request_id": told["request_id"], "outcome": 3})
        assert names == {"primary", "candidate"}
        await asked("/batch_predict", {"batch_features": [[1, 2], [1]], "user_ids": ["1", "2"]})
        await asked("/predict", {"features": [1, 2], "model_version": "9"})
        await asked("/feedback", {"request_id": "none", "outcome": 3})
        await asked("/feedback", {"request_id": "none"})


async def test_a_neuron_without_variants_does_not_speak_of_them() -> None:
    async with serving() as neuron:
        told = (await call(neuron.app, "GET", "/openapi.json")).json
        assert "/feedback" not in told["paths"]
        assert "model_variant" not in told["components"]["schemas"]["Prediction"]["properties"]
        assert (await call(neuron.app, "POST", "/feedback", b"{}")).status == 404
