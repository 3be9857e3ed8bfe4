"""scikit-learn models in skops files, which hold data and the names of types: only types that skops trusts are made,
so reading one runs no code of the file's.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlneuron_runtime.failure import Fatal, Reason, first_line
from mlneuron_runtime.models.base import Warned
from mlneuron_runtime.models.libraries import missing_module, required
from mlneuron_runtime.models.pickles import told


def read(path: Path, image: str, trusted: Sequence[str] = ()) -> tuple[Any, tuple[Warned, ...]]:
    """The estimator, and a version skew as a warning; Fatal names the types that are not trusted. `trusted` are types
    that are, beside skops' own.
    """
    io = required("skops.io", "sklearn", image)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            unknown = sorted(set(io.get_untrusted_types(file=path)) - set(trusted))
            if unknown:
                raise distrusted(unknown)
            held = io.load(path, trusted=list(trusted))
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
    return Fatal(
        Reason.MODEL_LOAD_FAILED,
        f"spec.model.uri: the artifact holds types that skops does not trust ({', '.join(types)}); save a model of "
        "scikit-learn's own types, or, if you trust where it comes from, pickle it and pin spec.model.sha256",
    )
