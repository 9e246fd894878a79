"""Wrong laws that fit: families of right-hand sides, with their constants fitted to the shown data only.

What an agent could write that knows nothing of the physics: constants, springs, every linear law,
polynomials in time, sines and decays that memorise the curve, drags and springs of the wrong kind. A
family that can be the true law of a system (`holds`) is no rival there.

The fit is independent of the verifier: constants by integral matching, then Levenberg-Marquardt on
trajectories from a fixed-step Runge-Kutta scheme, for all tasks of a system at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import CodeType

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems import SYSTEMS, System
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.types import Hypothesis
from physix.limits import MAX_PARAMS

_SUBSTEPS = 2  # of the Runge-Kutta scheme between two samples
_ROUNDS = 14  # of Levenberg-Marquardt
_PATIENCE = 3  # rounds in which no task's fit improves before the search ends
_MATH = {"sin": np.sin, "cos": np.cos, "exp": np.exp, "sqrt": np.sqrt, "abs": np.abs, "__builtins__": {}}


@dataclass(frozen=True, slots=True)
class Family:
    """Right-hand sides that are linear in their constants, one set of constants for each equation.

    Attributes:
        name: as the tables print it.
        terms: over `q` and `v` (the equation's own position and velocity), `t`, and the inner
            constants; `*` stands for every state variable, one term each.
        inner: constants within the terms, shared by all equations: `w` (1/s, a frequency) and
            `d` (1/s, a rate of decay).
        kind: what the tables count together.
    """

    name: str
    terms: tuple[str, ...]
    kind: str = "other"
    inner: str = ""


def _polynomial(degree: int) -> tuple[str, ...]:
    return ("1", "t", *(f"t**{n}" for n in range(2, degree + 1)))


def _harmonics(count: int) -> tuple[str, ...]:
    return tuple(f"{f}({n}*w*t)" for n in range(1, count + 1) for f in ("cos", "sin"))


FAMILIES: tuple[Family, ...] = (
    Family("nothing", (), "constant"),
    Family("constant", ("1",), "constant"),
    *(Family(f"polynomial in t, degree {n}", _polynomial(n), "time") for n in range(1, 6)),
    Family("polynomial in t, degree 8", _polynomial(8), "time"),
    Family("spring", ("q",), "spring"),
    Family("hanging spring", ("1", "q"), "spring"),
    Family("damped spring", ("q", "v"), "spring"),
    Family("hanging damped spring", ("1", "q", "v"), "spring"),
    Family("friction", ("v",), "linear"),
    Family("friction and a constant", ("1", "v"), "linear"),
    Family("every linear term", ("1", "*"), "linear"),
    Family("spring and clock", ("q", "t"), "time"),
    Family("friction and clock", ("1", "v", "t"), "time"),
    Family("every linear term and clock", ("1", "*", "t"), "time"),
    Family("fading", ("exp(-d*t)",), "memory", "d"),
    Family("fading to a constant", ("1", "exp(-d*t)"), "memory", "d"),
    Family("sine of t", _harmonics(1), "memory", "w"),
    Family("sine of t and a constant", ("1", *_harmonics(1)), "memory", "w"),
    Family("fading sine of t", ("exp(-d*t)*cos(w*t)", "exp(-d*t)*sin(w*t)"), "memory", "wd"),
    Family("two harmonics of t", ("1", *_harmonics(2)), "memory", "w"),
    Family("three harmonics of t", ("1", *_harmonics(3)), "memory", "w"),
    Family("sine of t and a polynomial", ("1", "t", "t**2", *_harmonics(1)), "memory", "w"),
    Family("drag alone", ("v*abs(v)",)),
    Family("drag and a constant", ("1", "v*abs(v)")),
    Family("v squared and a constant", ("1", "v**2")),
    Family("cubic friction and a constant", ("1", "v**3")),
    Family("hard spring", ("q**3",)),
    Family("spring and cubic", ("q", "q**3")),
    Family("damped spring and cubic", ("q", "q**3", "v")),
    Family("damped spring and q|q|", ("q", "q*abs(q)", "v")),
    Family("spring and drag", ("1", "q", "v*abs(v)")),
    Family("product of q and v", ("1", "q*v")),
    Family("pendulum", ("sin(q)",)),
    Family("damped pendulum", ("sin(q)", "v")),
    Family("pendulum and clock", ("sin(q)", "t")),
)


@dataclass(frozen=True, slots=True)
class _Layout:
    """A family on one system: which term of which equation each constant multiplies."""

    system: System
    positions: tuple[int, ...]  # columns
    rates: tuple[int, ...]
    terms: tuple[tuple[str, ...], ...]  # per equation, over the state's own names
    codes: tuple[tuple[CodeType, ...], ...]
    inner: str

    @property
    def linear(self) -> int:
        """How many constants multiply a term."""
        return sum(map(len, self.terms))


def _layout(family: Family, system: System) -> _Layout:
    names = [variable.name for variable in system.variables]
    rates = tuple(i for i, variable in enumerate(system.variables) if variable.rate_of is not None)
    positions = tuple(names.index(system.variables[i].rate_of or "") for i in rates)
    terms = []
    for position, rate in zip(positions, rates, strict=True):
        own: list[str] = []
        for term in family.terms:
            own += names if term == "*" else [_renamed(term, names[position], names[rate])]
        terms.append(tuple(own))
    codes = tuple(tuple(compile(term, family.name, "eval") for term in own) for own in terms)
    return _Layout(system, positions, rates, tuple(terms), codes, family.inner)


def _renamed(term: str, position: str, rate: str) -> str:
    return re.sub(r"\b[qv]\b", lambda found: position if found[0] == "q" else rate, term)


def holds(family: Family, task: Task, truth: Truth) -> bool:
    """Tell whether some constants make the family the true law, wherever the task's motions are.

    A limit counts: a very slow sine of t is a constant.
    """
    system, layout = SYSTEMS[task.system_id], _layout(family, SYSTEMS[task.system_id])
    states = np.concatenate([np.array(one.states) for one in (*task.shown, *truth.hidden)])
    random = np.random.default_rng(0)
    points = random.uniform(states.min(axis=0), states.max(axis=0), (400, states.shape[1]))
    t = random.uniform(0.0, task.shown[0].t[-1], 400)
    true = np.array([system.rhs(state, 0.0, truth.params) for state in points.tolist()])
    inner = np.full((2, 400), 1e-7 / t.max())
    for rate, codes in zip(layout.rates, layout.codes, strict=True):
        basis = _basis(codes, _names(layout, points.T, t, inner), len(t))
        found = np.linalg.lstsq(basis, true[:, rate], rcond=None)[0]
        if np.abs(basis @ found - true[:, rate]).max() > 1e-6 * np.abs(true[:, rate]).max():
            return False
    return True


def _basis(codes: Sequence[CodeType], values: dict[str, FloatArray], rows: int) -> FloatArray:
    """Return the terms as columns of unit size, shape (rows, terms)."""
    columns = np.array([np.broadcast_to(eval(code, _MATH, values), rows) for code in codes])
    columns = columns.reshape(len(codes), rows).T
    return columns / np.maximum(np.abs(columns).max(axis=0, initial=0.0), 1e-300)


def _names(layout: _Layout, state: FloatArray, t: FloatArray, inner: FloatArray) -> dict[str, FloatArray]:
    values = {variable.name: state[i] for i, variable in enumerate(layout.system.variables)}
    return values | {"t": t} | dict(zip(layout.inner, inner, strict=False))


def fit(family: Family, system_id: str, tasks: Sequence[Task]) -> list[Hypothesis]:
    """Return the family's law for each task, with the constants that fit its shown trajectory best.

    All tasks are of one system, with one shown trajectory each. Residuals are weighed by each
    variable's spread, so that what is minimised is what R² rewards.
    """
    layout = _layout(family, SYSTEMS[system_id])
    t = np.array([task.shown[0].t for task in tasks])
    seen = np.array([task.shown[0].states for task in tasks])
    constants = np.array([_start(layout, *one) for one in zip(t, seen, strict=True)])
    if constants.shape[1]:
        with np.errstate(all="ignore"):  # a law that blows up is a step not taken
            constants = _refined(layout, t, seen, constants)
    return [_hypothesis(layout, one) for one in constants.tolist()]


def _hypothesis(layout: _Layout, constants: list[float]) -> Hypothesis:
    """Return the law with its constants as params; as literals where they are more than params may be.

    A param may be negative at no cost, where a literal's minus counts as an operator.
    """
    named = len(constants) <= MAX_PARAMS
    names = [f"c{i}" for i in range(layout.linear)] + list(layout.inner)
    written = names if named else [f"{value:.12g}" for value in constants]
    inner = dict(zip(layout.inner, written[layout.linear :], strict=True))
    factors = iter(written)
    equations = []
    for position, terms in zip(layout.positions, layout.terms, strict=True):
        right = " + ".join(
            next(factors)
            + ("" if term == "1" else "*" + re.sub(r"\b[wd]\b", lambda found: inner[found[0]], term))
            for term in terms
        )
        name = layout.system.variables[position].name
        equations.append(f"d2{name}/dt2 = {right.replace('+ -', '- ') or '0'}")
    params: dict[str, float | None] = dict(zip(names, constants, strict=True)) if named else {}
    return Hypothesis(equation="; ".join(equations), params=params)


def _start(layout: _Layout, t: FloatArray, seen: FloatArray) -> FloatArray:
    """Return constants by integral matching: v(t) - v(0) is the integral of the terms along the data."""
    best, least = np.zeros(layout.linear + len(layout.inner)), math.inf
    for inner in _inner_starts(layout.inner, float(t[-1] - t[0])):
        values = _names(layout, seen.T, t, inner)
        found: list[float] = []
        off = 0.0
        for rate, codes in zip(layout.rates, layout.codes, strict=True):
            columns = [_integral(t, np.broadcast_to(eval(code, _MATH, values), t.shape)) for code in codes]
            basis = np.array([*columns, np.ones(len(t))]).T
            size = np.linalg.norm(basis, axis=0)
            solved, *_ = np.linalg.lstsq(basis / size, seen[:, rate], rcond=None)
            off += float(np.sum((basis @ (solved / size) - seen[:, rate]) ** 2) / np.var(seen[:, rate]))
            found += (solved / size)[:-1].tolist()
        if off < least:
            best, least = np.array([*found, *inner]), off
    return best


def _inner_starts(inner: str, duration: float) -> list[FloatArray]:
    frequencies = np.geomspace(0.5, 60.0, 70) / duration if "w" in inner else [0.0]
    decays = np.geomspace(0.3, 8.0, 8) / duration if "d" in inner else [0.0]
    grid = {"w": frequencies, "d": decays}
    if not inner:
        return [np.zeros(0)]
    if len(inner) == 1:
        return [np.array([value]) for value in grid[inner]]
    return [np.array([w, d]) for w in frequencies for d in decays]


def _integral(t: FloatArray, values: FloatArray) -> FloatArray:
    steps = np.diff(t) * (values[1:] + values[:-1]) / 2.0
    return np.concatenate([[0.0], np.cumsum(steps)])


def _refined(layout: _Layout, t: FloatArray, seen: FloatArray, constants: FloatArray) -> FloatArray:
    """Minimise the simulated residual, tasks (S) side by side; constants have shape (S, P)."""
    scale = np.maximum(np.abs(constants), 1e-3 * np.abs(constants).max(axis=1, keepdims=True) + 1e-9)
    weight = 1.0 / np.where(seen.std(axis=1) > 0.0, seen.std(axis=1), 1.0)
    damping = np.full(len(t), 1e-3)
    stalled = 0
    best, (cost, residual, slope) = constants, _measured(layout, t, seen, weight, constants, scale)
    for _ in range(_ROUNDS):
        trial = best + scale * _step(residual, slope, damping)
        new_cost, new_residual, new_slope = _measured(layout, t, seen, weight, trial, scale)
        better = new_cost < cost
        stalled = 0 if (new_cost < (1.0 - 1e-7) * cost).any() else stalled + 1
        damping = np.where(better, damping / 5.0, damping * 8.0)
        cost = np.where(better, new_cost, cost)
        best = np.where(better[:, None], trial, best)
        residual = np.where(better[:, None], new_residual, residual)
        slope = np.where(better[:, None, None], new_slope, slope)
        if stalled == _PATIENCE:
            break
    return best


def _step(residual: FloatArray, slope: FloatArray, damping: FloatArray) -> FloatArray:
    normal = np.einsum("snp,snq->spq", slope, slope)
    diagonal = np.einsum("spp->sp", normal)
    floor = 1e-12 * diagonal.max(axis=1, keepdims=True) + 1e-300
    normal = normal + np.einsum("sp,pq->spq", damping[:, None] * diagonal + floor, np.eye(normal.shape[1]))
    down = -np.einsum("snp,sn->sp", slope, residual)
    step: FloatArray = np.linalg.solve(normal, down[:, :, None])[:, :, 0]
    return step


def _measured(
    layout: _Layout,
    t: FloatArray,
    seen: FloatArray,
    weight: FloatArray,
    constants: FloatArray,
    scale: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return cost (S,), residuals (S, N) and their slopes (S, N, P) per scaled constant."""
    count = constants.shape[1]
    nudge = 1e-5
    moved = constants[:, None, :] + np.vstack([np.zeros(count), nudge * np.eye(count)]) * scale[:, None, :]
    states = _simulated(layout, t, seen[:, 0], moved)  # (S, 1 + P, T, D)
    off = (states - seen[:, None]) * weight[:, None, None, :]
    flat = off.reshape(*off.shape[:2], -1)
    cost = np.sum(flat[:, 0] ** 2, axis=1)
    with np.errstate(invalid="ignore"):
        slope = (flat[:, 1:] - flat[:, :1]) / nudge
    cost = np.where(np.isfinite(cost) & np.isfinite(slope).all(axis=(1, 2)), cost, math.inf)
    return (
        cost,
        np.nan_to_num(flat[:, 0], posinf=0.0, neginf=0.0),
        np.moveaxis(np.nan_to_num(slope, posinf=0.0, neginf=0.0), 1, 2),
    )


def _simulated(layout: _Layout, t: FloatArray, initial: FloatArray, constants: FloatArray) -> FloatArray:
    """Integrate every law from its task's start; shape (S, B, T, D), infinite past a blow-up."""
    shape = constants.shape[:2]
    parts = np.moveaxis(constants, 2, 0)
    state = np.broadcast_to(initial.T[:, :, None], (initial.shape[1], *shape)).copy()
    rows = [state]
    field = _field(layout, parts)
    with np.errstate(all="ignore"):
        for i in range(t.shape[1] - 1):
            step = (t[:, i + 1] - t[:, i])[:, None] / _SUBSTEPS
            for n in range(_SUBSTEPS):
                now = t[:, i][:, None] + n * step
                k1 = field(state, now)
                k2 = field(state + step / 2.0 * k1, now + step / 2.0)
                k3 = field(state + step / 2.0 * k2, now + step / 2.0)
                k4 = field(state + step * k3, now + step)
                state = state + step / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
            rows.append(state)
        return np.moveaxis(np.nan_to_num(np.array(rows), nan=math.inf), (0, 1), (2, 3))


def _field(layout: _Layout, parts: FloatArray) -> Callable[[FloatArray, FloatArray], FloatArray]:
    """Return the right-hand side for constants of shape (P, S, B)."""
    inner = parts[layout.linear :]

    def field(state: FloatArray, t: FloatArray) -> FloatArray:
        values = _names(layout, state, t, inner)
        derivative = np.zeros_like(state)
        used = 0
        for position, rate, codes in zip(layout.positions, layout.rates, layout.codes, strict=True):
            derivative[position] = state[rate]
            for code in codes:
                derivative[rate] += parts[used] * eval(code, _MATH, values)
                used += 1
        return derivative

    return field
