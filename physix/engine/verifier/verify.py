"""The pure function at the heart of the project: task, truth, history and hypothesis to a verdict."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.compile import program
from physix.engine.verifier.correctness import correctness
from physix.engine.verifier.fit import Fit, fit_free_params
from physix.engine.verifier.forecast import arrives
from physix.engine.verifier.mismatch import find_lacking, find_mismatch
from physix.engine.verifier.prepared import Same, prepare, prepare_hidden
from physix.engine.verifier.reading import read
from physix.engine.verifier.score import (
    agrees_on_shown,
    carries_over,
    fit_variables,
    generalisation,
    match_of,
    passes,
    predict_all,
    reward_of,
)
from physix.engine.verifier.simulate import run_program
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import (
    Correctness,
    Hypothesis,
    ParseReport,
    Rejection,
    Reward,
    Simulation,
    VariableFit,
    Verification,
    VerifierConfig,
)
from physix.engine.verifier.words import describe, describe_rejection
from physix.limits import MAX_EQUATION_CHARACTERS, MAX_PARAMS


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

    The same hypothesis about the same task object is answered from a cache of the last 512.
    """
    if not _cacheable(hypothesis):
        return _judge(task, truth, hypothesis, best_match, config)
    # As text, because 1.0 equals True and 0.0 equals -0.0, yet they are not the same hypothesis.
    params = tuple((name, None if v is None else v.hex()) for name, v in hypothesis.params.items())
    return _verify(Same(task, truth), hypothesis.equation, params, best_match, config)


def _cacheable(hypothesis: Hypothesis) -> bool:
    """Tell whether types and sizes are as they should be; the parser refuses anything else."""
    equation, params = hypothesis.equation, hypothesis.params
    if type(equation) is not str or len(equation) > MAX_EQUATION_CHARACTERS:
        return False
    if type(params) is not dict or len(params) > MAX_PARAMS:
        return False
    return all(
        type(name) is str and (value is None or type(value) is float) for name, value in params.items()
    )


@lru_cache(maxsize=512)
def _verify(
    same: Same,
    equation: str,
    params: tuple[tuple[str, str | None], ...],
    best_match: float,
    config: VerifierConfig,
) -> Verification:
    task, truth = same.values
    assert isinstance(task, Task)  # noqa: S101  # for the type checker
    assert isinstance(truth, Truth)  # noqa: S101  # likewise
    values = {name: None if text is None else float.fromhex(text) for name, text in params}
    hypothesis = Hypothesis(equation=equation, params=values)
    return _judge(task, truth, hypothesis, best_match, config)


def _judge(
    task: Task, truth: Truth, hypothesis: Hypothesis, best_match: float, config: VerifierConfig
) -> Verification:
    law = read(hypothesis, task, config)
    if isinstance(law, Rejection):
        return _not_parsed(task, truth, law, best_match, config)
    parsed, compiled, told = law.parsed, law.program, law.told
    fit = fit_free_params(parsed, task) if parsed.free else None
    if fit is not None and fit.outcome == "failed":
        return _not_fitted(task, truth, told, fit, best_match, config)
    if fit is not None:
        parsed = replace(parsed, params=parsed.params | fit.values)
        compiled = program(parsed)
    prepared = prepare(task)
    run = run_program(compiled, task, config)
    fits = fit_variables(prepared, run)
    ran = run.outcome == "ok"
    r2 = match_of(prepared, fits) if ran else 0.0
    # What cannot be simulated on the shown data earns nothing for the hidden.
    hidden = predict_all(compiled, prepared, prepare_hidden(task, truth), config) if ran else []
    generalised = generalisation(hidden) if ran else _nothing(truth)
    reward = reward_of(
        r2=r2,
        generalised=generalised,
        operators=told.operators,
        well_formed=told.units != "inconsistent",
        best_match=best_match,
        config=config,
    )
    right = ran and passes(prepared, run, reward, config)
    # Measured data know no law: only what was held back can tell a law from a curve that fits.
    unconfirmed = task.measured and not truth.hidden and truth.equation is None
    # Where constants could not be determined, the motion is no evidence against the law: the data are.
    caution = fit.caution if fit else None
    findings = (
        find_lacking(task, parsed)
        if caution
        else find_mismatch(task, parsed, prepared, run, fits, config.max_evaluations)
    )
    return Verification(
        parse=told,
        simulation=_with_fit(run.recorded({}, 0), fit),
        reward=reward,
        fits=fits,
        generalisation=generalised,
        match_dense=math.sqrt(reward.match),
        correctness=correctness(parsed, task, truth),
        mismatch=_said(caution, describe(findings, task.variables, None if ran else run.message)),
        findings=findings,
        solved=right
        and not unconfirmed
        and (generalised is None or carries_over(prepared, hidden, generalised, config))
        and arrives(parsed, task, truth, run, [one for one, _ in hidden], config),
        passed=right and unconfirmed,
    )


def _said(caution: str | None, found: str) -> str:
    return found if caution is None else f"{caution} {found}".rstrip()


def explains(task: Task, parsed: ParsedHypothesis) -> bool:
    """Tell whether a law leaves over, of what is shown, no more than the noise, as `strict` asks.

    That is what `Mismatch.within_noise` says of a law that was submitted; constants are taken as they stand.
    """
    run = run_program(program(parsed), task, VerifierConfig())
    return run.outcome == "ok" and agrees_on_shown(prepare(task), run)


def preview(task: Task, hypothesis: Hypothesis, config: VerifierConfig) -> tuple[ParseReport, Simulation]:
    """Return what the parser makes of a hypothesis and how it would move: no score, nothing fitted.

    Never raises. Looks at the shown data's times and first states only, so it tells nothing that the
    hypothesis does not say itself.
    """
    law = read(hypothesis, task, replace(config, constants="declared"))
    if isinstance(law, Rejection):
        return _rejected(law)
    return law.told, run_program(law.program, task, config, fit_starts=False).recorded({}, 0)


def _not_parsed(
    task: Task, truth: Truth, rejection: Rejection, best_match: float, config: VerifierConfig
) -> Verification:
    parse_report, simulation = _rejected(rejection)
    reward = reward_of(
        r2=0.0,
        generalised=_nothing(truth),
        operators=None,
        well_formed=False,
        best_match=best_match,
        config=config,
    )
    return _not_judged(task, truth, parse_report, simulation, reward, describe_rejection(rejection))


def _not_fitted(
    task: Task,
    truth: Truth,
    told: ParseReport,
    fit: Fit,
    best_match: float,
    config: VerifierConfig,
) -> Verification:
    """Say that no constants were found, and nothing else: no values, no motion, no blame."""
    message = fit.caution or ""
    simulation = Simulation(
        outcome="fit_failed",
        message=message,
        t_reached=None,
        evaluations=0,
        fit_evaluations=fit.evaluations,
        fit=fit.outcome,
    )
    reward = reward_of(
        r2=0.0,
        generalised=_nothing(truth),
        operators=told.operators,
        well_formed=told.units != "inconsistent",
        best_match=best_match,
        config=config,
    )
    return _not_judged(task, truth, told, simulation, reward, message)


def _not_judged(
    task: Task,
    truth: Truth,
    parse_report: ParseReport,
    simulation: Simulation,
    reward: Reward,
    mismatch: str,
) -> Verification:
    return Verification(
        parse=parse_report,
        simulation=simulation,
        reward=reward,
        fits={v.name: VariableFit(r2=None, nrmse=None, valid_time=None) for v in task.variables},
        generalisation=_nothing(truth),
        match_dense=0.0,
        correctness=None if truth.equation is None else Correctness(field_error=None, verdict="different"),
        mismatch=mismatch,
        solved=False,
    )


def _rejected(rejection: Rejection) -> tuple[ParseReport, Simulation]:
    parse_report = ParseReport(
        rejection=rejection,
        canonical=None,
        latex=None,
        terms=(),
        operators=0,
        units=None,
        units_message=None,
        param_units={},
    )
    simulation = Simulation(
        outcome="not_parsed",
        message=rejection.message,
        t_reached=None,
        evaluations=0,
        predictions=(),
    )
    return parse_report, simulation


def _with_fit(simulation: Simulation, fit: Fit | None) -> Simulation:
    if fit is None:
        return simulation
    return replace(
        simulation,
        fitted=fit.values,
        fit_evaluations=simulation.fit_evaluations + fit.evaluations,
        errors=fit.errors,
        undetermined=fit.undetermined,
        fit=fit.outcome,
    )


def _nothing(truth: Truth) -> float | None:
    return 0.0 if truth.hidden else None
