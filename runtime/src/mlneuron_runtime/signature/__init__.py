"""What models take: one module a kind of signature. Pure."""

from mlneuron_runtime.signature.base import MAX_ROWS, Rows, Signature
from mlneuron_runtime.signature.matrix import Matrix

__all__ = ["MAX_ROWS", "Matrix", "Rows", "Signature"]
