from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlneuron_operator.api.quantity import MOST, QUANTITY_PATTERN, amount, canonical, seconds

quantities = st.from_regex(QUANTITY_PATTERN, fullmatch=True).filter(lambda text: len(text) <= 20)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("2", "2"),
        (2, "2"),
        ("2000", "2k"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("4G", "4G"),
        ("4000M", "4G"),
        ("0", "0"),
        ("0Gi", "0"),
        ("0.0001", "1m"),
        ("1000000000000001Pi", "9223372036854775807"),
        ("99999E", "99999E"),
        ("9223372036854775808", "9223372036854775808"),
    ],
)
def test_the_canonical_form_is_the_one_that_the_api_server_stores(written: str | int, stored: str) -> None:
    assert canonical(written) == stored


@given(quantities)
def test_the_canonical_form_of_a_canonical_form_is_itself(quantity: str) -> None:
    once = canonical(quantity)
    assert canonical(once) == once


@given(quantities)
def test_the_canonical_form_is_the_same_amount_rounded_up_to_a_thousandth(quantity: str) -> None:
    stored, written = amount(canonical(quantity)), amount(quantity)
    assert 0 <= stored - written < Decimal("0.001") or (quantity.endswith("i") and stored == MOST < written)


@given(st.integers(min_value=0, max_value=2**62))
def test_a_whole_number_means_the_same_as_a_number_and_as_a_text(number: int) -> None:
    assert amount(number) == amount(str(number)) == number
    assert canonical(number) == canonical(str(number))


@pytest.mark.parametrize("text", ["", "4GB", "-1", "1e3x", "Gi", "1 Gi", "0x10", "1_000", "\u0661"])
def test_what_is_no_quantity_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        amount(text)


@pytest.mark.parametrize(
    ("duration", "expected"),
    [("250ms", 0.25), ("10s", 10), ("1m30s", 90), ("1h", 3600), ("1.5s", 1.5), ("0ms", 0), ("0.5m", 30)],
)
def test_a_duration_is_the_sum_of_its_parts(duration: str, expected: float) -> None:
    assert seconds(duration) == expected


@pytest.mark.parametrize("text", ["", "10", "s", "10 s", "-1s", "1d", "10sec"])
def test_what_is_no_duration_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        seconds(text)
