"""Models that take one number of rows only, as they were exported: any number is served in parts, the last one filled
up with its own last row.
"""

from collections.abc import Iterator

import numpy as np

from mlneuron_runtime.tensors import Array, Inputs, cut, rows_of


def parts(inputs: Inputs, size: int) -> Iterator[tuple[Inputs, int]]:
    """Parts of `size` rows, and how many of them were asked for."""
    for start in range(0, rows_of(inputs), size):
        part = cut(inputs, start, start + size)
        rows = rows_of(part)
        yield tuple(filled(array, size - rows) for array in part), rows


def filled(array: Array, rows: int) -> Array:
    return array if rows == 0 else np.concatenate([array, np.repeat(array[-1:], rows, axis=0)])
