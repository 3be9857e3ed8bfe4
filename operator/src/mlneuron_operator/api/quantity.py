"""Kubernetes quantities (``500m``, ``4Gi``) and durations (``250ms``, ``1m30s``): parsing and canonical form.

Comparing what the API server stores with what the operator wants needs the same canonical form that the
server writes (k8s.io/apimachinery ``resource.Quantity``): an integer number of the largest suffix that divides it.
"""

import re
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from functools import lru_cache
from typing import Final

QUANTITY_PATTERN: Final = r"^[0-9]+([.][0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
DURATION_PATTERN: Final = r"^([0-9]+([.][0-9]+)?(ms|s|m|h))+$"

MOST: Final = Decimal(2**63 - 1)
"""The largest amount that the API server makes of what is written in binary."""

_BINARY: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL: Final = {
    "m": Decimal("0.001"),
    "": Decimal(1),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
}
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_NUMBER: Final = re.compile(r"^([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)$")


def _split(text: str) -> tuple[Decimal, str]:
    match = _NUMBER.match(text)
    if match is None or (match[2] not in _BINARY and match[2] not in _DECIMAL):
        raise ValueError(f"{text!r} is not a quantity; write a number with a suffix such as 500m, 2 or 4Gi")
    try:
        return Decimal(match[1]), match[2]
    except InvalidOperation as error:  # pragma: no cover - the expression admits digits only
        raise ValueError(f"{text!r} is not a quantity") from error


def amount(quantity: str | int) -> Decimal:
    """The quantity as a plain number: ``"500m"`` is 0.5, ``"1Ki"`` is 1024. Raises ValueError."""
    number, suffix = _split(str(quantity))
    return number * (_BINARY[suffix] if suffix in _BINARY else _DECIMAL[suffix])


@lru_cache(maxsize=4096)
def canonical(quantity: str | int) -> str:
    """The quantity as the API server stores a pod's: ``"0.5"`` becomes ``500m``, ``"1024Mi"`` becomes ``1Gi``.

    What is finer than a thousandth is rounded up, and what is written in binary and more than 2**63 - 1 is cut to that,
    as it is there.
    """
    _, suffix = _split(str(quantity))
    value = min(amount(quantity), MOST) if suffix in _BINARY else amount(quantity)
    if suffix in _BINARY and value >= 1024 and value == int(value):
        return _largest(int(value), list(_BINARY.items())[::-1])
    if value != int(value):
        return f"{int((value * 1000).to_integral_value(ROUND_CEILING))}m"
    decimals = [(name, int(size)) for name, size in _DECIMAL.items() if size > 1]
    return _largest(int(value), decimals[::-1])


def _largest(value: int, sizes: list[tuple[str, int]]) -> str:
    for name, size in sizes:
        if value and value % size == 0:
            return f"{value // size}{name}"
    return str(value)


def seconds(duration: str) -> float:
    """A duration in seconds: ``"1m30s"`` is 90.0. Raises ValueError."""
    if not re.match(DURATION_PATTERN, duration):
        raise ValueError(f"{duration!r} is not a duration; write a number with ms, s, m or h, such as 250ms or 1m30s")
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)", duration)
    return round(sum(float(number) * _SECONDS[unit] for number, unit in parts), 6)
