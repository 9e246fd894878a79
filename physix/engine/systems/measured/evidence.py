"""What the numbers themselves say: turning back, and whether one column is the rate of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from physix.engine.floats import FloatArray

Span = tuple[FloatArray, FloatArray]  # times and values of one run, finite, times increasing
_TOO_COARSE = 0.05


def turns_back(spans: Sequence[Span]) -> bool:
    """Return whether a quantity changes direction beyond its noise in some run.

    A first-order law of one variable and no input cannot do that.
    """
    return any(_turns(values) for _, values in spans)


def _turns(values: FloatArray) -> bool:
    spread = float(np.ptp(values))
    # Noise that grows with the value is largest where a growth has ended: the noisiest third counts.
    noise = max(_scatter(part) for part in (values, *np.array_split(values, 3)))
    edge = max(0.1 * spread, 8.0 * noise)
    if spread <= edge:
        return False
    up = values - np.minimum.accumulate(values)
    down = np.maximum.accumulate(values) - values
    first_up = int(np.argmax(up > edge)) if (up > edge).any() else None
    first_down = int(np.argmax(down > edge)) if (down > edge).any() else None
    return first_up is not None and first_down is not None


def _scatter(values: FloatArray) -> float:
    """Return a robust standard deviation of the noise in evenly sampled values, by third differences.

    Good enough for turns, and no more: what is judged is judged by `estimate_noise`.
    """
    if len(values) < 6:
        return 0.0
    size = np.median(np.abs(np.diff(values, n=3))) / 0.6745
    return float(size / np.sqrt(20.0))


def rate_agreement(pairs: Sequence[tuple[FloatArray, FloatArray, FloatArray]]) -> tuple[float, float] | None:
    """Return (R², factor) of `x = factor * integral(v) + const`, one constant per run.

    Integrals rather than derivatives, because they do not blow up the noise. The factor is a ratio of
    spreads with the sign of the correlation, so that noise in v does not pull it to zero.

    Args:
        pairs: (t, x, v) of each run, finite, t increasing.

    Returns:
        None where the samples are too few or too coarse to tell, or nothing moves.
    """
    lefts, rights = [], []
    for t, x, v in pairs:
        if len(t) < 6:
            continue
        integral = integrated(t, v)
        coarse = integrated(t[::2], v[::2])
        if np.abs(integral[::2] - coarse).max() > _TOO_COARSE * max(float(np.ptp(integral)), 1e-300):
            return None
        lefts.append(x - x.mean())
        rights.append(integral - integral.mean())
    if not lefts:
        return None
    left, right = np.concatenate(lefts), np.concatenate(rights)
    sizes = float(np.std(left)), float(np.std(right))
    if (
        min(sizes) <= 1e-12 * max(1e-300, float(np.abs(np.concatenate([x for _, x, _ in pairs])).max()))
        or sizes[1] == 0.0
    ):
        return None
    correlation = float(np.mean(left * right)) / (sizes[0] * sizes[1])
    return correlation**2, float(np.sign(correlation)) * sizes[0] / sizes[1]


def integrated(t: FloatArray, values: FloatArray) -> FloatArray:
    """Return the integral from the first sample on, by trapezia."""
    steps = 0.5 * (values[1:] + values[:-1]) * np.diff(t)
    return np.concatenate([[0.0], np.cumsum(steps)])
