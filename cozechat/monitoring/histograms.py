"""How long things took, counted in fixed buckets: merging two counts is adding them. Pure.

Each bound is an eighth of a doubling above the last, so a percentile is at most 9 % off whatever was counted.
"""

from bisect import bisect_left
from collections.abc import Mapping

_PARTS = 8
# Milliseconds: from ten to eleven minutes, which no answer outlives.
BOUNDS = tuple(round(10 * 2 ** (step / _PARTS)) for step in range(16 * _PARTS + 1))
OVER = len(BOUNDS)
# The bounds that machines are told: one for each doubling.
COARSE = tuple(range(0, OVER, _PARTS))


def counted(name: str, milliseconds: int) -> dict[str, int]:
    """What one duration adds: its bucket, the number of durations, their sum."""
    return {
        f"{name}:b{bisect_left(BOUNDS, milliseconds)}": 1,
        f"{name}:count": 1,
        f"{name}:sum": milliseconds,
    }


def mean(sums: Mapping[str, int], name: str) -> float | None:
    """Milliseconds on average, exactly; None where nothing was counted."""
    count = sums.get(f"{name}:count", 0)
    return sums[f"{name}:sum"] / count if count else None


def percentile(sums: Mapping[str, int], name: str, *, percent: int) -> float | None:
    """The time within which so many per cent had ended, straight through its bucket; None where nothing was counted."""
    buckets = [sums.get(f"{name}:b{number}", 0) for number in range(OVER + 1)]
    total = sum(buckets)
    if not total:
        return None
    wanted, so_far = total * percent / 100, 0
    for number, count in enumerate(buckets):
        if count and so_far + count >= wanted:
            return _within(number, share=(wanted - so_far) / count)
        so_far += count
    raise AssertionError("a part is never more than the whole")


def _within(number: int, *, share: float) -> float:
    """A time inside a bucket; what is beyond the last bound counts as that."""
    if number == OVER:
        return float(BOUNDS[-1])
    low = BOUNDS[number - 1] if number else 0
    return low + (BOUNDS[number] - low) * share


def cumulative(sums: Mapping[str, int], name: str) -> list[tuple[float, int]]:
    """For machines: how many took at most so many seconds, at the coarse bounds."""
    found, so_far, number = list[tuple[float, int]](), 0, 0
    for bound in COARSE:
        while number <= bound:
            so_far += sums.get(f"{name}:b{number}", 0)
            number += 1
        found.append((BOUNDS[bound] / 1000, so_far))
    return found
