"""Whether two answers to one request say the same. Pure.

Labels agree when they are the same; numbers of a regressor when they are within TOLERANCE of each other, relative to
the larger, since two versions of a model never compute the same number.
"""

import math
from collections.abc import Mapping
from typing import Any

import orjson

TOLERANCE = 0.01

FIELDS = ("predictions", "outputs")

PREDICTION = "prediction"


def agree(ours: bytes, theirs: bytes, exact: bool) -> bool:
    """Of two bodies in JSON, of the guide's API, V1 or V2. `exact`: the model is a classifier."""
    try:
        return same(predicted(orjson.loads(ours)), predicted(orjson.loads(theirs)), exact)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return False


def predicted(answer: Mapping[str, Any]) -> Any:
    """What an answer predicts, in the order of its rows. A row with an error predicts nothing."""
    if PREDICTION in answer:
        return answer[PREDICTION]
    rows = next(answer[field] for field in FIELDS if field in answer)
    if isinstance(rows, list) and rows and isinstance(rows[0], dict):
        if "datatype" in rows[0]:
            return next((output["data"] for output in rows if output["name"] == PREDICTION), rows[0]["data"])
        return [row.get(PREDICTION) for row in rows]
    return rows


def same(one: Any, other: Any, exact: bool) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b, exact) for a, b in zip(one, other, strict=True))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other if exact else math.isclose(one, other, rel_tol=TOLERANCE)
    return bool(one == other)
