"""What a model takes, as the data plane and the transports know it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mlneuron_runtime.errors import InvalidInput, TooManyRows
from mlneuron_runtime.tensors import Inputs, Tensor, TensorSpec

MAX_ROWS = 10_000
"""Rows in one request: bounds the answer, which is several times larger than the narrowest rows that ask for
it.
"""

MAX_FEATURES = 1_000_000
"""Numbers in one row, where the model does not say how many it takes."""

KINDS: Mapping[type, str] = {
    str: "a string", bool: "a boolean", int: "a number", float: "a number",
    list: "an array", dict: "an object", type(None): "null",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one request that fit the signature, and what is wrong with the others.

    `inputs` hold the good rows; `positions` are their places in the request, `faults` the others'.
    """

    inputs: Inputs
    total: int
    positions: Sequence[int]
    faults: Mapping[int, InvalidInput] = field(default_factory=dict)


class Signature(Protocol):
    """Turns what callers send into the arrays that the model takes, or says what is wrong with it."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """For the protocol's metadata."""
        ...

    @property
    def features(self) -> int | None:
        """How many values a row has; None where the model does not say."""
        ...

    @property
    def names(self) -> tuple[str, ...] | None:
        """The columns' names, where the model knows them."""
        ...

    def row(self, features: object, field: str = "features") -> Inputs:
        """One row of JSON, or InvalidInput that names the field and the mend."""
        ...

    def rows(self, batch: object, field: str = "batch_features") -> Rows:
        """Many rows of JSON; a bad one is told in `faults`, and only a batch that is none raises."""
        ...

    def tensors(self, given: Sequence[Tensor]) -> Inputs:
        """The rows of named tensors, all of them good; raises InvalidInput."""
        ...

    def example(self, probe: float) -> Inputs | None:
        """One row to warm the model with, of a number throughout; None where no row is known to fit."""
        ...


def kind(value: object) -> str:
    """The JSON type of a value, with its article."""
    return KINDS[type(value)]


def check_batch(batch: object, field: str, wanted: str) -> list[object]:
    """The batch, if it is an array of 1 to MAX_ROWS entries."""
    if not isinstance(batch, list):
        raise InvalidInput(field, f"{field} is {kind(batch)}; send an array of rows, each {wanted}", batch)
    if not batch:
        raise InvalidInput(field, f"{field} is empty; send at least one row, each {wanted}")
    check_rows(len(batch), field)
    return batch


def check_rows(rows: int, field: str) -> None:
    """Raise for more rows than one request may hold."""
    if rows > MAX_ROWS:
        raise TooManyRows(field, f"{field} has {rows} rows; send at most {MAX_ROWS} in one request")
