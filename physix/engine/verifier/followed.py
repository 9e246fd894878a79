"""A law set against every row of a task, as a scientist looks at it: motions, pulls, what is left over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from physix.engine.discovery import Residuals
from physix.engine.floats import FloatArray
from physix.engine.residuals import residuals_of
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.compile import program
from physix.engine.verifier.fit import fit_starts
from physix.engine.verifier.grammar import parse
from physix.engine.verifier.latex import latex
from physix.engine.verifier.noise import noise_of
from physix.engine.verifier.prepared import Prepared, Samples, prepare, prepare_hidden
from physix.engine.verifier.score import fit_variables, generalisation, predict_all
from physix.engine.verifier.simulate import Run, allowed_evaluations, follow, run_program, solver_for
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import Hypothesis, Outcome, Rejection, VariableFit, VerifierConfig

_LAGS, _QUANTILES = 40, 99  # more than a discovery records: these are drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One trajectory and what the law makes of it. `predicted` ends where the simulation does.

    `pulls` are observed minus predicted in units of the noise of the sample; None where nothing was
    observed. An input is held in `inputs` as given.
    """

    t: tuple[float, ...]
    observed: tuple[tuple[float, ...], ...]
    predicted: tuple[tuple[float, ...], ...]
    pulls: tuple[tuple[float | None, ...], ...]
    inputs: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A law beside the data: the shown, and the held-back ones where they may be told."""

    equation: str
    latex: str
    outcome: Outcome
    message: str
    shown: tuple[Track, ...]
    held_back: tuple[Track, ...]
    fits: dict[str, VariableFit]
    held_back_r2: float | None
    residuals: tuple[Residuals, ...]  # of the shown data, by variable that was observed


def followed(
    task: Task, truth: Truth | None, hypothesis: Hypothesis, config: VerifierConfig
) -> Followed | Rejection:
    """Return a law beside the data.

    Measured data begin where the verdict lets them begin or, where that leaves less over, where a search
    does: an outlier in the first rows is no reason to draw a law beside its data.

    Args:
        task: the problem.
        truth: its held-back trajectories; None where they may not be told.
        hypothesis: untrusted; its params must have values.
        config: of the episode.
    """
    parsed = parse(
        hypothesis.equation,
        hypothesis.params,
        task.variables,
        inputs=task.inputs,
        functions=config.functions,
    )
    if isinstance(parsed, Rejection):
        return parsed
    prepared = prepare(task)
    compiled = program(parsed)
    run = _nearest(parsed, task, run_program(compiled, task, config), config)
    hidden = []
    if truth is not None and run.outcome == "ok":
        hidden = predict_all(compiled, prepared, prepare_hidden(task, truth), config)
    shown = [
        _track(samples, prepared.scale, states, trajectory.inputs)
        for samples, states, trajectory in zip(prepared.shown, run.predictions, task.shown, strict=True)
    ]
    return Followed(
        equation=parsed.canonical,
        latex=latex(parsed),
        outcome=run.outcome,
        message=run.message,
        shown=tuple(shown),
        held_back=tuple(
            _track(one.samples, prepared.scale, states, ())
            for one, states in hidden
            if len(one.samples.t) > 0
        ),
        fits=fit_variables(prepared, run),
        held_back_r2=generalisation(hidden) if hidden else None,
        residuals=tuple(
            left
            for i, variable in enumerate(task.variables)
            if (left := _left(variable.name, i, shown)) is not None
        ),
    )


def _nearest(parsed: ParsedHypothesis, task: Task, run: Run, config: VerifierConfig) -> Run:
    """Return the run, or the same from the starts of a least-squares fit where that leaves less over."""
    if run.outcome != "ok" or not task.measured:
        return run
    prepared = prepare(task)
    starts = fit_starts(parsed, task)
    if not starts:
        return run
    again = [
        follow(
            program(parsed),
            samples.t,
            start,
            allowed_evaluations(prepared.budget, config),
            solver_for(prepared.early, prepared.size, samples, config).tighter(),
        )
        for samples, start in zip(prepared.shown, starts, strict=True)
    ]
    other = [states for states in again if states is not None]
    if len(other) < len(prepared.shown) or _chi2(prepared, other) >= _chi2(prepared, run.predictions):
        return run
    return replace(run, predictions=tuple(other), starts=starts)


def _chi2(prepared: Prepared, predictions: Sequence[FloatArray]) -> float:
    total = 0.0
    for samples, states in zip(prepared.shown, predictions, strict=True):
        pulls = (samples.states - states) / noise_of(samples, prepared.scale)
        total += float(np.sum(pulls[samples.weight > 0.0] ** 2))
    return total


def _track(
    samples: Samples, scale: FloatArray, states: FloatArray | None, inputs: Sequence[Sequence[float]]
) -> Track:
    rows = 0 if states is None else len(states)
    pulls: list[tuple[float | None, ...]] = []
    if states is not None:
        off = (samples.states[:rows] - states) / noise_of(samples, scale)[:rows]
        there = np.isfinite(off) & (samples.weight[:rows] > 0.0)
        for row, known in zip(off.tolist(), there.tolist(), strict=True):
            pulls.append(tuple(one if used else None for one, used in zip(row, known, strict=True)))
    return Track(
        t=tuple(samples.t.tolist()),
        observed=tuple(map(tuple, samples.states.tolist())),
        predicted=() if states is None else tuple(map(tuple, states.tolist())),
        pulls=tuple(pulls),
        inputs=tuple(map(tuple, inputs)),
    )


def _left(name: str, column: int, tracks: Sequence[Track]) -> Residuals | None:
    """Return what is left over of one variable, as `Residuals` defines it; None where nothing is."""
    parts = []
    for run, track in enumerate(tracks):
        pairs = [(t, row[column]) for t, row in zip(track.t, track.pulls, strict=False)]
        known = [(t, value) for t, value in pairs if value is not None]
        if known:
            times, values = np.array(known).T
            parts.append((run, times, values))
    return residuals_of(name, parts, lags=_LAGS, quantiles=_QUANTILES) if parts else None
