"""One law held against one set of data, in full: constants, verdict, what is left over, where it leads.

For whoever brought the data: it looks at what is held back, so no agent may read it while an episode runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtrit

from physix.engine.discovery import Constant, Residuals
from physix.engine.floats import FloatArray
from physix.engine.residuals import residuals_of
from physix.engine.systems.record import whole_record
from physix.engine.systems.task import Task, Trajectory, Truth
from physix.engine.verifier.compile import program
from physix.engine.verifier.fit import Fit, fit_starts, fit_trajectories
from physix.engine.verifier.grammar import parse
from physix.engine.verifier.noise import noise_of
from physix.engine.verifier.prepared import Samples, prepare, prepare_hidden
from physix.engine.verifier.simulate import integrate_program, predict_hidden
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import Hypothesis, Verification, VerifierConfig
from physix.engine.verifier.verify import verify

_SURE = 0.975
_EVALUATIONS = 500_000  # of a curve


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """One run of the data beside what the law makes of it.

    Attributes:
        t: shape (T,).
        observed: shape (T, D), NaN where nothing was measured.
        sigma: shape (T, D), noise of each sample, in whose units residuals are told.
        predicted: shape (rows, D); it ends early where the law cannot be integrated.
        shown_rows: rows before this one were shown, the others were held back.
    """

    t: FloatArray
    observed: FloatArray
    sigma: FloatArray
    predicted: FloatArray
    shown_rows: int

    def residuals(self, *, held_back: bool = False) -> FloatArray:
        """Return observed minus predicted in units of the noise, of the shown rows or of the others."""
        rows = len(self.predicted)
        off: FloatArray = (self.observed[:rows] - self.predicted) / self.sigma[:rows]
        return off[self.shown_rows :] if held_back else off[: self.shown_rows]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Examined:
    """A law and all that the data say of it.

    Attributes:
        law: with its constants, as it is to be written; None where the text is no law.
        verification: its verdict, under `constants="fitted"`; its findings hold for these constants.
        settled: the search for the constants came to its end; else others may leave over less.
        constants: from the shown rows.
        from_all: from shown and held-back rows together, once the law was chosen; () if nothing is held back
            or nothing could be fitted.
        undetermined: groups of constants that the data cannot tell apart.
        chi2: per sample of the shown rows; None where the law does not run.
        residuals: of the shown rows, one entry for every measured variable.
        curves: shown runs, with what was held back of them, then runs that were held back whole.
    """

    law: ParsedHypothesis | None
    verification: Verification
    settled: bool = True
    constants: tuple[Constant, ...] = ()
    from_all: tuple[Constant, ...] = ()
    undetermined: tuple[tuple[str, ...], ...] = ()
    chi2: float | None = None
    samples: int = 0
    residuals: tuple[Residuals, ...] = ()
    curves: tuple[Curve, ...] = ()

    @property
    def verdict(self) -> str:
        """One sentence on what the law has passed."""
        told = self.verification
        if told.solved:
            return "It explains the shown data down to the noise, and the held-back data are where it leads."
        if told.passed:
            return (
                "It explains the shown data down to the noise. Nothing was held back that could confirm it."
            )
        if told.parse.rejection is not None:
            return f"It cannot be read: {told.parse.rejection.message}"
        if told.simulation.outcome != "ok":
            return f"It cannot be followed over the shown data: {told.simulation.message}"
        if told.findings is not None and told.findings.within_noise:
            return "It explains the shown data, but the held-back data are not where it leads."
        return "It does not explain the shown data."


def examine(
    task: Task,
    truth: Truth,
    hypothesis: Hypothesis,
    config: VerifierConfig,
    known: Mapping[str, Constant] | None = None,
) -> Examined:
    """Return what the data say of a law. Never raises, whatever the hypothesis holds.

    Args:
        task: the shown data. truth: what is held back of them.
        hypothesis: params that are None are fitted to the shown rows.
        config: the rules of the verdict.
        known: constants that were determined before, with their errors.
    """
    told = verify(task, truth, hypothesis, best_match=0.0, config=replace(config, constants="fitted"))
    fitted = told.simulation.fitted
    params = {**hypothesis.params, **fitted}
    parsed = parse(
        hypothesis.equation, params, task.variables, inputs=task.inputs, functions=config.functions
    )
    if not isinstance(parsed, ParsedHypothesis) or told.simulation.outcome != "ok":
        return Examined(law=parsed if isinstance(parsed, ParsedHypothesis) else None, verification=told)
    settled = told.simulation.fit in (None, "converged")
    if not settled:
        # Where constants may be to blame a verdict says only what the law lacks whatever they are; whoever
        # wrote it wants to know what else would help, with these.
        blamed = verify(task, truth, replace(hypothesis, params=params), best_match=0.0, config=config)
        told = replace(told, findings=blamed.findings, mismatch=blamed.mismatch)
    curves = _curves(task, truth, parsed, told, config)
    if task.measured and (starts := fit_starts(parsed, task)):
        freed = replace(told, simulation=replace(told.simulation, starts=starts))
        curves = min(curves, _curves(task, truth, parsed, freed, config), key=_left_over)
    residuals = summaries(task, curves)
    samples = sum(one.samples for one in residuals)
    open_names = tuple(name for name, value in hypothesis.params.items() if value is None)
    units = told.parse.param_units
    freedom = samples - len(parsed.params)
    everything = _from_all(task, truth, parsed, tuple(known or ()) or open_names)
    return Examined(
        law=parsed,
        verification=told,
        settled=settled,
        constants=tuple(
            (known or {}).get(name)
            or constant(name, value, told.simulation.errors.get(name), freedom, units.get(name))
            for name, value in parsed.params.items()
        ),
        from_all=()
        if everything is None
        else tuple(
            constant(name, value, everything.errors.get(name), everything.samples, units.get(name))
            for name, value in everything.values.items()
        ),
        undetermined=told.simulation.undetermined,
        chi2=sum(one.chi2 * one.samples for one in residuals) / samples if samples else None,
        samples=samples,
        residuals=residuals,
        curves=curves,
    )


def constant(name: str, value: float, error: float | None, freedom: int, unit: str | None) -> Constant:
    """Return a constant with its 95 % interval by Student's distribution."""
    if error is None or not np.isfinite(error):
        return Constant(name=name, value=value, unit=unit)
    far = float(stdtrit(max(1, freedom), _SURE)) * error
    return Constant(name=name, value=value, error=error, low=value - far, high=value + far, unit=unit)


def _from_all(task: Task, truth: Truth, parsed: ParsedHypothesis, names: Sequence[str]) -> Fit | None:
    """Return the constants by shown and held-back rows together."""
    if not truth.hidden or not names or not task.measured:
        return None
    law = replace(parsed, free=tuple(name for name in names if name in parsed.params))
    fit = fit_trajectories(law, task, whole_record(task, truth)) if law.free else None
    return None if fit is None or fit.outcome == "failed" else fit


def _left_over(curves: Sequence[Curve]) -> float:
    """Return chi² over the shown rows, infinite where the law ends early."""
    if any(len(one.predicted) < one.shown_rows for one in curves):
        return np.inf
    return float(sum(np.nansum(one.residuals() ** 2) for one in curves))


def _curves(
    task: Task, truth: Truth, parsed: ParsedHypothesis, told: Verification, config: VerifierConfig
) -> tuple[Curve, ...]:
    records = whole_record(task, truth)
    prepared, whole, compiled = prepare(task), prepare(replace(task, shown=records)), program(parsed)
    own = {id(part): hidden for part, hidden in zip(truth.hidden, prepare_hidden(task, truth), strict=True)}
    curves = []
    for index, (record, samples) in enumerate(zip(records, whole.shown, strict=True)):
        if index < len(task.shown):
            start = told.simulation.starts[index] if told.simulation.starts else task.shown[index].states[0]
            run = integrate_program(
                compiled,
                samples.t,
                list(start),
                max_evaluations=_EVALUATIONS,
                rtol=1e-8,
                atol=1e-9 * prepared.early,
                inputs=samples.inputs,
            )
            predicted, shown_rows = run.states, len(task.shown[index].t)
        else:
            found = predict_hidden(compiled, prepared, own[id(record)], config)
            predicted = np.empty((0, len(task.variables))) if found is None else found
            shown_rows = 0
        curves.append(_curve(record, samples, prepared.scale, predicted, shown_rows))
    return tuple(curves)


def _curve(
    record: Trajectory, samples: Samples, scale: FloatArray, predicted: FloatArray, shown_rows: int
) -> Curve:
    observed = np.where(samples.weight > 0.0, samples.states, np.nan)
    return Curve(
        t=np.array(record.t),
        observed=observed,
        sigma=noise_of(samples, scale),
        predicted=predicted,
        shown_rows=shown_rows,
    )


def summaries(task: Task, curves: Sequence[Curve]) -> tuple[Residuals, ...]:
    """Return what is left over of the shown rows, one entry for every measured variable."""
    found = []
    for d, variable in enumerate(task.variables):
        parts = []
        for run, curve in enumerate(curves):
            off = curve.residuals()[:, d]
            there = np.isfinite(off)
            if there.any():
                parts.append((run, curve.t[: len(off)][there], off[there]))
        if parts:
            found.append(residuals_of(variable.name, parts))
    return tuple(found)
