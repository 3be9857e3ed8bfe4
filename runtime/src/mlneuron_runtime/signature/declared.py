"""The inputs that a manifest or an MLmodel declares, against what the artifact itself says it takes.

Where the artifact says nothing, what is declared is the signature. Where it says less (no names, a dimension that may
be any), what is declared completes it. Where the two contradict each other, nobody should be served: Fatal.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.signature.base import Signature
from mlneuron_runtime.signature.matrix import INPUT, Matrix
from mlneuron_runtime.signature.table import Column, Table
from mlneuron_runtime.signature.tensors import Tensors
from mlneuron_runtime.signature.values import NUMBERS, WHOLES
from mlneuron_runtime.tensors import TensorSpec

Declared = tuple[TensorSpec, ...]

FIELD = "spec.model.inputs"

SHOWN = 12
"""So many inputs of each side are told."""


def settled(found: Signature | None, declared: Declared, by: str = FIELD) -> Signature:
    """What a model takes; `found` is what its artifact says, None where it says nothing. Raises Fatal."""
    if found is None:
        return of_declared(declared) if declared else Matrix(None)
    if not declared:
        return found
    if isinstance(found, Matrix):
        return _matrix(found, declared, by)
    if isinstance(found, Table):
        return _table(found, declared, by)
    assert isinstance(found, Tensors)  # noqa: S101  # there is no other kind
    return _tensors(found, declared, by)


def of_declared(declared: Declared) -> Signature:
    """The signature that the inputs describe: numbers are a matrix, other columns a table, all else tensors."""
    if all(map(is_column, declared)):
        if all(spec.datatype in NUMBERS for spec in declared):
            return Matrix(len(declared), names_of(declared), whole=wholes(declared))
        return Table(tuple(Column(spec.name, spec.datatype) for spec in declared))
    if is_matrix(declared):
        return _of_rows(Matrix(None), declared[0])
    return Tensors(declared)


def is_column(spec: TensorSpec) -> bool:
    """Whether it is one value a row."""
    return spec.shape in {(), (1,)}


def is_matrix(declared: Declared) -> bool:
    """Whether it is one input that holds whole rows of numbers."""
    return len(declared) == 1 and len(declared[0].shape) == 1 and declared[0].datatype in NUMBERS


def names_of(declared: Declared) -> tuple[str, ...] | None:
    """None where they have none, as the columns of an MLmodel may."""
    names = tuple(spec.name for spec in declared)
    return names if all(names) else None


def wholes(declared: Declared) -> tuple[int, ...]:
    return tuple(place for place, spec in enumerate(declared) if spec.datatype in WHOLES)


def _of_rows(found: Matrix, spec: TensorSpec) -> Matrix:
    """A matrix as one declared input describes it."""
    features = found.features if found.features is not None else spec.shape[0]
    whole = tuple(range(features or 0)) if spec.datatype in WHOLES else ()
    return replace(found, features=features, whole=whole, input=spec.name or INPUT, datatype=spec.datatype)


def _matrix(found: Matrix, declared: Declared, by: str) -> Signature:
    if is_matrix(declared) and not (is_column(declared[0]) and found.names):
        if found.features is not None and declared[0].shape[0] not in (None, found.features):
            mismatch(found, declared, by)
        return _of_rows(found, declared[0])
    numbers = all(is_column(spec) and spec.datatype in NUMBERS | {"BOOL"} for spec in declared)
    if not numbers or found.features not in (None, len(declared)):
        mismatch(found, declared, by)
    names = names_of(declared)
    if found.names is not None and names not in (None, found.names):
        mismatch(found, declared, by)
    return replace(found, features=len(declared), names=names or found.names, whole=wholes(declared))


def _table(found: Table, declared: Declared, by: str) -> Table:
    """The declared datatypes are taken over where they are of the column's kind: INT64 for a number."""
    if names_of(declared) is None:
        declared = tuple(
            replace(spec, name=column.name) for spec, column in zip(declared, found.columns, strict=False)
        ) + tuple(declared[len(found.columns) :])
    used = [spec for spec in declared if spec.name not in found.ignored]
    if [spec.name for spec in used] != list(found.names or ()) or not all(map(is_column, used)):
        mismatch(found, declared, by)
    pairs = list(zip(found.columns, used, strict=True))
    if any(kind_of(column.datatype) != kind_of(spec.datatype) for column, spec in pairs):
        mismatch(found, declared, by)
    return replace(found, columns=tuple(_column(column, spec) for column, spec in pairs))


def _column(column: Column, spec: TensorSpec) -> Column:
    """Whole numbers cannot be missing, so a column that may be stays one of floats."""
    return column if column.nullable and spec.datatype in WHOLES else replace(column, datatype=spec.datatype)


def _tensors(found: Tensors, declared: Declared, by: str) -> Tensors:
    if len(found.inputs) != len(declared):
        mismatch(found, declared, by)
    inputs = []
    for spec, said in zip(found.inputs, declared, strict=True):
        same_rank = len(spec.shape) == len(said.shape)
        if said.name not in ("", spec.name) or kind_of(spec.datatype) != kind_of(said.datatype) or not same_rank:
            mismatch(found, declared, by)
        if any(None not in pair and pair[0] != pair[1] for pair in zip(spec.shape, said.shape, strict=True)):
            mismatch(found, declared, by)
        shape = tuple(own if own is not None else other for own, other in zip(spec.shape, said.shape, strict=True))
        inputs.append(replace(spec, shape=shape))
    return Tensors(tuple(inputs))


def kind_of(datatype: str) -> str:
    """Datatypes of one kind can stand for each other."""
    return "number" if datatype in NUMBERS else datatype


def mismatch(found: Signature, declared: Declared, by: str) -> NoReturn:
    """Fatal, naming both sides."""
    raise Fatal(
        Reason.MODEL_SIGNATURE_MISMATCH,
        f"{by}: {listed(declared)} there, but the model takes {taken(found)}{difference(found, declared)}; correct the "
        "inputs, or take the version of the model that has them",
    )


def taken(found: Signature) -> str:
    """What a signature takes, in words."""
    if not isinstance(found, Matrix):
        return listed(found.inputs)
    names = f" ({shortened(found.names)})" if found.names else ""
    return f"{found.features or 'rows of'} numbers{names}"


def listed(specs: Sequence[TensorSpec]) -> str:
    told = [f"{spec.name} {spec.datatype}{'' if is_column(spec) else list(spec.wire_shape)}" for spec in specs]
    return f"{len(specs)} input{'' if len(specs) == 1 else 's'} ({shortened(told)})"


def shortened(told: Sequence[str]) -> str:
    return ", ".join(told[:SHOWN]) + (", …" if len(told) > SHOWN else "")


def difference(found: Signature, declared: Declared) -> str:
    """The first place where the names differ, which a long list hides."""
    names = found.names if not isinstance(found, Tensors) else tuple(spec.name for spec in found.inputs)
    said = names_of(declared)
    if names is None or said is None or not all(map(is_column, declared)):
        return ""
    if sorted(names) == sorted(said) and names != said:
        return " in another order"
    for place, (name, other) in enumerate(zip(names, said, strict=False), start=1):
        if name != other:
            return f" (input {place} is '{other}' there, '{name}' in the model)"
    return ""
