"""How close a hypothesis is to the true law: as a field, and up to its constants.

For evaluation only. What this module returns tells of the truth, so no agent may see it while
its episode runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from physix.engine.systems.task import StateVariable, Task, Truth
from physix.engine.verifier.compile import UNDEFINED, FloatArray, Program, program
from physix.engine.verifier.fit import driven_columns, field_values, fit_to_field
from physix.engine.verifier.grammar import parse
from physix.engine.verifier.prepared import Same, prepare, sample_points
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import Correctness, Recovery

EXACT = 1e-6
RECOVERED = 1e-2


def correctness(parsed: ParsedHypothesis, compiled: Program, task: Task, truth: Truth) -> Correctness | None:
    """Compare the right-hand sides at 64 seeded points around the shown motion.

    Points are uniform in the box of the shown trajectories grown by 1.25 about its centre. The
    error of an equation is the RMS difference over the RMS of the true field; the largest over
    the equations counts. `exact` is below 1e-6, `recovered` below 1e-2.

    Returns:
        None if the task has no true law; `field_error` None if the hypothesis is undefined at a
        point where the truth is defined.
    """
    field = _true_field(task, truth)
    if field is None:
        return None
    try:
        got = np.array(compiled.field(field.states, field.t))[:, driven_columns(parsed)]
    except UNDEFINED:
        return Correctness(field_error=None, verdict="different")
    error = _relative_error(got, field)
    return Correctness(field_error=error, verdict=_verdict(error))


def same_structure(parsed: ParsedHypothesis, task: Task, truth: Truth) -> bool | None:
    """Tell whether some constants turn the hypothesis into the true law; None without a true law.

    Params and literals (not exponents) of the hypothesis are refitted to the true field; the
    structure is the same if the field is then recovered. So `-9.8 + c*vy` and `-g` are alike,
    and `theta` is no `sin(theta)`. Takes milliseconds: for evaluation, not for every turn.
    """
    field = _true_field(task, truth)
    if field is None:
        return None
    error = _relative_error(fit_to_field(parsed, field.states, field.t, field.expected), field)
    return error is not None and error < RECOVERED


def _verdict(error: float | None) -> Recovery:
    if error is None or error >= RECOVERED:
        return "different"
    return "exact" if error < EXACT else "recovered"


def true_law(task: Task, truth: Truth) -> ParsedHypothesis | None:
    """Return the true law with its constants; None if the task has none."""
    if truth.equation is None:
        return None
    return _parse_truth(truth.equation, tuple(truth.params.items()), task.variables)


@lru_cache(maxsize=256)
def _parse_truth(
    equation: str, params: tuple[tuple[str, float], ...], variables: tuple[StateVariable, ...]
) -> ParsedHypothesis:
    law = parse(equation, dict(params), variables, functions="extended")
    if not isinstance(law, ParsedHypothesis):
        raise ValueError(f"the true law does not parse: {law.message}")
    return law


@dataclass(frozen=True, slots=True, eq=False)
class _Field:
    """The true law where it is compared: N points at which it is defined."""

    states: list[list[float]]  # N states
    t: list[float]
    expected: FloatArray  # shape (N, equations)
    size: FloatArray  # RMS of `expected`, 1 where that is 0


def _true_field(task: Task, truth: Truth) -> _Field | None:
    return _compute_true_field(Same(task, truth))


@lru_cache(maxsize=256)
def _compute_true_field(same: Same) -> _Field | None:
    task, truth = same.values
    assert isinstance(task, Task)  # noqa: S101  # for the type checker
    assert isinstance(truth, Truth)  # noqa: S101
    law = true_law(task, truth)
    if law is None:
        return None
    states, t = sample_points(prepare(task))
    compiled = program(law)
    values = field_values(
        compiled.evaluate, compiled.constants, states.tolist(), t.tolist(), driven_columns(law)
    )
    defined = np.isfinite(values).all(axis=1)
    expected = values[defined]
    size = np.sqrt(np.mean(expected**2, axis=0))
    return _Field(
        states=states[defined].tolist(),
        t=t[defined].tolist(),
        expected=expected,
        size=np.where(size > 0.0, size, 1.0),
    )


def _relative_error(got: FloatArray, field: _Field) -> float | None:
    if not len(got) or not np.isfinite(got).all():
        return None
    with np.errstate(over="ignore"):
        off = np.sqrt(np.mean((got - field.expected) ** 2, axis=0)) / field.size
    worst = float(off.max())
    return worst if math.isfinite(worst) else None
