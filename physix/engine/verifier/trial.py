"""What a hypothesis would do, before a turn is spent on it or after the episode has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.compile import program
from physix.engine.verifier.correctness import true_law
from physix.engine.verifier.fit import fit_free_params
from physix.engine.verifier.grammar import parse
from physix.engine.verifier.prepared import prepare
from physix.engine.verifier.reading import report
from physix.engine.verifier.score import fit_variables, match_of, reward_of
from physix.engine.verifier.simulate import integrate_program, run_program
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import (
    Hypothesis,
    ParseReport,
    Rejection,
    Simulation,
    VariableFit,
    VerifierConfig,
)
from physix.engine.verifier.units import check_units
from physix.engine.verifier.verify import preview


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A hypothesis on the shown data: no reward, no turn, nothing that is held back."""

    parse: ParseReport
    simulation: Simulation
    r2: float | None  # mean over variables, each clipped to [0, 1]; None: the text did not parse
    fits: dict[str, VariableFit] = field(default_factory=dict)
    simplicity: float = 0.0  # what the reward would say of its length


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """A law and, where the task has one, the true law from the same start."""

    t: tuple[float, ...]
    found: tuple[tuple[float, ...], ...]  # rows end where the integration failed
    truth: tuple[tuple[float, ...], ...] | None
    r2: dict[str, float]  # of each variable against the true motion; {}: there is none, or it ended early


def tried(task: Task, hypothesis: Hypothesis, config: VerifierConfig) -> Trial:
    """Return what a hypothesis does on the shown data. Never raises.

    Params that are None are fitted, whatever the config says of constants; starts of measured data are
    fitted as the verdict does. Looks at shown data alone: `r2` is what `match` is in the classic profile.
    """
    parsed = parse(
        hypothesis.equation,
        hypothesis.params,
        task.variables,
        inputs=task.inputs,
        functions=config.functions,
        fit_nulls=True,
    )
    if isinstance(parsed, Rejection):
        said, simulation = preview(task, hypothesis, config)
        return Trial(parse=said, simulation=simulation, r2=None)
    fit = fit_free_params(parsed, task) if parsed.free else None
    if fit is not None:
        parsed = replace(parsed, params=parsed.params | fit.values)
    prepared = prepare(task)
    run = run_program(program(parsed), task, config)
    fits = fit_variables(prepared, run)
    units = check_units(parsed, task.time_unit)
    reward = reward_of(
        r2=0.0,
        generalised=None,
        operators=parsed.operators,
        well_formed=units.verdict != "inconsistent",
        best_match=0.0,
        config=config,
    )
    simulation = run.recorded({} if fit is None else fit.values, 0 if fit is None else fit.evaluations)
    if fit is not None:
        simulation = replace(simulation, errors=fit.errors, undetermined=fit.undetermined, fit=fit.outcome)
    return Trial(
        parse=report(parsed, units),
        simulation=simulation,
        r2=match_of(prepared, fits) if run.outcome == "ok" else 0.0,
        fits=fits,
        simplicity=reward.simplicity,
    )


def elsewhere(
    task: Task, truth: Truth | None, hypothesis: Hypothesis, start: Sequence[float], config: VerifierConfig
) -> Motion | Rejection:
    """Return a law and the true one from a start of the caller's, over the times of the first shown motion.

    Args:
        task: gives times, inputs and the bounds of the integration.
        truth: None where it may not be told.
        hypothesis: untrusted; its params must have values.
        start: one value per state variable, finite.
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
    law = None if truth is None else true_law(task, truth)
    found = _from(parsed, task, start, config)
    true = None if law is None else _from(law, task, start, config)
    times = task.shown[0].t
    r2: dict[str, float] = {}
    if true is not None and len(found) == len(true) == len(times):
        total = ((true - true.mean(axis=0)) ** 2).sum(axis=0)
        lost = ((found - true) ** 2).sum(axis=0)
        for i, variable in enumerate(task.variables):
            still = total[i] <= 1e-12 * max(1.0, float(np.abs(true[:, i]).max())) ** 2
            r2[variable.name] = float(lost[i] <= 1e-12) if still else float(1.0 - lost[i] / total[i])
    return Motion(t=tuple(times), found=_rows(found), truth=None if true is None else _rows(true), r2=r2)


def _from(parsed: ParsedHypothesis, task: Task, start: Sequence[float], config: VerifierConfig) -> FloatArray:
    shown = prepare(task).shown[0]
    spread = np.maximum(shown.states.std(axis=0), 1e-12)
    return integrate_program(
        program(parsed),
        shown.t,
        start,
        max_evaluations=config.max_evaluations,
        rtol=config.rtol,
        atol=config.atol * spread,
        inputs=shown.inputs,
    ).states


def _rows(states: FloatArray) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, states.tolist()))
