"""Which order the numbers themselves speak for: does a law of rates close, or one of accelerations?

Both orders are held against the data as integral equations, so that noise is not differentiated, each with
the few of its candidate terms that an information criterion pays for. Where the motion comes by the same
state at different rates no law of first order can close, whatever its terms.

A regression of its own, of few terms: those of verifier and search need a task, whose orders are asked here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from scipy.interpolate import make_interp_spline

from physix.engine.floats import FloatArray
from physix.engine.systems.measured.slopes import estimated_rate

_Run = tuple[FloatArray, FloatArray, FloatArray]  # times, states, inputs
_ROWS = 1_000  # of one run that are looked at
_FEWEST = 3  # samples for each candidate term
_FAR = 3.0  # times its spread: how far from zero a variable's middle may be
_ALIKE = 1e-7  # of a column's length: what others leave of it where it is their sum
_EXACT = 1e-5  # share of the spread: what rounding and integration leave over
_NOTHING = 1e-4  # share of the spread below which either order explains everything
_MORE, _MUCH_MORE = 1.3, 2.0  # times what the other order leaves over
_CLOSED = 0.02  # share of the spread that may be left over
_SURER, _SURE = 10.0, 20.0  # by which a score must be better


@dataclass(frozen=True, slots=True)
class Closure:
    """How well a few terms explain a motion at one order.

    Attributes:
        score: BIC over all variables, smaller is better.
        left: of the variable that is explained worst, what is left over as a share of its spread.
        terms: over all variables.
    """

    score: float
    left: float
    terms: int


def rates_close(closures: tuple[Closure, Closure]) -> bool:
    """Tell whether a law of rates does as well as one of accelerations, and with about as little."""
    first, second = closures
    if _worse(first, second, _MORE):
        return second.score > first.score - _SURER
    return second.score > first.score or second.terms > first.terms - 2


def only_accelerations_close(closures: tuple[Closure, Closure]) -> bool:
    """Tell whether a law of accelerations explains what no law of rates does."""
    first, second = closures
    clearly = second.score < first.score - _SURE and _worse(first, second, _MUCH_MORE)
    return clearly and second.left < _CLOSED


def _worse(one: Closure, other: Closure, times: float) -> bool:
    return one.left > times * max(other.left, _NOTHING)


def closures(runs: Sequence[_Run]) -> tuple[Closure, Closure] | None:
    """Return how well laws of first and of second order explain several variables.

    Of first order are constants, inputs and products of up to three states; of second order the same of up
    to two, own cubes, rates, and drag that grows with a rate's square.

    Args:
        runs: t of shape (T,), states (T, D), inputs (T, I) of each; finite, t increasing.

    Returns:
        None where there are too few samples to tell.

    Source: the price of a term is that of J. Chen and Z. Chen, "Extended Bayesian information criteria",
    Biometrika 95 (2008).
    """
    if not runs:
        return None
    with np.errstate(all="ignore"):  # of numbers that are no measurements; what is left of them is not finite
        return _closures(runs)


def _closures(runs: Sequence[_Run]) -> tuple[Closure, Closure] | None:
    pieces = [_scaled(*one, runs) for one in runs]
    spread = np.ptp(np.concatenate([x for _, x, _ in runs]), axis=0)
    found = []
    for order in (1, 2):
        parts = [_regression(t, x, u, spread, order) for t, x, u in pieces]
        matrix = np.concatenate([columns for columns, _ in parts])
        wanted = np.concatenate([left for _, left in parts])
        samples = len(matrix) - 2 * len(parts)  # the same for both, or their scores would not compare
        if samples < _FEWEST * matrix.shape[1] or not (
            np.isfinite(matrix).all() and np.isfinite(wanted).all()
        ):
            return None
        fits = [_fewest(matrix, one, samples) for one in wanted.T]
        starts = order * len(parts) * len(fits)
        found.append(
            Closure(
                score=sum(score for score, _, _ in fits) + starts * np.log(samples),
                left=max(float(np.sqrt(misfit / samples)) for _, misfit, _ in fits),
                terms=sum(terms for _, _, terms in fits),
            )
        )
    return found[0], found[1]


def _scaled(
    t: FloatArray, x: FloatArray, u: FloatArray, runs: Sequence[_Run]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return a run with its time and variables in their own units, thinned."""
    span = max(float(one[0][-1] - one[0][0]) for one in runs)
    kept = np.unique(np.linspace(0, len(t) - 1, min(len(t), _ROWS)).round().astype(int))
    columns = []
    for part, pooled in ((x, [one[1] for one in runs]), (u, [one[2] for one in runs])):
        together = np.concatenate(pooled)
        spread, middle = np.ptp(together, axis=0), together.mean(axis=0)
        # About zero laws are shortest; far from it nothing but the distance from the middle can be told.
        zero = np.where(np.abs(middle) > _FAR * spread, middle, 0.0)
        columns.append((part[kept] - zero) / np.where(spread > 0.0, spread, 1.0))
    return (t[kept] - t[0]) / span, columns[0], columns[1]


def _regression(
    t: FloatArray, x: FloatArray, u: FloatArray, spread: FloatArray, order: int
) -> tuple[FloatArray, FloatArray]:
    """Return terms' integrals (T, K) and what they are to explain (T, D), unknown starts removed."""
    offsets = np.linalg.qr(np.vander(t, order))[0]
    once = [*_products(np.column_stack([x, u]), x.shape[1], 3 if order == 1 else 2)]
    if order == 2:
        rates = np.stack([estimated_rate(t, column) for column in x.T], axis=1) * spread
        drag = rates * np.sqrt((rates**2).sum(axis=1, keepdims=True))
        once += [*drag.T, *(x**3).T]
    spline = make_interp_spline(t, np.stack([np.ones_like(t), *once], axis=1), k=3)
    terms = spline.antiderivative(order)(t)
    if order == 2:
        # A position's own rate, integrated twice, is the position's integral: nothing is differentiated.
        terms = np.column_stack([terms, make_interp_spline(t, x, k=3).antiderivative(1)(t)])
    return terms - offsets @ (offsets.T @ terms), x - offsets @ (offsets.T @ x)


def _products(columns: FloatArray, states: int, degree: int) -> Iterator[FloatArray]:
    for size in range(1, degree + 1):
        for chosen in combinations_with_replacement(range(columns.shape[1]), size):
            if size == 1 or chosen[0] < states:
                yield columns[:, chosen].prod(axis=1)


def _fewest(matrix: FloatArray, wanted: FloatArray, samples: int) -> tuple[float, float, int]:
    """Return the best score of a subset found forwards, then backwards, what it leaves over, and its size."""
    sizes = np.linalg.norm(matrix, axis=0)
    columns = matrix[:, sizes > 0.0] / sizes[sizes > 0.0]
    price = np.log(samples) + 2.0 * np.log(max(2, columns.shape[1]))
    floor = samples * _EXACT**2

    def score(misfit: float, terms: int) -> float:
        return float(samples * np.log(max(misfit, floor) / samples) + terms * price)

    chosen: list[int] = []
    best = (score(float(wanted @ wanted), 0), chosen)
    left, free = wanted.copy(), columns.copy()
    for _ in range(columns.shape[1]):
        lengths = np.linalg.norm(free, axis=0)
        gains = np.where(lengths > _ALIKE, (left @ free / np.maximum(lengths, _ALIKE)) ** 2, 0.0)
        j = int(np.argmax(gains))
        if gains[j] <= 0.0:
            break
        own = free[:, j] / lengths[j]
        left = left - own * (own @ left)
        free = free - np.outer(own, own @ free)
        chosen = [*chosen, j]
        best = min(best, (score(float(left @ left), len(chosen)), chosen))
    while best[1]:
        fewer = [[one for one in best[1] if one != gone] for gone in best[1]]
        shorter = min((score(_misfit(columns[:, few], wanted), len(few)), few) for few in fewer)
        if shorter >= best:
            break
        best = shorter
    return best[0], _misfit(columns[:, best[1]], wanted), len(best[1])


def _misfit(columns: FloatArray, wanted: FloatArray) -> float:
    solution, *_ = np.linalg.lstsq(columns, wanted, rcond=None)
    off = wanted - columns @ solution
    return float(off @ off)
