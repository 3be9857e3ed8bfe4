"""How rows reach a fitted estimator: as the matrix they are, as a pandas frame with its columns' names, or as texts."""

import importlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mlneuron_runtime.models import columns
from mlneuron_runtime.models.columns import NUMBER, Fact
from mlneuron_runtime.signature import Column, Declared, Matrix, Signature, Table, settled
from mlneuron_runtime.signature.declared import FIELD, is_column, of_declared
from mlneuron_runtime.signature.values import NUMBERS, TEXT, texts
from mlneuron_runtime.tensors import Array, Inputs, rows_of

Arrange = Callable[[Inputs], Any]
"""Makes of the signature's inputs what the estimator's methods take."""


def layout(estimator: Any, declared: Declared, by: str = FIELD) -> tuple[Signature, Arrange]:
    """What the estimator takes, and how. Fatal where it contradicts what is declared."""
    if columns.reads_texts(estimator):
        return settled(Table((Column(text_name(declared), TEXT),)), declared, by), only
    names = getattr(estimator, "feature_names_in_", None)
    width = getattr(estimator, "n_features_in_", None)
    if names is None and width is None:
        return _unsaid(declared)
    own = None if names is None else tuple(map(str, names))
    labels = own or tuple(f"x{place}" for place in range(int(width or 0)))
    known = completed(columns.facts(estimator, labels), declared)
    by_name = own is not None and columns.reads_frames(estimator)
    if is_mixed(known, labels, by_name):
        table = Table(
            tuple(Column(name, fact.datatype or NUMBER, fact.nullable, fact.choices) for name, fact in known.items()),
            frozenset(labels) - known.keys(),
        )
        return settled(table, declared, by), framed(known) if own else stacked
    matrix = Matrix(len(labels), own, nullable=bool(known) and all(fact.nullable for fact in known.values()))
    frames = own is not None and (by_name or fails_on_plain_rows(estimator, own))
    return settled(matrix, declared, by), with_names(own or ()) if frames else only


def text_name(declared: Declared) -> str:
    return declared[0].name if len(declared) == 1 and declared[0].name else "text"


def _unsaid(declared: Declared) -> tuple[Signature, Arrange]:
    """Of an estimator that tells nothing of its columns."""
    signature = of_declared(declared) if declared else Matrix(None)
    if isinstance(signature, Table):
        return signature, framed({column.name: Fact(column.datatype) for column in signature.columns})
    return signature, only


def completed(known: Mapping[str, Fact], declared: Declared) -> dict[str, Fact]:
    """What is declared tells the kind of a column that the estimator does not."""
    said = {spec.name: spec.datatype for spec in declared if is_column(spec) and spec.datatype not in NUMBERS}
    return {
        name: fact if fact.datatype is not None or name not in said else Fact(said[name], fact.nullable, fact.filled)
        for name, fact in known.items()
    }


def is_mixed(known: Mapping[str, Fact], labels: Sequence[str], by_name: bool) -> bool:
    """Whether the columns need a table: they are not all numbers; or they are picked by name and not all alike."""
    if any(fact.datatype not in (None, NUMBER) for fact in known.values()):
        return True
    unlike = len({fact.nullable for fact in known.values()}) > 1 or any(fact.choices for fact in known.values())
    return by_name and (unlike or len(known) < len(labels))


def fails_on_plain_rows(estimator: Any, names: Sequence[str]) -> bool:
    """Whether the estimator answers a frame, and not the same row without names."""
    row = np.full((1, len(names)), 1.0)
    return not answers(estimator, row) and answers(estimator, with_names(names)((row,)))


def answers(estimator: Any, rows: Any) -> bool:
    ask = getattr(estimator, "predict", None) or estimator.transform
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ask(rows)
    except Exception:  # an estimator may refuse a row in any way it likes
        return False
    return True


def only(inputs: Inputs) -> Any:
    """The one array that there is."""
    return inputs[0]


def stacked(inputs: Inputs) -> Any:
    """(rows, columns) of objects, of an estimator that was fitted on such."""
    made = np.empty((rows_of(inputs), len(inputs)), dtype=object)
    for place, column in enumerate(inputs):
        made[:, place] = column
    return made


def with_names(names: Sequence[str]) -> Arrange:
    """A frame of numbers."""
    pandas = importlib.import_module("pandas")
    index = pandas.Index(names)
    return lambda inputs: pandas.DataFrame(inputs[0], columns=index, copy=False)


def framed(known: Mapping[str, Fact]) -> Arrange:
    """A frame of mixed columns; texts stay objects, so that a missing one stays None or NaN, as the fit saw it."""
    pandas = importlib.import_module("pandas")
    names = list(known)
    gaps = {place: fact.missing for place, fact in enumerate(known.values()) if fact.missing is not None}

    def arrange(inputs: Inputs) -> Any:
        filled = [
            pandas.Series(with_gaps(column, gaps.get(place)), dtype=object) if column.dtype == object else column
            for place, column in enumerate(inputs)
        ]
        return pandas.DataFrame(dict(zip(names, filled, strict=True)), copy=False)

    return arrange


def with_gaps(column: Array, missing: float | None) -> Array:
    """The texts, with what the model calls a missing one for None."""
    if missing is None or None not in column.tolist():
        return column
    return texts([missing if value is None else value for value in column.tolist()])
