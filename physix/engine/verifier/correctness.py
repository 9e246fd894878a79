"""How close a hypothesis is to the true law: as a field, and up to its constants.

For evaluation only. What this module returns tells of the truth, so no agent may see it while
its episode runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.random import PCG64, Generator

from physix.engine.floats import FloatArray
from physix.engine.systems.task import InputVariable, StateVariable, Task, Truth
from physix.engine.verifier.arrays import Values, evaluate_arrays, names_in, with_free_literals
from physix.engine.verifier.grammar import parse
from physix.engine.verifier.prepared import Same, states_of
from physix.engine.verifier.separable import Problem, best_starts
from physix.engine.verifier.tree import Equation, ParsedHypothesis
from physix.engine.verifier.types import Correctness, Recovery

EXACT = 1e-6
RECOVERED = 1e-2
_POINTS = 128
_SEED = 20_261_101
_GROWTH = 1.25


def correctness(parsed: ParsedHypothesis, task: Task, truth: Truth) -> Correctness | None:
    """Compare the right-hand sides at 128 seeded points around the shown and the hidden motions.

    Points are uniform in the box of all these trajectories grown by 1.25 about its centre: a law that
    agrees along one motion and nowhere else is not the law. The error of an equation is the RMS
    difference over the RMS of the true field; the largest over the equations counts. `exact` is
    below 1e-6, `recovered` below 1e-2.

    Returns:
        None if the task has no true law; `field_error` None if the hypothesis is undefined at a
        point where the truth is defined.
    """
    field = _true_field(task, truth)
    if field is None:
        return None
    error = _relative_error(_field_at(parsed.equations, field.points, parsed.params), field)
    return Correctness(field_error=error, verdict=_verdict(error))


def same_structure(parsed: ParsedHypothesis, task: Task, truth: Truth) -> bool | None:
    """Tell whether some constants turn the hypothesis into the true law; None without a true law.

    Params and literals (not exponents) of the hypothesis are refitted to the true field, at the
    points of `correctness`; the structure is the same if the field is then recovered. So
    `-9.8 + c*vy` and `-g` are alike, and `theta` is no `sin(theta)`. Takes milliseconds: for
    evaluation, not for every turn.
    """
    field = _true_field(task, truth)
    if field is None:
        return None
    error = _relative_error(_refitted(parsed, field), field)
    return error is not None and error < RECOVERED


def _refitted(parsed: ParsedHypothesis, field: _Field) -> FloatArray:
    """Return the field, shape (N, equations), of the law whose constants fit the true field best."""
    equations, literals = with_free_literals(parsed.equations)
    own = {**parsed.params, **literals}
    problem = Problem(
        equations=equations,
        names=[name for name in own if any(name in names_in(e.expression) for e in equations)],
        values=field.points,
        points=len(field.expected),
        targets=[field.expected[:, k] / field.size[k] for k in range(len(equations))],
        reduce=lambda k, got: got / field.size[k],
        sizes=field.size.tolist(),
    )
    starts, _ = best_starts(problem, own)
    return _field_at(equations, field.points, {**own, **(starts[0].constants if starts else {})})


def _verdict(error: float | None) -> Recovery:
    if error is None or error >= RECOVERED:
        return "different"
    return "exact" if error < EXACT else "recovered"


def true_law(task: Task, truth: Truth) -> ParsedHypothesis | None:
    """Return the true law with its constants; None if the task has none."""
    if truth.equation is None:
        return None
    return _parse_truth(truth.equation, tuple(truth.params.items()), task.variables, task.inputs)


@lru_cache(maxsize=256)
def _parse_truth(
    equation: str,
    params: tuple[tuple[str, float], ...],
    variables: tuple[StateVariable, ...],
    inputs: tuple[InputVariable, ...],
) -> ParsedHypothesis:
    law = parse(equation, dict(params), variables, inputs=inputs, functions="extended")
    if not isinstance(law, ParsedHypothesis):
        raise ValueError(f"the true law does not parse: {law.message}")
    return law


@dataclass(frozen=True, slots=True, eq=False)
class _Field:
    """The true law where it is compared: N points at which it is defined."""

    points: Values  # of each variable, input and of `t`, shape (N,)
    expected: FloatArray  # shape (N, equations)
    size: FloatArray  # RMS of `expected`, 1 where that is 0


def _true_field(task: Task, truth: Truth) -> _Field | None:
    return _compute_true_field(Same(task, truth))


@lru_cache(maxsize=256)
def _compute_true_field(same: Same) -> _Field | None:
    task, truth = same.values
    assert isinstance(task, Task)  # noqa: S101  # for the type checker
    assert isinstance(truth, Truth)  # noqa: S101  # likewise
    law = true_law(task, truth)
    if law is None:
        return None
    points = _wide_points(task, truth)
    values = _field_at(law.equations, points, law.params)
    defined = np.isfinite(values).all(axis=1)
    expected = values[defined]
    size = np.sqrt(np.mean(expected**2, axis=0))
    return _Field(
        points={name: column[defined] for name, column in points.items()},
        expected=expected,
        size=np.where(size > 0.0, size, 1.0),
    )


def _wide_points(task: Task, truth: Truth) -> dict[str, FloatArray]:
    """Return 128 seeded values of each variable, input and of `t`, uniform around all motions of the problem.

    The box of the shown and hidden motions grows by 1.25 about its centre; times and inputs stay within
    those shown.
    """
    states = np.concatenate([states_of(x) for x in (*task.shown, *truth.hidden)])
    times = np.concatenate([np.asarray(x.t) for x in task.shown])
    columns = {variable.name: states[:, i] for i, variable in enumerate(task.variables)}
    columns["t"] = times
    for i, variable in enumerate(task.inputs):
        columns[variable.name] = np.concatenate([np.asarray(x.inputs)[:, i] for x in task.shown])
    random = Generator(PCG64(_SEED))
    points = {}
    for index, (name, column) in enumerate(columns.items()):
        growth = _GROWTH if index < len(task.variables) else 1.0
        centre, half = (column.max() + column.min()) / 2, (column.max() - column.min()) / 2 * growth
        points[name] = centre + half * random.uniform(-1.0, 1.0, _POINTS)
    return points


def _field_at(equations: Sequence[Equation], points: Values, constants: Mapping[str, float]) -> FloatArray:
    """Return the right-hand side of each equation at each point, shape (N, equations).

    NaN or infinite where it is undefined.
    """
    values = {**points, **constants}
    field = np.empty((np.size(points["t"]), len(equations)))
    with np.errstate(all="ignore"):
        for k, equation in enumerate(equations):
            field[:, k] = evaluate_arrays(equation.expression, values)
    return field


def _relative_error(got: FloatArray, field: _Field) -> float | None:
    if not len(got) or not np.isfinite(got).all():
        return None
    with np.errstate(over="ignore"):
        off = np.sqrt(np.add.reduce((got - field.expected) ** 2, axis=0) / len(got)) / field.size
    worst = float(off.max())
    return worst if math.isfinite(worst) else None
