"""A mean or a share with its 95 % interval: the one place that computes either.

Shares get Wilson's interval and their paired differences Newcombe's, because resampling 0 of 80 would
claim that there is nothing left to doubt. Means are bootstrapped by SciPy; equal values say nothing of
their spread, and so have no interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

RESAMPLES = 2_000
_Z = 1.959963984540054  # the normal quantile of 0.975


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean and the 95 % interval around it; None where the data say nothing of it."""

    mean: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.mean is None:
            return "–"
        if self.low is None or self.high is None:
            return f"{self.mean:.3f} [–]"
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


NOTHING = Interval(mean=None, low=None, high=None)


def share_interval(flags: Sequence[bool]) -> Interval:
    """Return the share of true flags with Wilson's score interval.

    Source: Wilson (1927), as scipy.stats' `proportion_ci(method="wilson")`.
    """
    count = len(flags)
    if not count:
        return NOTHING
    share = sum(flags) / count
    low, high = _wilson(share, count)
    return Interval(mean=share, low=low, high=high)


def _wilson(share: float, count: int) -> tuple[float, float]:
    centre = share + _Z**2 / (2 * count)
    half = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    scale = 1 + _Z**2 / count
    # At 0 and 1 the bound is exact, but rounding leaves some 1e-18 beyond.
    low = 0.0 if share == 0 else (centre - half) / scale
    high = 1.0 if share == 1 else (centre + half) / scale
    return low, high


def mean_interval(values: Sequence[float], *, seed: int = 0) -> Interval:
    """Return the mean with its bias-corrected and accelerated bootstrap interval, from a fixed seed."""
    if not values:
        return NOTHING
    mean = fmean(values)
    if min(values) == max(values):
        return Interval(mean=mean, low=None, high=None)
    import numpy as np
    from scipy.stats import bootstrap

    found = bootstrap(
        (np.sort(np.asarray(values, dtype=float)),),  # the order of playing says nothing
        np.mean,
        n_resamples=RESAMPLES,
        batch=200,  # bounds the memory of a long list
        confidence_level=0.95,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(mean=mean, low=float(found.low), high=float(found.high))


def seeds_interval(differences: Sequence[float]) -> Interval:
    """Return the mean of one difference a seed, with Student's interval: a handful is too few to resample.

    Raises:
        ValueError: fewer than two seeds have no spread.
    """
    from scipy.stats import t as student

    count = len(differences)
    if count < 2:
        raise ValueError("An interval over seeds needs two of them at least.")
    half = float(student.ppf(0.975, count - 1)) * stdev(differences) / math.sqrt(count)
    mean = fmean(differences)
    return Interval(mean=mean, low=mean - half, high=mean + half)


def share_difference(after: Sequence[bool], before: Sequence[bool]) -> Interval:
    """Return how much larger the share of `after` is, flag by flag on the same tasks.

    Raises:
        ValueError: the two sides differ in length.

    Source: Newcombe (1998), Statistics in Medicine 17, 2635: paired, method 10 (hybrid score with a
    continuity-corrected correlation).
    """
    pairs = list(zip(after, before, strict=True))
    count = len(pairs)
    if not count:
        return NOTHING
    both = sum(a and b for a, b in pairs)
    only_after = sum(a and not b for a, b in pairs)
    only_before = sum(b and not a for a, b in pairs)
    neither = count - both - only_after - only_before
    first, second = (both + only_after) / count, (both + only_before) / count
    (low1, high1), (low2, high2) = _wilson(first, count), _wilson(second, count)
    phi = _correlation(both, only_after, only_before, neither)

    def reach(one: float, other: float) -> float:
        return math.sqrt(max(0.0, one**2 - 2 * phi * one * other + other**2))

    difference = first - second
    return Interval(
        mean=difference,
        low=max(-1.0, difference - reach(first - low1, high2 - second)),
        high=min(1.0, difference + reach(high1 - first, second - low2)),
    )


def _correlation(both: int, only_after: int, only_before: int, neither: int) -> float:
    sides = (both + only_after) * (only_before + neither) * (both + only_before) * (only_after + neither)
    if not sides:
        return 0.0
    product: float = both * neither - only_after * only_before
    if product > 0:
        product = max(product - (both + only_after + only_before + neither) / 2, 0)
    return product / math.sqrt(sides)


def mean_difference(after: Sequence[float], before: Sequence[float], *, seed: int = 0) -> Interval:
    """Return the mean of the differences, task by task, with its bootstrap interval.

    Raises:
        ValueError: the two sides differ in length.
    """
    return mean_interval([a - b for a, b in zip(after, before, strict=True)], seed=seed)
