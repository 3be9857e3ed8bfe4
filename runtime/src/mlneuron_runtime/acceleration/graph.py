"""Where converters put ONNX nodes: into a graph of their own, or into one that skl2onnx is making."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

ML = "ai.onnx.ml"

OPSETS = {"": 21, ML: 3}
"""ai.onnx.ml 3 is the one that has trees with double thresholds and several weights a leaf."""

INPUT = "features"


class Sink(Protocol):
    """Takes nodes; names are its own business."""

    def node(self, op: str, inputs: list[str], outputs: int = 1, domain: str = "", **attributes: Any) -> list[str]:
        """Add a node; returns its outputs' names."""
        ...

    def constant(self, values: NDArray[Any]) -> str: ...


class OwnGraph:
    """A whole model of one input, float32."""

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy_helper = helper, numpy_helper
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._count = 0

    def node(self, op: str, inputs: list[str], outputs: int = 1, domain: str = "", **attributes: Any) -> list[str]:
        names = [self._name() for _ in range(outputs)]
        self._nodes.append(self._helper.make_node(op, inputs, names, name=self._name(), domain=domain, **attributes))
        return names

    def constant(self, values: NDArray[Any]) -> str:
        name = self._name()
        self._constants.append(self._numpy_helper.from_array(values, name))
        return name

    def model(self, features: int, output: str) -> Any:
        """The ModelProto, whose output is of float32 and any shape."""
        helper, float32 = self._helper, 1
        graph = helper.make_graph(
            self._nodes,
            "engine",
            [helper.make_tensor_value_info(INPUT, float32, [None, features])],
            [helper.make_tensor_value_info(output, float32, None)],
            self._constants,
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="mlneuron-runtime")

    def _name(self) -> str:
        self._count += 1
        return f"v{self._count}"


class Skl2onnxGraph:
    """The part of one estimator in skl2onnx's container."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope, self._container = scope, container

    def node(self, op: str, inputs: list[str], outputs: int = 1, domain: str = "", **attributes: Any) -> list[str]:
        names = [self._scope.get_unique_variable_name("v") for _ in range(outputs)]
        self.named(op, inputs, names, domain, **attributes)
        return names

    def named(self, op: str, inputs: list[str], outputs: list[str], domain: str = "", **attributes: Any) -> None:
        """A node whose outputs have names already."""
        self._container.add_node(
            op, inputs, outputs, op_domain=domain, op_version=OPSETS[domain],
            name=self._scope.get_unique_operator_name(op), **attributes,
        )  # fmt: skip

    def constant(self, values: NDArray[Any]) -> str:
        from onnx import helper

        name: str = self._scope.get_unique_variable_name("c")
        kind = helper.np_dtype_to_tensor_dtype(values.dtype)
        self._container.add_initializer(name, kind, list(values.shape), np.ravel(values).tolist())
        return name


def cast(sink: Sink, name: str, to: int) -> str:
    """To an ONNX element type (1: float32, 11: float64)."""
    return sink.node("Cast", [name], to=to)[0]
