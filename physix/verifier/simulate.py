"""Integrating a hypothesis with `scipy.integrate.odeint`, bounded by counted evaluations.

`odeint` reports failure only in a message, and rows past a failure may be uninitialised
memory; nothing past the first bad row ever leaves this module.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.integrate import ODEintWarning, odeint

from physix.systems.task import Trajectory
from physix.verifier.compile import CompiledRhs, FloatArray
from physix.verifier.tree import ParsedHypothesis
from physix.verifier.types import Outcome, Prediction, Simulation, VerifierConfig

MAX_MAGNITUDE = 1e12
_SUCCESS = "Integration successful."
_SILENT = ("ignore", None, ODEintWarning, None, 0)


@dataclass(frozen=True, slots=True)
class Integration:
    """One trajectory's integration: `states` has shape (K, D), K <= T rows before any failure."""

    states: FloatArray
    outcome: Outcome
    t_failed: float | None
    evaluations: int


def integrate(
    parsed: ParsedHypothesis,
    t: FloatArray,
    initial: Sequence[float],
    *,
    max_evaluations: int = 10_000,
    rtol: float = 1e-8,
    atol: float = 1e-10,
) -> Integration:
    """Integrate over the times `t`, shape (T,), from the state at `t[0]`. Never raises.

    The same arguments give the same bits: the bound is a count, not a clock.
    """
    rhs = CompiledRhs(parsed, max_calls=max_evaluations)
    states, finished = _solve(rhs, initial, t, max_evaluations, rtol, atol)
    if not finished:
        # Rows the solver never reached are uninitialised memory, and nothing says which they are.
        # A second run over the times before the failure takes the same steps and does finish.
        before = int(np.sum(t < rhs.last_t))
        again = CompiledRhs(parsed, max_calls=max_evaluations)
        states, reached = _solve(again, initial, t[:before], max_evaluations, rtol, atol)
        states = states if reached else states[:1]
    genuine = (np.isfinite(states) & (np.abs(states) <= MAX_MAGNITUDE)).all(axis=1)
    rows = len(states) if genuine.all() else int(np.argmin(genuine))
    if finished and rows == len(t) and rhs.failure is None:
        return Integration(states, "ok", None, rhs.calls)
    return Integration(states[:rows], _outcome(rhs, finished), _failed_at(rhs, t, rows, finished), rhs.calls)


def _solve(
    rhs: CompiledRhs, initial: Sequence[float], t: FloatArray, max_evaluations: int, rtol: float, atol: float
) -> tuple[FloatArray, bool]:
    """Return states, shape (T, D), and whether the solver says that it wrote all of them."""
    if len(t) < 2:
        return np.asarray([initial], dtype=float), True
    if warnings.filters[:1] != [_SILENT]:
        # A failure is a value here, yet odeint warns of it as well, and under an "error" filter
        # would raise. Applications and test runners reset filters at any time, so look each time;
        # catch_warnings is no alternative, as it is not safe in threads.
        warnings.simplefilter("ignore", ODEintWarning)
    states, info = odeint(rhs, initial, t, full_output=True, rtol=rtol, atol=atol, mxstep=max_evaluations)
    return states, info["message"] == _SUCCESS


def _outcome(rhs: CompiledRhs, finished: bool) -> Outcome:
    if not all(abs(value) <= MAX_MAGNITUDE for value in rhs.last_state):
        # However it ended (steps too small, overflow), a blow-up is why.
        return "diverged"
    return rhs.failure or ("diverged" if finished else "solver_failed")


def _failed_at(rhs: CompiledRhs, t: FloatArray, rows: int, finished: bool) -> float:
    if rhs.failed_at is not None:
        return rhs.failed_at
    return float(t[min(rows, len(t) - 1)]) if finished else rhs.last_t


def simulate(
    parsed: ParsedHypothesis, trajectories: Sequence[Trajectory], config: VerifierConfig
) -> Simulation:
    """Integrate every trajectory from its own first state; the budget is shared between them.

    The outcome is that of the first trajectory that failed, "ok" if none did.
    """
    outcome: Outcome = "ok"
    message = "The hypothesis was integrated over all observed times."
    reached = 0.0
    evaluations = 0
    predictions = []
    for trajectory in trajectories:
        times = np.asarray(trajectory.t)
        result = integrate(
            parsed,
            times,
            trajectory.states[0],
            max_evaluations=config.max_evaluations - evaluations,
            rtol=config.rtol,
            atol=config.atol,
        )
        evaluations += result.evaluations
        rows = tuple(tuple(row) for row in result.states.tolist())
        predictions.append(Prediction(states=rows))
        last = trajectory.t[max(len(rows) - 1, 0)]
        if outcome == "ok":
            reached = last
            if result.outcome != "ok":
                outcome = result.outcome
                message = _explain(result, config)
    return Simulation(
        outcome=outcome,
        message=message,
        t_reached=reached,
        evaluations=evaluations,
        predictions=tuple(predictions),
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
