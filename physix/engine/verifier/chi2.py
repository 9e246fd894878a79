"""Is what a law leaves over what the noise makes? Chi squared, allowing for noise that is only estimated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.verifier.prepared import Same, Samples

_FLOOR = 5e-3  # of a variable's spread: solver, interpolation, and the last digits of a declared constant
# The same of measured data, where a law that is nearly right must not pass for one that is.
_MEASURED_FLOOR = 1e-3
_SURE = 4.0  # standard deviations: one right law in some ten thousand is refused
# The variance of a noise that was estimated from n samples is itself known to about 2 sqrt(1/n).
_ESTIMATED = 3.0


def effective_sigma(sigma: FloatArray, scale: FloatArray, floor: float = _FLOOR) -> FloatArray:
    """Return the noise of each sample and the numerical floor together, shape (T, D); never zero."""
    total: FloatArray = np.hypot(sigma, floor * scale)
    return total


def agrees(
    parts: Sequence[Samples], residuals: Sequence[FloatArray], scale: FloatArray, *, measured: bool
) -> bool:
    """Tell whether chi² of each variable, and of all together, is no more than chance makes it.

    The bound on chi²/n is 1 + 4 sqrt(2/n), the mean and four standard deviations of its distribution;
    on measured data, whose noise is itself estimated, sqrt(6/n) stands for sqrt(2/n).

    Args:
        parts: trajectories; what their weights leave out has no part in it.
        residuals: observed minus predicted, shape (T, D) each.
        scale: shape (D,), what the numerical floor is relative to.
        measured: the noise was estimated from the data, not known beforehand.
    """
    floor = _MEASURED_FLOOR if measured else _FLOOR
    measures = [_measure(Same(samples, scale), floor) for samples in parts]
    with np.errstate(over="ignore", invalid="ignore"):
        squares = [one.squares(off) for one, off in zip(measures, residuals, strict=True)]
    chi2 = map(sum, zip(*squares, strict=True))
    count = map(sum, zip(*(one.counts for one in measures), strict=True))
    pairs = [(c, n) for c, n in zip(chi2, count, strict=True) if n]
    together = (sum(c for c, _ in pairs), sum(n for _, n in pairs))
    return all(c <= n * _bound(n, measured=measured) for c, n in [*pairs, together] if n)


@dataclass(frozen=True, slots=True, eq=False)
class _Measure:
    """What residuals of one trajectory are held against."""

    sigma: FloatArray  # shape (T, D)
    weight: FloatArray | None  # shape (T, D); None: all of it counts
    counts: list[float]  # samples of each variable

    def squares(self, off: FloatArray) -> list[float]:
        """Return chi² of each variable."""
        pulls = (off / self.sigma) ** 2
        if self.weight is not None:
            pulls *= self.weight
        return cast("list[float]", np.add.reduce(pulls, axis=0).tolist())


@lru_cache(maxsize=512)
def _measure(same: Same, floor: float) -> _Measure:
    samples, scale = same.values
    assert isinstance(samples, Samples)  # noqa: S101  # for the type checker
    assert isinstance(scale, np.ndarray)  # noqa: S101  # likewise
    weight = None if samples.weight.all() else samples.weight
    counts = samples.weight.sum(axis=0).tolist()
    return _Measure(effective_sigma(samples.sigma, scale, floor), weight, counts)


def _bound(count: float, *, measured: bool) -> float:
    return 1.0 + _SURE * math.sqrt(2.0 * (_ESTIMATED if measured else 1.0) / count)
