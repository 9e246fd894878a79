"""Does a motion that went on go where the law said it would?

On held-back rows with a start of their own almost any smooth law follows: a quarter of a record is short.
So where they go on from shown ones, the law also has to arrive there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.verifier.chi2 import effective_sigma
from physix.engine.verifier.compile import Program
from physix.engine.verifier.prepared import Hidden, Inputs, Prepared, Samples
from physix.engine.verifier.simulate import Run, Solver, allowed_evaluations, follow, solver_for
from physix.engine.verifier.types import VerifierConfig

_WORSE = 4.0  # times what is left over on shown rows: what fitted constants and starts leave further on
_FEW = 20.0  # samples below which constants are so uncertain that much more is allowed
_SENSITIVE = 2.0  # standard deviations of a fitted start


def arrives(
    compiled: Program, prepared: Prepared, run: Run, hidden: Sequence[Hidden], config: VerifierConfig
) -> bool:
    """Tell whether every hidden part that goes on from a shown one is where the law leads.

    Chi² there, from the shown part's own start, may be a few times that on the shown part. A motion that
    forgets its start, where starts within their uncertainty lead further apart than that, is not held to it.
    """
    return all(
        _arrives(compiled, prepared, run, one, config)
        for one in hidden
        if one.noisy and _before(prepared, one) is not None
    )


def _before(prepared: Prepared, hidden: Hidden) -> int | None:
    """Return the shown trajectory that the hidden one goes on from."""
    found = [i for i, one in enumerate(prepared.shown) if one.t[-1] < hidden.samples.t[0]]
    return found[-1] if found and prepared.measured else None


def _arrives(compiled: Program, prepared: Prepared, run: Run, hidden: Hidden, config: VerifierConfig) -> bool:
    index = _before(prepared, hidden)
    assert index is not None  # noqa: S101  # the caller asked
    shown, part = prepared.shown[index], hidden.samples
    here = _chi2(shown, shown.states - run.predictions[index], prepared.scale)
    allowed = _WORSE * (1.0 + _FEW / len(shown.t)) * max(1.0, here)
    solver = _solver(prepared, shown, hidden, config)
    ahead = np.concatenate([shown.t[-1:], part.t])
    count = allowed_evaluations(prepared.budget + hidden.budget, config)
    reached = follow(compiled, ahead, run.predictions[index][-1].tolist(), count, solver)
    if reached is not None and _chi2(part, part.states - reached[1:], hidden.scale) <= allowed:
        return True
    return _forgets(compiled, prepared, list(run.starts[index]), shown, hidden, allowed, count, solver)


def _solver(prepared: Prepared, shown: Samples, hidden: Hidden, config: VerifierConfig) -> Solver:
    """Return a solver for shown and hidden times, with the inputs of both."""
    first, then, end = shown.inputs, hidden.samples.inputs, float(shown.t[-1])
    joined: Inputs | None = None
    if first is not None and then is not None:

        def joined(t: float) -> Sequence[float]:
            return first(t) if t <= end else then(t)

    plain = solver_for(prepared.early, np.maximum(prepared.size, hidden.size), shown, config)
    return Solver(rtol=plain.rtol, atol=plain.atol, limit=plain.limit, inputs=joined)


def _forgets(
    compiled: Program,
    prepared: Prepared,
    start: list[float],
    shown: Samples,
    hidden: Hidden,
    allowed: float,
    count: int,
    solver: Solver,
) -> bool:
    """Tell whether starts within their uncertainty lead apart by more than is allowed."""
    times = np.concatenate([shown.t, hidden.samples.t])
    base = follow(compiled, times, start, count, solver)
    if base is None:
        return False
    # Without noise too: the solver and the digits of a constant leave an error for chaos to grow.
    sigma = effective_sigma(shown.sigma[0], prepared.scale)
    uncertain = _SENSITIVE * sigma / math.sqrt(len(shown.t)) * (shown.weight[0] > 0.0)
    for column in np.flatnonzero(uncertain).tolist():
        moved = list(start)
        moved[column] += float(uncertain[column])
        other = follow(compiled, times, moved, count, solver)
        apart = None if other is None else (other - base)[len(shown.t) :]
        if apart is None or _chi2(hidden.samples, apart, hidden.scale) > allowed:
            return True
    return False


def _chi2(samples: Samples, off: FloatArray, scale: FloatArray) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        squares = samples.weight * (off / effective_sigma(samples.sigma, scale)) ** 2
    return float(squares.sum() / samples.weight.sum())
