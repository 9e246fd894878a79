"""What the data alone say about one equation, computed once per task: the weak form of dv/dt = f.

If dv/dt = f held along the observed motion, v(t) - v(0) would be the integral of f along it. So an
equation is a linear relation between a response (the measured v) and the integrals of its terms;
integrals, because differentiating noisy data amplifies the noise. What noise is left is known: each
sample's own, and that of the states inside f, which adds up along the way like a random walk. Both
sides are divided by it, so that what is left over has variance 1 a row, and chi² is a sum of squares.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.random import PCG64, Generator
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.linalg.lapack import dpbsv

from physix.engine.floats import FloatArray
from physix.engine.systems.targets import targets
from physix.engine.systems.task import Task
from physix.engine.verifier.candidates import candidates
from physix.engine.verifier.prepared import Prepared, Same, Samples, prepare

LEAST_NOISE = 1e-3  # of a variable's spread: below, the quadrature errs as much
_ROWS = 256  # of a response, all trajectories together: more are averaged in blocks
_LEAST_ROWS = 16  # of each trajectory
_ORDER = 3  # of the differences that smoothing keeps small
_UNDER = 2  # decades that the terms are smoothed less than cross-validation advises
_BLUR = 3.0  # times the squared noise: how much of a defect noise inside the terms may leave
_SEED = 20_261_103
_PIECE = 200_000  # multiplications


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """The shown data smoothed, as columns by name, all trajectories one after another."""

    columns: dict[str, FloatArray]  # states, inputs and t, shape (N,)
    shaken: dict[str, FloatArray]  # with each state moved by its noise, this way or that
    calm: dict[str, FloatArray]  # smoothed further, for what is estimated from their derivatives
    cuts: tuple[slice, ...]  # of each trajectory
    steps: tuple[FloatArray, ...]  # time between its samples


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """How one trajectory's integrals become rows of variance 1."""

    cut: slice
    quadrature: _Quadrature
    twice: bool  # the response is the position, as the rate itself was not measured
    blocks: NDArray[np.intp] | None  # first sample of each block, None: every sample is a row
    kept: NDArray[np.intp] | None  # samples whose response was measured, None: all
    whiten: FloatArray  # shape (R, R), what the start contributes projected out

    def rows(self, values: FloatArray) -> FloatArray:
        """Return the weighted integrals of terms: (N, K) values along all data to (R, K)."""
        return self.weigh(self.integral(values[self.cut]))

    def integral(self, values: FloatArray) -> FloatArray:
        once = self.quadrature.running(values)
        return self.quadrature.running(once) if self.twice else once

    def weigh(self, samples: FloatArray) -> FloatArray:
        if self.kept is not None:
            samples = samples[self.kept]
        if self.blocks is not None:
            sizes = np.diff(np.append(self.blocks, len(samples)))
            samples = np.add.reduceat(samples, self.blocks, axis=0) / sizes[:, None]
        return _product(self.whiten, samples)


@dataclass(frozen=True, slots=True)
class Listed:
    """A term that the equation might lack. Its values along the data would take megabytes, and stay out."""

    term: str
    names: frozenset[str]
    work: float  # its values times those of the driven variable, summed: below 0 it damps


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """One equation's left side along the data, and the terms that it might lack, weighted alike."""

    driven: str  # the variable whose derivative the equation gives
    driven_values: FloatArray  # smoothed, shape (N,)
    states: frozenset[str]  # names of all state variables
    given: frozenset[str]  # names of the inputs, and t
    parts: tuple[_Part, ...]
    measured: FloatArray  # shape (R,)
    degrees: int  # rows less what the starts take
    library: tuple[Listed, ...]
    rows: FloatArray  # of the library, shape (R, C)
    gram: FloatArray  # rows' products, shape (C, C)
    onto: FloatArray  # rows' products with what was measured, shape (C,)
    energy: float  # what was measured, squared
    rate_noise: FloatArray  # what the noise in the states is taken to do to f at each sample, shape (N,)
    blur: float  # of a defect's square, what noise inside the terms leaves however right a change is
    doubts: FloatArray  # of the library, shape (C,)

    def waves(self, t: FloatArray, frequencies: FloatArray) -> FloatArray:
        """Return the rows of cos(w*t) for each frequency, and then those of sin(w*t), shape (R, 2 F)."""
        phases = np.outer(t, frequencies)
        return self.weighted(np.hstack([np.cos(phases), np.sin(phases)]))

    def weighted(self, values: FloatArray) -> FloatArray:
        """Return the integrals of terms with values (N, K) along the data, as rows (R, K)."""
        if len(self.parts) == 1:
            return self.parts[0].rows(values)
        return np.concatenate([part.rows(values) for part in self.parts])


def _product(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return left @ right in pieces too small for BLAS to hand to threads, which spin on a busy machine."""
    width = max(1, _PIECE // left.size)
    if right.shape[1] <= width:
        product: FloatArray = left @ right
        return product
    return np.concatenate([left @ right[:, i : i + width] for i in range(0, right.shape[1], width)], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Quadrature:
    """Integrals over samples at N times, exact for parabolas on any grid, see `running_integral`."""

    steps: FloatArray  # shape (N - 1, 1)
    pairs: FloatArray  # of neighbouring steps, summed, shape (N - 2, 1)
    bent: FloatArray  # what half the second derivative takes off each step's trapezoid, shape (N - 1, 1)

    @classmethod
    def over(cls, steps: FloatArray) -> _Quadrature:
        h = steps[:, None]
        # Each step lies in two parabolas, the first and the last in one.
        bent = h**3 / 12.0
        bent[:1], bent[-1:] = h[:1] ** 3 / 6.0, h[-1:] ** 3 / 6.0
        return cls(h, h[1:] + h[:-1], bent)

    def running(self, values: FloatArray) -> FloatArray:
        """Return the integral from the first sample to each, shape (N, K), of values (N, K)."""
        running = np.empty_like(values)
        running[0] = 0.0
        if len(values) < 2:
            return running
        area = values[1:] + values[:-1]
        area *= self.steps
        area /= 2.0
        if len(values) > 2:
            slopes = values[1:] - values[:-1]
            slopes /= self.steps
            bends = slopes[1:] - slopes[:-1]
            bends /= self.pairs  # half the second derivative
            area[0] -= self.bent[0] * bends[0]
            area[-1] -= self.bent[-1] * bends[-1]
            both = bends[1:] + bends[:-1]
            both *= self.bent[1:-1]
            area[1:-1] -= both
        area.cumsum(axis=0, out=running[1:])
        return running


def running_integral(steps: FloatArray, values: FloatArray) -> FloatArray:
    """Return the integral from the first sample to each, shape (N, K), of values (N, K) at N times.

    Exact for parabolas, on any grid: the trapezoid less the bend that the neighbours show.
    """
    return _Quadrature.over(steps).running(values)


def motion_of(task: Task) -> Motion:
    """Return the shown data, smoothed as far as their noise asks for; the same task object once."""
    return _motion(Same(task))


def response_of(task: Task, variable: str) -> Response:
    """Return the left side of the equation of `variable`, for the same task object once."""
    return _response(Same(task), variable)


@lru_cache(maxsize=64)
def _motion(same: Same) -> Motion:
    (task,) = same.values
    assert isinstance(task, Task)  # noqa: S101  # for the type checker
    prepared = prepare(task)
    names = [*prepared.names, *(i.name for i in task.inputs), "t"]
    cuts, steps, begin = [], [], 0
    signs = Generator(PCG64(_SEED))
    columns: dict[str, list[FloatArray]] = {"smooth": [], "shaken": [], "calm": []}
    for samples, trajectory in zip(prepared.shown, task.shown, strict=True):
        smooth, calm = _smoothed(samples, prepared)
        shaken = smooth + signs.choice([-1.0, 1.0], smooth.shape) * samples.sigma
        inputs = np.array(trajectory.inputs).reshape(len(samples.t), len(task.inputs))
        for kind, states in (("smooth", smooth), ("shaken", shaken), ("calm", calm)):
            columns[kind].append(np.column_stack([states, inputs, samples.t]))
        cuts.append(slice(begin, begin + len(samples.t)))
        steps.append(np.diff(samples.t))
        begin += len(samples.t)
    by_name = {
        kind: dict(zip(names, np.concatenate(parts).T.copy(), strict=True)) for kind, parts in columns.items()
    }
    return Motion(by_name["smooth"], by_name["shaken"], by_name["calm"], tuple(cuts), tuple(steps))


def floor_of(prepared: Prepared) -> FloatArray:
    """Return the least standard deviation that a sample of each variable is taken to have, shape (D,)."""
    least: FloatArray = LEAST_NOISE * prepared.scale
    return least


def _smoothed(samples: Samples, prepared: Prepared) -> tuple[FloatArray, FloatArray]:
    """Return states, shape (N, D), without the noise that generalised cross-validation can tell.

    The first are smoothed a hundred times less than it advises: noise averages out in an integral,
    bias does not. The second as it advises.

    Source: P. H. C. Eilers, "A perfect smoother", Analytical Chemistry 75 (2003).
    """
    t, states = samples.t, samples.states
    n = len(t)
    noisy = samples.sigma.max(axis=0) > floor_of(prepared)
    if n < 8 or not noisy.any():
        return states, states
    allowed = 1.2 * np.mean(np.maximum(samples.sigma, floor_of(prepared)) ** 2, axis=0)
    bands = _roughness(t)
    smooths: list[FloatArray] = [states] * _UNDER
    shares: list[float] = []
    for weight, freedom in _freedoms(n):
        system = weight * bands
        system[-1] += 1.0
        _, smooth, info = dpbsv(system, states, overwrite_ab=True)
        if info > 0:
            break  # where samples nearly coincide, rounding drowns what more weight would smooth
        smooths.append(smooth)
        shares.append((1.0 - freedom / n) ** 2)
    if not shares:
        return states, states
    tried = np.array(smooths)
    left = ((states - tried[_UNDER:]) ** 2).sum(axis=1) / n
    score = left / np.array(shares)[:, None]
    # Where there is no noise to speak of, what is smoothed away is the motion.
    score = np.where(noisy & (left <= allowed) & (score < np.inf), score, np.inf)
    best, columns = score.argmin(axis=0), np.arange(states.shape[1])
    found = score[best, columns] < np.inf
    chosen, calm = tried[best, :, columns].T, tried[best + _UNDER, :, columns].T
    return np.where(found, chosen, states), np.where(found, calm, states)


@lru_cache(maxsize=64)
def _freedoms(n: int) -> tuple[tuple[float, float], ...]:
    """Return the weights of smoothness that are tried, and how many numbers n samples then come to."""
    frequencies = (2.0 * np.sin(np.pi * np.arange(n) / (2.0 * n))) ** (2 * _ORDER)
    return tuple(
        (weight, float((1.0 / (1.0 + weight * frequencies)).sum()))
        for weight in (10.0 ** np.arange(-3.0, 9.0)).tolist()
    )


def _roughness(t: FloatArray) -> FloatArray:
    """Return the squared third differences on a grid of any steps, as upper bands of a matrix."""
    n = len(t)
    at = (t - t[0]) * (n - 1) / (t[-1] - t[0])
    d = np.zeros((n - _ORDER, _ORDER + 1))
    # Divided differences: row i weighs samples i..i+3 by 3! / prod(distances).
    for j in range(_ORDER + 1):
        product = np.ones(n - _ORDER)
        for k in range(_ORDER + 1):
            if k != j:
                product *= at[j : n - _ORDER + j] - at[k : n - _ORDER + k]
        d[:, j] = 6.0 / product
    bands = np.zeros((_ORDER + 1, n))
    for a in range(_ORDER + 1):
        for b in range(a, _ORDER + 1):
            bands[_ORDER - (b - a), b : n - _ORDER + b] += d[:, a] * d[:, b]
    return bands


@lru_cache(maxsize=256)
def _response(same: Same, variable: str) -> Response:
    (task,) = same.values
    assert isinstance(task, Task)  # noqa: S101  # for the type checker
    prepared, motion = prepare(task), _motion(same)
    driven = next(one.driven for one in targets(task.variables) if one.variable == variable)
    # A rate that was not measured is no response: its position is, to which f is integrated twice.
    twice = next(v for v in task.variables if v.name == driven).estimated
    index = prepared.names.index(variable if twice else driven)
    with np.errstate(all="ignore"):
        library = tuple(candidates(driven, task.variables, task.inputs, motion.columns))
        driven_values = motion.columns[driven]
        rate_noise = _rate_noise(prepared, motion, driven)
        parts = _parts(prepared, motion, rate_noise, index, twice=twice)
        observed = [
            part.weigh(samples.states[:, [index]])[:, 0]
            for part, samples in zip(parts, prepared.shown, strict=True)
        ]
        values = np.ascontiguousarray(np.array([c.values for c in library]).T)
        rows = np.concatenate([part.rows(values) for part in parts])
        left = np.concatenate(observed)
        return Response(
            driven=driven,
            driven_values=driven_values,
            states=frozenset(prepared.names),
            given=frozenset(motion.columns) - frozenset(prepared.names),
            parts=parts,
            measured=left,
            degrees=max(1, len(rows) - (2 * len(parts) if twice else 0)),
            library=tuple(Listed(c.term, c.names, float(c.values @ driven_values)) for c in library),
            rows=rows,
            gram=_product(rows.T.copy(), rows),
            onto=rows.T @ left,
            energy=float(left @ left),
            rate_noise=rate_noise,
            blur=_BLUR * _relative_noise(prepared) ** 2,
            doubts=np.array([c.doubt for c in library]),
        )


def _parts(
    prepared: Prepared, motion: Motion, rate_noise: FloatArray, index: int, *, twice: bool
) -> tuple[_Part, ...]:
    scale = float(prepared.scale[index])
    noise = rate_noise / scale
    rows = max(_LEAST_ROWS, _ROWS // len(motion.cuts))
    parts = []
    for cut, steps, samples in zip(motion.cuts, motion.steps, prepared.shown, strict=True):
        kept = None if samples.weight[:, index].all() else np.flatnonzero(samples.weight[:, index])
        sigma = np.maximum(samples.sigma[:, index] / scale, LEAST_NOISE)
        at = np.arange(len(sigma)) if kept is None else kept
        blocks = None
        if len(at) > rows:
            blocks = np.unique(np.linspace(0, len(at), rows, endpoint=False).astype(np.intp))
        whiten = _whitening(steps, sigma, noise[cut], at, blocks, twice=twice) / scale
        parts.append(_Part(cut, _Quadrature.over(steps), twice, blocks, kept, whiten))
    return tuple(parts)


def _relative_noise(prepared: Prepared) -> float:
    shares = np.maximum(prepared.rms_sigma / prepared.scale, LEAST_NOISE)[prepared.scored]
    return float(np.sqrt(np.mean(shares**2)))


def _rate_noise(prepared: Prepared, motion: Motion, driven: str) -> FloatArray:
    """Return how far off f is at each sample for the noise of the states in it, shape (N,).

    The noise reaches f in proportion to how fast f changes with the states, and that shows in how
    fast f changes along the way. No law is needed for that, and no more than its size is.
    """
    relative = _relative_noise(prepared)
    index = prepared.names.index(driven)
    states = np.column_stack([motion.calm[name] for name in prepared.names])
    rates = [_gradient(states[cut], steps) for cut, steps in zip(motion.cuts, motion.steps, strict=True)]
    bends = [
        _gradient(rate[:, [index]], steps)[:, 0] for rate, steps in zip(rates, motion.steps, strict=True)
    ]
    errors = [
        _quadrature_error(rate[:, index], steps) for rate, steps in zip(rates, motion.steps, strict=True)
    ]
    rate, bend, error = np.concatenate(rates), np.concatenate(bends), np.concatenate(errors)
    mean_squares = np.mean(rate**2, axis=0)
    pace = np.sqrt(np.mean(mean_squares / prepared.scale**2))
    bent = bend / pace if pace > 0.0 else bend
    total: FloatArray = np.sqrt(relative**2 * (0.5 * mean_squares[index] + bent**2) + error**2)
    return total


def _gradient(values: FloatArray, steps: FloatArray) -> FloatArray:
    slopes = np.diff(values, axis=0) / steps[:, None]
    return np.concatenate([slopes[:1], (slopes[1:] + slopes[:-1]) / 2.0, slopes[-1:]])


def _quadrature_error(rate: FloatArray, steps: FloatArray) -> FloatArray:
    """Return by how much the two parabolas through each step differ, over its length, shape (N,)."""
    error = np.zeros(len(rate))
    if len(rate) > 3:
        slopes = np.diff(rate) / steps
        bends = np.diff(slopes) / (steps[1:] + steps[:-1])
        error[1:-2] = steps[1:-1] ** 2 / 12.0 * np.abs(np.diff(bends))
    return error


def _whitening(
    steps: FloatArray,
    sigma: FloatArray,
    noise: FloatArray,
    at: NDArray[np.intp],
    blocks: NDArray[np.intp] | None,
    *,
    twice: bool,
) -> FloatArray:
    """Return the matrix that makes rows of variance 1 of a response's samples, whatever its start.

    Args:
        steps: between samples, shape (N - 1,).
        sigma: of the response's samples, shape (N,).
        noise: of its rate of change at each sample, shape (N,).
        at: which samples there are.
        blocks: first of `at` in each block that is averaged; None: each is a row.
        twice: the response is a position, and its rate what walks.
    """
    if len(at) < 2:
        return np.zeros((0, len(at)))
    t = np.concatenate([[0.0], np.cumsum(steps)])
    walked = np.concatenate([[0.0], np.cumsum((noise[1:] * steps) ** 2)])
    times, variance = t[at], sigma[at] ** 2
    if blocks is not None:
        sizes = np.diff(np.append(blocks, len(at)))
        times = np.add.reduceat(times, blocks) / sizes
        variance = np.add.reduceat(variance, blocks) / sizes**2
        at = at[blocks + sizes // 2]
    # What was walked between two rows counts as one step.
    between = np.diff(walked[at], prepend=0.0)
    return _twice_whitened(times, variance, between) if twice else _innovations(variance, between)


def _innovations(variance: FloatArray, walked: FloatArray) -> FloatArray:
    """Return the matrix from samples of a random walk, each with noise, to innovations of variance 1.

    The start is free, so the first sample only says where the walk begins. Shape (R - 1, R).

    Source: A. C. Harvey, "Forecasting, structural time series models and the Kalman filter" (1989), the
    local level model.
    """
    totals, gains = [], [1.0]
    known = float(variance[0])
    for noise, step in zip(variance[1:].tolist(), walked[1:].tolist(), strict=True):
        known += step
        total = known + noise
        gain = known / total
        known *= 1.0 - gain
        totals.append(total)
        gains.append(gain)
    # What is expected of a sample: of each earlier one its gain, and what all after that left of it.
    rows = len(variance)
    left = np.where(np.tri(rows, k=-1, dtype=bool), 1.0 - np.array(gains)[:, None], 1.0)
    np.fill_diagonal(left, gains)
    expected = np.tril(np.multiply.accumulate(left, axis=0))[:-1]
    scales = np.sqrt(totals)
    whiten: FloatArray = expected / -scales[:, None]
    whiten[np.arange(rows - 1), np.arange(1, rows)] = 1.0 / scales
    return whiten


def _twice_whitened(times: FloatArray, variance: FloatArray, walked: FloatArray) -> FloatArray:
    """Return the same for samples of a position whose rate walks: both its start and its rate's are free."""
    rows = len(times)
    # An error of the rate made at one time moves the position ever after.
    walk = np.maximum(times[:, None] - times[None, :], 0.0) * np.sqrt(walked)
    lower = cholesky(np.diag(variance) + walk @ walk.T, lower=True, check_finite=False)
    weights: FloatArray = solve_triangular(lower, np.eye(rows), lower=True, check_finite=False)
    basis, _ = np.linalg.qr(weights @ np.column_stack([np.ones(rows), times]))
    return weights - basis @ (basis.T @ weights)
