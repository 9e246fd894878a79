"""Integrating a hypothesis with `scipy.integrate.odeint`, bounded by counted evaluations.

`odeint` reports failure only in a message, and rows past a failure may be uninitialised
memory; nothing past the first bad row ever leaves this module.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from operator import length_hint

import numpy as np
from scipy.integrate import ODEintWarning, odeint

from physix.engine.floats import FloatArray
from physix.engine.systems.task import Task
from physix.engine.verifier.compile import UNDEFINED, Callback, Program, program
from physix.engine.verifier.prepared import Hidden, Inputs, Prepared, Same, Samples, prepare
from physix.engine.verifier.start import SpentError, Start, fit_start
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import INTEGRATED, Outcome, Prediction, Simulation, VerifierConfig
from physix.limits import MAX_MAGNITUDE

RUNAWAY = 1e9  # times the largest magnitude observed: beyond it a motion has blown up
_TIGHTER = 1e-3
_SEARCH, _RUNS = 400_000, 8  # evaluations, or times those of one run, that finding a start may take
_SUCCESS = "Integration successful."
_SILENT = ("ignore", None, ODEintWarning, None, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Integration:
    """One trajectory's integration: `states` has shape (K, D), K <= T rows before any failure."""

    states: FloatArray
    outcome: Outcome
    t_failed: float | None
    evaluations: int


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """The hypothesis integrated over the shown trajectories, still as arrays."""

    outcome: Outcome
    message: str
    t_reached: float
    evaluations: int
    predictions: tuple[FloatArray, ...]
    starts: tuple[tuple[float, ...], ...] = ()  # fitted, where the data were measured
    start_evaluations: int = 0

    def recorded(self, fitted: dict[str, float], fit_evaluations: int) -> Simulation:
        """Return the run as the value that events carry."""
        return Simulation(
            outcome=self.outcome,
            message=self.message,
            t_reached=self.t_reached,
            evaluations=self.evaluations,
            predictions=tuple(map(Prediction.of, self.predictions)),
            fitted=fitted,
            fit_evaluations=fit_evaluations + self.start_evaluations,
            starts=self.starts,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Solver:
    """How to integrate, and when a motion is called blown up."""

    rtol: float
    atol: float | FloatArray
    limit: float | FloatArray = MAX_MAGNITUDE  # on the magnitude of each state
    inputs: Inputs | None = None

    def tighter(self) -> Solver:
        """Return the solver that a failure is looked at with a second time."""
        return replace(self, rtol=self.rtol * _TIGHTER, atol=self.atol * _TIGHTER)


def integrate(
    parsed: ParsedHypothesis,
    t: FloatArray,
    initial: Sequence[float],
    *,
    max_evaluations: int = 10_000,
    rtol: float = 1e-8,
    atol: float | FloatArray = 1e-10,
    inputs: Inputs | None = None,
) -> Integration:
    """Integrate over the times `t`, shape (T,), from the state at `t[0]`. Never raises.

    The same arguments give the same bits: the bound is a count, not a clock.
    """
    return integrate_program(
        program(parsed), t, initial, max_evaluations=max_evaluations, rtol=rtol, atol=atol, inputs=inputs
    )


def integrate_program(
    compiled: Program,
    t: FloatArray,
    initial: Sequence[float],
    *,
    max_evaluations: int,
    rtol: float,
    atol: float | FloatArray,
    inputs: Inputs | None = None,
    limit: float | FloatArray = MAX_MAGNITUDE,
) -> Integration:
    """Return what `integrate` does, for a law that was compiled already; `limit` is on each state."""
    solver = Solver(rtol=rtol, atol=atol, limit=limit, inputs=inputs)
    return _integrate(compiled, t, initial, max_evaluations, solver)


def _integrate(
    compiled: Program, t: FloatArray, initial: Sequence[float], max_evaluations: int, solver: Solver
) -> Integration:
    evaluations = iter(range(max_evaluations))
    states = _attempt(compiled, evaluations, t, initial, max_evaluations, solver)
    if states is None:
        return _retrace(compiled, initial, t, max_evaluations, solver)
    return Integration(states, "ok", None, max_evaluations - length_hint(evaluations))


def _integrate_twice(
    compiled: Program, t: FloatArray, initial: Sequence[float], max_evaluations: int, solver: Solver
) -> Integration:
    """As `_integrate`; a failure that is not the budget's must show at a tighter tolerance as well.

    Near the edge of a domain, or where a motion nearly blows up, a step that is too long leaves it.
    """
    first = _integrate(compiled, t, initial, max_evaluations, solver)
    left = max_evaluations - first.evaluations
    if first.outcome in ("ok", "budget_exhausted") or left <= 0:
        return first
    evaluations = iter(range(left))
    states = _attempt(compiled, evaluations, t, initial, left, solver.tighter())
    spent = first.evaluations + left - length_hint(evaluations)
    if states is None:
        return replace(first, evaluations=spent)
    return Integration(states, "ok", None, spent)


def _attempt(
    compiled: Program,
    evaluations: Iterator[int],
    t: FloatArray,
    initial: Sequence[float],
    max_evaluations: int,
    solver: Solver,
) -> FloatArray | None:
    """Return all states, or None if anything at all goes wrong."""
    try:
        callback = compiled.callback(evaluations, solver.inputs)
        states, finished = _solve(callback, initial, t, t, max_evaluations, solver)
    except (StopIteration, *UNDEFINED):
        return None
    # NaN compares as false.
    return states if finished and (np.abs(states) <= solver.limit).all() else None


def _retrace(
    compiled: Program, initial: Sequence[float], t: FloatArray, max_evaluations: int, solver: Solver
) -> Integration:
    """Return how a run that fails goes: the same steps again, this time watched.

    Where the solver itself gave up, rows that it never reached are uninitialised memory, and
    nothing says which they are; a run over the times before that takes the same steps and ends well.
    """
    watched = _Watched(compiled, max_evaluations, solver.inputs)
    states, finished = _solve(watched, initial, t, t, max_evaluations, solver)
    if not finished:
        before = t[: max(1, int(np.sum(t < watched.t)))]
        again = _Watched(compiled, max_evaluations, solver.inputs)
        states, reached = _solve(again, initial, before, t, max_evaluations, solver)
        states = states if reached else states[:1]
    genuine = (np.abs(states) <= solver.limit).all(axis=1)
    states = states[: len(states) if genuine.all() else int(np.argmin(genuine))]
    outcome, t_failed = watched.failure, watched.t
    if outcome is None:
        outcome = "diverged" if finished else "solver_failed"
        t_failed = float(t[min(len(states), len(t) - 1)]) if finished else watched.t
    if not (np.abs(watched.state) <= solver.limit).all():
        # However it ended (steps too small, overflow, budget), a blow-up is why.
        outcome = "diverged"
    return Integration(states, outcome, t_failed, watched.calls)


class _Watched:
    """A right-hand side that remembers where it was, and returns NaN from its first failure on.

    `odeint` then runs on to the end of its grid, and each row before the failure is genuine (an
    exception would lose them all). Too slow for every run.
    """

    def __init__(self, compiled: Program, max_evaluations: int, inputs: Inputs | None) -> None:
        self._rhs = compiled.callback(iter(range(max_evaluations)), inputs)
        self._nan = np.full(len(compiled.derivatives), math.nan)
        self._allowed = max_evaluations
        self.calls = 0
        self.t = math.nan
        self.state: list[float] = []
        self.failure: Outcome | None = None

    def __call__(self, state: FloatArray, t: float) -> FloatArray:
        if self.failure is not None:
            return self._nan
        self.t, self.state = t, state.tolist()
        self.calls = min(self.calls + 1, self._allowed)
        try:
            return self._rhs(state, t)
        except StopIteration:
            self.failure = "budget_exhausted"
        except ZeroDivisionError:
            self.failure = "division_by_zero"
        except OverflowError:
            self.failure = "overflow"
        except ValueError:
            self.failure = "domain_error"
        return self._nan


def _solve(
    callback: Callback,
    initial: Sequence[float],
    t: FloatArray,
    whole: FloatArray,
    max_evaluations: int,
    solver: Solver,
) -> tuple[FloatArray, bool]:
    """Return states, shape (T, D), and whether the solver says that it wrote all of them.

    No step goes beyond the last of the `whole` times: nothing out there was asked about, and a law
    may have ended by then.
    """
    if len(t) < 2:
        return np.asarray([initial], dtype=float), True
    if warnings.filters[:1] != [_SILENT]:
        # A failure is a value here, yet odeint warns of it as well, and under an "error" filter
        # would raise. Applications and test runners reset filters at any time, so look each time;
        # catch_warnings is no alternative, as it is not safe in threads.
        warnings.simplefilter("ignore", ODEintWarning)
    states, info = odeint(  # type: ignore[call-overload]  # the stubs know no array as atol
        callback,
        initial,
        t,
        full_output=True,
        rtol=solver.rtol,
        atol=solver.atol,
        tcrit=whole[-1:],
        # Inputs have a corner at every sample: no step may leave one out unseen.
        hmax=0.0 if solver.inputs is None else float(np.diff(whole).max()),
        mxstep=max_evaluations,
    )
    return states, info["message"] == _SUCCESS


def simulate(parsed: ParsedHypothesis, task: Task, config: VerifierConfig) -> Simulation:
    """Return the hypothesis integrated over every shown trajectory of the task."""
    return run_program(program(parsed), task, config).recorded({}, 0)


def run_program(compiled: Program, task: Task, config: VerifierConfig, *, fit_starts: bool = True) -> Run:
    """Integrate every shown trajectory from its own first state; the budget is shared between them.

    Where the data were measured the start is fitted along (`fit_starts`), within the noise of the
    first sample.
    The outcome is that of the first trajectory that failed, "ok" if none did. `rtol` is the solver's; its
    `atol` is the config's times the spread of each variable (or, where that grows by decades, the size that
    it starts with), so that the same motion in millimetres and in metres is the same problem.
    """
    prepared = prepare(task)
    allowed = allowed_evaluations(prepared.budget, config)
    search = _Allowance(max(_SEARCH, _RUNS * allowed))
    outcome: Outcome = "ok"
    message = INTEGRATED
    reached = 0.0
    evaluations = 0
    predictions, starts = [], []
    for samples in prepared.shown:
        solver = solver_for(prepared.early, prepared.size, samples, config)
        start = Start(samples.initial)
        if prepared.measured and fit_starts:
            start = _fitted_start(compiled, samples, prepared, solver, allowed, search)
            starts.append(tuple(start.state))
        solver = solver.tighter() if start.careful else solver
        result = _integrate_twice(compiled, samples.t, start.state, allowed - evaluations, solver)
        evaluations += result.evaluations
        predictions.append(result.states)
        if outcome == "ok":
            reached = float(samples.t[max(len(result.states) - 1, 0)])
            if result.outcome != "ok":
                outcome = result.outcome
                message = _explain(result, allowed)
    return Run(
        outcome=outcome,
        message=message,
        t_reached=reached,
        evaluations=evaluations,
        predictions=tuple(predictions),
        starts=tuple(starts),
        start_evaluations=search.spent,
    )


def allowed_evaluations(budget: int, config: VerifierConfig) -> int:
    """Return the bound on evaluations for data that may need `budget` of them to be followed.

    The config's `max_evaluations` is what any data get; data with more rows or periods than a law could
    follow within 10,000 get as much more.
    """
    return round(config.max_evaluations * max(1.0, budget / 10_000))


def follow(
    compiled: Program, t: FloatArray, initial: Sequence[float], allowed: int, solver: Solver
) -> FloatArray | None:
    """Return the states over the times, shape (T, D); None if they cannot be had."""
    return _attempt(compiled, iter(range(allowed)), t, initial, allowed, solver)


def solver_for(early: FloatArray, size: FloatArray, samples: Samples, config: VerifierConfig) -> Solver:
    """Return the solver for one trajectory, with every tolerance in the units of its variables."""
    return _solver(Same(early, size, samples), config.rtol, config.atol)


@lru_cache(maxsize=512)
def _solver(same: Same, rtol: float, atol: float) -> Solver:
    early, size, samples = same.values
    assert isinstance(early, np.ndarray)  # noqa: S101  # for the type checker
    assert isinstance(size, np.ndarray)  # noqa: S101  # likewise
    assert isinstance(samples, Samples)  # noqa: S101  # likewise
    limit = RUNAWAY * np.where(size > 0.0, size, 1.0)
    return Solver(rtol=rtol, atol=atol * early, limit=limit, inputs=samples.inputs)


@dataclass(slots=True)
class _Allowance:
    """Counts the evaluations that finding starts may take."""

    left: int
    spent: int = 0

    def take(self, evaluations: int) -> None:
        self.left -= evaluations
        self.spent += evaluations


def _fitted_start(
    compiled: Program,
    samples: Samples,
    data: Prepared | Hidden,
    solver: Solver,
    allowed: int,
    search: _Allowance,
) -> Start:
    """Return the start that fits the samples best; see `fit_start`."""

    def tried(solver: Solver, start: list[float], rows: int) -> FloatArray:
        if search.left <= 0:
            raise SpentError
        run = _integrate(compiled, samples.t[:rows], start, min(allowed, search.left), solver)
        search.take(run.evaluations)
        return run.states

    close, careful = partial(tried, solver), partial(tried, solver.tighter())
    return fit_start(samples, data.scale, data.size, close, careful)


def predict_hidden(
    compiled: Program, prepared: Prepared, hidden: Hidden, config: VerifierConfig
) -> FloatArray | None:
    """Return the states over a hidden trajectory's times, shape (T, D); None if they cannot be had.

    Its start is fitted where the data were measured, as that of a shown one.
    """
    samples = hidden.samples
    solver = solver_for(hidden.early, hidden.size, samples, config)
    allowed = allowed_evaluations(hidden.budget, config)
    start = Start(samples.initial)
    if prepared.measured and hidden.noisy:
        search = _Allowance(max(_SEARCH, _RUNS * allowed))
        start = _fitted_start(compiled, samples, hidden, solver, allowed, search)
    states = None if start.careful else follow(compiled, samples.t, start.state, allowed, solver)
    if states is None:
        states = follow(compiled, samples.t, start.state, allowed, solver.tighter())
    return states


def _explain(result: Integration, allowed: int) -> str:
    when = f"at t = {result.t_failed:.4g}"
    match result.outcome:
        case "domain_error":
            return f"A function left its domain (log or sqrt of a negative number, say) {when}."
        case "division_by_zero":
            return f"Division by zero {when}."
        case "overflow":
            return f"A number grew too large for floating point {when}."
        case "budget_exhausted":
            return (
                f"The budget of {allowed} right-hand-side evaluations was spent {when}: "
                "the equation is too stiff or oscillates too fast."
            )
        case "diverged":
            return f"The motion blew up beyond {RUNAWAY:g} times the data {when}."
        case _:
            return f"The solver could not go on {when}: the equation is singular or too stiff there."
