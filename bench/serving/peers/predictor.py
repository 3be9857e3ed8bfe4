"""What a peer that serves code calls: rows to classes, by the fastest call that the model's own library has.

Runs in the peers' environments, so it imports a library only where the model needs it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

Predictor = Callable[[Sequence[Sequence[float]]], list[int]]


def load(path: Path) -> Predictor:
    """The model in a file, by its extension."""
    return _booster(path) if path.suffix == ".ubj" else _estimator(path)


def _estimator(path: Path) -> Predictor:
    import joblib

    model = joblib.load(path)

    def predict(rows: Sequence[Sequence[float]]) -> list[int]:
        classes: list[int] = model.predict(np.asarray(rows)).tolist()
        return classes

    return predict


def _booster(path: Path) -> Predictor:
    import xgboost

    booster = xgboost.Booster(model_file=path)

    def predict(rows: Sequence[Sequence[float]]) -> list[int]:
        probabilities = booster.inplace_predict(np.asarray(rows, dtype=np.float32))
        classes: list[int] = (probabilities > 0.5).astype(int).tolist()
        return classes

    return predict
