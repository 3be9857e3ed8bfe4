"""xgboost's tree boosters as ONNX: float32 throughout, and added in xgboost's order, as xgboost does."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlneuron_runtime.acceleration.forests import FLOAT, classified
from mlneuron_runtime.acceleration.graph import INPUT, OwnGraph, Sink, Skl2onnxGraph, cast
from mlneuron_runtime.acceleration.trees import NotConvertible, Tree, sums

Link = Callable[[np.float32], np.float32]


def logit(share: np.float32) -> np.float32:
    return np.float32(-np.log(np.float32(1) / share - np.float32(1)))


def same(number: np.float32) -> np.float32:
    return number


LINKS: Mapping[str, tuple[Link, str | None]] = {
    "binary:logistic": (logit, "Sigmoid"), "reg:logistic": (logit, "Sigmoid"), "binary:logitraw": (same, None),
    "binary:hinge": (same, "hinge"), "multi:softprob": (same, "Softmax"), "multi:softmax": (same, "Softmax"),
    "reg:squarederror": (same, None), "reg:absoluteerror": (same, None), "reg:pseudohubererror": (same, None),
    "reg:squaredlogerror": (same, None), "reg:quantileerror": (same, None), "rank:pairwise": (same, None),
    "rank:ndcg": (same, None), "rank:map": (same, None), "count:poisson": (np.log, "Exp"),
    "reg:gamma": (np.log, "Exp"), "reg:tweedie": (np.log, "Exp"),
}  # fmt: skip
"""By objective: from the base score, as the model tells it, to the margin; and from margins to answers."""


def whole(booster: Any, iterations: int, margin: bool) -> Any:
    """The ModelProto of a booster's first `iterations` (0: all), of its margins or of its answers, for rows of
    float32.
    """
    graph = OwnGraph()
    learner = learner_of(booster, iterations)
    output = margins(graph, INPUT, learner)
    if not margin:
        output = link(graph, output, learner)
    return graph.model(int(booster.num_features()), output)


def wrapped_classifier(scope: Any, operator: Any, container: Any) -> None:
    """XGBClassifier, for skl2onnx."""
    graph = Skl2onnxGraph(scope, container)
    raw, learner = wrapped(graph, operator)
    if learner["objective"]["name"] not in {"binary:logistic", "multi:softprob"}:
        raise NotConvertible(f"the objective {learner['objective']['name']} of a classifier is not known")
    shares = link(graph, raw, learner)
    if learner["objective"]["name"] == "binary:logistic":
        first = graph.node("Sub", [graph.constant(np.ones(1, np.float32)), shares])[0]
        shares = graph.node("Concat", [first, shares], axis=1)[0]
    classified(graph, operator, graph.node("ArgMax", [shares], axis=1, keepdims=0)[0], shares)


def wrapped_regressor(scope: Any, operator: Any, container: Any) -> None:
    """XGBRegressor, for skl2onnx."""
    graph = Skl2onnxGraph(scope, container)
    raw, learner = wrapped(graph, operator)
    graph.named("Cast", [link(graph, raw, learner)], [operator.outputs[0].full_name], to=FLOAT)


def wrapped(graph: Skl2onnxGraph, operator: Any) -> tuple[str, dict[str, Any]]:
    """The margins of a wrapper's booster, and the booster's learner."""
    estimator = operator.raw_operator
    if not math.isnan(estimator.missing):
        raise NotConvertible(f"it takes {estimator.missing} for a missing value")
    booster = estimator.get_booster()
    best = booster.attr("best_iteration")
    learner = learner_of(booster, 0 if best is None else int(best) + 1)
    return margins(graph, cast(graph, operator.inputs[0].full_name, FLOAT), learner), learner


def learner_of(booster: Any, iterations: int) -> dict[str, Any]:
    """xgboost's own JSON of the model."""
    part = booster[:iterations] if iterations else booster
    learner: dict[str, Any] = json.loads(part.save_raw("json"))["learner"]
    return learner


def margins(sink: Sink, x: str, learner: Mapping[str, Any]) -> str:
    """The name of the (rows, targets) sums of base score and trees."""
    if learner["gradient_booster"]["name"] != "gbtree":
        raise NotConvertible(f"it is a {learner['gradient_booster']['name']} booster")
    objective = learner["objective"]["name"]
    if objective not in LINKS:
        raise NotConvertible(f"the objective {objective} is not known")
    model = learner["gradient_booster"]["model"]
    trees = [tree_of(tree, target) for tree, target in zip(model["trees"], model["tree_info"], strict=True)]
    targets = max(int(learner["learner_model_param"][key]) for key in ("num_class", "num_target"))
    base = base_margins(learner["learner_model_param"]["base_score"], LINKS[objective][0], max(targets, 1))
    return sums(sink, x, with_base(trees, base), len(base), np.float32, "BRANCH_LT")


def link(sink: Sink, raw: str, learner: Mapping[str, Any]) -> str:
    """From margins to what the booster answers."""
    operation = LINKS[learner["objective"]["name"]][1]
    if operation is None:
        return raw
    if operation == "hinge":
        positive = sink.node("Greater", [raw, sink.constant(np.zeros(1, np.float32))])[0]
        return cast(sink, positive, FLOAT)
    axis: dict[str, Any] = {"axis": 1} if operation == "Softmax" else {}
    return sink.node(operation, [raw], **axis)[0]


def tree_of(tree: Mapping[str, Any], target: int) -> Tree:
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise NotConvertible("its leaves hold several targets")
    if any(tree["split_type"]):
        raise NotConvertible("it splits by categories")
    left, right = (np.array(tree[side], np.int64) for side in ("left_children", "right_children"))
    conditions = np.array(tree["split_conditions"], np.float32)
    feature, missing_left = (np.array(tree[key], np.int64) for key in ("split_indices", "default_left"))
    return Tree(feature, conditions, left, right, missing_left, conditions.reshape(-1, 1), target)


def base_margins(told: str, to_margin: Link, targets: int) -> list[np.float32]:
    """One a target; older versions tell one number for all."""
    listed = json.loads(told.replace("E", "e"))
    numbers = listed if isinstance(listed, list) else [listed]
    if len(numbers) == 1:
        numbers = numbers * targets
    return [to_margin(np.float32(number)) for number in numbers]


def with_base(trees: list[Tree], base: list[np.float32]) -> list[Tree]:
    """The trees, the first of each target with the base score in its leaves: the sum begins with it."""
    seen: set[int] = set()
    begun = []
    for tree in trees:
        first = tree.target not in seen
        seen.add(tree.target)
        weights = tree.weights + base[tree.target] if first else tree.weights
        begun.append(replace(tree, weights=weights))
    if len(seen) != len(base):
        raise NotConvertible("a target has no tree")
    return begun
