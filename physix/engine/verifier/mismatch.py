"""What the verifier finds wrong with a hypothesis, as a value; `words` makes a sentence of it.

Which variable is worst and where; what the predicted curve looks like beside the observed one; and
which terms of which equations would explain it. Nothing here looks at the truth.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property, lru_cache

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.task import StateVariable, Task
from physix.engine.verifier.defect import Defects, find_defects
from physix.engine.verifier.prepared import Prepared, Same, Samples
from physix.engine.verifier.score import agrees_on_shown
from physix.engine.verifier.sharpen import sharpened_strengths
from physix.engine.verifier.simulate import Run
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import CurveShape, Finding, Mismatch, ShapeKind, VariableFit, Worst

RUNAWAY = 2.5  # times the range of the data, from its middle
_MIN_CROSSINGS = 3  # of the mean, to call a motion oscillating
_MOST = 1e300  # of a number in a finding
_SLIGHT = 0.03  # an own term off by less: the simulated motion knows it better
_CLEAR_BEND = 0.3  # distance from the chord, in spreads

# What the curves may be said to look like, given what is to blame: alone they mislead at times, and
# what the equations lack is the better witness.
_CONSISTENT: dict[str, frozenset[ShapeKind]] = {
    "sign": frozenset({"runaway", "no swing", "bend"}),
    "damping": frozenset({"runaway", "undamped", "overdamped", "runs on", "levels off", "growth"}),
    "strength": frozenset({"runaway", "no swing", "period", "centre", "amplitude", "phase", "growth"}),
}


def find_mismatch(
    task: Task,
    parsed: ParsedHypothesis,
    prepared: Prepared,
    run: Run,
    fits: dict[str, VariableFit],
    max_evaluations: int,
) -> Mismatch:
    """Return what is wrong, where, and what would explain it.

    Args:
        task: what the law is about.
        parsed: the law, its constants fitted if they were left open.
        prepared: of this task.
        run: of this law.
        fits: of this run.
        max_evaluations: of the right-hand side, for a simulation that looks closer.
    """
    if run.outcome != "ok":
        return _mismatch(find_defects(parsed, task), None, None)
    if agrees_on_shown(prepared, run):
        return Mismatch(within_noise=True, holds=True)
    variable = _worst(task.variables, fits)
    index = prepared.names.index(variable.name)
    series = Series(_observed(Same(prepared.shown[0]), index), run.predictions[0][:, index])
    off = series.residual
    at = int(np.argmax(np.abs(off)))
    worst = Worst(
        variable=variable.name,
        t=float(series.observed.t[at]),
        off=float(off[at]),
        r2=fits[variable.name].r2,
    )
    defects = find_defects(parsed, task)
    if all(_is_slight(finding) for finding in defects.findings):
        slight = _slight(parsed, task, run, max_evaluations)
        defects = replace(defects, findings=slight) if slight else defects
    return _mismatch(defects, worst, _fair(shape_of(series), defects))


def find_lacking(task: Task, parsed: ParsedHypothesis) -> Mismatch:
    """Return the terms that a law lacks or has too many whatever its open constants are, and nothing else."""
    findings = find_defects(parsed, task).findings
    lacking = tuple(one for one in findings if one.kind in ("missing", "superfluous"))
    return _mismatch(Defects(holds=False, findings=lacking), None, None)


def _is_slight(finding: Finding) -> bool:
    return finding.kind == "strength" and abs(finding.factor - 1.0) < _SLIGHT


def _slight(parsed: ParsedHypothesis, task: Task, run: Run, max_evaluations: int) -> tuple[Finding, ...]:
    """Return the constants that the simulated motion shows to be off, where the equations show no more."""
    found = [
        Finding(
            kind="superfluous" if one.factor == 0.0 else "strength",
            target=one.target,
            term=one.term,
            factor=float(f"{one.factor:.6g}"),
            error=float(f"{one.error:.3g}"),
            size=float(f"{one.size:.5g}"),
            role="other",
        )
        for one in sharpened_strengths(parsed, task, run, max_evaluations)
    ]
    return tuple(sorted(found, key=lambda finding: -finding.size))


def _mismatch(defects: Defects, worst: Worst | None, shape: CurveShape | None) -> Mismatch:
    return Mismatch(
        within_noise=False,
        holds=defects.holds,
        worst=worst,
        shape=shape if shape is None or math.isfinite(shape.value or 0.0) else None,
        findings=tuple(_bounded(one) for one in defects.findings if math.isfinite(one.factor)),
    )


def _bounded(finding: Finding) -> Finding:
    """Return the finding with numbers that a log can hold: squares of absurd residuals overflow."""
    if finding.error <= _MOST and finding.size <= _MOST:
        return finding
    return replace(finding, error=_at_most(finding.error), size=_at_most(finding.size))


def _at_most(value: float) -> float:
    return _MOST if math.isnan(value) else min(value, _MOST)


def _fair(shape: CurveShape, defects: Defects) -> CurveShape | None:
    """Return the shape if it is consistent with what the equations lack."""
    if defects.holds:
        # Where the equations hold along the data, the curves show chaos or a wrong start, no cause.
        return None
    if not defects.findings:
        return shape
    return shape if shape.kind in _CONSISTENT[_blame(defects.findings[0])] else None


def _blame(finding: Finding) -> str:
    if finding.kind == "sign":
        return "sign"
    return "damping" if finding.role in ("damping", "driving") else "strength"


def _worst(variables: tuple[StateVariable, ...], fits: dict[str, VariableFit]) -> StateVariable:
    def r2(variable: StateVariable) -> float:
        value = fits[variable.name].r2
        return -math.inf if value is None else value

    # Estimated rates were not observed: nothing is said of them.
    return min((v for v in variables if not v.estimated), key=r2)


class Observed:
    """One variable of the first shown trajectory, and what is asked of it with every law."""

    def __init__(self, t: FloatArray, values: FloatArray) -> None:
        self.t, self.values = t, values
        low, high = float(values.min()), float(values.max())
        self.middle, self.reach = (low + high) / 2.0, high - low

    @cached_property
    def crossings(self) -> FloatArray:
        """Times at which it crosses its mean."""
        return _crossings(self.t, self.values)

    @cached_property
    def spread(self) -> float:
        """Its standard deviation."""
        return _spread(self.values)

    @cached_property
    def decay(self) -> float:
        """The spread of its second half over that of its first."""
        return _decay(self.values)

    @cached_property
    def bend(self) -> float:
        """How far its middle is from its chord, in spreads."""
        return _bend(self.t - self.t[0], self.values)

    @cached_property
    def levelling(self) -> float:
        """Its late slope over its early one."""
        return _levelling(self.t - self.t[0], self.values)


@lru_cache(maxsize=512)
def _observed(samples: Same, index: int) -> Observed:
    (shown,) = samples.values
    assert isinstance(shown, Samples)  # noqa: S101  # for the type checker
    return Observed(shown.t, shown.states[:, index])


class Series:
    """One variable as it was observed and as it was predicted."""

    def __init__(self, observed: Observed, predicted: FloatArray) -> None:
        self.observed, self.predicted = observed, predicted
        self.residual = predicted - observed.values


def shape_of(series: Series) -> CurveShape:
    """Return what kind of error the two curves show."""
    beyond = _beyond(series)
    if beyond is not None:
        return CurveShape(kind="runaway", value=float(series.observed.t[beyond]))
    if len(series.observed.crossings) >= _MIN_CROSSINGS:
        return _oscillation(series)
    return _drift(series)


def _beyond(series: Series) -> int | None:
    """Return the first sample at which the prediction has run away for good."""
    limit = RUNAWAY * series.observed.reach
    beyond = np.abs(series.predicted - series.observed.middle) > limit
    return int(np.argmax(beyond)) if beyond[-1] else None


def _oscillation(series: Series) -> CurveShape:
    """Compare period, then envelope, centre, amplitude and phase: an earlier error hides the later ones."""
    seen = series.observed
    predicted = _crossings(seen.t, series.predicted)
    if len(predicted) < 2:
        return CurveShape(kind="no swing")
    ratio = _half_period(predicted) / _half_period(seen.crossings)
    if abs(ratio - 1.0) > 0.03:
        return CurveShape(kind="period", value=ratio)
    decay = _decay(series.predicted)
    if decay > seen.decay * 1.1:
        return CurveShape(kind="undamped")
    if decay < seen.decay / 1.1:
        return CurveShape(kind="overdamped")
    return _level(series)


def _level(series: Series) -> CurveShape:
    spread = series.observed.spread
    offset = _mean(series.residual)
    if abs(offset) > 0.15 * spread and abs(offset) > 0.6 * _spread(series.residual):
        return CurveShape(kind="centre", value=offset)
    amplitude = _spread(series.predicted) / spread
    if abs(amplitude - 1.0) > 0.1:
        return CurveShape(kind="amplitude", value=amplitude)
    return CurveShape(kind="phase")


def _drift(series: Series) -> CurveShape:
    seen = series.observed
    t = seen.t - seen.t[0]
    if seen.bend * _bend(t, series.predicted) < -(_CLEAR_BEND**2):
        return CurveShape(kind="bend")
    predicted = _levelling(t, series.predicted)
    late = _mean(series.residual[len(t) // 2 :])
    if seen.levelling < 0.5 * predicted and seen.levelling < 0.4:
        return CurveShape(kind="runs on", value=late)
    if predicted < 0.5 * seen.levelling and predicted < 0.4:
        return CurveShape(kind="levels off", value=late)
    return CurveShape(kind="growth", value=_slope(t, series.residual))


def _mean(values: FloatArray) -> float:
    """Return what `np.mean` does, bit for bit; so short a series costs less than that asks for."""
    return float(np.add.reduce(values)) / len(values)


def _spread(values: FloatArray) -> float:
    """Return what `np.std` does, bit for bit."""
    off = values - _mean(values)
    return math.sqrt(_mean(off * off))


def _crossings(t: FloatArray, values: FloatArray) -> FloatArray:
    """Return the times at which a series crosses its mean by more than a tenth of its spread."""
    centred = values - _mean(values)
    threshold = 0.1 * _spread(centred)
    away = centred > threshold
    marked = (away | (centred < -threshold)).nonzero()[0]
    above = away[marked]
    turns = (above[1:] != above[:-1]).nonzero()[0]
    before, after = marked[turns], marked[turns + 1]
    start, then, began = centred[before], centred[after], t[before]
    times: FloatArray = began - start * (t[after] - began) / (then - start)
    return times


def _half_period(crossings: FloatArray) -> float:
    """Return half a period; whole ones are averaged where there are any, as the halves may differ."""
    if len(crossings) > 2:
        return _mean(crossings[2:] - crossings[:-2]) / 2.0
    return float(crossings[1] - crossings[0])


def _decay(values: FloatArray) -> float:
    """Return the spread of the second half over that of the first."""
    half = len(values) // 2
    first = _spread(values[:half])
    return _spread(values[half:]) / first if first > 0 else 1.0


def _bend(t: FloatArray, values: FloatArray) -> float:
    """Return how far the middle of the curve is from its chord, as a share of its spread (signed)."""
    spread = _spread(values)
    centred = t - _mean(t)
    squares = centred * centred
    # What of t**2 neither a constant nor a slope can say; its share of the curve is the curvature.
    square = squares - _mean(squares) - centred * float((squares @ centred) / squares.sum())
    curvature = float(square @ values) / float(square @ square)
    return curvature * float(t[-1]) ** 2 / 4.0 / spread if spread > 0 else 0.0


def _levelling(t: FloatArray, values: FloatArray) -> float:
    """Return late slope over early slope; 1 for a straight line, and where a curve turns round."""
    quarter = max(4, len(t) // 4)
    early = _slope(t[:quarter], values[:quarter])
    late = _slope(t[-quarter:], values[-quarter:])
    if early == 0.0:
        return 1.0
    return late / early if late / early >= -0.1 else 1.0


def _slope(t: FloatArray, values: FloatArray) -> float:
    """Return the slope of the least-squares line."""
    centred = t - _mean(t)
    return float(centred @ values) / float(centred @ centred)
