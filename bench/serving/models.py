"""The models that every server serves, the inputs, and the answers that are right.

Made once, always the same, under .bench/models: NAME's artifact, `NAME.inputs.npy` (2,000 distinct rows, rounded so
that a row is the same number in every protocol) and `NAME.answers.npy` (class and its probability, by the model
itself).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import xgboost
from numpy.typing import NDArray
from sklearn.datasets import load_iris, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

INPUTS = 2000
BATCH = 1000
"""Rows in a large body."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """An artifact with the inputs that are sent and the answers that are right."""

    name: str
    framework: str
    path: Path

    @cached_property
    def inputs(self) -> Floats:
        """(INPUTS, features)."""
        return np.asarray(np.load(self.path.parent / f"{self.name}.inputs.npy"))

    @cached_property
    def answers(self) -> Floats:
        """(INPUTS, 2): the class and its probability."""
        return np.asarray(np.load(self.path.parent / f"{self.name}.answers.npy"))

    @property
    def features(self) -> int:
        """Numbers in a row."""
        return int(self.inputs.shape[1])


def make(name: str, folder: Path) -> Model:
    """One of MAKERS by name; made unless it is there."""
    framework, file, maker = MAKERS[name]
    model = Model(name, framework, folder / file)
    if not (folder / f"{name}.answers.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        inputs, probabilities = maker(model.path)
        np.save(folder / f"{name}.inputs.npy", inputs)
        answers = np.stack([probabilities.argmax(axis=1), probabilities.max(axis=1)], axis=1).astype(np.float64)
        np.save(folder / f"{name}.answers.npy", answers)
    return model


def _iris(path: Path) -> tuple[Floats, Floats]:
    data, target = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=1000).fit(data, target)
    joblib.dump(model, path)
    drawn = np.random.default_rng(7).uniform(data.min(axis=0), data.max(axis=0), (2 * INPUTS, 4)).round(2)
    inputs = np.unique(drawn, axis=0)
    inputs = np.random.default_rng(8).permutation(inputs)[:INPUTS]
    return inputs, model.predict_proba(inputs)


def _table() -> tuple[Floats, NDArray[np.int64]]:
    data, target = make_classification(INPUTS, 20, n_informative=10, random_state=7)
    return data.round(4), target


def _forest(path: Path) -> tuple[Floats, Floats]:
    inputs, target = _table()
    model = RandomForestClassifier(100, random_state=7).fit(inputs, target)
    joblib.dump(model, path)
    return inputs, model.predict_proba(inputs)


def _xgboost(path: Path) -> tuple[Floats, Floats]:
    inputs, target = _table()
    model = xgboost.XGBClassifier(n_estimators=200, max_depth=6, random_state=7, n_jobs=1).fit(inputs, target)
    model.save_model(path)
    return inputs, model.predict_proba(inputs)


def _torch(path: Path) -> tuple[Floats, Floats]:
    import torch

    torch.manual_seed(7)
    layers = [torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 64), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers, torch.nn.Linear(64, 2)).eval()
    note = json.dumps({"output": "logits", "features": 20})
    script: Any = torch.jit.script(network)
    torch.jit.save(script, path, _extra_files={"mlneuron.json": note})
    inputs, _ = _table()
    with torch.inference_mode():
        logits = network(torch.tensor(inputs, dtype=torch.float32))
    return inputs, np.asarray(torch.softmax(logits, dim=1).numpy(), dtype=np.float64)


MAKERS: dict[str, tuple[str, str, Callable[[Path], tuple[Floats, Floats]]]] = {
    "iris": ("sklearn", "iris.joblib", _iris),
    "forest": ("sklearn", "forest.joblib", _forest),
    "xgboost": ("xgboost", "xgboost.ubj", _xgboost),
    "torch": ("torch", "torch.pt", _torch),
}
