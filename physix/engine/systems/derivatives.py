"""Rates of change of sampled data, by local cubics in true time: kept simple, and good on uneven samples."""

from __future__ import annotations

import numpy as np

from physix.engine.floats import FloatArray


def smoothed_rate(t: FloatArray, values: FloatArray, *, window: int = 9) -> FloatArray:
    """Return d(values)/dt at every sample.

    Around each sample a polynomial (cubic, or of lower degree where there are few samples) is
    fitted to the `window` nearest ones, weighted by a tricube, and differentiated there.

    Args:
        t: shape (T,), increasing, T at least 3.
        values: shape (T,).
    """
    width = min(len(t), window)
    degree = min(3, width - 2)
    rates = np.empty(len(t))
    for i, now in enumerate(t):
        first = int(np.clip(i - width // 2, 0, len(t) - width))
        near = slice(first, first + width)
        offset = t[near] - now
        reach = float(np.abs(offset).max()) * 1.001
        weight = np.sqrt((1.0 - np.abs(offset / reach) ** 3) ** 3)
        basis = np.vander(offset / reach, degree + 1, increasing=True)
        fitted, *_ = np.linalg.lstsq(basis * weight[:, None], values[near] * weight, rcond=None)
        rates[i] = fitted[1] / reach
    return rates
