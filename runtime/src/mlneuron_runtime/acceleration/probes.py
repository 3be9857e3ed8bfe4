"""Rows on which an engine and the original are compared, made of the original itself.

A random row seldom meets the place where two ways of computing part: a threshold that float32 rounds away, a tie, the
edge between two classes. So rows are made of the model's own numbers, and edges are sought by bisection.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlneuron_runtime.models.base import Model
from mlneuron_runtime.signature.values import LARGEST
from mlneuron_runtime.tensors import FloatArray

ROWS = 512
"""In a block of rows of one kind."""

MISSING = 0.2
"""The share of missing values, where the model takes them."""

PAIRS = 128
HALVINGS = (6, 12, 18, 24, 30)
"""Edges are approached to 2^-30 of the way between two rows: nearer, the original's own rounding decides."""

EXTREMES = (0.0, 1.0, -1.0, 0.5, 1e-3, 1e3, -1e3, 1e6, -1e6, 1e12, 1e30, -1e30)

SCALES = ("scale_", "data_range_", "quantile_range_", "var_")
PLACES = ("mean_", "center_", "data_min_", "data_max_", "theta_", "means_", "cluster_centers_", "centroids_")

Answer = Callable[[FloatArray], NDArray[Any]]


def probes(model: Model, values: Answer) -> list[FloatArray]:
    """Blocks of rows, the same for the same model. `values` are the original's answers, (rows,) or (rows, outputs), and
    may raise, for rows outside its domain.
    """
    width = model.signature.features or 0
    random = np.random.default_rng(0)
    held = getattr(model, "estimator", None) or getattr(model, "booster", None)
    center, spread = typical(held, width)
    thresholds = thresholds_of(held, width)
    blocks = [random.normal(size=(ROWS, width)) * spread * size + center for size in (0.3, 1.0, 3.0)]
    blocks.append(np.rint(random.normal(size=(ROWS, width)) * spread + center))
    blocks.append(random.integers(0, 2, (ROWS, width)).astype(np.float64))
    if thresholds is not None:
        blocks += at_thresholds(thresholds, random)
    blocks += [mixed(blocks, random)]
    if getattr(model.signature, "nullable", False):
        blocks.append(np.where(random.random((ROWS, width)) < MISSING, np.nan, blocks[-1]))
    blocks += edges(blocks, values)
    return [np.clip(block, -LARGEST, LARGEST) for block in [*blocks, extremes(width, random)]]


def typical(held: Any, width: int) -> tuple[FloatArray, FloatArray]:
    """Where each feature lies and how far it spreads, as far as some part of the model knows."""
    center, spread = np.zeros(width), np.ones(width)
    for part in parts(held):
        places = [row for row in known(part, PLACES, width) if np.isfinite(row).all()]
        scales = [row for row in known(part, SCALES, width) if np.isfinite(row).all()]
        if places:
            center = np.mean(places, axis=0)
            spread = np.maximum(np.ptp(places, axis=0), spread)
        if scales:
            spread = np.abs(scales[0]) + 1e-9
        if places or scales:
            return center, spread
    thresholds = thresholds_of(held, width)
    if thresholds is None:
        return center, spread
    middles = [(np.mean(of), np.ptp(of)) if len(of) else (0.0, 1.0) for of in thresholds]
    return np.array([middle for middle, _ in middles]), np.array([reach or 1.0 for _, reach in middles])


def parts(held: Any) -> Iterator[Any]:
    """The estimator and those within it, those that meet the rows first before the others."""
    if hasattr(held, "steps"):
        for _, step in held.steps:
            yield from parts(step)
        return
    if hasattr(held, "best_estimator_"):
        yield from parts(held.best_estimator_)
        return
    yield held
    inner = getattr(held, "estimators_", None)
    if inner is not None:
        for member in np.ravel(np.array(inner, dtype=object))[:50]:
            if hasattr(member, "get_params"):
                yield from parts(member)


def known(part: Any, names: Sequence[str], width: int) -> list[FloatArray]:
    """Rows of these attributes that have a number for each feature."""
    arrays = [getattr(part, name, None) for name in names]
    wide = [array for array in arrays if isinstance(array, np.ndarray) and array.dtype.kind == "f"]
    return [row for array in wide if array.shape[-1:] == (width,) for row in array.reshape(-1, width)[:64]]


def thresholds_of(held: Any, width: int) -> list[FloatArray] | None:
    """Where trees split, for each feature, if the trees meet the rows as they come or scaled by steps that can be
    undone; None without trees.
    """
    if hasattr(held, "best_estimator_"):
        return thresholds_of(held.best_estimator_, width)
    if hasattr(held, "steps"):
        return through_steps(held, width)
    found = sorted({pair for part in parts(held) for pair in splits(part) if pair[0] < width and np.isfinite(pair[1])})
    if not found:
        return None
    features, values = np.array([pair[0] for pair in found]), np.array([pair[1] for pair in found])
    return [values[features == feature] for feature in range(width)]


def through_steps(pipeline: Any, width: int) -> list[FloatArray] | None:
    """A pipeline's thresholds, as rows before its scaling."""
    inner = thresholds_of(pipeline.steps[-1][1], width)
    before = pipeline[:-1]
    if inner is None or not hasattr(before, "inverse_transform"):
        return inner
    longest = max(map(len, inner))
    table = np.stack([np.resize(of, longest) if len(of) else np.zeros(longest) for of in inner], axis=1)
    try:
        undone = np.asarray(before.inverse_transform(table))
    except Exception:  # of a width that the steps change
        return inner
    return list(undone.T) if undone.shape == table.shape else inner


def splits(part: Any) -> list[tuple[int, float]]:
    """(feature, threshold) of the splits of one estimator or booster."""
    if hasattr(part, "tree_"):
        inner = part.tree_.children_left >= 0
        return list(zip(part.tree_.feature[inner].tolist(), part.tree_.threshold[inner].tolist(), strict=True))
    if hasattr(part, "_predictors"):
        nodes = np.concatenate([predictor.nodes for stage in part._predictors for predictor in stage])
        nodes = nodes[nodes["is_leaf"] == 0]
        return list(zip(nodes["feature_idx"].tolist(), nodes["num_threshold"].tolist(), strict=True))
    booster = part.get_booster() if hasattr(part, "get_booster") else part
    if not hasattr(booster, "save_raw"):
        return []
    from mlneuron_runtime.acceleration.boosters import learner_of

    trees = learner_of(booster, 0)["gradient_booster"].get("model", {}).get("trees", [])
    return [
        (feature, float(np.float32(condition)))
        for tree in trees
        for feature, condition, left in zip(
            tree["split_indices"], tree["split_conditions"], tree["left_children"], strict=True
        )
        if left >= 0
    ]


def at_thresholds(thresholds: Sequence[FloatArray], random: np.random.Generator) -> list[FloatArray]:
    """Rows of thresholds, and of the numbers next to them in float64 and in float32."""
    blocks = []
    for _ in range(2):
        columns = [random.choice(of, ROWS) if len(of) else random.normal(size=ROWS) for of in thresholds]
        rows = np.stack(columns, axis=1)
        single = rows.astype(np.float32)
        near = [
            rows, np.nextafter(rows, np.inf), np.nextafter(rows, -np.inf), single.astype(np.float64),
            np.nextafter(single, np.float32(np.inf)).astype(np.float64),
            np.nextafter(single, np.float32(-np.inf)).astype(np.float64),
        ]  # fmt: skip
        choice = random.integers(0, len(near), rows.shape)
        blocks += [rows, np.choose(choice, near)]
    return blocks


def mixed(blocks: Sequence[FloatArray], random: np.random.Generator) -> FloatArray:
    """Each number of a row from a row of any block."""
    pool = np.concatenate(blocks)
    rows = random.integers(0, len(pool), (ROWS, pool.shape[1]))
    return pool[rows, np.arange(pool.shape[1])]


def extremes(width: int, random: np.random.Generator) -> FloatArray:
    """Rows of one number throughout, and rows of ordinary numbers with one that is not."""
    even = np.repeat(np.array([*EXTREMES, LARGEST, -LARGEST]).reshape(-1, 1), width, axis=1)
    spiked = random.normal(size=(64, width))
    spiked[np.arange(64), random.integers(0, width, 64)] = random.choice(EXTREMES, 64)
    return np.concatenate([even, spiked])


def edges(blocks: Sequence[FloatArray], values: Answer) -> list[FloatArray]:
    """Rows nearer and nearer to where the answer changes, between rows that are answered differently."""
    rows = np.concatenate(blocks)
    try:
        answers = values(rows)
    except Exception:  # some row is outside the model's domain
        return []
    if answers.dtype.kind == "f":
        return []
    other = np.roll(np.arange(len(rows)), 1)
    differ = np.flatnonzero(_differ(answers, answers[other]))[:: max(1, len(rows) // (4 * PAIRS))][:PAIRS]
    if not len(differ):
        return []
    one, two, begun = rows[differ], rows[other[differ]], answers[differ]
    kept = []
    for halving in range(1, max(HALVINGS) + 1):
        middle = one + (two - one) / 2
        same = ~_differ(values(middle), begun)
        one, two = np.where(same[:, None], middle, one), np.where(same[:, None], two, middle)
        if halving in HALVINGS:
            kept += [one, two]
    return kept


def _differ(answers: NDArray[Any], others: NDArray[Any]) -> NDArray[np.bool_]:
    differ: NDArray[np.bool_] = (answers != others).reshape(len(answers), -1).any(axis=1)
    return differ
