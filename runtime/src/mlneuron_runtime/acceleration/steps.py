"""Estimators that skl2onnx makes in float32 only, or wrongly in float64."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mlneuron_runtime.acceleration.forests import DOUBLE, answered, classified
from mlneuron_runtime.acceleration.graph import Skl2onnxGraph, cast


def linear_labels(scope: Any, operator: Any, container: Any) -> None:
    """Linear classifiers without probabilities."""
    graph, estimator = Skl2onnxGraph(scope, container), operator.raw_operator
    x = cast(graph, operator.inputs[0].full_name, DOUBLE)
    coefficients, intercept = np.atleast_2d(estimator.coef_), np.reshape(estimator.intercept_, (1, -1))
    product = graph.node("MatMul", [x, graph.constant(coefficients.T.astype(np.float64))])[0]
    raw = graph.node("Add", [product, graph.constant(intercept.astype(np.float64))])[0]
    if len(coefficients) == 1:
        raw = graph.node("Concat", [graph.node("Neg", [raw])[0], raw], axis=1)[0]
    classified(graph, operator, graph.node("ArgMax", [raw], axis=1, keepdims=0)[0], raw)


def polynomial(scope: Any, operator: Any, container: Any) -> None:
    """Products of as many columns as the degree; a column of ones stands for a factor that is not there."""
    graph, estimator = Skl2onnxGraph(scope, container), operator.raw_operator
    x = cast(graph, operator.inputs[0].full_name, DOUBLE)
    powers = estimator.powers_
    degree = int(powers.sum(axis=1).max())
    places = np.full((len(powers), degree), powers.shape[1])
    for row, exponents in enumerate(powers):
        factors = np.repeat(np.arange(len(exponents)), exponents)
        places[row, : len(factors)] = factors
    ones = graph.node("Mul", [column(graph, x, np.array([0])), graph.constant(np.zeros(1))])[0]
    ones = graph.node("Add", [ones, graph.constant(np.ones(1))])[0]
    widened = graph.node("Concat", [x, ones], axis=1)[0]
    product = column(graph, widened, places[:, 0])
    for factor in range(1, degree):
        product = graph.node("Mul", [product, column(graph, widened, places[:, factor])])[0]
    answered(graph, operator, 0, product)


def column(graph: Skl2onnxGraph, x: str, places: Any) -> str:
    return graph.node("Gather", [x, graph.constant(places.astype(np.int64))], axis=1)[0]


CONVERTERS: Mapping[str, Callable[[Any, Any, Any], None]] = {
    "LinearSVC": linear_labels, "PolynomialFeatures": polynomial,
}  # fmt: skip
"""By the estimator's class."""

LINEAR = ("RidgeClassifier", "RidgeClassifierCV", "Perceptron")
"""Linear classifiers without probabilities, to which skl2onnx gives the converter of others."""
