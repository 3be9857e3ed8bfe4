"""Latencies as counts in buckets."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from .evidence import BOUNDS


def quantile(counts: Sequence[float], share: float) -> float | None:
    """The first of BOUNDS, in seconds, that at least this share of the counted stay within; None: there is none."""
    wanted = share * sum(counts)
    if not wanted:
        return None
    place = bisect_left(list(accumulate(counts)), wanted)
    return BOUNDS[place] if place < len(BOUNDS) else None


def beyond(counts: Sequence[float], seconds: float) -> float:
    """How many took longer than this; of the bucket that it lies in, the part above it as if spread evenly there."""
    place = bisect_left(BOUNDS, seconds)
    longer = float(sum(counts[place + 1 :]))
    if place == len(BOUNDS):
        return 0.0
    low = BOUNDS[place - 1] if place else 0.0
    return longer + counts[place] * (BOUNDS[place] - seconds) / (BOUNDS[place] - low)
