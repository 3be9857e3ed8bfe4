"""Whether a live object is as desired."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlneuron_operator.compare import covers

scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=3)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "spec"]), inner, max_size=3),
    max_leaves=12,
)


@given(values)
def test_everything_covers_itself(value: Any) -> None:
    assert covers(copy.deepcopy(value), value)


@given(st.dictionaries(st.sampled_from(["a", "b"]), values, min_size=1), scalars)
def test_what_others_add_is_let_be(value: dict[str, Any], other: Any) -> None:
    assert covers({**value, "status": other}, value)


@given(st.dictionaries(st.sampled_from(["a", "b"]), values, min_size=1))
def test_what_is_missing_is_missed(value: dict[str, Any]) -> None:
    live = dict(value)
    live.pop(next(iter(value)))
    assert not covers(live, value)


@pytest.mark.parametrize(
    ("live", "desired", "holds"),
    [
        ([{"name": "a", "x": 1}, {"name": "b"}], [{"name": "b"}, {"name": "a"}], True),
        ([{"name": "a", "x": 1}], [{"name": "a", "x": 2}], False),
        ([{"name": "a"}, {"name": "sidecar"}], [{"name": "a"}], True),
        ([{"name": "tmp", "mountPath": "/a"}], [{"name": "tmp", "mountPath": "/b"}], False),
        (["a", "b"], ["b", "a"], False),
        (["a", "b"], ["a"], False),
        ([{"host": "a"}], [{"host": "a"}, {"host": "b"}], False),
        ([{"uid": "1", "name": "x", "controller": True}], [{"uid": "1", "name": "x"}], True),
        ({"a": 1}, [1], False),
        (["a"], {"a": 1}, False),
    ],
)
def test_lists_are_compared_as_an_apply_merges_them(live: Any, desired: Any, holds: bool) -> None:
    assert covers(live, desired) is holds


def test_a_backend_that_was_added_to_a_route_is_a_difference_and_an_owner_is_none() -> None:
    own, foreign = {"kind": "Service", "name": "churn", "weight": 1}, {"kind": "Service", "name": "other", "weight": 1}
    assert covers({"backendRefs": [own]}, {"backendRefs": [own]})
    assert not covers({"backendRefs": [own, foreign]}, {"backendRefs": [own]})
    owner, another = ({"kind": "MLNeuron", "name": name, "uid": name} for name in "ab")
    assert covers({"ownerReferences": [another, owner]}, {"ownerReferences": [owner]})
