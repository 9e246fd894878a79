"""What the numbers themselves say: noise, turning back, and whether one column is the rate of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from physix.engine.floats import FloatArray

Span = tuple[FloatArray, FloatArray]  # times and values of one run, finite, times increasing
_TOO_COARSE = 0.05


def noise_of(values: FloatArray) -> float:
    """Return a robust standard deviation of the noise in evenly sampled values, by third differences."""
    if len(values) < 6:
        return 0.0
    size = np.median(np.abs(np.diff(values, n=3))) / 0.6745
    return float(size / np.sqrt(20.0))


def turns_back(spans: Sequence[Span]) -> bool:
    """Return whether a quantity changes direction beyond its noise in some run.

    A first-order law of one variable and no input cannot do that.
    """
    return any(_turns(values) for _, values in spans)


def _turns(values: FloatArray) -> bool:
    spread = float(np.ptp(values))
    # Noise that grows with the value is largest where a growth has ended: the noisiest third counts.
    noise = max(noise_of(part) for part in (values, *np.array_split(values, 3)))
    edge = max(0.1 * spread, 8.0 * noise)
    if spread <= edge:
        return False
    up = values - np.minimum.accumulate(values)
    down = np.maximum.accumulate(values) - values
    first_up = int(np.argmax(up > edge)) if (up > edge).any() else None
    first_down = int(np.argmax(down > edge)) if (down > edge).any() else None
    return first_up is not None and first_down is not None


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


def prefers_second_order(t: FloatArray, values: FloatArray) -> bool:
    """Return whether `x'' = a + b x + c x'` explains one variable clearly better than `x' = a + b x + c x²`.

    Both as integral equations, so that noise is not differentiated; compared by BIC.
    """
    if len(t) < 12:
        return False
    time, x = _unit_scaled(t), _unit_scaled(values)
    once = integrated(time, x)
    first = np.stack([np.ones_like(time), time, once, integrated(time, x * x)], axis=1)
    second = np.stack([np.ones_like(time), time, time**2, integrated(time, once), once], axis=1)
    misfits = [_misfit(basis, x) for basis in (first, second)]
    floor = len(x) * 1e-12
    gain = len(x) * np.log((misfits[0] + floor) / (misfits[1] + floor))
    return bool(gain > 10.0 + np.log(len(x)))


def closes_at_first_order(t: FloatArray, states: FloatArray) -> bool | None:
    """Return whether the rates of several variables are quadratics in all of them, within the noise.

    Args:
        t: shape (T,), increasing.
        states: shape (T, D), finite.

    Returns:
        None where there are too few samples to tell.
    """
    rows, count = states.shape
    scaled = np.stack([_unit_scaled(states[:, i]) for i in range(count)], axis=1)
    time = _unit_scaled(t)
    products = [scaled[:, i] * scaled[:, j] for i in range(count) for j in range(i, count)]
    terms = [integrated(time, column) for column in [*scaled.T, *products]]
    basis = np.stack([np.ones_like(time), time, *terms], axis=1)
    if rows < 3 * basis.shape[1]:
        return None
    for column in scaled.T:
        left = np.sqrt(_misfit(basis, column) / rows)
        if left > max(0.02, 3.0 * noise_of(column)):
            return False
    return True


def is_ballistic(t: FloatArray, states: FloatArray) -> bool:
    """Return whether every variable is a quadratic in time within its noise, and one of them is curved."""
    time = _unit_scaled(t)
    basis = np.vander(time, 3)
    curved = False
    for column in states.T:
        scaled = _unit_scaled(column)
        left = np.sqrt(_misfit(basis, scaled) / len(scaled))
        if left > max(0.003, 2.0 * noise_of(scaled)):
            return False
        curved |= bool(np.sqrt(_misfit(basis[:, 1:], scaled) / len(scaled)) > 5.0 * max(left, 1e-3))
    return curved


def _misfit(basis: FloatArray, values: FloatArray) -> float:
    solution, *_ = np.linalg.lstsq(basis, values, rcond=None)
    return float(((basis @ solution - values) ** 2).sum())


def _unit_scaled(values: FloatArray) -> FloatArray:
    low, spread = float(values.min()), float(np.ptp(values))
    return (values - low) / spread if spread > 0.0 else np.zeros_like(values)
