"""Integrating a hypothesis with `scipy.integrate.odeint`, bounded by counted evaluations.

`odeint` reports failure only in a message, and rows past a failure may be uninitialised
memory; nothing past the first bad row ever leaves this module.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import length_hint

import numpy as np
from scipy.integrate import ODEintWarning, odeint

from physix.engine.systems.task import Task
from physix.engine.verifier.compile import UNDEFINED, Callback, FloatArray, Program, program
from physix.engine.verifier.prepared import Samples, prepare
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import INTEGRATED, Outcome, Prediction, Simulation, VerifierConfig
from physix.limits import MAX_MAGNITUDE

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

    def recorded(self, fitted: dict[str, float], fit_evaluations: int) -> Simulation:
        """Return the run as the value that events carry."""
        return Simulation(
            outcome=self.outcome,
            message=self.message,
            t_reached=self.t_reached,
            evaluations=self.evaluations,
            predictions=tuple(
                Prediction(states=tuple(map(tuple, states.tolist()))) for states in self.predictions
            ),
            fitted=fitted,
            fit_evaluations=fit_evaluations,
        )


def integrate(
    parsed: ParsedHypothesis,
    t: FloatArray,
    initial: Sequence[float],
    *,
    max_evaluations: int = 10_000,
    rtol: float = 1e-8,
    atol: float | FloatArray = 1e-10,
) -> Integration:
    """Integrate over the times `t`, shape (T,), from the state at `t[0]`. Never raises.

    The same arguments give the same bits: the bound is a count, not a clock.
    """
    return integrate_program(
        program(parsed), t, initial, max_evaluations=max_evaluations, rtol=rtol, atol=atol
    )


def integrate_program(
    compiled: Program,
    t: FloatArray,
    initial: Sequence[float],
    *,
    max_evaluations: int,
    rtol: float,
    atol: float | FloatArray,
) -> Integration:
    """Return what `integrate` does, for a law that was compiled already."""
    evaluations = iter(range(max_evaluations))
    states = _attempt(compiled, evaluations, t, initial, max_evaluations, rtol, atol)
    if states is None:
        return _retrace(compiled, initial, t, max_evaluations, rtol, atol)
    return Integration(states, "ok", None, max_evaluations - length_hint(evaluations))


def _attempt(
    compiled: Program,
    evaluations: Iterator[int],
    t: FloatArray,
    initial: Sequence[float],
    max_evaluations: int,
    rtol: float,
    atol: float | FloatArray,
) -> FloatArray | None:
    """Return all states, or None if anything at all goes wrong."""
    try:
        states, finished = _solve(compiled.callback(evaluations), initial, t, max_evaluations, rtol, atol)
    except (StopIteration, *UNDEFINED):
        return None
    # NaN compares as false.
    return states if finished and np.abs(states).max() <= MAX_MAGNITUDE else None


def _retrace(
    compiled: Program,
    initial: Sequence[float],
    t: FloatArray,
    max_evaluations: int,
    rtol: float,
    atol: float | FloatArray,
) -> Integration:
    """Return how a run that fails goes: the same steps again, this time watched.

    Where the solver itself gave up, rows that it never reached are uninitialised memory, and
    nothing says which they are; a run over the times before that takes the same steps and ends well.
    """
    watched = _Watched(compiled, max_evaluations)
    states, finished = _solve(watched, initial, t, max_evaluations, rtol, atol)
    if not finished:
        before = t[: max(1, int(np.sum(t < watched.t)))]
        again = _Watched(compiled, max_evaluations)
        states, reached = _solve(again, initial, before, max_evaluations, rtol, atol)
        states = states if reached else states[:1]
    genuine = (np.abs(states) <= MAX_MAGNITUDE).all(axis=1)
    states = states[: len(states) if genuine.all() else int(np.argmin(genuine))]
    outcome, t_failed = watched.failure, watched.t
    if outcome is None:
        outcome = "diverged" if finished else "solver_failed"
        t_failed = float(t[min(len(states), len(t) - 1)]) if finished else watched.t
    if not all(abs(value) <= MAX_MAGNITUDE for value in watched.state):
        # However it ended (steps too small, overflow, budget), a blow-up is why.
        outcome = "diverged"
    return Integration(states, outcome, t_failed, watched.calls)


class _Watched:
    """A right-hand side that remembers where it was, and returns NaN from its first failure on.

    `odeint` then runs on to the end of its grid, and each row before the failure is genuine (an
    exception would lose them all). Too slow for every run.
    """

    def __init__(self, compiled: Program, max_evaluations: int) -> None:
        self._rhs = compiled.callback(iter(range(max_evaluations)))
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
    max_evaluations: int,
    rtol: float,
    atol: float | FloatArray,
) -> tuple[FloatArray, bool]:
    """Return states, shape (T, D), and whether the solver says that it wrote all of them."""
    if len(t) < 2:
        return np.asarray([initial], dtype=float), True
    if warnings.filters[:1] != [_SILENT]:
        # A failure is a value here, yet odeint warns of it as well, and under an "error" filter
        # would raise. Applications and test runners reset filters at any time, so look each time;
        # catch_warnings is no alternative, as it is not safe in threads.
        warnings.simplefilter("ignore", ODEintWarning)
    states, info = odeint(  # type: ignore[call-overload]  # the stubs know no array as atol
        callback, initial, t, full_output=True, rtol=rtol, atol=atol, mxstep=max_evaluations
    )
    return states, info["message"] == _SUCCESS


def simulate(parsed: ParsedHypothesis, task: Task, config: VerifierConfig) -> Simulation:
    """Return the hypothesis integrated over every shown trajectory of the task."""
    return run_program(program(parsed), task, config).recorded({}, 0)


def run_program(compiled: Program, task: Task, config: VerifierConfig) -> Run:
    """Integrate every shown trajectory from its own first state; the budget is shared between them.

    The outcome is that of the first trajectory that failed, "ok" if none did. `rtol` is the
    solver's; its `atol` is the config's times the spread of each variable, so that the same
    motion in millimetres and in metres is the same problem.
    """
    prepared = prepare(task)
    outcome: Outcome = "ok"
    message = INTEGRATED
    reached = 0.0
    evaluations = 0
    predictions = []
    for samples in prepared.shown:
        result = integrate_program(
            compiled,
            samples.t,
            samples.initial,
            max_evaluations=config.max_evaluations - evaluations,
            rtol=config.rtol,
            atol=config.atol * prepared.scale,
        )
        evaluations += result.evaluations
        predictions.append(result.states)
        if outcome == "ok":
            reached = float(samples.t[max(len(result.states) - 1, 0)])
            if result.outcome != "ok":
                outcome = result.outcome
                message = _explain(result, config)
    return Run(
        outcome=outcome,
        message=message,
        t_reached=reached,
        evaluations=evaluations,
        predictions=tuple(predictions),
    )


def predict(
    compiled: Program, samples: Samples, scale: FloatArray, config: VerifierConfig
) -> FloatArray | None:
    """Return the states over a trajectory's times, shape (T, D); None if they cannot be had."""
    return _attempt(
        compiled,
        iter(range(config.max_evaluations)),
        samples.t,
        samples.initial,
        config.max_evaluations,
        config.rtol,
        config.atol * scale,
    )


def _explain(result: Integration, config: VerifierConfig) -> str:
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
                f"The budget of {config.max_evaluations} right-hand-side evaluations was spent {when}: "
                "the equation is too stiff or oscillates too fast."
            )
        case "diverged":
            return f"The motion blew up beyond {MAX_MAGNITUDE:g} {when}."
        case _:
            return f"The solver could not go on {when}: the equation is singular or too stiff there."
