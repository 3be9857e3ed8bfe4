"""Redaction: named values leave no trace in a payload, and the others stay as they are."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlneuron_runtime.payloads.redact import Redactor

COLUMNS = ("age", "income", "debt")

CASES: list[tuple[list[str], Any, Any]] = [
    (["user_id"], {"features": [1, 2, 3], "user_id": "u"}, {"features": [1, 2, 3], "user_id": None}),
    (["user_id"], {"a": [{"user_id": {"x": 1}, "b": 2}]}, {"a": [{"user_id": None, "b": 2}]}),
    (
        ["parameters.subject"],
        {"parameters": {"subject": "s", "x": 1}, "subject": "kept"},
        {"parameters": {"subject": None, "x": 1}, "subject": "kept"},
    ),
    (["income"], {"features": [1, 2, 3]}, {"features": [1, None, 3]}),
    (["income"], {"features": {"age": 1, "income": 2, "debt": 3}}, {"features": {"age": 1, "income": None, "debt": 3}}),
    (["age", "debt"], {"batch_features": [[1, 2, 3], [4, 5]]}, {"batch_features": [[None, 2, None], [None, 5]]}),
    (["income"], {"instances": [[1, 2, 3], {"income": 2}]}, {"instances": [[1, None, 3], {"income": None}]}),
    (["income"], {"inputs": [[1, 2, 3]]}, {"inputs": [[1, None, 3]]}),
    (["income"], {"inputs": {"age": [1], "income": [2]}}, {"inputs": {"age": [1], "income": None}}),
    (["prediction"], {"predictions": [{"prediction": 1, "row": 0}]}, {"predictions": [{"prediction": None, "row": 0}]}),
    (["income"], {"predictions": [1, 2, 3]}, {"predictions": [1, 2, 3]}),
    (
        ["x"],
        {"error": {"field": "features[1]", "value": "secret", "message": "m"}},
        {"error": {"field": "features[1]", "value": None, "message": "m"}},
    ),
    (
        ["income"],
        {"inputs": [{"name": "features", "shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}]},
        {"inputs": [{"name": "features", "shape": [2, 3], "data": [1, None, 3, 4, None, 6]}]},
    ),
    (
        ["income"],
        {"inputs": [{"name": "features", "shape": [2, 3], "data": [[1, 2, 3], [4, 5, 6]]}]},
        {"inputs": [{"name": "features", "shape": [2, 3], "data": [[1, None, 3], [4, None, 6]]}]},
    ),
    (
        ["income"],
        {"inputs": [{"name": "age", "data": [1, 2]}, {"name": "income", "data": [3, 4]}]},
        {"inputs": [{"name": "age", "data": [1, 2]}, {"name": "income", "data": None}]},
    ),
    (
        ["income"],
        {"outputs": [{"name": "prediction", "shape": [3], "data": [1, 2, 3]}]},
        {"outputs": [{"name": "prediction", "shape": [3], "data": [1, 2, 3]}]},
    ),
]


@pytest.mark.parametrize(("names", "body", "told"), CASES, ids=[str(body)[:60] for _, body, _ in CASES])
def test_named_values_are_taken_out(names: list[str], body: Any, told: Any) -> None:
    assert Redactor(names, COLUMNS).body(body) == told


JSON = st.recursive(
    st.none() | st.integers(0, 9) | st.text("ab", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["secret", "features", "inputs", "name", "data", "error", "value"]), inner)
    ),
    max_leaves=20,
)


@given(body=JSON, columns=st.sampled_from([None, (), ("a", "secret"), COLUMNS]))
def test_whatever_the_body_is_a_named_field_never_keeps_its_value(body: Any, columns: tuple[str, ...] | None) -> None:
    def held(value: Any) -> list[Any]:
        if isinstance(value, dict):
            here = [value["secret"]] if "secret" in value else []
            return [*here, *(one for key, inner in value.items() if key != "secret" for one in held(inner))]
        return [one for inner in value for one in held(inner)] if isinstance(value, list) else []

    assert set(held(Redactor(["secret"], columns).body(body))) <= {None}
