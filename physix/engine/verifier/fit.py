"""Finding constants: those that a hypothesis leaves open, from the data; how well they are known.

Starts come from integral matching, where constants that enter linearly are solved for and the others
searched around the size that the data suggests; the answer is the least-squares optimum of the simulated
trajectories. Everything is deterministic, bounded by counts, and the same in any unit.

Source: integral matching as in I. Dattner and C. A. J. Klaassen, "Optimal rate of direct estimators in
systems of ordinary differential equations linear in functions of the parameters", Electronic Journal of
Statistics 9 (2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.task import Task, Trajectory
from physix.engine.verifier.compile import program
from physix.engine.verifier.integrals import along_data
from physix.engine.verifier.prepared import Samples, interpolation, prepare
from physix.engine.verifier.separable import best_starts
from physix.engine.verifier.shooting import GOOD, BoolArray, Point, Record, Shooting, Spend
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import FitOutcome
from physix.engine.verifier.uncertainty import inseparable_directions, kinds_of, uncertainty

MAX_FIT_EVALUATIONS = 6_000_000  # of the right-hand side in simulations, for one hypothesis
_FIT_EVALUATIONS, _EVALUATIONS_PER_ROW = 400_000, 2_000
_DRIVEN = 4  # times as many with inputs: a solver stops at each of their kinks, one a sample
_REFINED = 3  # of the starts, on the simulated trajectory
_ROUNDS = 25
LEAST_NOISE = 1e-3  # of a variable's spread: keeps noise-free data from weighing infinitely


class _SpentError(Exception):
    """The evaluation budget is used up; never leaves this module."""


@dataclass(slots=True)
class _Budget:
    left: int

    def spend(self, evaluations: int) -> None:
        if evaluations > self.left:
            raise _SpentError
        self.left -= evaluations


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Constants as the data tell them.

    Attributes:
        outcome: `converged`: at a minimum, or down to the noise; `not_converged`: still improving when
            the steps ran out; `budget_exhausted`: evaluations ran out, these are the best found so far;
            `failed`: no constants were found with which the law can be simulated over the data. Only
            after `converged` may what is left over be blamed on the law.
        values: of each constant; after `failed` the best start (1 where there was none), not an answer.
        errors: standard errors of the constants that are determined; see `uncertainty`.
        undetermined: groups of constants that the data cannot tell apart, `k` and `m` of `k/m`, or of one
            that changes nothing. They have values (one choice of many) but no errors.
        starts: the fitted state of each trajectory at its first time, shape (runs, D).
        chi2: sum of squared residuals in units of the noise.
        samples: how many samples had weight.
        evaluations: of the right-hand side.
    """

    outcome: FitOutcome
    values: dict[str, float]
    errors: dict[str, float] = field(default_factory=dict)
    undetermined: tuple[tuple[str, ...], ...] = ()
    starts: tuple[tuple[float, ...], ...] = ()
    chi2: float | None = None
    samples: int = 0
    evaluations: int = 0

    @property
    def caution(self) -> str | None:
        """What to say instead of a diagnosis, where what is left over may be the constants' fault."""
        match self.outcome:
            case "converged":
                return None
            case "failed":
                return "No constants were found with which the equation can be simulated over the data."
            case _:
                return (
                    "The constants were still improving when the search for them ended: what is left over "
                    "may be theirs."
                )


@dataclass(frozen=True, slots=True)
class Refined:
    """Constants that minimise the squared residual of the simulated trajectories."""

    parsed: ParsedHypothesis
    chi2: float  # sum of squared residuals in units of the noise
    samples: int


def fit_free_params(parsed: ParsedHypothesis, task: Task) -> Fit:
    """Return the values of `parsed.free` that fit the shown data best.

    Where the task was measured the start of every trajectory is fitted along, and an estimated rate's
    start always; else the first sample is exact. Samples that are missing or estimated have no weight.
    At most 400,000 evaluations in simulations (2,000 a row, 8,000 with inputs, never above 6,000,000), and a
    million along the data, many at a time, for the starts.
    """
    prepared = prepare(task)
    free = np.array([task.measured or variable.estimated for variable in task.variables])
    records = [_record(samples, prepared.scale) for samples in prepared.shown]
    return _fit(parsed, records, free, prepared.early)


def fit_starts(parsed: ParsedHypothesis, task: Task) -> tuple[tuple[float, ...], ...]:
    """Return where a least-squares fit lets each shown run begin, the law's constants as they stand.

    A verdict keeps starts near the first samples. An outlier there is no reason to draw a law beside its
    data, and a search judges its laws by these starts. () where the law cannot be followed.
    """
    return fit_free_params(replace(parsed, free=()), task).starts


def fit_trajectories(parsed: ParsedHypothesis, task: Task, trajectories: Sequence[Trajectory]) -> Fit:
    """Return what `fit_free_params` does, for other trajectories of the same task.

    With `(*task.shown, *truth.hidden)` of a measured task: the constants and errors from all rows, once a
    law is chosen.
    """
    return fit_free_params(parsed, replace(task, shown=tuple(trajectories)))


def refine(
    parsed: ParsedHypothesis,
    names: Sequence[str],
    shown: Sequence[Trajectory],
    sigma: FloatArray,
    *,
    rounds: int = 12,
    spend: Spend = lambda _: None,
    free: BoolArray | None = None,
) -> Refined:
    """Return the law with `names` moved to where the simulated trajectories fit best.

    Args:
        parsed: the law; its params are the starting values.
        names: the params that may move; one that no equation uses keeps its value.
        shown: the observed trajectories.
        sigma: shape (D,), standard deviation of the noise of each variable.
        rounds: steps at most.
        spend: told of every integration's evaluations; may raise to stop.
        free: shape (D,), whether starts may move in that variable; None: they all may, for a law should
            not bend its constants to make up for a first sample as noisy as any other.
    """
    records = [_plain_record(parsed, trajectory, sigma) for trajectory in shown]
    moves = np.ones(len(sigma), dtype=bool) if free is None else np.asarray(free, dtype=bool)
    shooting, used = _shooting(parsed, names, records, moves, spend)
    point = shooting.fit(shooting.begin([parsed.params[name] for name in used]), rounds)
    found = dict(zip(used, point.constants.tolist(), strict=True))
    return Refined(
        parsed=replace(parsed, params=parsed.params | found), chi2=point.chi2, samples=_samples(records)
    )


def _fit(parsed: ParsedHypothesis, records: Sequence[Record], free: BoolArray, early: FloatArray) -> Fit:
    budget = _Budget(_allowed(records))
    shooting, used = _shooting(parsed, parsed.free, records, free, budget.spend, early)
    unused = tuple((name,) for name in parsed.free if name not in used)
    problem = along_data(parsed, used, records)
    starts, spent = best_starts(problem)
    values = dict.fromkeys(parsed.free, 1.0) | (starts[0].constants if starts else {})
    best, outcome = _refined(shooting, [[start.constants[name] for name in used] for start in starts])
    spent += _allowed(records) - budget.left
    # The slopes at the end are bounded by themselves.
    budget.left = shooting.most_for_slopes()
    if best is None:
        return Fit(outcome=outcome, values=values, undetermined=unused, evaluations=spent)
    found = dict(zip(used, best.constants.tolist(), strict=True))
    known = uncertainty(
        shooting.slopes(best, shooting.full, central=True),
        best.residuals,
        kinds_of([record.weights for record in records]),
        best.constants,
        inseparable_directions(problem.equations, problem.values, found, problem.sizes),
    )
    return Fit(
        outcome=outcome,
        values=values | found,
        errors={n: e for n, e in zip(used, known.errors, strict=True) if e is not None},
        undetermined=(*unused, *(tuple(used[i] for i in group) for group in known.undetermined)),
        starts=tuple(map(tuple, best.starts.tolist())),
        chi2=best.chi2,
        samples=_samples(records),
        evaluations=spent,
    )


def _allowed(records: Sequence[Record]) -> int:
    rows = sum(len(record.t) for record in records)
    each = _EVALUATIONS_PER_ROW * (_DRIVEN if any(record.inputs for record in records) else 1)
    return min(MAX_FIT_EVALUATIONS, max(_FIT_EVALUATIONS, each * rows))


def _refined(shooting: Shooting, starts: Sequence[Sequence[float]]) -> tuple[Point | None, FitOutcome]:
    """Return the best point that starts lead to, and how the search ended."""
    best: Point | None = None
    outcome: FitOutcome = "failed"
    try:
        for start in starts[:_REFINED]:
            point = shooting.fit(shooting.begin(start), _ROUNDS)
            if point.complete and (best is None or point.chi2 < best.chi2):
                best = point
            if best is not None and best.converged and best.reduced_chi2 <= GOOD:
                break
        if best is not None:
            outcome = "converged" if best.converged or best.reduced_chi2 <= GOOD else "not_converged"
    except _SpentError:
        found = shooting.best
        if found is not None and (best is None or found.chi2 < best.chi2):
            best = found
        if best is not None:
            outcome = "converged" if best.converged or best.reduced_chi2 <= GOOD else "budget_exhausted"
    return best, outcome


def _shooting(
    parsed: ParsedHypothesis,
    names: Sequence[str],
    records: Sequence[Record],
    free: BoolArray,
    spend: Spend,
    early: FloatArray | None = None,
) -> tuple[Shooting, list[str]]:
    """Return the problem of the constants that some equation uses, and their names."""
    compiled = program(parsed)
    used = [name for name in names if name in compiled.params]
    return Shooting(compiled, [compiled.params[name] for name in used], records, free, spend, early), used


def _samples(records: Sequence[Record]) -> int:
    return sum(int(np.count_nonzero(record.weights)) for record in records)


def _record(samples: Samples, scale: FloatArray) -> Record:
    sigma = np.hypot(samples.sigma, LEAST_NOISE * scale)
    return Record(samples.t, samples.states, samples.weight / sigma, samples.inputs)


def _plain_record(parsed: ParsedHypothesis, trajectory: Trajectory, sigma: FloatArray) -> Record:
    states, t = np.array(trajectory.states), np.array(trajectory.t)
    weights = np.broadcast_to(1.0 / np.asarray(sigma), states.shape).copy()
    weights[:, [variable.estimated for variable in parsed.variables]] = 0.0
    for row, column in trajectory.missing:
        weights[row, column] = 0.0
    return Record(t, states, weights, interpolation(t, trajectory.inputs) if trajectory.inputs else None)
