"""The English residual summary that an agent reads. Same input, same words.

Up to three sentences: which variable is worst and where; what the error looks like (period,
damping, offset, asymptote, ...), from the two curves; and which term of which equation would
explain it, from the defect of the equations. Nothing here looks at the truth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.task import StateVariable, Task
from physix.engine.verifier.defect import Defect, find_defect
from physix.engine.verifier.prepared import Prepared
from physix.engine.verifier.simulate import Run
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import Rejection, VariableFit

_MIN_CROSSINGS = 3  # of the mean, to call a motion oscillating
_PERFECT_NRMSE = 0.02
_RUNAWAY = 2.5  # times the range of the data, from its middle
_CLEAR_BEND = 0.3  # distance from the chord, in spreads
_NOTHING = 0.05  # a factor below in size: the term should go
_SIGN_ERROR = -0.3  # a factor below: the term should point the other way

_Shape = Literal["runaway", "no swing", "period", "damping", "level", "phase", "bend", "asymptote", "growth"]
_Blame = Literal["sign", "damping", "strength"]
# What the curves may be said to look like, given which kind of term is to blame.
_CONSISTENT: dict[_Blame, frozenset[_Shape]] = {
    "sign": frozenset({"runaway", "no swing", "bend"}),
    "damping": frozenset({"runaway", "damping", "asymptote", "growth"}),
    "strength": frozenset({"runaway", "no swing", "period", "level", "phase", "growth"}),
}


def describe_rejection(rejection: Rejection) -> str:
    """Return the sentence about a text that is no hypothesis."""
    return f"Did not parse: {rejection.message}."


def describe(
    task: Task, parsed: ParsedHypothesis, prepared: Prepared, run: Run, fits: dict[str, VariableFit]
) -> str:
    """Return one to three sentences on what is wrong, where, and what would explain it."""
    if run.outcome != "ok":
        defect = None if task.inputs else find_defect(parsed, prepared)
        return " ".join(filter(None, [f"The simulation failed. {run.message}", _explain(defect)]))
    observed = [fits[v.name] for v in task.variables if not v.estimated]
    if all(_within_noise(fit, prepared.noise) for fit in observed):
        return "The prediction matches every variable within the noise."
    worst = _worst(task.variables, fits)
    index = prepared.names.index(worst.name)
    series = _Series(prepared.shown[0].t, prepared.shown[0].states[:, index], run.predictions[0][:, index])
    defect = None if task.inputs else find_defect(parsed, prepared)
    shape, sentence = _shape(worst.name, series)
    if defect is not None and shape not in _CONSISTENT[_blame(defect)]:
        # The curves alone mislead at times; what the equations lack is the better witness.
        sentence = ""
    return " ".join(filter(None, [_where(worst, fits[worst.name], series), sentence, _explain(defect)]))


def _within_noise(fit: VariableFit, noise: float) -> bool:
    if fit.nrmse is None:
        # A variable that never moves has no spread to compare with; R² says whether it was met.
        return fit.r2 == 1.0
    return fit.nrmse <= max(1.5 * noise, _PERFECT_NRMSE)


def _worst(variables: tuple[StateVariable, ...], fits: dict[str, VariableFit]) -> StateVariable:
    def r2(variable: StateVariable) -> float:
        value = fits[variable.name].r2
        return -math.inf if value is None else value

    # Estimated rates were not observed: nothing is said of them.
    return min((v for v in variables if not v.estimated), key=r2)


@dataclass(frozen=True, slots=True)
class _Series:
    """One variable of the first shown trajectory."""

    t: FloatArray
    observed: FloatArray
    predicted: FloatArray

    @property
    def residual(self) -> FloatArray:
        """Predicted minus observed."""
        return self.predicted - self.observed


def _where(variable: StateVariable, fit: VariableFit, series: _Series) -> str:
    at = int(np.argmax(np.abs(series.residual)))
    unit = f" {variable.unit}" if variable.unit and variable.unit != "1" else ""
    r2 = "" if fit.r2 is None else f" (R2 {_number(max(fit.r2, -999.0))})"
    side = "too high" if series.residual[at] > 0 else "too low"
    return (
        f"{variable.name} fits worst{r2}: at t = {_number(series.t[at])} the prediction is "
        f"{_number(abs(series.residual[at]))}{unit} {side}."
    )


def _blame(defect: Defect) -> _Blame:
    if defect.own and defect.factor < _SIGN_ERROR:
        return "sign"
    return "damping" if defect.role in ("damping", "driving") else "strength"


def _shape(name: str, series: _Series) -> tuple[_Shape, str]:
    """Return what kind of error the two curves show, and the sentence about it."""
    beyond = _beyond(series)
    if beyond is not None:
        when = _number(series.t[beyond])
        return "runaway", (
            f"The predicted {name} runs away: past {_RUNAWAY:g} times the data's range at t = {when}."
        )
    if len(_crossings(series.t, series.observed)) >= _MIN_CROSSINGS:
        return _oscillation(name, series)
    return _drift(name, series)


def _beyond(series: _Series) -> int | None:
    """Return the first sample at which the prediction has run away for good."""
    low, high = float(series.observed.min()), float(series.observed.max())
    middle, reach = (low + high) / 2.0, high - low
    beyond = np.abs(series.predicted - middle) > _RUNAWAY * reach
    return int(np.argmax(beyond)) if beyond[-1] else None


def _oscillation(name: str, series: _Series) -> tuple[_Shape, str]:
    """Compare period, then envelope, centre, amplitude and phase: an earlier error hides the later ones."""
    seen = _crossings(series.t, series.observed)
    predicted = _crossings(series.t, series.predicted)
    if len(predicted) < 2:
        return "no swing", f"The observed {name} oscillates but the prediction does not."
    ratio = _half_period(predicted) / _half_period(seen)
    if abs(ratio - 1.0) > 0.03:
        return "period", (
            f"The predicted {name} oscillates too {'slowly' if ratio > 1 else 'fast'}: "
            f"its period is {_number(ratio)} times the observed one."
        )
    decay_seen, decay_predicted = _decay(series.observed), _decay(series.predicted)
    if decay_predicted > decay_seen * 1.1:
        return "damping", (
            f"The observed {name} loses amplitude faster than the prediction: damping is missing or too weak."
        )
    if decay_predicted < decay_seen / 1.1:
        return "damping", f"The predicted {name} dies out too fast: there is too much damping."
    return _level(name, series)


def _level(name: str, series: _Series) -> tuple[_Shape, str]:
    spread = float(np.std(series.observed))
    offset = float(np.mean(series.residual))
    if abs(offset) > 0.15 * spread and abs(offset) > 0.6 * float(np.std(series.residual)):
        return "level", f"The predicted {name} swings about a centre that is off by {_number(offset)}."
    amplitude = float(np.std(series.predicted)) / spread
    if abs(amplitude - 1.0) > 0.1:
        return "level", f"The predicted amplitude of {name} is {_number(amplitude)} times the observed one."
    return "phase", (
        f"The predicted {name} drifts out of phase slowly: "
        "the force may depend on the amplitude (a nonlinear restoring term)."
    )


def _drift(name: str, series: _Series) -> tuple[_Shape, str]:
    t = series.t - series.t[0]
    residual = series.residual
    late = float(residual[len(residual) // 2 :].mean())
    side = "above" if late > 0 else "below"
    if _bend(t, series.observed) * _bend(t, series.predicted) < -(_CLEAR_BEND**2):
        return "bend", f"The prediction of {name} bends the other way: the sign of a term is wrong."
    seen, predicted = _levelling(t, series.observed), _levelling(t, series.predicted)
    if seen < 0.5 * predicted and seen < 0.4:
        return "asymptote", (
            f"The observed {name} levels off, the prediction runs on and ends {side} it: wrong asymptote."
        )
    if predicted < 0.5 * seen and predicted < 0.4:
        return "asymptote", (
            f"The predicted {name} levels off too early and ends {side} the data: wrong asymptote."
        )
    growth = _number(_slope(t, residual))
    return "growth", (
        f"The prediction of {name} ends {side} the data; the error changes by {growth} per unit of time."
    )


def _explain(defect: Defect | None) -> str:
    """Return the sentence about the term to blame, "" if none stands out."""
    if defect is None:
        return ""
    target, term, factor = defect.equation.target, defect.term, defect.factor
    if not defect.own:
        text = _product(factor, term)
        if defect.role == "damping":
            return f"In {target} damping is missing: a term like {text} would explain most of the error."
        if defect.role == "coupling":
            return f"In {target} a coupling is missing: a term like {text} would explain most of the error."
        if defect.role == "constant":
            return f"In {target} a constant offset is missing: {text} would explain most of the error."
        return f"In {target} a term like {text} is missing and would explain most of the error."
    fitting = "it should not be there" if abs(factor) < _NOTHING else f"{_number(factor)} times it would fit"
    if factor < _SIGN_ERROR:
        return f"In {target} the term {term} has the wrong sign: {fitting}."
    if defect.role == "damping":
        amount = "too much" if factor < 1 else "too little"
        return f"In {target} there is {amount} damping from the term {term}: {fitting}."
    strength = "strong" if factor < 1 else "weak"
    return f"In {target} the term {term} is too {strength}: {fitting}."


def _product(coefficient: float, term: str) -> str:
    return _number(coefficient) if term == "1" else f"{_number(coefficient)}*{term}"


def _crossings(t: FloatArray, values: FloatArray) -> FloatArray:
    """Return the times at which a series crosses its mean by more than a tenth of its spread."""
    centred = values - values.mean()
    threshold = 0.1 * centred.std()
    signs = np.where(centred > threshold, 1, np.where(centred < -threshold, -1, 0))
    marked = np.flatnonzero(signs)
    turns = np.flatnonzero(np.diff(signs[marked]) != 0)
    before, after = marked[turns], marked[turns + 1]
    span = centred[after] - centred[before]
    times: FloatArray = t[before] - centred[before] * (t[after] - t[before]) / span
    return times


def _half_period(crossings: FloatArray) -> float:
    """Return half a period; whole ones are averaged where there are any, as the halves may differ."""
    if len(crossings) > 2:
        return float(np.mean(crossings[2:] - crossings[:-2])) / 2.0
    return float(crossings[1] - crossings[0])


def _decay(values: FloatArray) -> float:
    """Return the spread of the second half over that of the first."""
    half = len(values) // 2
    first = float(np.std(values[:half]))
    return float(np.std(values[half:])) / first if first > 0 else 1.0


def _bend(t: FloatArray, values: FloatArray) -> float:
    """Return how far the middle of the curve is from its chord, as a share of its spread (signed)."""
    spread = float(np.std(values))
    centred = t - t.mean()
    squares = centred * centred
    # What of t**2 neither a constant nor a slope can say; its share of the curve is the curvature.
    square = squares - squares.mean() - centred * float((squares @ centred) / squares.sum())
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
    centred = t - t.mean()
    return float(centred @ values) / float(centred @ centred)


def _number(value: float) -> str:
    return f"{float(value):.3g}"
