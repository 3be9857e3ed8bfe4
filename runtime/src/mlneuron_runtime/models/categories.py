"""The categorical columns of xgboost's trees, and their codes."""

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import structlog

from mlneuron_runtime.signature import Column, Matrix, Table
from mlneuron_runtime.tensors import FloatArray, Inputs, rows_of

log = structlog.get_logger()

Categories = Mapping[int, Sequence[Any]]
"""What categorical columns hold, by their places; the place of a category is the code that the trees know."""


def signature_of(booster: Any, categories: Categories, nullable: bool) -> Matrix | Table:
    """Numbers, unless the model keeps what its categorical columns hold."""
    names = booster.feature_names
    if not categories:
        return Matrix(int(booster.num_features()), None if names is None else tuple(names), nullable)
    labels = names or [f"f{place}" for place in range(int(booster.num_features()))]
    return Table(tuple(column(name, categories.get(place)) for place, name in enumerate(labels)))


def column(name: str, categories: Sequence[Any] | None) -> Column:
    if categories is None:
        return Column(name, nullable=True)
    datatype = "BYTES" if categories and isinstance(categories[0], str) else "FP64"
    return Column(name, datatype, nullable=True, choices=frozenset(categories))


def coded(inputs: Inputs, categories: Categories) -> FloatArray:
    """(rows, features), with each category's place for itself, and NaN for a missing value."""
    rows = np.empty((rows_of(inputs), len(inputs)))
    for place, values in enumerate(inputs):
        known = categories.get(place)
        if known is None:
            rows[:, place] = values
        else:
            codes = {category: code for code, category in enumerate(known)}
            rows[:, place] = [codes.get(value, np.nan) for value in values.tolist()]
    return rows


def categories_of(booster: Any) -> Categories:
    """By the columns' places, of a model trained on categorical columns by xgboost 3.1 or later; from the model's JSON,
    since the way through its API needs pyarrow.
    """
    if "c" not in (booster.feature_types or ()):
        return {}
    gradient_booster = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]
    model = gradient_booster.get("model") or gradient_booster.get("gbtree", {}).get("model", {})
    encodings = model.get("cats", {}).get("enc", [])
    found = {place: decoded(encoding) for place, encoding in enumerate(encodings)}
    return {place: categories for place, categories in found.items() if categories}


def decoded(encoding: Mapping[str, Any]) -> list[Any]:
    """Texts come as one run of bytes with the places where they end, numbers as they are. xgboost 3.2 counts those
    places in characters, so texts beyond ASCII are cut in the wrong places: such a column takes codes, as one without
    categories does.
    """
    values = encoding.get("values", [])
    if "offsets" not in encoding:
        return list(values)
    run = bytes(value % 256 for value in values)
    if not run.isascii():
        log.warning("the model does not keep its categories whole, as they are not ASCII: the column takes their codes")
        return []
    return [run[start:stop].decode() for start, stop in itertools.pairwise(encoding["offsets"])]
