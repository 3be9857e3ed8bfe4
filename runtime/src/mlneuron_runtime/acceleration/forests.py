"""scikit-learn's tree ensembles for skl2onnx, in the place of its own converters.

Those round what they scale, and take rows of float64 without the rounding to float32 that scikit-learn's trees begin
with. Here sums are of the leaves as they are, in the order of the trees, in float64 unless every leaf holds one class
(then float32 counts as exactly).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlneuron_runtime.acceleration.graph import Skl2onnxGraph, cast
from mlneuron_runtime.acceleration.trees import NotConvertible, Tree, sums, votes

FLOAT, DOUBLE, INT64 = 1, 11, 7


def forest_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Random forests, extra trees and single trees: the mean of the leaves' shares of the classes."""
    graph, estimator = Skl2onnxGraph(scope, container), operator.raw_operator
    if getattr(estimator, "n_outputs_", 1) != 1:
        raise NotConvertible(f"{type(estimator).__name__} predicts several outputs")
    trees = [tree_of(member) for member in members(estimator)]
    count = graph.constant(np.array([float(len(trees))]))
    if counts(estimator):
        x = cast(graph, operator.inputs[0].full_name, FLOAT)
        scores = sums(graph, x, trees, len(estimator.classes_), np.float32)
        shares = graph.node("Div", [cast(graph, scores, DOUBLE), count])[0]
        classified(graph, operator, graph.node("ArgMax", [shares], axis=1, keepdims=0)[0], shares)
        return
    index, scores = votes(graph, rounded(graph, operator), trees, len(estimator.classes_), np.float64)
    classified(graph, operator, index, graph.node("Div", [cast(graph, scores, DOUBLE), count])[0])


def counts(estimator: Any) -> bool:
    """Whether every leaf of a forest holds one class: then float32 adds its votes exactly, and the most probable class
    can be told by the probabilities.
    """
    trees = [tree_of(member) for member in members(estimator)]
    return all(bool(np.isin(tree.weights[tree.left < 0], (0, 1)).all()) for tree in trees)


def forest_regressor(scope: Any, operator: Any, container: Any) -> None:
    """The mean of the leaves' values."""
    graph, estimator = Skl2onnxGraph(scope, container), operator.raw_operator
    trees = [tree_of(member) for member in members(estimator)]
    total = sums(graph, rounded(graph, operator), trees, trees[0].weights.shape[1], np.float64)
    mean = graph.node("Div", [cast(graph, total, DOUBLE), graph.constant(np.array([float(len(trees))]))])[0]
    answered(graph, operator, 0, mean)


def gradient_classifier(scope: Any, operator: Any, container: Any) -> None:
    graph, estimator = Skl2onnxGraph(scope, container), operator.raw_operator
    raw = gradient_raw(graph, operator)
    factor = 2.0 if estimator.loss == "exponential" else 1.0
    scored(graph, operator, graph.node("Mul", [raw, graph.constant(np.array([factor]))])[0])


def gradient_regressor(scope: Any, operator: Any, container: Any) -> None:
    graph = Skl2onnxGraph(scope, container)
    answered(graph, operator, 0, gradient_raw(graph, operator))


def gradient_raw(graph: Skl2onnxGraph, operator: Any) -> str:
    """What the stages of gradient boosting add up to, (rows, targets)."""
    estimator = operator.raw_operator
    if not (estimator.init_ == "zero" or type(estimator.init_).__name__ in {"DummyClassifier", "DummyRegressor"}):
        raise NotConvertible(f"{type(estimator).__name__} begins with a {type(estimator.init_).__name__}")
    begin = estimator._raw_predict_init(np.zeros((1, estimator.n_features_in_), np.float32))
    trees = [
        tree_of(member, target, estimator.learning_rate)
        for stage in estimator.estimators_
        for target, member in enumerate(stage)
    ]
    total = sums(graph, rounded(graph, operator), trees, begin.shape[1], np.float64)
    return graph.node("Add", [cast(graph, total, DOUBLE), graph.constant(begin.astype(np.float64))])[0]


def isolation_forest(scope: Any, operator: Any, container: Any) -> None:
    """Labels and scores: how much sooner than usual the trees single a row out, less the offset."""
    from sklearn.ensemble._iforest import _average_path_length

    graph, estimator = Skl2onnxGraph(scope, container), operator.raw_operator
    trees = []
    placed = zip(estimator.estimators_, estimator.estimators_features_, strict=True)
    for number, (member, features) in enumerate(placed):
        tree = tree_of(member)
        depth = estimator._decision_path_lengths[number] + estimator._average_path_length_per_tree[number] - 1.0
        places = np.where(tree.left >= 0, features[tree.feature], 0)
        trees.append(replace(tree, feature=places, weights=depth.reshape(-1, 1)))
    depths = cast(graph, sums(graph, rounded(graph, operator), trees, 1, np.float64), DOUBLE)
    usual = len(trees) * float(_average_path_length(np.array([estimator._max_samples]))[0])
    power = graph.node("Mul", [depths, graph.constant(np.array([-np.log(2) / usual]))])[0]
    score = graph.node("Neg", [graph.node("Exp", [power])[0]])[0]
    scores = graph.node("Sub", [score, graph.constant(np.array([estimator.offset_]))])[0]
    inlier = graph.node("GreaterOrEqual", [scores, graph.constant(np.zeros(1))])[0]
    label = graph.node("Where", [inlier, *(graph.constant(np.array([sign])) for sign in (1, -1))])[0]
    answered(graph, operator, 1, scores)
    graph.named("Reshape", [label, graph.constant(np.array([-1]))], [operator.outputs[0].full_name])


def histogram_classifier(scope: Any, operator: Any, container: Any) -> None:
    graph = Skl2onnxGraph(scope, container)
    scored(graph, operator, histogram_raw(graph, operator))


def histogram_regressor(scope: Any, operator: Any, container: Any) -> None:
    graph, estimator = Skl2onnxGraph(scope, container), operator.raw_operator
    raw = histogram_raw(graph, operator)
    link = type(estimator._loss.link).__name__
    if link not in {"IdentityLink", "LogLink"}:
        raise NotConvertible(f"{type(estimator).__name__} has a {link}")
    answered(graph, operator, 0, graph.node("Exp", [raw])[0] if link == "LogLink" else raw)


def histogram_raw(graph: Skl2onnxGraph, operator: Any) -> str:
    """What histogram gradient boosting adds up to; its thresholds and rows are float64."""
    estimator = operator.raw_operator
    trees = [
        histogram_tree(predictor.nodes, target)
        for stage in estimator._predictors
        for target, predictor in enumerate(stage)
    ]
    begin = np.reshape(estimator._baseline_prediction, (1, -1)).astype(np.float64)
    x = cast(graph, operator.inputs[0].full_name, DOUBLE)
    total = sums(graph, x, trees, begin.shape[1], np.float64)
    return graph.node("Add", [cast(graph, total, DOUBLE), graph.constant(begin)])[0]


def histogram_tree(nodes: NDArray[Any], target: int) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    if nodes["is_categorical"][~leaf].any():
        raise NotConvertible("it splits by categories")
    left, right = (np.where(leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right"))
    weights = nodes["value"].reshape(-1, 1)
    threshold = np.where(leaf, 0, nodes["num_threshold"])
    return Tree(nodes["feature_idx"], threshold, left, right, nodes["missing_go_to_left"], weights, target)


def members(estimator: Any) -> list[Any]:
    """A forest's trees; a tree is a forest of one."""
    return list(getattr(estimator, "estimators_", [estimator]))


def tree_of(member: Any, target: int = 0, factor: float = 1.0) -> Tree:
    """A fitted tree: its leaves' values or shares of classes, times a factor."""
    tree = member.tree_
    values = tree.value.transpose(0, 2, 1)[:, :, 0] if tree.n_outputs == 1 else tree.value[:, :, 0]
    children = tree.children_left, tree.children_right
    return Tree(tree.feature, tree.threshold, *children, tree.missing_go_to_left, values * factor, target)


def rounded(graph: Skl2onnxGraph, operator: Any) -> str:
    """The rows in float64, rounded to float32 as scikit-learn's trees do."""
    return cast(graph, cast(graph, operator.inputs[0].full_name, FLOAT), DOUBLE)


def scored(graph: Skl2onnxGraph, operator: Any, raw: str) -> None:
    """Probabilities of raw scores (rows, 1) of the second of two classes, or (rows, classes), and their argmax."""
    if len(operator.raw_operator.classes_) == 2:
        second = graph.node("Sigmoid", [raw])[0]
        first = graph.node("Sub", [graph.constant(np.array([1.0])), second])[0]
        shares = graph.node("Concat", [first, second], axis=1)[0]
    else:
        shares = graph.node("Softmax", [raw], axis=1)[0]
    classified(graph, operator, graph.node("ArgMax", [shares], axis=1, keepdims=0)[0], shares)


def classified(graph: Skl2onnxGraph, operator: Any, index: str, shares: str) -> None:
    """The outputs of a classifier: labels, as skl2onnx writes classes, and probabilities."""
    classes = operator.raw_operator.classes_
    if classes.dtype.kind in "OU":
        table: dict[str, Any] = {"values_strings": list(map(str, classes)), "default_string": ""}
        kind = 8
    else:
        if not (classes == classes.astype(np.int64)).all():
            raise NotConvertible("its classes are fractions")
        table, kind = {"values_int64s": classes.astype(np.int64).tolist()}, INT64
    label = graph.node("LabelEncoder", [index], domain="ai.onnx.ml", keys_int64s=list(range(len(classes))), **table)[0]
    graph.named("Cast", [label], [operator.outputs[0].full_name], to=kind)
    answered(graph, operator, 1, shares)


def answered(graph: Skl2onnxGraph, operator: Any, output: int, name: str) -> None:
    """An output of the operator, of the type that skl2onnx has declared for it."""
    declared = operator.outputs[output]
    element = DOUBLE if type(declared.type).__name__.startswith("Double") else FLOAT
    graph.named("Cast", [name], [declared.full_name], to=element)


FORESTS = frozenset({
    "DecisionTreeClassifier", "ExtraTreeClassifier", "RandomForestClassifier", "ExtraTreesClassifier",
})  # fmt: skip


CONVERTERS: Mapping[str, Callable[[Any, Any, Any], None]] = {
    **dict.fromkeys(FORESTS, forest_classifier),
    **dict.fromkeys(
        ("DecisionTreeRegressor", "ExtraTreeRegressor", "RandomForestRegressor", "ExtraTreesRegressor"),
        forest_regressor,
    ),
    "IsolationForest": isolation_forest,
    "GradientBoostingClassifier": gradient_classifier,
    "GradientBoostingRegressor": gradient_regressor,
    "HistGradientBoostingClassifier": histogram_classifier,
    "HistGradientBoostingRegressor": histogram_regressor,
}
"""By the estimator's class."""
