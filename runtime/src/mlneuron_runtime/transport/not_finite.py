"""Where a body that is no JSON says NaN, Infinity or 1e999: what Python's own encoder writes for such numbers, and the
most common reason why a body from a data frame is refused. Pure; only asked about bodies that failed to parse.
"""

import json
import math
from collections.abc import Iterator


def place_of(body: bytes) -> str | None:
    """The first such number's place, as `batch_features[3][1]`; None where something else is wrong with the body."""
    try:
        place = next(places(json.loads(body.decode())), None)
    except (ValueError, RecursionError):
        return None
    return place if place is None else place.encode(errors="replace").decode()


def places(value: object, place: str = "") -> Iterator[str]:
    """The places of all numbers that are not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        yield place or "body"
    elif isinstance(value, dict):
        for key, held in value.items():
            yield from places(held, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for position, held in enumerate(value):
            yield from places(held, f"{place}[{position}]")
