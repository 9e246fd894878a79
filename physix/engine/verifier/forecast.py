"""Does a motion that went on go where the law said it would?

On held-back rows with a start of their own almost any smooth law follows: a quarter of a record is short.
So where they go on from shown ones, one motion of the law must pass through both: with the start that the
shown rows gave, or, as that start and fitted constants are only known so well, with others, for which what
is left over on all rows may be little more than what was left over on the shown ones.

Source of the latter: the predictive test of G. C. Chow, "Tests of equality between sets of coefficients in
two linear regressions", Econometrica 28 (1960).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.record import whole_record
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.chi2 import effective_sigma
from physix.engine.verifier.compile import Program, program
from physix.engine.verifier.fit import fit_free_params, fit_trajectories
from physix.engine.verifier.prepared import Hidden, Inputs, Prepared, Samples, prepare
from physix.engine.verifier.simulate import Run, Solver, allowed_evaluations, follow, solver_for
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import VerifierConfig

_WORSE = 4.0  # times what is left over on shown rows: what fitted constants and starts leave further on
_FEW = 20.0  # samples below which constants are so uncertain that much more is allowed
_SENSITIVE = 2.0  # standard deviations of a fitted start
_DRIFT = 4.0  # standard errors by which a constant may move when the held-back rows come in
_DIGITS = 1e-3  # of a constant: what solver and search leave where there is no noise


def arrives(
    parsed: ParsedHypothesis,
    task: Task,
    truth: Truth,
    run: Run,
    hidden: Sequence[Hidden],
    config: VerifierConfig,
) -> bool:
    """Tell whether every hidden part that goes on from a shown one is where the law leads.

    Chi² there may be a few times what the noise makes. A motion that forgets its start, where starts within
    their uncertainty lead further apart than that, is not held to it.

    Args:
        parsed: the law with its constants; those in `free` were fitted to the shown rows.
        task: the problem.
        truth: holds the hidden parts.
        run: the law over the shown rows.
        hidden: as `prepare_hidden` returns them.
        config: of the solver.
    """
    prepared = prepare(task)
    going_on = [one for one in hidden if one.noisy and _before(prepared, one) is not None]
    if not going_on:
        return True
    compiled = program(parsed)
    return all(_arrives(compiled, prepared, run, one, config) for one in going_on) or _passes_through(
        parsed, task, truth
    )


def _passes_through(parsed: ParsedHypothesis, task: Task, truth: Truth) -> bool:
    """Tell whether one motion of the law passes through shown and held-back rows.

    Its constants, also declared ones, are fitted to the shown rows and then to all: what is left over on
    the rows that came in may be a few times that of the shown ones, and no constant may have moved by
    more than its standard error explains. A wrong law's constants drift with the rows they are fitted to.
    """
    law = replace(parsed, free=tuple(program(parsed).params))
    if not law.free:
        return False
    before = fit_free_params(law, task)
    after = fit_trajectories(law, task, whole_record(task, truth))
    if before.chi2 is None or after.chi2 is None or after.samples <= before.samples:
        return False
    more = (after.chi2 - before.chi2) / (after.samples - before.samples)
    if more > _allowed(before.chi2 / before.samples, before.samples):
        return False
    return all(
        abs(after.values[name] - before.values[name])
        <= _DRIFT * math.hypot(error, _DIGITS * before.values[name])
        for name, error in before.errors.items()
    )


def _allowed(here: float, rows: float) -> float:
    """Return what chi² per sample may be on held-back rows, given that on the shown ones."""
    return _WORSE * (1.0 + _FEW / rows) * max(1.0, here)


def _before(prepared: Prepared, hidden: Hidden) -> int | None:
    """Return the shown trajectory that the hidden one goes on from."""
    found = [i for i, one in enumerate(prepared.shown) if one.t[-1] < hidden.samples.t[0]]
    return found[-1] if found and prepared.measured else None


def _arrives(compiled: Program, prepared: Prepared, run: Run, hidden: Hidden, config: VerifierConfig) -> bool:
    index = _before(prepared, hidden)
    assert index is not None  # noqa: S101  # the caller asked
    shown, part = prepared.shown[index], hidden.samples
    allowed = _allowed(1.0, len(shown.t))
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
