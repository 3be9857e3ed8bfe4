"""What of a body is nobody's business: values taken out before a payload leaves the process. Pure.

A name is that of a field at any depth (`user_id`), of a field under another (`parameters.user_id`), of a tensor, or of
a column of the model, whose values are found in rows by their place.
"""

from collections.abc import Sequence
from typing import Any

MASK = None
"""Stands for a value: null fits where numbers and where texts are expected."""

ROWS = frozenset({"features", "batch_features", "instances", "inputs"})
"""Fields that hold a row or several, in the order of the columns."""


class Redactor:
    """`names` are to be redacted, `columns` the model's own, in their order."""

    def __init__(self, names: Sequence[str], columns: Sequence[str] | None) -> None:
        self._names = frozenset(names)
        self._paths = tuple(f".{name}" for name in names if "." in name)
        self._columns = tuple(columns or ())
        self._places = tuple(place for place, name in enumerate(columns or ()) if name in self._names)

    @property
    def by_place(self) -> bool:
        """Whether some values are only found if the rows are as wide as they should be."""
        return bool(self._places)

    def body(self, parsed: Any) -> Any:
        """The JSON body without the named values."""
        return self._value(parsed, "")

    def _value(self, value: Any, path: str) -> Any:
        if isinstance(value, dict):
            if self._hits(str(value.get("name", "")), "") and "data" in value:
                return {**value, "data": MASK}
            if self._is_matrix(value, path):
                return {**value, "data": self._flat(value["data"])}
            return {key: self._field(key, held, path) for key, held in value.items()}
        if isinstance(value, list):
            return [self._value(held, path) if isinstance(held, dict | list) else held for held in value]
        return value

    def _is_matrix(self, value: dict[str, Any], path: str) -> bool:
        """Whether this is a tensor of rows; one named as a column is that column's."""
        data, name = value.get("data"), value.get("name")
        return bool(self._places) and path == ".inputs" and isinstance(data, list) and name not in self._columns

    def _field(self, key: str, held: Any, path: str) -> Any:
        place = f"{path}.{key}"
        if self._hits(key, place):
            return MASK
        if place == ".error.value":
            return MASK  # what was wrong with a row is part of it
        if self._places and key in ROWS and isinstance(held, list):
            return self._rows(held, place)
        return self._value(held, place)

    def _hits(self, key: str, path: str) -> bool:
        return key in self._names or path.endswith(self._paths)

    def _rows(self, held: list[Any], path: str) -> list[Any]:
        """A row, rows, or tensors, told apart by what they hold."""
        if any(isinstance(one, dict | list) for one in held):
            return [self._rows(one, path) if isinstance(one, list) else self._value(one, path) for one in held]
        return [MASK if place in self._places else one for place, one in enumerate(held)]

    def _flat(self, data: list[Any]) -> list[Any]:
        """A tensor's values, nested by rows or one after the other."""
        if data and isinstance(data[0], list):
            return [self._flat(one) if isinstance(one, list) else MASK for one in data]
        return [MASK if place % len(self._columns) in self._places else one for place, one in enumerate(data)]
