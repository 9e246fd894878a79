"""Constants that are only slightly off: what the simulated motion says where the equations are quiet.

Along the data an error of a thousandth drowns in the noise; over many periods it adds up to a phase
that does not. So where a motion was simulated to its end, its derivatives with respect to each
term's strength, and to the start, which is as noisy as any sample, give Gauss-Newton steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.task import Task
from physix.engine.verifier.chi2 import effective_sigma
from physix.engine.verifier.compile import program
from physix.engine.verifier.prepared import Prepared, prepare
from physix.engine.verifier.simulate import Run, integrate_program
from physix.engine.verifier.tree import Binary, Equation, Name, Negate, Node, ParsedHypothesis, show, summands

MAX_COLUMNS = 24  # terms and starts together: more are not worth so many simulations
_STEP = 1e-3  # of a term's strength, and of a variable's spread
_RTOL = 1e-7
_ROUNDS = 4
_WORTH = 9.0  # what the steps must take off chi², of a motion that the noise does not explain
_ENOUGH = 0.7  # of chi² at most must be left, or the steps led nowhere
_MUCH = 9.0  # said of a term that may as well not be there
_HELD = 3.0  # by how much for each variable chi² may rise where the start is held
_ABSENT, _SURE = 2.0, 2.5  # standard errors from 0 within which a term goes, from 1 beyond which it changes
_CLOSE = 1.3  # times the number of samples: chi² of what is right


@dataclass(frozen=True, slots=True)
class Strength:
    """What one term should be multiplied by."""

    target: str
    term: str
    factor: float
    error: float
    size: float  # what the change takes off chi²


def sharpened_strengths(
    parsed: ParsedHypothesis, task: Task, run: Run, max_evaluations: int
) -> list[Strength]:
    """Return the terms whose strength, changed a little, brings the motion within the noise; [] if none do.

    Args:
        parsed: the law.
        task: what it is about.
        run: of this law, to the end.
        max_evaluations: of the right-hand side, for each simulation.
    """
    prepared = prepare(task)
    law = _with_strengths(parsed)
    columns = len(law.terms) + len(prepared.shown) * len(prepared.names)
    if not law.terms or columns > MAX_COLUMNS:
        return []
    problem = _Problem(law, prepared, max_evaluations)
    begin = problem.point(np.ones(len(law.terms)), tuple(predicted[0] for predicted in run.predictions))
    if begin is None:
        return []
    end, free = problem.descended(begin, free=True), True
    if not prepared.measured:
        # The start is known, then, unless the data plainly say that it is wrong.
        held = problem.descended(begin, free=False)
        if held.chi2 <= end.chi2 + _HELD * len(prepared.names):
            end, free = held, False
    near = end.chi2 <= max(_ENOUGH * begin.chi2, _CLOSE * len(end.off))
    return problem.significant(end, free=free) if near and begin.chi2 - end.chi2 >= _WORTH else []


@dataclass(frozen=True, slots=True)
class _Law:
    parsed: ParsedHypothesis  # every term times a param of its own
    terms: tuple[tuple[str, str, str], ...]  # target, term with its sign, the param's name


def _with_strengths(parsed: ParsedHypothesis) -> _Law:
    terms: list[tuple[str, str, str]] = []
    equations = []
    for equation in parsed.equations:
        whole: Node | None = None
        for negative, node in summands(equation.expression):
            signed = Negate(node) if negative else node
            name = f"strength {len(terms)}"  # no name that a text can hold
            terms.append((equation.target, show(signed), name))
            scaled = Binary("*", Name(name), signed)
            whole = scaled if whole is None else Binary("+", whole, scaled)
        equations.append(Equation(equation.variable, equation.order, whole or equation.expression))
    params = parsed.params | {name: 1.0 for _, _, name in terms}
    return _Law(replace(parsed, equations=tuple(equations), params=params), tuple(terms))


@dataclass(frozen=True, slots=True, eq=False)
class _Point:
    """Strengths and starts, and where they lead."""

    factors: FloatArray
    starts: tuple[FloatArray, ...]
    motions: tuple[FloatArray, ...]
    off: FloatArray  # observed minus predicted over the noise, all trajectories one after another
    chi2: float


class _Problem:
    """The distance of the simulated motion from the data as a function of strengths and starts."""

    def __init__(self, law: _Law, prepared: Prepared, max_evaluations: int) -> None:
        self._law, self._prepared, self._max_evaluations = law, prepared, max_evaluations
        self._sigma = [effective_sigma(s.sigma, prepared.scale) for s in prepared.shown]

    def point(self, factors: FloatArray, starts: tuple[FloatArray, ...]) -> _Point | None:
        """Return where strengths and starts lead; None if a motion cannot be had."""
        motions = [self._simulated(factors, at, start) for at, start in enumerate(starts)]
        known = tuple(motion for motion in motions if motion is not None)
        if len(known) < len(motions):
            return None
        shown = self._prepared.shown
        off = np.concatenate([self._weighed(at, s.states - known[at]) for at, s in enumerate(shown)])
        return _Point(factors, starts, known, off, float(off @ off))

    def _simulated(self, factors: FloatArray, at: int, start: FloatArray) -> FloatArray | None:
        law = self._law
        named = dict(zip((name for _, _, name in law.terms), factors.tolist(), strict=True))
        samples = self._prepared.shown[at]
        result = integrate_program(
            program(replace(law.parsed, params=law.parsed.params | named)),
            samples.t,
            start.tolist(),
            max_evaluations=self._max_evaluations,
            rtol=_RTOL,
            atol=_RTOL * self._prepared.early,
            inputs=samples.inputs,
        )
        return result.states if result.outcome == "ok" else None

    def _weighed(self, at: int, difference: FloatArray) -> FloatArray:
        return (self._prepared.shown[at].weight * difference / self._sigma[at]).ravel()

    def descended(self, point: _Point, *, free: bool) -> _Point:
        """Return where Gauss-Newton steps lead, the starts held unless `free`."""
        for _ in range(_ROUNDS):
            moved = self._stepped(point, free=free)
            if moved is None:
                return point
            gained = point.chi2 - moved.chi2
            point = moved
            if gained < 0.1 * len(point.factors):
                return point
        return point

    def _stepped(self, point: _Point, *, free: bool) -> _Point | None:
        """Return where a step, or half or a quarter of it, leads; None if chi² falls nowhere."""
        jacobian = self._jacobian(point, free=free)
        if jacobian is None:
            return None
        step = np.linalg.lstsq(jacobian, point.off, rcond=1e-8)[0]
        terms = len(point.factors)
        shifts = np.zeros((len(point.starts), len(self._prepared.names)))
        if free:
            shifts = step[terms:].reshape(shifts.shape) * self._prepared.scale
        for share in (1.0, 0.5, 0.25):
            starts = tuple(start + share * shift for start, shift in zip(point.starts, shifts, strict=True))
            moved = self.point(point.factors + share * step[:terms], starts)
            if moved is not None and moved.chi2 < point.chi2:
                return moved
        return None

    def _jacobian(self, point: _Point, *, free: bool) -> FloatArray | None:
        """Return derivatives of the prediction over the noise, shape (N, terms or terms + starts).

        None where one cannot be had.
        """
        columns = [self._by_strength(point, at) for at in range(len(point.factors))]
        if free:
            columns += [
                self._by_start(point, at, d)
                for at in range(len(point.starts))
                for d in range(len(self._prepared.names))
            ]
        known = [column for column in columns if column is not None]
        if len(known) < len(columns):
            return None
        jacobian = np.column_stack(known)
        return jacobian if np.isfinite(jacobian).all() else None

    def _by_strength(self, point: _Point, at: int) -> FloatArray | None:
        factors = point.factors.copy()
        factors[at] += _STEP
        moved = self.point(factors, point.starts)
        return None if moved is None else (point.off - moved.off) / _STEP

    def _by_start(self, point: _Point, at: int, d: int) -> FloatArray | None:
        start = point.starts[at].copy()
        start[d] += _STEP * float(self._prepared.scale[d])
        motion = self._simulated(point.factors, at, start)
        if motion is None:
            return None
        parts = [np.zeros(one.size) for one in point.motions]
        parts[at] = self._weighed(at, (motion - point.motions[at]) / _STEP)
        return np.concatenate(parts)

    def significant(self, point: _Point, *, free: bool) -> list[Strength]:
        """Return the fewest changes that say what the steps say."""
        jacobian = self._jacobian(point, free=free)
        if jacobian is None:
            return []
        noise = max(1.0, point.chi2 / max(1, len(point.off) - jacobian.shape[1]))
        size = np.sqrt((jacobian**2).sum(axis=0))
        size[size == 0.0] = 1.0
        scaled = jacobian / size
        k = len(point.factors)
        covariance = noise * np.linalg.pinv(scaled.T @ scaled, rcond=1e-12) / np.outer(size, size)
        mean, terms = point.factors.copy(), np.array(covariance[:k, :k], dtype=np.float64)
        gone = _settled(mean, terms, set(), value=0.0, sure=_ABSENT)
        left = set(range(k)) - gone - _settled(mean, terms, gone, value=1.0, sure=_SURE)
        found = [Strength(*self._law.terms[j][:2], 0.0, 0.0, _MUCH) for j in sorted(gone)]
        for j in sorted(left):
            error, factor = math.sqrt(max(float(terms[j, j]), 0.0)), float(mean[j])
            # A term without any effect on the motion has no error either.
            if error > 0.0:
                found.append(Strength(*self._law.terms[j][:2], factor, error, ((factor - 1.0) / error) ** 2))
        return found


def _settled(
    mean: FloatArray, covariance: FloatArray, known: set[int], *, value: float, sure: float
) -> set[int]:
    """Fix at `value` what is within `sure` standard errors of it, the nearest first; the others adjust.

    Changes mean and covariance in place. For 0 a term must also be poorly known, or be as good as nothing.
    """
    settled: set[int] = set()
    while True:
        best, nearest = -1, sure
        for j in range(len(mean)):
            error = math.sqrt(max(float(covariance[j, j]), 0.0))
            if j in known or j in settled or error == 0.0:
                continue
            if value == 0.0 and abs(mean[j] - 1.0) < _SURE * error:
                continue
            distance = abs(float(mean[j]) - value) / error
            if distance < nearest:
                best, nearest = j, distance
        if best < 0:
            return settled
        settled.add(best)
        column = covariance[:, best] / covariance[best, best]
        mean += column * (value - mean[best])
        covariance -= np.outer(column, covariance[best])
