"""A law set against every row of a task, as a scientist looks at it: motions, pulls, what is left over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from physix.engine.discovery import Residuals
from physix.engine.floats import FloatArray
from physix.engine.residuals import residuals_of
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.compile import program
from physix.engine.verifier.grammar import parse
from physix.engine.verifier.latex import latex
from physix.engine.verifier.prepared import Samples, prepare, prepare_hidden
from physix.engine.verifier.score import fit_variables, generalisation, predict_all
from physix.engine.verifier.simulate import run_program
from physix.engine.verifier.types import Hypothesis, Outcome, Rejection, VariableFit, VerifierConfig

_LAGS, _QUANTILES = 40, 99  # more than a discovery records: these are drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One trajectory and what the law makes of it. `predicted` ends where the simulation does.

    `pulls` are observed minus predicted in units of the noise of the sample; None where nothing was
    observed or no noise is known. An input is held in `inputs` as given.
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
    """Return a law beside the data. Starts of measured data are fitted, as the verdict does.

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
    run = run_program(compiled, task, config)
    hidden = []
    if truth is not None and run.outcome == "ok":
        hidden = predict_all(compiled, prepared, prepare_hidden(task, truth), config)
    shown = [
        _track(samples, states, trajectory.inputs)
        for samples, states, trajectory in zip(prepared.shown, run.predictions, task.shown, strict=True)
    ]
    return Followed(
        equation=parsed.canonical,
        latex=latex(parsed),
        outcome=run.outcome,
        message=run.message,
        shown=tuple(shown),
        held_back=tuple(_track(one.samples, states, ()) for one, states in hidden if len(one.samples.t) > 0),
        fits=fit_variables(prepared, run),
        held_back_r2=generalisation(hidden) if hidden else None,
        residuals=tuple(
            left
            for i, variable in enumerate(task.variables)
            if (left := _left(variable.name, i, shown)) is not None
        ),
    )


def _track(samples: Samples, states: FloatArray | None, inputs: Sequence[Sequence[float]]) -> Track:
    rows = 0 if states is None else len(states)
    pulls: list[tuple[float | None, ...]] = []
    if states is not None:
        off = samples.states[:rows] - states
        sigma, weight = samples.sigma[:rows], samples.weight[:rows]
        for row, noise, counts in zip(off, sigma, weight, strict=True):
            pulls.append(
                tuple(
                    float(value / one) if one > 0.0 and used > 0.0 and np.isfinite(value / one) else None
                    for value, one, used in zip(row, noise, counts, strict=True)
                )
            )
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
