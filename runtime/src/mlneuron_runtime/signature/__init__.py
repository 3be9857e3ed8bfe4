"""What models take: one module a kind of signature. Pure."""

from mlneuron_runtime.signature.base import MAX_ROWS, Rows, Signature
from mlneuron_runtime.signature.declared import Declared, settled
from mlneuron_runtime.signature.matrix import Matrix
from mlneuron_runtime.signature.sample import sample
from mlneuron_runtime.signature.table import Column, Table
from mlneuron_runtime.signature.tensors import Tensors

__all__ = ["MAX_ROWS", "Column", "Declared", "Matrix", "Rows", "Signature", "Table", "Tensors", "sample", "settled"]
