"""Small data that every kind of model is trained on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest


@dataclass
class Data:
    """Rows, and targets of several kinds for them."""

    rows: Any
    binary: Any
    three: Any
    words: Any
    number: Any


@pytest.fixture(scope="session")
def data() -> Data:
    rows = np.random.default_rng(7).normal(size=(120, 4))
    three = np.digitize(rows[:, 0] + rows[:, 1], [-0.7, 0.7])
    words = np.array(["setosa", "versicolor", "virginica"])[three]
    return Data(rows, (rows[:, 0] > 0).astype(int), three, words, rows @ [1.0, -2.0, 0.5, 3.0])
