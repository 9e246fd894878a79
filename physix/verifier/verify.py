"""The pure function at the heart of the project: task, truth, history and hypothesis to a verdict."""

from __future__ import annotations

import math
from dataclasses import replace

from physix.systems.task import Task, Truth
from physix.verifier.correctness import correctness
from physix.verifier.fit import fit_free_params
from physix.verifier.grammar import parse
from physix.verifier.latex import latex, terms
from physix.verifier.mismatch import describe
from physix.verifier.score import fit_variables, generalisation, is_solved, mean_r2, reward_of
from physix.verifier.simulate import simulate
from physix.verifier.tree import ParsedHypothesis
from physix.verifier.types import (
    Correctness,
    Hypothesis,
    ParseReport,
    Rejection,
    Simulation,
    VariableFit,
    Verification,
    VerifierConfig,
)
from physix.verifier.units import UnitsReport, check_units


def verify(
    task: Task, truth: Truth, hypothesis: Hypothesis, *, best_match: float, config: VerifierConfig
) -> Verification:
    """Return everything the hypothesis earns. Never raises, whatever the hypothesis holds.

    Args:
        task: the problem as the agent sees it.
        truth: its hidden trajectories give `generalisation`, its law `correctness`; neither
            changes anything that an agent reads.
        hypothesis: untrusted.
        best_match: the best r_match of earlier turns, 0 before turn 1.
        config: weights, profile, threshold and solver settings of the episode.
    """
    parsed = parse(
        hypothesis.equation, hypothesis.params, task.variables, fit_nulls=config.constants == "fitted"
    )
    if isinstance(parsed, Rejection):
        return _not_parsed(task, truth, parsed, best_match, config)
    units = check_units(parsed, task.time_unit)
    fitted, fit_evaluations = fit_free_params(parsed, task) if parsed.free else ({}, 0)
    parsed = replace(parsed, params=parsed.params | fitted)
    simulation = replace(simulate(parsed, task.shown, config), fitted=fitted, fit_evaluations=fit_evaluations)
    fits = fit_variables(task, simulation)
    r2 = mean_r2(fits)
    generalised = generalisation(parsed, truth, config)
    reward = reward_of(
        r2=r2,
        # What cannot be simulated on the shown data earns nothing for the hidden.
        generalised=generalised if simulation.outcome == "ok" else _nothing(truth),
        operators=parsed.operators,
        well_formed=units.verdict != "inconsistent",
        best_match=best_match,
        config=config,
    )
    return Verification(
        parse=report(parsed, units),
        simulation=simulation,
        reward=reward,
        fits=fits,
        generalisation=generalised,
        match_dense=math.sqrt(reward.match),
        correctness=correctness(parsed, task, truth),
        mismatch=describe(task, None, simulation, fits),
        solved=simulation.outcome == "ok" and is_solved(reward, r2, generalised, task.noise, config),
    )


def report(parsed: ParsedHypothesis, units: UnitsReport) -> ParseReport:
    """Return what a page or an agent may want to know of a hypothesis that parsed."""
    return ParseReport(
        rejection=None,
        canonical=parsed.canonical,
        latex=latex(parsed),
        terms=terms(parsed),
        operators=parsed.operators,
        units=units.verdict,
        units_message=units.message,
        param_units=units.param_units,
    )


def _not_parsed(
    task: Task, truth: Truth, rejection: Rejection, best_match: float, config: VerifierConfig
) -> Verification:
    simulation = Simulation(
        outcome="not_parsed",
        message=rejection.message,
        t_reached=None,
        evaluations=0,
        predictions=(),
    )
    fits = {v.name: VariableFit(r2=None, nrmse=None, valid_time=None) for v in task.variables}
    return Verification(
        parse=ParseReport(
            rejection=rejection,
            canonical=None,
            latex=None,
            terms=(),
            operators=0,
            units=None,
            units_message=None,
            param_units={},
        ),
        simulation=simulation,
        reward=reward_of(
            r2=0.0,
            generalised=_nothing(truth),
            operators=None,
            well_formed=False,
            best_match=best_match,
            config=config,
        ),
        fits=fits,
        generalisation=_nothing(truth),
        match_dense=0.0,
        correctness=None if truth.equation is None else Correctness(field_error=None, verdict="different"),
        mismatch=describe(task, rejection, simulation, fits),
        solved=False,
    )


def _nothing(truth: Truth) -> float | None:
    return 0.0 if truth.hidden else None
