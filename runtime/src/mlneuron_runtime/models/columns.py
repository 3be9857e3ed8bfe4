"""What a fitted estimator tells of its columns: text or number, which values, whether any may be missing.

An encoder keeps the categories that it saw, an imputer what it fills in; pipelines, column transformers and searches
are walked through to them. Everything else takes numbers. scikit-learn's tags say who takes NaN.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlneuron_runtime.signature.values import BOOLEAN, TEXT

NUMBER = "FP64"

WRAPPED = ("best_estimator_", "estimator_", "regressor_")
"""Where searches and the like keep what they fitted."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of a column. `datatype` is None where nothing tells it, `filled` whether what follows sees no
    missing value, `missing` what a missing one has to be in a frame (None or NaN).
    """

    datatype: str | None = None
    nullable: bool = False
    filled: bool = False
    choices: frozenset[Any] | None = None
    missing: float | None = float("nan")


def facts(estimator: Any, names: Sequence[str]) -> dict[str, Fact]:
    """Of the columns that the estimator reads; one that a column transformer drops is not among them."""
    inner = unwrapped(estimator)
    if hasattr(inner, "steps"):
        return _of_pipeline([step for _, step in inner.steps if is_step(step)], names)
    if hasattr(inner, "transformers_"):
        return _of_column_transformer(inner, names)
    if hasattr(inner, "transformer_list"):
        parts = [facts(step, names) for _, step in inner.transformer_list if is_step(step)]
        return _agreed(parts, names)
    if hasattr(inner, "_preprocessor") and hasattr(inner._preprocessor, "transformers_"):
        known = _of_column_transformer(inner._preprocessor, names)  # histogram boosting, of categorical columns
        return {name: replace(fact, nullable=True) for name, fact in known.items()}
    return _of_leaf(inner, names)


def unwrapped(estimator: Any) -> Any:
    """What reads the columns inside of searches, calibrations and ensembles."""
    for name in WRAPPED:
        if hasattr(estimator, name):
            return unwrapped(getattr(estimator, name))
    if hasattr(estimator, "calibrated_classifiers_"):
        return unwrapped(estimator.calibrated_classifiers_[0].estimator)
    members = getattr(estimator, "estimators_", None)
    if isinstance(members, list) and members and any(hasattr(members[0], name) for name in ("steps", "transformers_")):
        return unwrapped(members[0])
    return estimator


def is_step(step: Any) -> bool:
    return step is not None and step != "passthrough" and step != "drop"


def reads_frames(estimator: Any) -> bool:
    """Whether it picks its columns by name, which plain rows have none of."""
    inner = unwrapped(estimator)
    if hasattr(inner, "steps"):
        return any(reads_frames(step) for _, step in inner.steps if is_step(step))
    if hasattr(inner, "transformer_list"):
        return any(reads_frames(step) for _, step in inner.transformer_list if is_step(step))
    return hasattr(inner, "transformers_")


def reads_texts(estimator: Any) -> bool:
    """Whether a row is one text, as the vectorizers take it."""
    inner = unwrapped(estimator)
    if hasattr(inner, "steps"):
        steps = [step for _, step in inner.steps if is_step(step)]
        return bool(steps) and reads_texts(steps[0])
    tags = _tags(inner)
    return tags is not None and bool(tags.string) and not tags.two_d_array


def _of_pipeline(steps: Sequence[Any], names: Sequence[str]) -> dict[str, Fact]:
    """The first step reads the columns. Behind an imputer the next one sees them still, and may know more; a missing
    value must be taken by every step up to the one that fills it.
    """
    if not steps:
        return dict.fromkeys(names, Fact())
    first = facts(steps[0], names)
    if len(steps) == 1:
        return first
    rest = _of_pipeline(steps[1:], names) if is_imputer(steps[0]) else None
    later = all(_takes_missing(step) for step in steps[1:])
    return {
        name: _combined(fact, None if rest is None else rest[name], later)
        for name, fact in first.items()
    }  # fmt: skip


def _combined(fact: Fact, after: Fact | None, later: bool) -> Fact:
    if after is not None:
        fact = replace(fact, datatype=fact.datatype or after.datatype, choices=fact.choices or after.choices)
    return replace(fact, nullable=fact.nullable and (fact.filled or later))


def _of_column_transformer(transformer: Any, names: Sequence[str]) -> dict[str, Fact]:
    known: dict[str, list[Fact]] = {}
    for _, step, chosen in transformer.transformers_:
        if isinstance(step, str) and step == "drop":
            continue
        picked = pick(chosen, names)
        found = facts(step, picked) if is_step(step) else dict.fromkeys(picked, Fact(nullable=True))
        for name, fact in found.items():
            known.setdefault(name, []).append(fact)
    return {name: merged(known[name]) for name in names if name in known}


def pick(chosen: Any, names: Sequence[str]) -> list[str]:
    """The names of columns that are told by name, place, mask or slice."""
    if isinstance(chosen, slice):
        return list(names[chosen]) if not isinstance(chosen.start or chosen.stop, str) else list(names)
    places = np.atleast_1d(np.asarray(chosen))
    if places.dtype == np.bool_:
        return [name for name, kept in zip(names, places, strict=False) if kept]
    return [names[int(place)] if isinstance(place, np.integer) else str(place) for place in places]


def _agreed(parts: Sequence[Mapping[str, Fact]], names: Sequence[str]) -> dict[str, Fact]:
    return {name: merged([part[name] for part in parts if name in part] or [Fact()]) for name in names}


def merged(all_facts: Sequence[Fact]) -> Fact:
    """Of a column that several read: what one knows, and what all take."""
    first = all_facts[0]
    for other in all_facts[1:]:
        choices = first.choices if other.choices is None else other.choices & (first.choices or other.choices)
        first = Fact(
            first.datatype or other.datatype, first.nullable and other.nullable, first.filled and other.filled,
            choices, first.missing if first.datatype else other.missing,
        )  # fmt: skip
    return first


def _of_leaf(estimator: Any, names: Sequence[str]) -> dict[str, Fact]:
    if hasattr(estimator, "categories_") and len(estimator.categories_) == len(names):
        refuses = getattr(estimator, "handle_unknown", "ignore") == "error"
        return {name: of_categories(seen, refuses) for name, seen in zip(names, estimator.categories_, strict=True)}
    if reads_texts(estimator):
        return dict.fromkeys(names, Fact(TEXT))
    takes = _takes_missing(estimator)
    if is_imputer(estimator):
        return {
            name: Fact(datatype, takes, filled=True)
            for name, datatype in zip(names, _imputed(estimator, len(names)), strict=True)
        }
    return dict.fromkeys(names, Fact(nullable=takes))


def of_categories(seen: Any, refuses: bool) -> Fact:
    """What an encoder saw of a column; `refuses` whether it raises on anything else."""
    values = seen.tolist() if hasattr(seen, "tolist") else list(seen)
    present = [value for value in values if not absent(value)]
    gaps = [value for value in values if absent(value)]
    return Fact(
        datatype_of(present), bool(gaps) or not refuses, filled=True,
        choices=frozenset(present) if refuses else None,
        missing=None if any(gap is None for gap in gaps) else float("nan"),
    )  # fmt: skip


def absent(value: object) -> bool:
    return value is None or value != value


def datatype_of(values: Iterable[object]) -> str | None:
    """Of values that are all of one kind; None where they are not, or where there are none."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return TEXT
    if kinds == {bool}:
        return BOOLEAN
    return NUMBER if kinds and kinds <= {int, float} else None


def is_imputer(estimator: Any) -> bool:
    return type(estimator).__name__.endswith("Imputer")


def _imputed(imputer: Any, width: int) -> list[str | None]:
    """An imputer of texts keeps the text that it fills in."""
    filled = getattr(imputer, "statistics_", None)
    if filled is None or len(filled) != width:
        return [None] * width
    return [TEXT if isinstance(value, str) else None for value in filled.tolist()]


def _takes_missing(estimator: Any) -> bool:
    inner = unwrapped(estimator)
    if hasattr(inner, "steps"):
        steps = [step for _, step in inner.steps if is_step(step)]
        return all(map(_takes_missing, steps))
    if type(inner).__module__.startswith("xgboost"):
        return True
    tags = _tags(inner)
    return tags is not None and bool(tags.allow_nan)


def _tags(estimator: Any) -> Any:
    """scikit-learn's tags of what an estimator takes; None for what is none of its estimators."""
    try:
        return estimator.__sklearn_tags__().input_tags
    except Exception:  # a user's class may lack or break them in any way
        return None
