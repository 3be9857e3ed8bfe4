"""Models in joblib and pickle files. Reading one runs its code, so its digest is checked before."""

import warnings
from pathlib import Path
from typing import Any

import structlog

from mlneuron_runtime.failure import Fatal, Reason, first_line
from mlneuron_runtime.models import artifact
from mlneuron_runtime.models.base import Warned
from mlneuron_runtime.models.libraries import missing_module, required, skew

log = structlog.get_logger()


def unpickle(path: Path, image: str) -> tuple[Any, tuple[Warned, ...]]:
    """What a joblib or pickle file holds, and a version skew as a warning; Fatal names a missing module."""
    joblib = required("joblib", "sklearn", image)
    required("sklearn", "sklearn", image)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            held = joblib.load(path)
    except ModuleNotFoundError as error:
        raise missing_module(error, image) from error
    except Exception as error:  # unpickling runs the artifact's code, which may raise anything
        raise Fatal(
            Reason.MODEL_LOAD_FAILED,
            f"spec.model.uri: the artifact cannot be unpickled ({first_line(error)}); it looks like "
            f"{artifact.describe(path)}: save a fitted estimator with joblib.dump, from classes that "
            f"{image} has, or "
            "correct spec.model.framework",
        ) from error
    return held, told(caught)


def told(caught: list[warnings.WarningMessage]) -> tuple[Warned, ...]:
    """Of the warnings of a load: the version skews, once each; the others are logged."""
    skews: dict[str, tuple[Warned, ...]] = {}
    for item in {str(item.message): item for item in caught}.values():
        trained_with = getattr(item.message, "original_sklearn_version", None)
        if trained_with is None:
            log.warning("model load warning", category=item.category.__name__, warning=str(item.message))
        elif trained_with not in skews:
            serving_with = str(getattr(item.message, "current_sklearn_version", None))
            estimator = getattr(item.message, "estimator_name", None)
            skews[trained_with] = skew("scikit-learn", trained_with, serving_with, estimator=estimator)
    return tuple(warned for found in skews.values() for warned in found)
