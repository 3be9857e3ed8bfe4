"""scikit-learn models in skops files, which hold data and the names of types: only types that are trusted are made, so
reading one runs no code of the file's.

skops trusts scikit-learn's estimators, but not the arrays of its trees: a tree whose children lie outside ends the
process that walks it. Who pins the file vouches for it, and then those libraries' own types are trusted too.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlneuron_runtime.failure import Fatal, Reason, first_line
from mlneuron_runtime.models.base import Warned
from mlneuron_runtime.models.libraries import missing_module, required
from mlneuron_runtime.models.pickles import told

OWN = ("sklearn.", "xgboost.", "numpy.", "scipy.")
"""The libraries whose types a pinned file may hold."""


def read(path: Path, image: str, pinned: bool) -> tuple[Any, tuple[Warned, ...]]:
    """The estimator, and a version skew as a warning; Fatal names the types that are not trusted."""
    io = required("skops.io", "sklearn", image)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            unknown = sorted(io.get_untrusted_types(file=path))
            refused = [name for name in unknown if not (pinned and name.startswith(OWN))]
            if refused:
                raise distrusted(refused)
            held = io.load(path, trusted=unknown)
    except Fatal:
        raise
    except ModuleNotFoundError as error:
        raise missing_module(error, image) from error
    except Exception as error:  # whatever a file that is no skops file, or a newer one, makes of its reader
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: skops cannot read the artifact ({first_line(error)}); save it again with skops.io.dump, "
            "with library versions that the image has",
        ) from error
    return held, told(caught)


def distrusted(types: Sequence[str]) -> Fatal:
    mend = (
        "if you trust where the file comes from, pin it by spec.model.sha256; or save the model as ONNX"
        if all(name.startswith(OWN) for name in types)
        else "save a model of scikit-learn's own types; or, if you trust where it comes from, pickle it and pin "
        "spec.model.sha256"
    )
    return Fatal(
        Reason.MODEL_LOAD_FAILED,
        f"spec.model.uri: the artifact holds types that skops does not trust ({', '.join(types)}); {mend}",
    )
