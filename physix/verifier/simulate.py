"""Integrating a hypothesis with `scipy.integrate.odeint`, bounded by counted evaluations.

`odeint` reports failure only in a message, and rows past a failure may be uninitialised
memory; nothing past the first bad row ever leaves this module.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import ODEintWarning, odeint

from physix.systems.task import Trajectory
from physix.verifier.compile import CompiledRhs, FloatArray
from physix.verifier.tree import ParsedHypothesis
from physix.verifier.types import Outcome, Prediction, Simulation, VerifierConfig

MAX_MAGNITUDE = 1e12
_SUCCESS = "Integration successful."

# The solver's failures are values here; its warnings would only repeat them on stderr.
warnings.filterwarnings("ignore", category=ODEintWarning)


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
    states, info = odeint(
        rhs, initial, t, full_output=True, rtol=rtol, atol=atol, mxstep=max_evaluations, tfirst=False
    )
    good: NDArray[np.bool_] = np.asarray(
        (np.isfinite(states) & (np.abs(states) <= MAX_MAGNITUDE)).all(axis=1)
    )
    solved = info["message"] == _SUCCESS
    if not solved:
        good &= _rows_surely_written(t, rhs)
    rows = len(t) if good.all() else int(np.argmin(good))
    if rows == len(t) and rhs.failure is None and solved:
        return Integration(states, "ok", None, rhs.calls)
    if rhs.failure is None:
        rhs.failure = "diverged" if solved else "solver_failed"
    failed_at = rhs.failed_at if rhs.failed_at is not None else float(t[min(rows, len(t) - 1)])
    return Integration(states[:rows], rhs.failure, failed_at, rhs.calls)


def _rows_surely_written(t: FloatArray, rhs: CompiledRhs) -> NDArray[np.bool_]:
    """Mask the rows an unsuccessful solver reached: when in doubt, none."""
    if rhs.failed_at is None:
        return np.asarray(t <= t[0])
    return np.asarray(t < rhs.failed_at)


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
