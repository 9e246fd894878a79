"""How noisy measurements are, from the measurements alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.task import Noise, Trajectory

# Neighbours on either side, and the degree of the polynomial through them: few samples a period need a high
# degree and a narrow window, many samples under much noise a wide one.
_WINDOWS = ((2, 3), (3, 5), (4, 3), (4, 5), (6, 3), (6, 5), (8, 5), (12, 5))
_MOST = 2_000  # samples looked at, evenly over the record: more change nothing but the time it takes
_TAILS = 5.0  # degrees of freedom of the t distribution: outliers and corners have little say
_GAUSSIAN = 1.1674  # standard deviation over the t distribution's scale, for Gaussian noise
_SHAPES = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, math.inf)  # relative over absolute, at the typical size
_CLEARLY = (0.25, 3.0)  # how far a run's noise is from another's at least: logarithm, and in standard errors
_SURE = 0.5  # nats by which noise that grows with the signal must explain more than one that does not


@dataclass(frozen=True, slots=True)
class _Estimate:
    noise: Noise
    typical: float  # standard deviation of a sample of typical size
    error: float  # relative standard error of `typical`


def estimate_noise(trajectories: Sequence[Trajectory]) -> tuple[Noise, ...]:
    """Return the noise of each variable, pooled over trajectories.

    Each sample is compared with a local polynomial through its neighbours, in true time, so uneven
    sampling does no harm. Scaled by what independent noise would do to that difference, its size gives the
    noise; whether that grows with the signal is decided by likelihood. Of several windows the most
    accurate is taken among those that agree with the smallest estimate: what is wider than the motion's
    curvature allows sees curvature as noise. Motion faster than about six samples a period counts as noise:
    an upper bound then. Never below what rounding to the recorded digits makes, quantum / sqrt(12).

    Args:
        trajectories: samples marked as missing are left out. A variable with fewer than six in a row
            counts as free of noise.
    """
    columns = len(trajectories[0].states[0])
    return tuple(_of_variable([_observed(one, column) for one in trajectories]) for column in range(columns))


def sigma_of(states: FloatArray, noises: Sequence[Noise]) -> FloatArray:
    """Return the standard deviation of every sample, shape (T, D), under one Noise per variable."""
    absolute = np.array([noise.absolute for noise in noises])
    relative = np.array([noise.relative for noise in noises])
    sigma: FloatArray = np.hypot(absolute, relative * np.abs(states))
    return sigma


def noise_of_run(run: Trajectory, pooled: Sequence[Noise]) -> tuple[Noise, ...]:
    """Return the noise of each variable in one run: its own where that is clearly another than the pooled.

    Runs of one file may be of different amplitude, seen by another camera, or read on another scale. What
    estimates of so many samples may differ by is no difference.
    """
    found = []
    for column, known in enumerate(pooled):
        t, x = _observed(run, column)
        own = _estimated([(t, x)])
        found.append(own.noise if own is not None and _is_another(own, known, x) else known)
    return tuple(found)


def _is_another(own: _Estimate, known: Noise, x: FloatArray) -> bool:
    """Tell whether a noise differs from another, in size or in how it goes with the signal."""
    least, errors = _CLEARLY
    here, there = (sigma_of(x[:, None], [one]) for one in (own.noise, known))
    if not (here.all() and there.all()):
        return False
    apart = float(np.sqrt(np.mean(np.log(here / there) ** 2)))
    return apart > max(least, errors * own.error)


def _observed(trajectory: Trajectory, column: int) -> tuple[FloatArray, FloatArray]:
    gone = {row for row, where in trajectory.missing if where == column}
    rows = [row for row in range(len(trajectory.t)) if row not in gone]
    values = np.array([trajectory.states[row][column] for row in rows])
    return np.array([trajectory.t[row] for row in rows]), values


def _of_variable(parts: Sequence[tuple[FloatArray, FloatArray]]) -> Noise:
    found = _estimated(parts)
    return Noise(absolute=0.0) if found is None else found.noise


def _estimated(parts: Sequence[tuple[FloatArray, FloatArray]]) -> _Estimate | None:
    estimates = [*_by_window(parts)]
    if not estimates:
        return None
    least = min(estimates, key=lambda one: one.typical)
    fair = [one for one in estimates if one.typical <= least.typical * (1.0 + 2.0 * one.error)]
    chosen = min(fair, key=lambda one: one.error)
    absolute = max(chosen.noise.absolute, _rounding(parts))
    return replace(chosen, noise=replace(chosen.noise, absolute=absolute))


def _by_window(parts: Sequence[tuple[FloatArray, FloatArray]]) -> Iterator[_Estimate]:
    for reach, degree in _WINDOWS:
        found = [_differences(t, x, reach, degree) for t, x in parts if len(t) > 2 * reach + 1]
        if found:
            off = np.concatenate([one for one, _, _ in found])
            level = np.concatenate([one for _, one, _ in found])
            kept = float(np.mean([share for _, _, share in found]))
            yield _estimate(off, level, kept)


def _differences(
    t: FloatArray, x: FloatArray, reach: int, degree: int
) -> tuple[FloatArray, FloatArray, float]:
    """Return differences to the local polynomial, its values, and how independent the differences are.

    They are scaled to the noise's own size; the last is the share of their variance that is the
    sample's own.
    """
    centres = np.arange(reach, len(t) - reach)
    centres = centres[:: max(1, math.ceil(len(centres) / _MOST))]
    near = centres[:, None] + np.array([i for i in range(-reach, reach + 1) if i])
    offsets = t[near] - t[centres][:, None]
    offsets /= np.abs(offsets).max(axis=1, keepdims=True)
    powers = offsets[:, :, None] ** np.arange(degree + 1)
    gram = np.einsum("nka,nkb->nab", powers, powers) + 1e-14 * np.eye(degree + 1)
    constant = np.zeros((len(centres), degree + 1, 1))
    constant[:, 0] = 1.0
    weights = np.einsum("nka,na->nk", powers, np.linalg.solve(gram, constant)[:, :, 0])
    level = np.einsum("nk,nk->n", weights, x[near])
    variance = 1.0 + (weights**2).sum(axis=1)
    return (x[centres] - level) / np.sqrt(variance), level, float(np.mean(1.0 / variance))


def _estimate(off: FloatArray, level: FloatArray, kept: float) -> _Estimate:
    """Return the likeliest noise, of constant size unless one that grows explains clearly more."""
    size = np.abs(level)
    typical = float(np.median(size)) or float(size.max()) or 1.0
    costs = math.log(len(off)) / 2.0
    best: tuple[float, float, float] | None = None
    for shape in _SHAPES:
        growth = size / typical if math.isinf(shape) else np.hypot(1.0, shape * size / typical)
        # Where the signal crosses zero, noise that is only relative vanishes; no instrument's does.
        growth = np.maximum(growth, 1e-3)
        scale, likelihood = _scale(off / growth)
        likelihood -= float(np.log(growth).sum())
        # A growing noise has to earn its place, and one with both parts its second number.
        likelihood -= 0.0 if shape == 0.0 else _SURE if math.isinf(shape) else _SURE + costs
        if best is None or likelihood > best[0]:
            best = (likelihood, shape, scale)
    assert best is not None  # noqa: S101  # there are shapes
    _, shape, scale = best
    error = 1.0 / math.sqrt(2.0 * len(off) * max(kept, 0.1))
    if math.isinf(shape):
        return _Estimate(Noise(absolute=0.0, relative=scale / typical), scale, error)
    noise = Noise(absolute=scale, relative=scale * shape / typical)
    return _Estimate(noise, math.hypot(scale, scale * shape), error)


def _scale(off: FloatArray) -> tuple[float, float]:
    """Return the standard deviation of Gaussian noise, and the log-likelihood, under a t distribution.

    Source: K. L. Lange, R. J. A. Little and J. M. G. Taylor, "Robust statistical modeling using the
    t distribution", Journal of the American Statistical Association 84 (1989): EM for the scale.
    """
    squares = off**2
    variance = float(np.median(squares)) / 0.4549 or float(squares.mean())
    if variance == 0.0:
        return 0.0, math.inf
    for _ in range(20):
        variance = float(np.mean((_TAILS + 1.0) * squares / (_TAILS + squares / variance)))
    fit = np.log1p(squares / variance / _TAILS).sum() * (_TAILS + 1.0) / 2.0
    likelihood = -len(off) * math.log(variance) / 2.0 - float(fit)
    return math.sqrt(variance) * _GAUSSIAN, likelihood


def _rounding(parts: Sequence[tuple[FloatArray, FloatArray]]) -> float:
    """Return the standard deviation that rounding makes: where digits were cut, values lie on a grid."""
    values = np.unique(np.concatenate([x for _, x in parts]))
    return float(np.diff(values).min()) / math.sqrt(12.0) if len(values) > 1 else 0.0
