"""Integral matching: along the data a variable's change is a sum of integrals of terms.

No derivative of noisy data is taken: what is compared is the measured variable itself, whose noise is
known, so that chi squared means what it means for a simulation. Terms are evaluated along smoothed data;
each piece of the motion has an offset of its own, which its unknown start would otherwise leak into.
Times may be irregular. Where a rate was not measured its equation is integrated twice.

Source: I. Dattner and C. A. J. Klaassen, "Optimal rate of direct estimators in systems of ordinary
differential equations linear in functions of the parameters", Electronic Journal of Statistics 9 (2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from physix.engine.floats import FloatArray
from physix.engine.systems.targets import Target
from physix.engine.systems.task import Task
from physix.policies.search.library import Term, evaluate
from physix.policies.search.smoothing import Run

_CROSSINGS = 6  # of its mean by a variable, in one piece of the motion
_PIECE = 24  # samples in a piece, at least
_LARGEST = 1e150  # value of a term whose squares can still be summed


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    rows: slice
    offsets: FloatArray  # shape (rows, 1 or 2), orthonormal, weighted


class Design:
    """One equation's regression: `column` is what a term contributes, `left` what is to be explained."""

    def __init__(self, task: Task, target: Target, runs: Sequence[Run], floor: FloatArray) -> None:
        self._runs = list(runs)
        names = [variable.name for variable in task.variables]
        driven = task.variables[names.index(target.driven)]
        self._twice = driven.estimated
        self._column = names.index(target.variable if self._twice else target.driven)
        self._pieces = [self._cut(run) for run in runs]
        self._operators = [self._operator(i) for i in range(len(runs))]
        self.left = np.concatenate(
            [self._free(i, run.observed[:, self._column]) for i, run in enumerate(self._runs)]
        )
        weights = np.concatenate([run.weights[:, self._column] for run in self._runs])
        self.floor = (
            float(np.mean((floor[self._column] * weights[weights > 0.0]) ** 2)) if weights.any() else 1.0
        )
        self.samples = int(np.count_nonzero(weights)) - sum(
            piece.offsets.shape[1] for pieces in self._pieces for piece in pieces
        )

    def column(self, term: Term, inner: Sequence[float]) -> FloatArray | None:
        """Return a term's contribution for coefficient 1, shape of `left`; None if it is undefined."""
        parts = []
        for run, operator in zip(self._runs, self._operators, strict=True):
            values = evaluate(term, inner, run.columns, len(run.t))
            if not np.isfinite(values).all() or np.abs(values).max() > _LARGEST:
                return None
            parts.append(operator @ values)
        return np.concatenate(parts)

    def _operator(self, i: int) -> FloatArray:
        """Return the matrix from a term's samples to its contribution: spline integral, weights, offsets."""
        t = self._runs[i].t
        integral = CubicSpline(t, np.eye(len(t))).antiderivative(2 if self._twice else 1)(t)
        return np.stack([self._free(i, column) for column in integral.T], axis=1)

    def _free(self, i: int, values: FloatArray) -> FloatArray:
        """Return weighted values without what the unknown start of each piece explains."""
        weighted = values * self._runs[i].weights[:, self._column]
        for piece in self._pieces[i]:
            part = weighted[piece.rows]
            weighted[piece.rows] = part - piece.offsets @ (piece.offsets.T @ part)
        return weighted

    def _cut(self, run: Run) -> list[_Piece]:
        seen = run.observed[:, self._column]
        centred = seen - seen.mean()
        large = np.sign(centred[np.abs(centred) > 0.5 * centred.std()])
        crossings = int(np.sum(large[1:] != large[:-1]))
        count = max(1, min(crossings // _CROSSINGS, len(seen) // _PIECE))
        edges = np.linspace(0, len(seen), count + 1).round().astype(int)
        weights = run.weights[:, self._column]
        pieces = []
        for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            w, elapsed = weights[begin:end], run.t[begin:end] - run.t[begin]
            basis = [w, w * elapsed] if self._twice else [w]
            pieces.append(_Piece(slice(begin, end), np.linalg.qr(np.stack(basis, axis=1))[0]))
        return pieces
