"""Integral matching: along the data a variable's change is a sum of integrals of terms.

No derivative of noisy data is taken: what is compared is the measured variable itself, whose noise is
known, so that chi squared means what it means for a simulation. Terms are evaluated along smoothed data;
each piece of the motion has an offset of its own, which its unknown start would otherwise leak into.
Times may be irregular. Where a rate was not measured its equation is integrated twice.

Source: I. Dattner and C. A. J. Klaassen, "Optimal rate of direct estimators in systems of ordinary
differential equations linear in functions of the parameters", Electronic Journal of Statistics 9 (2015).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import make_interp_spline

from physix.engine.floats import FloatArray
from physix.engine.systems.targets import Target
from physix.engine.systems.task import Task
from physix.engine.verifier.noise import about
from physix.policies.search.library import Term, evaluate
from physix.policies.search.smoothing import Run, degree

_CROSSINGS = 6  # of its mean by a variable, in one piece of the motion
_PIECE = 24  # samples in a piece, at least
_SHORTEST = 12  # the same where pieces must be short
_LARGEST = 1e150  # value of a term whose squares can still be summed


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    rows: slice
    offsets: FloatArray  # shape (rows, 1 or 2), orthonormal, weighted


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """One measured column of one run, as an integral of the right-hand side."""

    run: Run
    name: str
    twice: bool  # the column is a position, and the right-hand side an acceleration
    observed: FloatArray  # shape (T,)
    weights: FloatArray  # shape (T,)
    pieces: tuple[_Piece, ...]

    def free(self, values: FloatArray) -> FloatArray:
        """Return weighted values (T, ...) without what the unknown start of each piece explains."""
        weighted = (values.T * self.weights).T
        for piece in self.pieces:
            part = weighted[piece.rows]
            weighted[piece.rows] = part - piece.offsets @ (piece.offsets.T @ part)
        return weighted

    def operator(self) -> FloatArray:
        """Return the matrix from a term's samples to its contribution: spline integral, weights, offsets."""
        t = self.run.t
        spline = make_interp_spline(t, np.eye(len(t)), k=degree(t))
        return self.free(spline.antiderivative(2 if self.twice else 1)(t))

    def quadrature(self, operator: FloatArray) -> FloatArray:
        """Return what integrating between samples leaves over, in units of the noise.

        A smooth curve's own rate, integrated like any term, must give the curve back.
        """
        rate = (self.run.bends if self.twice else self.run.rates)[self.name]
        error: FloatArray = operator @ rate - self.free(self.run.columns[self.name])
        return error


class Design:
    """One equation's regression: `column` is what a term contributes, `left` what is to be explained.

    An equation of second order explains a measured rate, a measured position, or both.
    """

    def __init__(
        self, task: Task, target: Target, runs: Sequence[Run], floor: FloatArray, *, short: bool = False
    ) -> None:
        """Cut the runs into pieces of some swings, or into `short` ones."""
        self._given = (task, target, runs, floor)
        names = [variable.name for variable in task.variables]
        wanted = dict.fromkeys((target.driven, target.variable))
        columns = [names.index(name) for name in wanted if not task.variables[names.index(name)].estimated]
        views = [_view(run, names[d], d, names[d] != target.driven, short) for d in columns for run in runs]
        self._views = _trusted(views)
        self._operators = [view.operator() for view in self._views]
        self.left = np.concatenate([view.free(view.observed) for view in self._views])
        errors = [
            view.quadrature(operator) for view, operator in zip(self._views, self._operators, strict=True)
        ]
        trusted = [floor[names.index(view.name)] * view.weights[view.weights > 0.0] for view in self._views]
        self.floor = _mean_square(errors) + (_mean_square(trusted) if any(map(len, trusted)) else 1.0)
        self.samples = sum(int(np.count_nonzero(view.weights)) for view in self._views) - sum(
            piece.offsets.shape[1] for view in self._views for piece in view.pieces
        )

    def shorter(self) -> Design | None:
        """Return the regression on short pieces; None where they are short.

        What is integrated holds noise too, which adds up along a piece, the more the larger the
        coefficients: residuals that resemble their neighbours tell that pieces are too long.
        """
        found = Design(*self._given, short=True)
        return found if found.pieces > self.pieces else None

    @property
    def pieces(self) -> int:
        """How many the runs are cut into."""
        return sum(len(view.pieces) for view in self._views)

    def column(self, term: Term, inner: Sequence[float]) -> FloatArray | None:
        """Return a term's contribution for coefficient 1, shape of `left`; None if it is undefined."""
        parts = []
        for view, operator in zip(self._views, self._operators, strict=True):
            values = evaluate(term, inner, view.run.columns, len(view.run.t))
            if not np.isfinite(values).all() or np.abs(values).max() > _LARGEST:
                return None
            parts.append(operator @ values)
        return np.concatenate(parts)


def _trusted(views: list[_View]) -> list[_View]:
    """Return the views without positions of measured rates where integrating those twice leaves noise over.

    What a counter or a tracker does between two samples adds up, and would hide all that rates tell.
    """
    once = [view for view in views if not view.twice]
    twice = [view for view in views if view.twice]
    if not once or not twice:
        return views
    over = _mean_square([view.quadrature(view.operator()) for view in twice])
    return once if over > 1.0 else views


def _mean_square(parts: Sequence[FloatArray]) -> float:
    return float(np.mean(np.concatenate(parts) ** 2))


def _view(run: Run, name: str, column: int, twice: bool, short: bool) -> _View:
    seen = run.observed[:, column]
    weights = _levelled(run.weights[:, column])
    return _View(run, name, twice, seen, weights, tuple(_cut(run.t, seen, weights, twice, short)))


def _cut(t: FloatArray, seen: FloatArray, weights: FloatArray, twice: bool, short: bool) -> Iterator[_Piece]:
    centred = seen - seen.mean()
    large = np.sign(centred[np.abs(centred) > 0.5 * centred.std()])
    crossings = int(np.sum(large[1:] != large[:-1]))
    count = max(1, min(crossings // _CROSSINGS, len(seen) // _PIECE))
    count = max(count, len(seen) // _SHORTEST) if short else count
    edges = np.linspace(0, len(seen), count + 1).round().astype(int)
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        w, elapsed = weights[begin:end], t[begin:end] - t[begin]
        basis = [w, w * elapsed] if twice else [w]
        yield _Piece(slice(begin, end), np.linalg.qr(np.stack(basis, axis=1))[0])


def _levelled(weights: FloatArray) -> FloatArray:
    """Return the weights of samples, none much larger than its neighbours'.

    A sample may be known far better than those about it (noise that grows with the signal, where the signal
    crosses zero); what is integrated up to it is not.
    """
    used = weights > 0.0
    variance = np.where(used, 1.0 / np.where(used, weights, 1.0) ** 2, 0.0)
    least = np.maximum(variance, about(variance, used))
    return np.where(used, 1.0 / np.sqrt(np.where(used, least, 1.0)), 0.0)
