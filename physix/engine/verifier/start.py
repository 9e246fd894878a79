"""The state that a measured motion began in: as uncertain as any other sample, and fitted within its noise.

A sampled task hands out a clean first row; a table of measurements does not, and a law judged from a
start that is off pays for an error which is not its own. An estimated rate is a guess to begin with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.verifier.chi2 import effective_sigma
from physix.engine.verifier.prepared import BoolArray, Samples

_STEPS = 10  # Levenberg-Marquardt steps, at most, over the whole motion or a part of it
# Parts of the motion, where going for all of it at once does not reach the noise.
_STAGES = (32.0, 16.0, 12.0, 8.0, 6.0, 4.0, 3.0, 2.0, 1.5)
_LEAST_ROWS = 8
_AT_THE_NOISE = 1.5  # chi² over samples below which there is nothing left to look for
_LOST = 30.0  # chi² over samples of a part: above it the law does not follow, whatever the start
_CLOSE, _ROUGH = 1e-9, 1e-2  # relative gain of a step below which the last stage, or another, is done
_WITHIN = 4.0  # standard deviations that a measured start may move
_FAR = 1e2  # residual, in units of the noise, of what could not be integrated
_DIFFERENCE = 0.1  # step of the Jacobian, in units of the noise ...
_LEAST_DIFFERENCE = 1e-4  # ... and of the scale: it stays above the solver's tolerance
_CAREFUL = 1e-2  # both, where the solver is that much more accurate and small errors grow

# A start and rows wanted to rows, followed as in any run or with more care.
Integrate = Callable[[list[float], int], FloatArray]


class SpentError(Exception):
    """The evaluations allowed for finding the start are used up."""


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    samples: Samples
    integrate: Integrate
    sigma: FloatArray  # shape (T, D), never zero
    unit: FloatArray  # shape (F,), how uncertain each free coordinate is
    free: list[int]  # columns
    prior: FloatArray  # shape (F,), weight of staying where the guess is
    step: FloatArray  # shape (F,), of the Jacobian, in units

    def start(self, moved: FloatArray) -> list[float]:
        state = list(self.samples.initial)
        for column, shift in zip(self.free, (moved * self.unit).tolist(), strict=True):
            state[column] += shift
        return state

    def residuals(self, moved: FloatArray, rows: int) -> FloatArray:
        reached = self.integrate(self.start(moved), rows)
        off = np.full((rows, self.sigma.shape[1]), _FAR)
        n = len(reached)
        with np.errstate(over="ignore", invalid="ignore"):
            off[:n] = np.clip((reached - self.samples.states[:n]) / self.sigma[:n], -_FAR, _FAR)
        return np.concatenate([(off * self.samples.weight[:rows]).ravel(), self.prior * moved])


@dataclass(frozen=True, slots=True)
class Start:
    """Where a motion begins."""

    state: list[float]
    careful: bool = False  # the law follows the motion from there only if integrated with more care


def fit_start(
    samples: Samples, scale: FloatArray, size: FloatArray, integrate: Integrate, careful: Integrate
) -> Start:
    """Return the start from which a law follows the samples best, each coordinate within its noise.

    Levenberg-Marquardt on chi²: a fixed number of steps, from the first sample. Where that does not reach
    the noise, again over ever longer parts of it: what a motion that forgets its
    start soon (chaos, many periods) needs. Deterministic; the first sample itself where no better was found.

    Args:
        samples: the measured motion.
        scale: shape (D,), the spread of each variable.
        size: shape (D,), the largest magnitude of each variable: how wrong an estimated rate may be.
        integrate: may raise SpentError; the best start so far is returned then.
        careful: the same at a much tighter tolerance.
    """
    search = _search(samples, scale, size, integrate, 1.0)
    if not search.free:
        return Start(samples.initial)
    rows, still = len(samples.t), _first_that_runs(search, np.zeros(len(search.free)))
    best, cost = _descend(search, still, rows, _CLOSE)
    if cost <= _AT_THE_NOISE * samples.weight.sum():
        return Start(search.start(best))
    search = _search(samples, scale, size, careful, _CAREFUL)
    moved, other = _descend(search, _by_stages(search, still, rows), rows, _CLOSE)
    return Start(search.start(moved), careful=True) if other < cost else Start(search.start(best))


def _first_that_runs(search: _Search, still: FloatArray) -> FloatArray:
    """Return the first sample, or where a law has no motion from there the best start around it that has.

    Noise may carry a sample out of a law's domain: below zero what is never negative, say.
    """
    rows = len(search.samples.t)
    try:
        if len(search.integrate(search.start(still), rows)) == rows:
            return still
        around = [shift * unit for shift in (-1.0, 1.0, -2.0, 2.0, -3.0, 3.0) for unit in np.eye(len(still))]
        off = [search.residuals(tried, rows) for tried in around]
    except SpentError:
        return still
    return around[int(np.argmin([float(one @ one) for one in off]))]


def _by_stages(search: _Search, moved: FloatArray, rows: int) -> FloatArray:
    """Return the start that follows ever longer parts of the motion, as far as one does."""
    for part in _STAGES:
        some = min(rows, max(round(rows / part), _LEAST_ROWS))
        tried, cost = _descend(search, moved, some, _ROUGH)
        if not cost <= _LOST * search.samples.weight[:some].sum():
            break
        moved = tried
    return moved


def _search(
    samples: Samples, scale: FloatArray, size: FloatArray, integrate: Integrate, care: float
) -> _Search:
    observed = samples.weight[0] > 0.0
    guessed: BoolArray = ~observed
    # A cell that is missing, or was never measured, may be anything of the size of its variable.
    unit = np.where(guessed, np.where(size > 0.0, size, scale), samples.sigma[0])
    free = np.flatnonzero(unit > 0.0)
    return _Search(
        samples=samples,
        integrate=integrate,
        sigma=effective_sigma(samples.sigma, scale),
        unit=unit[free],
        free=free.tolist(),
        prior=np.where(guessed, 1.0, 0.0)[free],
        step=care
        * np.maximum(
            np.where(guessed, _LEAST_DIFFERENCE, _DIFFERENCE)[free],
            _LEAST_DIFFERENCE * scale[free] / unit[free],
        ),
    )


def _descend(search: _Search, moved: FloatArray, rows: int, done: float) -> tuple[FloatArray, float]:
    """Return where at most `_STEPS` steps lead, and the chi² there, over the first `rows` samples."""
    cost = np.inf
    try:
        off = search.residuals(moved, rows)
        cost, damping = float(off @ off), 1e-3
        for _ in range(_STEPS):
            slope = np.column_stack(
                [
                    (search.residuals(moved + step * unit, rows) - off) / step
                    for step, unit in zip(search.step, np.eye(len(moved)), strict=True)
                ]
            )
            curve = slope.T @ slope
            shift = np.linalg.lstsq(
                curve + damping * np.diag(np.diag(curve) + 1e-12), -slope.T @ off, rcond=None
            )[0]
            tried = np.clip(moved + shift, -_WITHIN, _WITHIN)
            after = search.residuals(tried, rows)
            reached = float(after @ after)
            gain = cost - reached
            if gain > 0.0:
                moved, off, cost, damping = tried, after, reached, damping / 10.0
            else:
                damping *= 30.0
            if abs(gain) <= done * cost or damping > 1e6:
                break
    except SpentError:
        pass
    return moved, cost
