"""Finding constants: from the data for a hypothesis that leaves some open, and from a true field.

Everything is deterministic: seeded starts, counted evaluations, no clock.

Source: integral matching as in I. Dattner and C. A. J. Klaassen, "Optimal rate of direct estimators in
systems of ordinary differential equations linear in functions of the parameters", Electronic Journal of
Statistics 9 (2015), for the starting values; nonlinear least squares (MINPACK) on the simulated trajectory
from there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import PCG64, Generator
from scipy.optimize import least_squares

from physix.engine.systems.task import Task, Trajectory
from physix.engine.verifier.compile import FloatArray, Program, program
from physix.engine.verifier.simulate import integrate
from physix.engine.verifier.tree import ParsedHypothesis

MAX_FIT_EVALUATIONS = 400_000  # of the right-hand side, for one hypothesis
BOUND = 1e9  # on the magnitude of a fitted constant
_STARTS = 16
_REFINED = 3  # of the starts, on the simulated trajectory
_SEED = 20_261_102
_FAR = 1e4  # residual, in noise units, of what cannot be simulated
_LEAST_NOISE = 1e-3  # of a variable's spread: keeps noise-free data from weighing infinitely
_RTOL, _ATOL = 1e-6, 1e-8
_EVALUATIONS = 3_000  # of the right-hand side, for one trajectory

Residuals = Callable[[FloatArray], FloatArray]


class _SpentError(Exception):
    """The evaluation budget is used up; never leaves this module."""


@dataclass(slots=True)
class _Budget:
    left: int

    def spend(self, evaluations: int) -> None:
        if evaluations > self.left:
            raise _SpentError
        self.left -= evaluations


@dataclass(frozen=True, slots=True)
class Refined:
    """Constants that minimise the squared residual of the simulated trajectories."""

    parsed: ParsedHypothesis
    chi2: float  # sum of squared residuals in units of the noise
    samples: int


def fit_free_params(parsed: ParsedHypothesis, task: Task) -> tuple[dict[str, float], int]:
    """Return the values of `parsed.free` that fit the shown data best, and the evaluations spent.

    Least squares on the simulated trajectories, within ±1e9, from the best of 16 seeded starts;
    the noisy first samples are fitted along. At most 400,000 evaluations of the right-hand side.
    Values may be poor, never missing: what cannot be simulated keeps its best start.
    """
    budget = _Budget(MAX_FIT_EVALUATIONS)
    sigma = noise_floor(task)
    best: Refined | None = None
    values = [1.0] * len(parsed.free)
    try:
        candidates = _match_integrals(parsed, task, budget)
        values = candidates[0]
        for candidate in candidates[:_REFINED]:
            started = replace(parsed, params=parsed.params | dict(zip(parsed.free, candidate, strict=True)))
            refined = refine(started, parsed.free, task.shown, sigma, spend=budget.spend)
            if best is None or refined.chi2 < best.chi2:
                best = refined
    except _SpentError:
        pass
    spent = MAX_FIT_EVALUATIONS - budget.left
    if best is None:
        return dict(zip(parsed.free, values, strict=True)), spent
    return {name: best.parsed.params[name] for name in parsed.free}, spent


def noise_floor(task: Task) -> FloatArray:
    """Return the standard deviation of the noise of each variable, shape (D,), never zero."""
    spread = np.concatenate([np.asarray(x.states) for x in task.shown]).std(axis=0)
    sigma: FloatArray = max(task.noise, _LEAST_NOISE) * np.where(spread > 0.0, spread, 1.0)
    return sigma


def refine(
    parsed: ParsedHypothesis,
    names: Sequence[str],
    shown: Sequence[Trajectory],
    sigma: FloatArray,
    *,
    rounds: int = 12,
    spend: Callable[[int], None] = lambda _: None,
) -> Refined:
    """Return the law with `names` moved to where the simulated trajectories fit best.

    The start of every trajectory is fitted too: its first sample is as noisy as any other, and
    a law should not bend its constants to make up for that.

    Args:
        parsed: the law; its params are the starting values.
        names: the params that may move.
        shown: the observed trajectories.
        sigma: shape (D,), standard deviation of the noise of each variable.
        rounds: Gauss-Newton steps at most.
        spend: told of every integration's evaluations; may raise to stop.
    """
    observed = [np.asarray(trajectory.states) for trajectory in shown]
    times = [np.asarray(trajectory.t) for trajectory in shown]
    constants = np.array([parsed.params[name] for name in names])
    scale = np.where(np.abs(constants) > 1e-12, np.abs(constants), 1.0)
    limit = BOUND / scale

    def with_constants(values: FloatArray) -> ParsedHypothesis:
        scaled = (np.clip(values, -limit, limit) * scale).tolist()
        return replace(parsed, params=parsed.params | dict(zip(names, scaled, strict=True)))

    def residuals(values: FloatArray) -> FloatArray:
        law = with_constants(values[: len(names)])
        starts = values[len(names) :].reshape(len(shown), len(sigma))
        # The start may move, but only as far as a sample's noise makes likely.
        parts = [values[len(names) :] / 3.0]
        for t, seen, start in zip(times, observed, starts, strict=True):
            first = (seen[0] + start * sigma).tolist()
            run = integrate(law, t, first, max_evaluations=_EVALUATIONS, rtol=_RTOL, atol=_ATOL)
            spend(run.evaluations)
            off = np.full(seen.shape, _FAR)
            rows = len(run.states)
            off[:rows] = np.clip((run.states - seen[:rows]) / sigma, -_FAR, _FAR)
            parts.append(off.ravel())
        return np.concatenate(parts)

    begin = np.concatenate([constants / scale, np.zeros(len(shown) * len(sigma))])
    found = least_squares(
        residuals,
        begin,
        method="lm",
        x_scale=1.0,
        diff_step=np.array(1e-5),
        max_nfev=rounds * (len(begin) + 1),
    )
    return Refined(
        parsed=with_constants(found.x[: len(names)]),
        chi2=float(np.sum(found.fun**2)),
        samples=sum(seen.size for seen in observed),
    )


def _match_integrals(parsed: ParsedHypothesis, task: Task, budget: _Budget) -> list[list[float]]:
    """Return starting values, best first: v(t) - v(0) should be the integral of v' along the data."""
    compiled = program(parsed)
    slots = [compiled.params[name] for name in parsed.free if name in compiled.params]
    columns = driven_columns(parsed)
    data = [(np.asarray(x.t), np.asarray(x.states)) for x in task.shown]
    spread = np.concatenate([states for _, states in data]).std(axis=0)[columns]
    spread[spread == 0.0] = 1.0

    def residuals(values: FloatArray) -> FloatArray:
        constants = _placed(compiled, slots, values)
        parts = []
        for t, states in data:
            budget.spend(len(t))
            field = field_values(compiled.evaluate, constants, states.tolist(), t.tolist(), columns)
            steps = np.diff(t)[:, None] * (field[1:] + field[:-1]) / 2.0
            moved = np.vstack([np.zeros(len(columns)), np.cumsum(steps, axis=0)])
            off = (states[:, columns] - moved) / spread
            parts.append((off - off.mean(axis=0)).ravel())
        return np.concatenate(parts)

    found = best_starts(residuals, len(slots))
    # A free param that no equation uses stays 1.
    used = [parsed.free.index(name) for name in parsed.free if name in compiled.params]
    candidates = []
    for values in found:
        every = [1.0] * len(parsed.free)
        for where, value in zip(used, values, strict=True):
            every[where] = value
        candidates.append(every)
    return candidates


def driven_columns(parsed: ParsedHypothesis) -> list[int]:
    """Return the column of the derivative that each equation defines."""
    owner = {v.rate_of or v.name: i for i, v in enumerate(parsed.variables)}
    return [owner[e.variable] for e in parsed.equations]


def field_values(
    evaluate: Callable[[Sequence[float], float, Sequence[float]], list[float]],
    constants: Sequence[float],
    states: Sequence[Sequence[float]],
    t: Sequence[float],
    columns: Sequence[int],
) -> FloatArray:
    """Return the right-hand side of each equation at each row, shape (N, equations); NaN where undefined."""
    undefined = [math.nan] * len(columns)
    rows = []
    for state, time in zip(states, t, strict=True):
        try:
            derivative = evaluate(state, time, constants)
            rows.append([derivative[column] for column in columns])
        except (ValueError, ZeroDivisionError, OverflowError):
            rows.append(undefined)
    return np.array(rows, dtype=float).reshape(len(rows), len(columns))


def _placed(compiled: Program, slots: Sequence[int], values: FloatArray) -> list[float]:
    constants = list(compiled.constants)
    for slot, value in zip(slots, np.clip(values, -BOUND, BOUND).tolist(), strict=True):
        constants[slot] = value
    return constants


def fit_to_field(
    parsed: ParsedHypothesis, states: Sequence[Sequence[float]], t: Sequence[float], expected: FloatArray
) -> FloatArray:
    """Return the field of the law once its params and literals (no exponents) fit `expected` best.

    Args:
        parsed: the law.
        states: N states of D numbers.
        t: N times.
        expected: shape (N, equations), finite.

    Returns:
        Shape (N, equations); NaN where the fitted law is undefined.
    """
    compiled = program(parsed)
    slots = [*compiled.params.values(), *compiled.literals]
    columns = driven_columns(parsed)
    size = np.sqrt(np.mean(expected**2, axis=0))
    size[size == 0.0] = 1.0

    def field(values: FloatArray) -> FloatArray:
        return field_values(compiled.evaluate, _placed(compiled, slots, values), states, t, columns)

    def residuals(values: FloatArray) -> FloatArray:
        off: FloatArray = (field(values) - expected) / size
        return off.ravel()

    own = np.array([compiled.constants[slot] for slot in slots])
    return field(np.array(best_starts(residuals, len(slots), first=own)[0]))


def best_starts(residuals: Residuals, count: int, *, first: FloatArray | None = None) -> list[list[float]]:
    """Minimise from seeded starts of both signs and three decades; return distinct minima, best first."""
    if count == 0:
        return [[]]
    random = Generator(PCG64(_SEED))
    starts = [np.ones(count), -np.ones(count)] if first is None else [first]
    while len(starts) < _STARTS:
        magnitude = 10.0 ** random.uniform(-1.5, 1.5, count)
        starts.append(magnitude * random.choice([-1.0, 1.0], count))

    def finite(values: FloatArray) -> FloatArray:
        with np.errstate(over="ignore", invalid="ignore"):
            off: FloatArray = np.nan_to_num(np.clip(residuals(values), -_FAR, _FAR), nan=_FAR)
        return off

    found: list[tuple[float, list[float]]] = []
    for start in starts:
        if len(finite(start)) < count:
            return [start.tolist()]
        run = least_squares(finite, start, method="lm", max_nfev=25 * (count + 1))
        found.append((float(run.cost), run.x.tolist()))
        if run.cost < 1e-20:
            break
    found.sort(key=lambda pair: pair[0])
    distinct: list[list[float]] = []
    for _, values in found:
        if not any(np.allclose(values, other, rtol=1e-2, atol=1e-6) for other in distinct):
            distinct.append(values)
    return distinct
