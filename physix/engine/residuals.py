"""What a law leaves over of one variable, summed up: size, memory, distribution, and the worst of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from physix.engine.discovery import Residuals
from physix.engine.floats import FloatArray


def residuals_of(
    name: str, parts: Sequence[tuple[int, FloatArray, FloatArray]], *, lags: int = 20, quantiles: int = 19
) -> Residuals:
    """Return the summary of one variable's residuals, in units of the noise.

    Args:
        name: of the variable.
        parts: of each a run, its times and its residuals, shape (T,) with T > 0; at least one.
        lags: at most so many autocorrelations, and of a quarter of the samples; none across parts.
        quantiles: how many.
    """
    values = np.concatenate([own for _, _, own in parts])
    square = float(np.sum(values**2))
    products = [
        sum(float(np.sum(own[lag:] * own[:-lag])) for _, _, own in parts)
        for lag in range(1, min(lags, len(values) // 4) + 1)
    ]
    run, t, own = max(parts, key=lambda part: float(np.abs(part[2]).max()))
    at = int(np.argmax(np.abs(own)))
    shares = (np.arange(quantiles) + 0.5) / quantiles
    return Residuals(
        variable=name,
        samples=len(values),
        chi2=square / len(values),
        autocorrelation=tuple(product / square if square > 0.0 else 0.0 for product in products),
        quantiles=tuple(np.quantile(values, shares).tolist()),
        worst=float(own[at]),
        worst_t=float(t[at]),
        worst_run=run,
    )
