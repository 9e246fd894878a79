"""How close a hypothesis is to the true law: as a field, and up to its constants.

For evaluation only. What this module returns tells of the truth, so no agent may see it while
its episode runs.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.random import PCG64, Generator

from physix.systems.task import StateVariable, Task, Truth
from physix.verifier.compile import FloatArray, program
from physix.verifier.fit import driven_columns, field_values, fit_to_field
from physix.verifier.grammar import parse
from physix.verifier.tree import ParsedHypothesis
from physix.verifier.types import Correctness, Recovery

EXACT = 1e-6
RECOVERED = 1e-2
_POINTS = 64
_SEED = 20_261_101
_GROWTH = 1.25


def correctness(parsed: ParsedHypothesis, task: Task, truth: Truth) -> Correctness | None:
    """Compare the right-hand sides at 64 seeded points around the shown motion.

    Points are uniform in the box of the shown trajectories grown by 1.25 about its centre. The
    error of an equation is the RMS difference over the RMS of the true field; the largest over
    the equations counts. `exact` is below 1e-6, `recovered` below 1e-2.

    Returns:
        None if the task has no true law; `field_error` None if the hypothesis is undefined at a
        point where the truth is defined.
    """
    law = true_law(task, truth)
    if law is None:
        return None
    states, t, expected = _true_field(law, task)
    compiled = program(parsed)
    got = field_values(compiled.evaluate, compiled.constants, states, t, driven_columns(parsed))
    error = relative_error(got, expected)
    return Correctness(field_error=error, verdict=_verdict(error))


def same_structure(parsed: ParsedHypothesis, task: Task, truth: Truth) -> bool | None:
    """Tell whether some constants turn the hypothesis into the true law; None without a true law.

    Params and literals (not exponents) of the hypothesis are refitted to the true field; the
    structure is the same if the field is then recovered. So `-9.8 + c*vy` and `-g` are alike,
    and `theta` is no `sin(theta)`. Takes milliseconds: for evaluation, not for every turn.
    """
    law = true_law(task, truth)
    if law is None:
        return None
    states, t, expected = _true_field(law, task)
    error = relative_error(fit_to_field(parsed, states, t, expected), expected)
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
    law = parse(equation, dict(params), variables)
    if not isinstance(law, ParsedHypothesis):
        raise ValueError(f"the true law does not parse: {law.message}")
    return law


def _true_field(law: ParsedHypothesis, task: Task) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return states (N, D), times (N,) and the true right-hand sides (N, equations), where defined."""
    points = sample_points(task)
    states, t = points[:, :-1], points[:, -1]
    compiled = program(law)
    expected = field_values(compiled.evaluate, compiled.constants, states, t, driven_columns(law))
    defined = np.isfinite(expected).all(axis=1)
    return states[defined], t[defined], expected[defined]


def sample_points(task: Task) -> FloatArray:
    """Return 64 seeded points, shape (64, D + 1): a state and a time in each row."""
    observed = np.concatenate([np.column_stack([x.states, x.t]) for x in task.shown])
    low, high = observed.min(axis=0), observed.max(axis=0)
    centre, half = (low + high) / 2, (high - low) / 2 * _GROWTH
    half[-1] /= _GROWTH  # only the states' box grows: no motion was asked for before the start
    drawn = Generator(PCG64(_SEED)).uniform(-1.0, 1.0, size=(_POINTS, len(centre)))
    points: FloatArray = centre + half * drawn
    return points


def relative_error(got: FloatArray, expected: FloatArray) -> float | None:
    """Return the largest RMS error over the equations, relative to the field; None if undefined."""
    if not len(expected) or not np.isfinite(got).all():
        return None
    with np.errstate(over="ignore"):
        off = np.sqrt(np.mean((got - expected) ** 2, axis=0))
    size = np.sqrt(np.mean(expected**2, axis=0))
    worst = float(np.max(off / np.where(size > 0.0, size, 1.0)))
    return worst if math.isfinite(worst) else None
