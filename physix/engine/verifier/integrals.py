"""Integral matching: along the data, a variable's change should be the integral of its equation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.verifier.arrays import linear_names, names_in
from physix.engine.verifier.separable import Problem
from physix.engine.verifier.shooting import Record, spread_of
from physix.engine.verifier.tree import Equation, ParsedHypothesis

_ROWS = 2_048  # of all runs together, where all constants enter linearly
_SEARCHED_ROWS = 128  # where some must be searched
_FEWEST = 16  # rows of one run
_PER_CROSSING = 6  # rows between two crossings of the mean that an integral needs
_PIECES = 32  # of the motion, from which its speed is read
_CROSSINGS_PER_LEG = 4  # of the mean: over many swings the integral of a sensor's offset outgrows theirs
_ROWS_PER_LEG = 24


@dataclass(frozen=True, slots=True)
class _Target:
    """The column that an equation must explain, and how many integrals lead to it."""

    column: int
    integrals: int  # 2 where the rate itself was not measured


@dataclass(frozen=True, slots=True, eq=False)
class _Leg:
    """Some swings of one run, compared with one target from a start and a rate of their own."""

    rows: slice  # among the points of all runs
    steps: FloatArray  # shape (T - 1,), halved
    weights: FloatArray  # shape (T,)
    offsets: FloatArray  # shape (T, 1 or 2), orthonormal: the start, and the rate at the start

    def compared(self, values: FloatArray) -> FloatArray:
        """Return weighted values, shape (K, T), without what the unknown start would explain."""
        weighted = values * self.weights
        free: FloatArray = weighted - (weighted @ self.offsets) @ self.offsets.T
        return free

    def integral(self, values: FloatArray) -> FloatArray:
        """Return the integrals from the first time, shape (K, T), by the trapezoidal rule."""
        moved = np.zeros_like(values)
        np.cumsum(self.steps * (values[:, 1:] + values[:, :-1]), axis=1, out=moved[:, 1:])
        return moved


def along_data(parsed: ParsedHypothesis, names: Sequence[str], records: Sequence[Record]) -> Problem:
    """Return the problem of which the best constants are good starts for a simulation.

    Args:
        parsed: the law.
        names: the constants to find.
        records: the data; thinned here to at most 2,048 rows, 128 where constants must be searched.
    """
    equations = [e for e in parsed.equations if names_in(e.expression) & set(names)]
    searched = len(linear_names(equations, names)) < len(names)
    limit = max(_FEWEST, (_SEARCHED_ROWS if searched else _ROWS) // len(records))
    thin = [_thinned(record, limit) for record in records]
    states = np.concatenate([record.states for record in thin])
    values: dict[str, FloatArray | float] = {
        variable.name: states[:, i] for i, variable in enumerate(parsed.variables)
    }
    given = [[record.inputs(time) for time in record.t.tolist()] for record in thin if record.inputs]
    inputs = np.array([row for rows in given for row in rows])
    values |= {variable.name: inputs[:, i] for i, variable in enumerate(parsed.inputs) if given}
    values["t"] = np.concatenate([record.t for record in thin])
    values |= {name: value for name, value in parsed.params.items() if name not in names}
    targets = [_target(parsed, equation, thin) for equation in equations]
    legs = [_legs(thin, target) for target in targets]

    def reduce(k: int, field: FloatArray) -> FloatArray:
        parts = []
        for leg in legs[k]:
            part = field[:, leg.rows]
            for _ in range(targets[k].integrals):
                part = leg.integral(part)
            parts.append(leg.compared(part))
        return np.concatenate(parts, axis=1)

    return Problem(
        equations=equations,
        names=names,
        values=values,
        points=len(states),
        targets=[
            np.concatenate([leg.compared(states[None, leg.rows, target.column])[0] for leg in own])
            for target, own in zip(targets, legs, strict=True)
        ],
        reduce=reduce,
        sizes=[_rate(thin, target) for target in targets],
        # A frequency is told by how fast the motion goes, not by how long it was watched.
        time=min((_duration(thin, target) for target in targets), default=None),
    )


def _target(parsed: ParsedHypothesis, equation: Equation, records: Sequence[Record]) -> _Target:
    owner = {v.rate_of or v.name: i for i, v in enumerate(parsed.variables)}
    column = owner[equation.variable]
    if equation.order == 2 and not any(record.weights[:, column].any() for record in records):
        names = [variable.name for variable in parsed.variables]
        return _Target(names.index(equation.variable), 2)
    return _Target(column, 1)


def _legs(records: Sequence[Record], target: _Target) -> list[_Leg]:
    legs, begin = [], 0
    for record in records:
        for rows in _swings(record):
            t, weights = record.t[rows], record.weights[rows, target.column]
            elapsed = (t - t[0]) / (t[-1] - t[0] or 1.0)
            basis = np.stack([weights, weights * elapsed][: target.integrals], axis=1)
            offsets = np.linalg.qr(basis)[0] if weights.any() else np.zeros_like(basis)
            legs.append(_Leg(slice(begin, begin + len(t)), np.diff(t) / 2.0, weights, offsets))
            begin += len(t)
    return legs


def _swings(record: Record) -> list[slice]:
    """Return the rows of a run in pieces of a few swings; in one piece where it swings little or is short."""
    rows = len(record.t)
    count = max(1, min(_crossings(record) // _CROSSINGS_PER_LEG, rows // _ROWS_PER_LEG))
    ends = np.linspace(0, rows, count + 1).round().astype(int).tolist()
    return [slice(begin, end) for begin, end in pairwise(ends)]


def _rate(records: Sequence[Record], target: _Target) -> float:
    """Return about how fast the target column changes (or its rate does)."""
    speed = _speed(records, target.column)
    # Twice integrated: what changes at that speed over that spread changes its speed as fast again.
    return speed if target.integrals == 1 else speed**2 / float(spread_of(records)[target.column])


def _duration(records: Sequence[Record], target: _Target) -> float:
    """Return about how long the target column takes to change by its spread."""
    return float(spread_of(records)[target.column]) / _speed(records, target.column)


def _speed(records: Sequence[Record], column: int) -> float:
    """Return how far a column travels in a unit of time, from pieces of the motion; never zero."""
    travelled, elapsed = 0.0, 0.0
    for record in records:
        every = max(1, len(record.t) // _PIECES)
        travelled += float(np.abs(np.diff(record.states[::every, column])).sum())
        elapsed += float(record.t[-1] - record.t[0])
    return travelled / elapsed if travelled and elapsed else 1.0


def _thinned(record: Record, limit: int) -> Record:
    """Return at most `limit` rows: of all of the run, or of its beginning where that would be too coarse."""
    rows = len(record.t)
    if rows <= limit:
        return record
    crossings = _crossings(record)
    covered = min(rows, max(limit, int(rows * limit / (_PER_CROSSING * max(1, crossings)))))
    kept = np.unique(np.linspace(0, covered - 1, limit).round().astype(int))
    return Record(record.t[kept], record.states[kept], record.weights[kept], record.inputs)


def _crossings(record: Record) -> int:
    """Return how often the liveliest variable swings through its mean, small wiggles left out."""
    off = record.states - record.states.mean(axis=0)
    spread = off.std(axis=0)
    most = 0
    for column, size in zip(off.T, spread, strict=True):
        sides = np.sign(column[np.abs(column) > 0.5 * size])
        most = max(most, int(np.sum(sides[1:] != sides[:-1])) if len(sides) else 0)
    return most
