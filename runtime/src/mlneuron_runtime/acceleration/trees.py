"""Ensembles of decision trees as one ONNX node, with the sums of the leaves in the order of the trees, as the libraries
sum them: so ties between classes fall as they do there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlneuron_runtime.acceleration.graph import ML, Sink

MAX_NODES = 4_000_000
"""ONNX keeps a model in one message of at most 2 GiB, and a node takes about 60 bytes, while it is made some 500."""


class NotConvertible(Exception):
    """Why an estimator has no faster engine."""


@dataclass(frozen=True, slots=True)
class Tree:
    """`left` and `right` are children, -1 at leaves; where `missing_left`, a missing value goes left; `weights`
    (nodes, n) are added to the targets from `target` on.
    """

    feature: NDArray[Any]
    threshold: NDArray[Any]
    left: NDArray[Any]
    right: NDArray[Any]
    missing_left: NDArray[Any]
    weights: NDArray[Any]
    target: int = 0


def sums(sink: Sink, x: str, trees: Sequence[Tree], targets: int, kind: type, below: str = "BRANCH_LEQ") -> str:
    """The name of the (rows, targets) sums, float32. `x` and the comparing and adding are of `kind`."""
    name = "TreeEnsembleRegressor"
    attributes = {**_nodes(trees, kind, below), **_weights(trees, kind, "target", "target_ids")}
    return sink.node(
        name, [x], domain=ML, n_targets=targets, post_transform="NONE", aggregate_function="SUM", **attributes
    )[0]


def votes(sink: Sink, x: str, trees: Sequence[Tree], classes: int, kind: type) -> tuple[str, str]:
    """The names of the (rows,) indexes of the classes with the largest sum, the first of equal ones as compared in
    `kind`, and of the (rows, classes) sums in float32. One more class that never gets a vote keeps onnxruntime from
    taking two classes for one score with a threshold.
    """
    attributes = {**_nodes(trees, kind, "BRANCH_LEQ"), **_weights(trees, kind, "class", "class_ids")}
    index, scores = sink.node(
        "TreeEnsembleClassifier", [x], 2, ML, classlabels_int64s=list(range(classes + 1)), post_transform="NONE",
        **attributes,
    )  # fmt: skip
    told = [sink.constant(np.array([number])) for number in (0, classes, 1)]
    return index, sink.node("Slice", [scores, *told])[0]


def _nodes(trees: Sequence[Tree], kind: type, below: str) -> dict[str, Any]:
    """The attributes that say what is compared with what, and where to go then."""
    sizes = [len(tree.left) for tree in trees]
    if sum(sizes) > MAX_NODES:
        raise NotConvertible(f"its trees have {sum(sizes)} nodes, more than {MAX_NODES}")
    inner = np.concatenate([tree.left for tree in trees]) >= 0
    threshold = np.concatenate([tree.threshold for tree in trees])
    return {
        "nodes_treeids": np.repeat(np.arange(len(trees)), sizes).tolist(),
        "nodes_nodeids": _within(sizes).tolist(),
        "nodes_featureids": _inner(inner, [tree.feature for tree in trees]),
        "nodes_truenodeids": _inner(inner, [tree.left for tree in trees]),
        "nodes_falsenodeids": _inner(inner, [tree.right for tree in trees]),
        "nodes_missing_value_tracks_true": _inner(inner, [tree.missing_left for tree in trees]),
        "nodes_modes": np.where(inner, below, "LEAF").tolist(),
        **_floats("nodes_values", np.where(inner, rounded_down(threshold, kind), 0), kind),
    }


def _weights(trees: Sequence[Tree], kind: type, what: str, ids: str) -> dict[str, Any]:
    """The attributes that say what each leaf adds; what adds nothing is left out where a leaf adds anything."""
    parts = []
    for number, tree in enumerate(trees):
        leaves = np.flatnonzero(tree.left < 0)
        weights = tree.weights[leaves]
        told = weights != 0
        told[:, 0] |= ~told.any(axis=1)
        row, column = np.nonzero(told)
        parts.append((np.full(len(row), number), leaves[row], column + tree.target, weights[row, column]))
    tree_ids, node_ids, targets, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    return {
        f"{what}_treeids": tree_ids.tolist(), f"{what}_nodeids": node_ids.tolist(), ids: targets.tolist(),
        **_floats(f"{what}_weights", values, kind),
    }  # fmt: skip


def rounded_down(threshold: NDArray[Any], kind: type) -> NDArray[Any]:
    """The largest number of `kind` that is not above the threshold: a number of that kind is below one as it is below
    the other.
    """
    near: NDArray[Any] = threshold.astype(kind)
    return np.where(near > threshold, np.nextafter(near, kind("-inf")), near)


def _floats(name: str, values: NDArray[Any], kind: type) -> dict[str, Any]:
    if kind is np.float32:
        return {name: values.astype(np.float32).tolist()}
    from onnx import numpy_helper

    return {f"{name}_as_tensor": numpy_helper.from_array(values.astype(np.float64), name)}


def _within(sizes: Sequence[int]) -> NDArray[Any]:
    """0, 1, … in each tree."""
    ends = np.cumsum(sizes)
    return np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)


def _inner(inner: NDArray[np.bool_], columns: Sequence[NDArray[Any]]) -> list[int]:
    told: list[int] = np.where(inner, np.concatenate(columns), 0).astype(np.int64).tolist()
    return told
