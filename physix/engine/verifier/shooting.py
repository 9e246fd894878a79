"""Least squares on simulated trajectories: constants shared by all runs, a start of its own for each.

Everything is measured in units of the noise and of each variable's spread, and every finite
difference is as large as moves the trajectory by a thousandth of that spread, so that neither the
units of time and states nor the size of a constant matter. Where a simulated motion leaves the data
early, the fit begins with the part before that and grows it: a phase that is off by half a period
after fifty of them has no downhill direction.

Source: Levenberg-Marquardt with Marquardt's scaling, J. J. More, Lecture Notes in Mathematics 630 (1978).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from physix.engine.floats import FloatArray
from physix.engine.verifier.compile import Inputs, Program
from physix.engine.verifier.simulate import integrate_program
from physix.limits import MAX_NUMBER

_RTOL, _ATOL = 1e-8, 1e-10  # the latter as a share of each variable's spread
_COARSER = 100.0  # with inputs: their kinks cost a solver most, and between samples they are a guess
_EVALUATIONS = 3_000  # of the right-hand side for one run, and
_EVALUATIONS_PER_ROW = 60
_BLOWN_UP = 1e12  # times the spread
_FAR = 1e4  # residual, in units of a variable's spread, of what cannot be simulated
_NUDGE = 1e-3  # share of the spread by which a finite difference moves the trajectories
_LOST = 0.5  # share of the spread, and
_LOST_SIGMA = 5.0  # units of the noise: further off and the motions have parted
_TRIES = 8  # at a fitting finite difference
_FIRST_ROWS, _FIRST_LOOK = 12, 128
_STAGES = 16
_STAGE_ROUNDS = 6
_HELD = 1.0  # share of a constant by which the beginning of a motion may change it for one unit of chi²
GOOD = 1.3  # chi² per degree of freedom below which the noise explains what is left
_TOLERANCE = 1e-3  # of chi²: constants within 3 % of their standard error
_DAMPING = 1e-3
_MOST_DAMPING = 1e7
_LONGEST = 1.0  # share of a constant by which one step may change it, however little that moves
_FLAT = 1e-11  # eigenvalues of the normal equations below, relative, move nothing
_EXACT, _NEARLY_EXACT = 1e-4, 3e-2  # residuals in units of the noise


Spend = Callable[[int], None]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One observed run, with the weight of every sample."""

    t: FloatArray  # shape (T,)
    states: FloatArray  # shape (T, D)
    weights: FloatArray  # shape (T, D): 1 / standard deviation; 0 where nothing was measured
    inputs: Inputs | None = None  # at any time; None: there are none


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """Constants and starts, and how the simulated motion then differs from the data."""

    constants: FloatArray  # shape (P,)
    starts: FloatArray  # shape (runs, D)
    residuals: FloatArray  # in units of the noise, all runs, rows and variables
    complete: bool  # every run could be simulated to its end
    converged: bool = False
    freedom: int = 1  # samples with weight less unknowns, at least 1

    @property
    def reduced_chi2(self) -> float:
        """Chi² per degree of freedom."""
        return self.chi2 / self.freedom

    @property
    def chi2(self) -> float:
        """Sum of the squared residuals."""
        return float(np.einsum("r,r->", self.residuals, self.residuals))


class Shooting:
    """A law whose constants in `slots` are to be found, and the data that shall tell them."""

    def __init__(
        self,
        compiled: Program,
        slots: Sequence[int],
        records: Sequence[Record],
        free: BoolArray,
        spend: Spend,
        early: FloatArray | None = None,
        coarser: float = 1.0,
        tolerance: float = _TOLERANCE,
    ) -> None:
        """Take the problem.

        Args:
            compiled: the law; its constants at `slots` are replaced.
            slots: where the wanted constants stand.
            records: the data.
            free: shape (D,), whether a start may move in that variable; where not, the first sample is exact.
            spend: told of the evaluations of every run; may raise to stop.
            early: shape (D,), what absolute tolerances are relative to; None: the spread.
            coarser: factor on the tolerances, for data whose noise hides what the solver makes of it.
            tolerance: of chi², by which a further step must promise to lower it.
        """
        self.compiled = compiled
        self.slots = list(slots)
        self.records = list(records)
        self.free = np.flatnonzero(free)
        self.spend = spend
        self.spread = spread_of(records)
        self.early = self.spread if early is None else early
        self.coarser, self.tolerance = coarser, tolerance
        self.held: FloatArray | None = None  # constants that the beginning of a motion may not tell
        self.best: Point | None = None  # of all rows, complete: what is left when `spend` stops the search
        self._steps = np.zeros(len(self.slots) + len(self.free))
        self._base = np.array(compiled.constants, dtype=float)

    def begin(self, constants: Sequence[float]) -> Point:
        """Return the point at which runs start from their first samples, not simulated yet."""
        starts = np.array([record.states[0] for record in self.records])
        return Point(np.array(constants, dtype=float), starts, np.zeros(0), complete=False)

    @property
    def full(self) -> list[int]:
        """Every row of every run."""
        return [len(record.t) for record in self.records]

    def at(self, constants: FloatArray, starts: FloatArray, rows: Sequence[int]) -> Point:
        """Return the residuals of the first `rows` of each run."""
        constants = np.clip(constants, -MAX_NUMBER, MAX_NUMBER)
        self._base[self.slots] = constants
        compiled = replace(self.compiled, constants=tuple(self._base.tolist()))
        parts, complete = [], True
        for record, start, count in zip(self.records, starts, rows, strict=True):
            coarser = self.coarser if record.inputs is None else max(self.coarser, _COARSER)
            run = integrate_program(
                compiled,
                record.t[:count],
                start.tolist(),
                max_evaluations=_EVALUATIONS + _EVALUATIONS_PER_ROW * count,
                rtol=_RTOL * coarser,
                atol=_ATOL * coarser * self.early,
                inputs=record.inputs,
                limit=_BLOWN_UP * self.spread,
            )
            self.spend(run.evaluations)
            reached = len(run.states)
            complete = complete and reached == count
            far = _FAR * self.spread
            off = np.tile(far, (count, 1))
            off[:reached] = np.clip(run.states - record.states[:reached], -far, far)
            parts.append((off * record.weights[:count]).ravel())
        if self.held is not None:
            parts.append((constants - self.held) / np.where(self.held != 0.0, _HELD * self.held, 1.0))
        samples = sum(int(np.count_nonzero(r.weights[:n])) for r, n in zip(self.records, rows, strict=True))
        unknowns = len(self.slots) + len(self.records) * len(self.free)
        point = Point(constants, starts, np.concatenate(parts), complete, freedom=max(1, samples - unknowns))
        if (
            complete
            and self.held is None
            and rows == self.full
            and (self.best is None or point.chi2 < self.best.chi2)
        ):
            self.best = point
        return point

    def descend(self, point: Point, rounds: int, rows: Sequence[int], *, starts_only: bool = False) -> Point:
        """Return the point after at most `rounds` steps downhill."""
        damping, central = _DAMPING, False
        first: FloatArray | None = None
        for _ in range(rounds):
            slopes = self.slopes(point, rows, central=central)
            if starts_only:
                slopes[:, : len(self.slots)] = 0.0
            size = lengths(slopes)
            size[size == 0.0] = 1.0
            weights, axes = np.linalg.eigh(gram(slopes / size))
            unit = units(slopes)
            downhill = axes.T @ (np.einsum("ri,r->i", slopes / unit, point.residuals) / (size / unit))
            firm = weights > _FLAT * max(1.0, weights[-1] if len(weights) else 0.0)
            gain = float(np.sum(downhill[firm] ** 2 / weights[firm]))
            enough = self.tolerance * min(1.0, point.reduced_chi2)
            stepped = None
            # A step is not trusted beyond where one from here (or from the first point) should move the
            # motion by its whole spread; what has no effect any more could else go to infinity.
            reach = self._typical(rows) / size
            first = reach if first is None else first
            most = np.maximum(np.minimum(reach, first), _LONGEST * np.abs(self._unknowns(point)))
            while damping < _MOST_DAMPING:
                step = -(axes @ (downhill / (np.maximum(weights, 0.0) + damping))) / size
                if np.any(np.abs(step) > most):
                    damping *= 10.0
                    continue
                trial = self._moved(point, step, rows)
                if trial.chi2 < point.chi2:
                    stepped = trial
                    break
                if gain < enough:
                    break
                damping *= 10.0
            gained = 0.0 if stepped is None else point.chi2 - stepped.chi2
            done = gain < enough or point.reduced_chi2 < _EXACT**2 or (central and gained < enough)
            # Where constants nearly make up for each other plain differences are too coarse.
            central = central or gained < 0.1 * gain
            if stepped is not None:
                point, damping = stepped, max(damping / 10.0, 1e-12)
            if done:
                # Where motions diverge or noise is absent the solver's own errors are left: no step helps.
                stalled = central and point.reduced_chi2 < GOOD
                exact = point.reduced_chi2 < _NEARLY_EXACT**2
                return replace(point, converged=exact or stalled or gain < 10.0 * enough)
        return point

    def _unknowns(self, point: Point) -> FloatArray:
        """Return the constants, and nothing for the starts, whose zero is arbitrary."""
        return np.concatenate([point.constants, np.zeros(len(self.records) * len(self.free))])

    def _moved(self, point: Point, step: FloatArray, rows: Sequence[int]) -> Point:
        count = len(self.slots)
        starts = point.starts.copy()
        starts[:, self.free] += step[count:].reshape(len(self.records), len(self.free))
        return self.at(point.constants + step[:count], starts, rows)

    def slopes(self, point: Point, rows: Sequence[int], *, central: bool = False) -> FloatArray:
        """Return d residuals / d (constants, then each run's free start), by finite differences."""
        count, free, runs = len(self.slots), len(self.free), len(self.records)
        slopes = np.zeros((len(point.residuals), count + runs * free))
        ends = np.cumsum([n * point.starts.shape[1] for n in rows])
        for j in range(count + free):
            column = self._column(point, j, rows, central)
            if j < count:
                slopes[:, j] = column
                continue
            # All runs were moved together; each start concerns its own run only.
            for run, (end, n) in enumerate(zip(ends, rows, strict=True)):
                own = slice(end - n * point.starts.shape[1], end)
                slopes[own, count + run * free + j - count] = column[own]
        return slopes

    def most_for_slopes(self) -> int:
        """Return how many evaluations slopes by central differences may take at most."""
        runs = sum(_EVALUATIONS + _EVALUATIONS_PER_ROW * n for n in self.full)
        return (len(self.slots) + len(self.free)) * (_TRIES + 1) * runs

    def _column(self, point: Point, j: int, rows: Sequence[int], central: bool) -> FloatArray:
        wanted = _NUDGE * self._typical(rows)
        step = self._steps[j] or self._first_step(point, j)
        nudged = point
        for _ in range(_TRIES):
            nudged = self._nudged(point, j, step, rows)
            moved = float(np.linalg.norm(nudged.residuals - point.residuals)) / wanted
            if 0.03 < moved < 30.0:
                break
            step *= min(max(1.0 / moved, 1e-4), 1e4) if moved > 0.0 else 1e4
            if not abs(step) < MAX_NUMBER:
                return np.zeros_like(point.residuals)
        self._steps[j] = step
        if not central:
            return (nudged.residuals - point.residuals) / step
        back = self._nudged(point, j, -step, rows)
        return (nudged.residuals - back.residuals) / (2.0 * step)

    def _first_step(self, point: Point, j: int) -> float:
        if j >= len(self.slots):
            return float(_NUDGE * self.spread[self.free[j - len(self.slots)]])
        return 1e-4 * abs(float(point.constants[j])) or 1e-4

    def _nudged(self, point: Point, j: int, step: float, rows: Sequence[int]) -> Point:
        constants, starts = point.constants.copy(), point.starts.copy()
        if j < len(self.slots):
            constants[j] += step
        else:
            starts[:, self.free[j - len(self.slots)]] += step
        return self.at(constants, starts, rows)

    def _typical(self, rows: Sequence[int]) -> float:
        """Return the norm of residuals that are off by the spread everywhere."""
        squares = [
            np.sum((r.weights[:n] * self.spread) ** 2) for r, n in zip(self.records, rows, strict=True)
        ]
        return float(np.sqrt(sum(squares))) or 1.0

    def fit(self, point: Point, rounds: int) -> Point:
        """Return the best point over all rows, by way of growing parts of them."""
        self.held = point.constants
        try:
            point = self._grown(point)
        finally:
            self.held = None
        return self.descend(self.at(point.constants, point.starts, self.full), rounds, self.full)

    def _grown(self, point: Point) -> Point:
        """Return a point whose motion stays with the data as far as parts of them could lead it."""
        rows = fitted = [0] * len(self.records)
        for _ in range(_STAGES):
            # Not much further than it is known to agree: what comes later costs most and tells nothing.
            ahead = [min(n, max(_FIRST_LOOK, 3 * m)) for n, m in zip(self.full, rows, strict=True)]
            point = self.at(point.constants, point.starts, ahead)
            agreed = self._agreed(point, ahead)
            if agreed == ahead:
                rows = ahead
                if rows == self.full:
                    break
                continue
            # Always further than before: a wrong law never agrees.
            first = not any(fitted)
            rows = fitted = [
                min(n, max(_FIRST_ROWS, int(0.9 * a), int(1.5 * m)))
                for n, a, m in zip(self.full, agreed, fitted, strict=True)
            ]
            if rows == self.full:
                break
            point = self.at(point.constants, point.starts, rows)
            if first and len(self.free):
                # A start as noisy as any sample may lie in another basin; the constants know better.
                point = self.descend(point, _STAGE_ROUNDS, rows, starts_only=True)
            point = self.descend(point, _STAGE_ROUNDS, rows)
        return point

    def _agreed(self, point: Point, rows: Sequence[int]) -> list[int]:
        """Return how many of the rows of each run the motion stays with the data."""
        agreed, begin = [], 0
        for record, count in zip(self.records, rows, strict=True):
            weights = record.weights[:count]
            off = np.abs(point.residuals[begin : begin + weights.size].reshape(weights.shape))
            begin += weights.size
            lost = off > np.maximum(_LOST_SIGMA, _LOST * self.spread * weights)
            parted = np.asarray((lost & (weights > 0.0)).any(axis=1))
            agreed.append(int(np.argmax(parted)) if parted.any() else count)
        return agreed


def gram(matrix: FloatArray) -> FloatArray:
    """Return matrix' matrix; by einsum, whose sums do not depend on how many threads a machine has."""
    product: FloatArray = np.einsum("ri,rj->ij", matrix, matrix)
    return product


_SQUARABLE = 1e150


def units(columns: FloatArray) -> FloatArray:
    """Return what each column is divided by before it is squared: 1, of absurd numbers the largest."""
    largest = np.abs(columns).max(axis=0, initial=0.0)
    return np.where(largest > _SQUARABLE, largest, 1.0)


def lengths(columns: FloatArray) -> FloatArray:
    """Return the Euclidean length of each column, even where squares are beyond floats."""
    unit = units(columns)
    found: FloatArray = np.linalg.norm(columns / unit, axis=0) * unit
    return found


def spread_of(records: Sequence[Record]) -> FloatArray:
    """Return how far each variable moves, shape (D,), never zero: its standard deviation, size or 1."""
    pooled = np.concatenate([record.states for record in records])
    size = np.abs(pooled).max(axis=0)
    size = np.where(size > 0.0, size, 1.0)
    spread = pooled.std(axis=0)
    return np.where(spread > 1e-9 * size, spread, size)
