"""Least squares for constants of which some enter linearly: those are solved for, the others searched.

No simulation is needed: the right-hand sides are evaluated along data, or at points where the true
field is known. Points and starts are bounded by counts, and seeded.

Source: variable projection, G. H. Golub and V. Pereyra, SIAM Journal on Numerical Analysis 10 (1973).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import PCG64, Generator

from physix.engine.floats import FloatArray
from physix.engine.verifier.arrays import Scales, Values, evaluate_arrays, linear_names, names_in
from physix.engine.verifier.tree import Equation

MAX_POINTS = 1_000_000  # evaluations of a right-hand side, many at a time, for all starts together
_STARTS = 256
_POLISHED = 8
_ROUNDS = 15
_SEED = 20_261_102
_DECADES = 0.7  # standard deviation of a drawn constant about its natural size
_APART = 0.3  # decades between points that are polished
_UNDEFINED_SHARE = 0.2  # of the points; more and the constants are no start
_EQUAL = 1.001  # times the least residual
_RANK = 1e-12  # eigenvalues of the normal equations, relative: smaller ones are not determined

Reduce = Callable[[int, FloatArray], FloatArray]


@dataclass(frozen=True, slots=True)
class Start:
    """Constants that were found, and the mean squared residual that they leave."""

    constants: dict[str, float]
    cost: float


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What the right-hand sides should be equal to.

    `reduce(k, field)` maps values of equation k at the points, shape (K, N), linearly to what is
    compared with `targets[k]`: shape (K, R_k) against (R_k,).
    """

    equations: Sequence[Equation]
    names: Sequence[str]  # the constants; each occurs in an equation
    values: Values  # of everything else at the N points
    points: int
    targets: Sequence[FloatArray]
    reduce: Reduce
    sizes: Sequence[float]  # of the right-hand sides, one per equation
    time: float | None = None  # in which the motion changes; None: as long as the times are


@dataclass(slots=True)
class _Solved:
    linear: FloatArray  # shape (K, L)
    residuals: FloatArray  # shape (K, R)
    costs: FloatArray  # shape (K,), infinite where undefined


class _Solver:
    """Solves for the linear constants given the others, for K choices of these at once."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.linear = linear_names(problem.equations, problem.names)
        self.others = [name for name in problem.names if name not in self.linear]
        values = dict(problem.values) if problem.time is None else {**problem.values, "t": problem.time}
        scales = Scales(values, frozenset(problem.names)).of(problem.equations, problem.sizes)
        self.unit = np.array([scales.get(name, 1.0) for name in self.linear])
        self.scale = np.array([scales.get(name, 1.0) for name in self.others])
        self.spent = 0

    def solve(self, others: FloatArray) -> _Solved:
        """Return the best linear constants for `others`, shape (K, n)."""
        matrices, rights = [], []
        undefined = np.zeros(len(others))
        for k, equation in enumerate(self.problem.equations):
            matrix, right, bad = self._equation(k, equation, others)
            matrices.append(matrix)
            rights.append(right)
            undefined = np.maximum(undefined, bad)
        matrix, right = np.concatenate(matrices, axis=1), np.concatenate(rights, axis=1)
        linear = _least_squares(matrix, right) if self.linear else np.zeros((len(others), 0))
        residuals = right - np.einsum("krl,kl->kr", matrix, linear)
        costs = np.mean(residuals**2, axis=1)
        costs = np.where(np.isfinite(costs) & (undefined <= _UNDEFINED_SHARE), costs, np.inf)
        return _Solved(linear * self.unit, np.nan_to_num(residuals), costs)

    def _equation(
        self, k: int, equation: Equation, others: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return one equation's matrix (K, R, L), right-hand side (K, R) and share of undefined points."""
        shape = (len(others), self.problem.points)
        values = dict(self.problem.values)
        values |= {name: others[:, i, None] for i, name in enumerate(self.others)}
        values |= dict.fromkeys(self.linear, 0.0)
        occurring = names_in(equation.expression)

        def field(changed: Mapping[str, float]) -> FloatArray:
            self.spent += shape[0] * shape[1]
            return np.broadcast_to(evaluate_arrays(equation.expression, {**values, **changed}), shape)

        fixed = field({})
        bad = ~np.isfinite(fixed)
        target = self.problem.targets[k]
        matrix = np.zeros((shape[0], len(target), len(self.linear)))
        for column, (name, unit) in enumerate(zip(self.linear, self.unit.tolist(), strict=True)):
            if name in occurring:
                part = field({name: unit}) - fixed
                bad = bad | ~np.isfinite(part)
                matrix[:, :, column] = self.problem.reduce(k, np.where(np.isfinite(part), part, 0.0))
        right = target - self.problem.reduce(k, np.where(np.isfinite(fixed), fixed, 0.0))
        return matrix, right, bad.mean(axis=1)

    def room(self, wanted: int) -> int:
        """Return how many of `wanted` choices may still be tried."""
        linear = set(self.linear)
        fields = sum(1 + len(names_in(e.expression) & linear) for e in self.problem.equations)
        each = self.problem.points * fields
        return max(0, min(wanted, (MAX_POINTS - self.spent) // max(1, each)))


def _least_squares(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Return the shortest solutions of K scaled problems; what is not determined stays near 0."""
    norms = np.linalg.norm(matrix, axis=1)
    norms = np.where((norms > 0.0) & np.isfinite(norms), norms, 1.0)
    scaled = np.nan_to_num(matrix / norms[:, None, :], posinf=0.0, neginf=0.0)
    gram = np.einsum("krl,krm->klm", scaled, scaled)
    moment = np.einsum("krl,kr->kl", scaled, np.nan_to_num(right))
    weights, axes = np.linalg.eigh(gram)
    kept = weights > _RANK * weights[:, -1:]
    along = np.einsum("klm,kl->km", axes, moment)
    solved: FloatArray = np.einsum("klm,km->kl", axes, np.where(kept, along / np.where(kept, weights, 1), 0))
    return solved / norms


def best_starts(problem: Problem, own: Mapping[str, float] | None = None) -> tuple[list[Start], int]:
    """Return distinct constants, best first, and the evaluations spent.

    Where all constants enter linearly there is one start, solved for directly. Else the others are
    drawn around the size that makes each equation as large as it is, at most 256 times, and the
    best eight polished. `own` is tried as well. Empty if the equations are undefined throughout.
    """
    with np.errstate(all="ignore"):
        parts = [_Solver(part) for part in _independent(problem)]
        found = [_search(solver, own) for solver in parts]
    spent = sum(solver.spent for solver in parts)
    if not all(found):
        return [], spent
    if not found:
        return [Start({}, 0.0)], spent
    starts = []
    for rank in range(max(map(len, found))):
        chosen = [starts[min(rank, len(starts) - 1)] for starts in found]
        constants = {name: value for start in chosen for name, value in start.constants.items()}
        starts.append(Start(constants, sum(start.cost for start in chosen)))
    return starts, spent


def _independent(problem: Problem) -> list[Problem]:
    """Return the problems of equations that share no constant, each of fewer dimensions."""
    groups: list[tuple[set[int], set[str]]] = []
    for k, equation in enumerate(problem.equations):
        names = names_in(equation.expression) & set(problem.names)
        own = ({k}, names)
        for group in [group for group in groups if group[1] & names]:
            groups.remove(group)
            own = (own[0] | group[0], own[1] | group[1])
        groups.append(own)
    return [_part(problem, sorted(equations), names) for equations, names in groups if names]


def _part(problem: Problem, chosen: Sequence[int], names: set[str]) -> Problem:
    return replace(
        problem,
        equations=[problem.equations[k] for k in chosen],
        names=[name for name in problem.names if name in names],
        targets=[problem.targets[k] for k in chosen],
        reduce=lambda k, field: problem.reduce(chosen[k], field),
        sizes=[problem.sizes[k] for k in chosen],
    )


def _search(solver: _Solver, own: Mapping[str, float] | None) -> list[Start]:
    if not solver.others:
        return _as_starts(solver, np.zeros((1, 0)), solver.solve(np.zeros((1, 0))))
    drawn = _draw(solver, own)
    costs = solver.solve(drawn).costs
    chosen: list[int] = []
    for i in np.argsort(costs, kind="stable").tolist():
        if np.isfinite(costs[i]) and len(chosen) < _POLISHED and _is_apart(drawn[i], drawn[chosen]):
            chosen.append(i)
    return _as_starts(solver, *_polish(solver, drawn[chosen]))


def _is_apart(point: FloatArray, others: FloatArray) -> bool:
    near = np.abs(np.log10(np.abs(others)) - np.log10(np.abs(point))) < _APART
    return not np.any(np.all(near & (np.sign(others) == np.sign(point)), axis=1))


def _draw(solver: _Solver, own: Mapping[str, float] | None) -> FloatArray:
    random = Generator(PCG64(_SEED))
    count, scale = len(solver.others), solver.scale
    magnitudes = scale * 10.0 ** (_DECADES * random.standard_normal((_STARTS, count)))
    # As most laws are written their constants are positive: every second draw is all so.
    signs = random.choice([-1.0, 1.0], (_STARTS, count))
    signs[::2] = 1.0
    first = [scale, -scale]
    if own is not None:
        first.insert(0, np.array([own[name] for name in solver.others]))
    # Half of the points are left for polishing.
    return np.vstack([*first, magnitudes * signs])[: max(4, solver.room(2 * _STARTS) // 2)]


def _polish(solver: _Solver, points: FloatArray) -> tuple[FloatArray, _Solved]:
    """Return the points after at most 15 Levenberg-Marquardt steps on what the linear constants leave."""
    if not len(points):
        return points, _Solved(np.zeros((0, len(solver.linear))), np.zeros((0, 0)), np.zeros(0))
    count = points.shape[1]
    damping = np.full(len(points), 1e-3)
    here = solver.solve(points)
    for _ in range(_ROUNDS):
        if solver.room(len(points) * (count + 2)) < len(points) * (count + 2):
            break
        steps = 1e-5 * np.maximum(np.abs(points), 1e-3 * solver.scale)
        moved = points[:, None, :] + steps[:, None, :] * np.eye(count)
        there = solver.solve(moved.reshape(-1, count)).residuals.reshape(len(points), count, -1)
        slopes = (there - here.residuals[:, None, :]) / steps[:, :, None]
        normal = np.einsum("kir,kjr->kij", slopes, slopes)
        diagonal = np.einsum("kii->ki", normal)
        lifted = normal + (damping[:, None] * diagonal + 1e-300)[:, :, None] * np.eye(count)
        slope = np.einsum("kir,kr->ki", slopes, here.residuals)
        size = np.sqrt(np.maximum(diagonal, 1e-300))
        scaled = lifted / size[:, :, None] / size[:, None, :]
        scaled = np.where(np.isfinite(scaled), scaled, 0.0) + 1e-12 * np.eye(count)
        move = -np.linalg.solve(scaled, np.nan_to_num(slope / size)[:, :, None])[:, :, 0] / size
        trial = points + np.nan_to_num(move)
        tried = solver.solve(trial)
        better = tried.costs < here.costs
        gained = np.max(np.where(better & (here.costs > 0), 1 - tried.costs / here.costs, 0.0))
        points = np.where(better[:, None], trial, points)
        here = _Solved(
            np.where(better[:, None], tried.linear, here.linear),
            np.where(better[:, None], tried.residuals, here.residuals),
            np.where(better, tried.costs, here.costs),
        )
        damping = np.where(better, damping / 10, damping * 10)
        if better.any() and gained < 1e-6:
            break
    return points, here


def _as_starts(solver: _Solver, others: FloatArray, solved: _Solved) -> list[Start]:
    starts: list[Start] = []
    seen: list[FloatArray] = []
    names = [*solver.linear, *solver.others]
    for i in _ranked(others, solved):
        values = np.concatenate([solved.linear[i], others[i]])
        if not any(np.allclose(values, other, rtol=1e-2, atol=0.0) for other in seen):
            seen.append(values)
            starts.append(Start(dict(zip(names, values.tolist(), strict=True)), float(solved.costs[i])))
    return starts


def _ranked(others: FloatArray, solved: _Solved) -> list[int]:
    """Return the defined points, best first; of equals, as k*sin(w*t) has, that with fewest minus signs."""
    negative = np.sum(solved.linear < 0.0, axis=1) + np.sum(others < 0.0, axis=1)
    finite = solved.costs[np.isfinite(solved.costs)]
    tied = solved.costs <= _EQUAL * finite.min(initial=np.inf)
    order = np.lexsort((solved.costs, np.where(tied, negative, 0), ~tied))
    return [i for i in order.tolist() if np.isfinite(solved.costs[i])]
