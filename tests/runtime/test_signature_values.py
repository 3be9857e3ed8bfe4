"""Long lists of numbers take another C loop than short ones, and have to be read and refused the same."""

from array import array
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mlneuron_runtime.signature.values import SHORT, packed

ANYTHING = st.one_of(
    st.floats(), st.integers(-(2**70), 2**70), st.integers(0, 1), st.booleans(), st.none(), st.text(max_size=3),
    st.sampled_from([10**400, [], {}, [1.0], 3.5e38, 5e-324]),
)  # fmt: skip


def bytes_or_refusal(read: Any, code: str, values: list[Any]) -> bytes | None:
    try:
        return bytes(memoryview(read(code, values)).cast("B"))
    except (TypeError, OverflowError):
        return None


@given(
    code=st.sampled_from("BbHhIiQqfd"), head=st.lists(ANYTHING, max_size=3), filler=st.sampled_from([0, 1, True, 0.5])
)
def test_long_lists_are_read_and_refused_as_short_ones(code: str, head: list[Any], filler: float) -> None:
    values = [filler] * SHORT + head + [filler]
    assert bytes_or_refusal(packed, code, values) == bytes_or_refusal(array, code, values)


def test_what_is_packed_may_be_written_into() -> None:
    assert not memoryview(packed("d", [1.0] * (SHORT + 1))).readonly
