"""From a loaded model to ONNX: what may answer as it does, and how its outputs are to be read."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mlneuron_runtime.acceleration import boosters, forests, linear, steps
from mlneuron_runtime.acceleration.graph import INPUT, OPSETS
from mlneuron_runtime.acceleration.store import Kind, Library
from mlneuron_runtime.acceleration.trees import NotConvertible
from mlneuron_runtime.models.base import Model
from mlneuron_runtime.models.predictors import BY_SIGN, final_step, is_shipped, predicts_most_probable
from mlneuron_runtime.models.sklearn import SklearnModel
from mlneuron_runtime.models.xgboost import BoosterModel
from mlneuron_runtime.signature import Matrix

FLOAT32, FLOAT64 = "float32", "float64"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine that may do. It takes rows of the numpy dtype `input`; `kind` says how to read its outputs, `classes`
    what its labels are, `library` what runs it.
    """

    content: bytes
    input: str
    kind: Kind
    classes: Any = None
    objective: str | None = None
    library: Library = "onnxruntime"


def candidates(model: Model) -> list[Callable[[], Candidate]]:
    """From the fastest to the most exact, each made when it is called; that raises NotConvertible, and whatever the
    converting libraries raise.
    """
    if type(model.signature) is not Matrix or model.signature.features is None:
        raise NotConvertible("it does not take rows of a known number of numbers")
    if isinstance(model, BoosterModel):
        return [lambda: booster(model)]
    if isinstance(model, SklearnModel):
        return estimators(model, model.signature.features)
    raise NotConvertible(f"a {model.type} has no converter")


def booster(model: BoosterModel) -> Candidate:
    margin = model.objective == "multi:softmax"
    onnx = boosters.whole(model.booster, model._iterations[1], margin)
    return Candidate(onnx.SerializeToString(deterministic=True), FLOAT32, "objective", objective=model.objective)


def estimators(model: SklearnModel, width: int) -> list[Callable[[], Candidate]]:
    """Estimators and pipelines, by skl2onnx and the converters of this package."""
    estimator = searched(model.estimator)
    check_shipped(estimator)
    register()
    kind, classes = reading(estimator)

    def made(dtype: str) -> Candidate:
        return Candidate(converted(estimator, width, dtype, kind), dtype, kind, classes)

    found = linear.arrays_of(estimator)
    if found is not None:
        return [lambda: Candidate(found.content(), FLOAT64, kind, classes, library="numpy"), partial(made, FLOAT64)]
    return [partial(made, FLOAT32), partial(made, FLOAT64)]


def searched(estimator: Any) -> Any:
    """What a fitted search predicts with."""
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    return estimator


def check_shipped(estimator: Any) -> None:
    """A user's class may do anything; and a class of a library is told to skl2onnx by its name."""
    for part in (step for _, step in getattr(estimator, "steps", [("", estimator)])):
        if part not in (None, "passthrough") and not is_shipped(part):
            raise NotConvertible(f"{type(part).__module__}.{type(part).__name__} has no converter")


def reading(estimator: Any) -> tuple[Kind, Any]:
    """How the outputs of the converted estimator are read, and the classes that its labels name."""
    final, classes = final_step(estimator), getattr(estimator, "classes_", None)
    kind = getattr(getattr(estimator, "__sklearn_tags__", lambda: None)(), "estimator_type", None)
    if kind == "outlier_detector":
        return "signs" if type(final).__name__ in BY_SIGN else "labels", np.array([-1, 1])
    if kind != "classifier":
        return "numbers", None
    if not isinstance(classes, np.ndarray):
        raise NotConvertible(f"{type(final).__name__} predicts several outputs")
    if not hasattr(estimator, "predict_proba"):
        return "labels", classes
    if not predicts_most_probable(final) or (type(final).__name__ in forests.FORESTS and not forests.counts(final)):
        return "both", classes
    return "probabilities", classes


def converted(estimator: Any, width: int, dtype: str, kind: Kind) -> bytes:
    """The ONNX bytes: of the outputs only those that are read."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
    from skl2onnx.helpers.onnx_helper import select_model_inputs_outputs

    tensor = FloatTensorType if dtype == FLOAT32 else DoubleTensorType
    options = {id(estimator): {"zipmap": False}} if kind in {"probabilities", "both"} else None
    onnx = convert_sklearn(
        estimator, "engine", initial_types=[(INPUT, tensor([None, width]))], target_opset=dict(OPSETS), options=options
    )
    names = [output.name for output in onnx.graph.output]
    wanted = {"probabilities": names[1:2], "signs": names[1:2], "both": names[:2]}.get(kind, names[:1])
    if wanted != names:
        onnx = select_model_inputs_outputs(onnx, outputs=wanted)
    return serialised(onnx)


def serialised(onnx: Any) -> bytes:
    """The same bytes for the same model: skl2onnx names the opsets in any order, and some twice."""
    from onnx.helper import make_opsetid

    opsets = sorted({(opset.domain, opset.version) for opset in onnx.opset_import})
    del onnx.opset_import[:]
    onnx.opset_import.extend(make_opsetid(domain, version) for domain, version in opsets)
    told: bytes = onnx.SerializeToString(deterministic=True)
    return told


def register() -> None:
    """Put this package's converters in the place of skl2onnx's, for this process."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common._registration import register_converter
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )
    from sklearn import linear_model

    options = {"zipmap": [True, False, "columns"], "raw_scores": [False], "nocl": [True, False]}
    more = {"output_class_labels": [False, True], "score_samples": [False], **options}
    unused = {"decision_path": [False], "decision_leaf": [False], **more}
    for name, converter in forests.CONVERTERS.items():
        register_converter(f"Sklearn{name}", converter, overwrite=True, options=unused)
    for name, converter in steps.CONVERTERS.items():
        scored = {**unused, "raw_scores": [True, False]}
        register_converter(f"Sklearn{name}", converter, overwrite=True, options=scored)
    for name in steps.LINEAR:
        update_registered_converter(
            getattr(linear_model, name), name, calculate_linear_classifier_output_shapes, steps.linear_labels,
            options=options,
        )  # fmt: skip
    try:
        import xgboost
    except ModuleNotFoundError:
        return
    for kind in (xgboost.XGBClassifier, xgboost.XGBRFClassifier):
        update_registered_converter(
            kind, kind.__name__, calculate_linear_classifier_output_shapes, boosters.wrapped_classifier, options=options
        )
    for kind in (xgboost.XGBRegressor, xgboost.XGBRFRegressor):
        update_registered_converter(
            kind, kind.__name__, calculate_linear_regressor_output_shapes, boosters.wrapped_regressor
        )
