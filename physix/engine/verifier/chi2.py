"""Is what a law leaves over what the noise makes? Chi squared, allowing for noise that is only estimated."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.verifier.prepared import Samples

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
    chi2 = np.zeros(len(scale))
    count = np.zeros(len(scale))
    with np.errstate(over="ignore", invalid="ignore"):
        for samples, off in zip(parts, residuals, strict=True):
            chi2 += (samples.weight * (off / effective_sigma(samples.sigma, scale, floor)) ** 2).sum(axis=0)
            count += samples.weight.sum(axis=0)
    pairs = [(c, n) for c, n in zip(chi2.tolist(), count.tolist(), strict=True) if n]
    together = (sum(c for c, _ in pairs), sum(n for _, n in pairs))
    return all(c <= n * _bound(n, measured=measured) for c, n in [*pairs, together] if n)


def _bound(count: float, *, measured: bool) -> float:
    return 1.0 + _SURE * math.sqrt(2.0 * (_ESTIMATED if measured else 1.0) / count)
