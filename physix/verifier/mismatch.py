"""The English residual summary that an agent reads. Same input, same words."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from physix.systems.task import StateVariable, Task
from physix.verifier.compile import FloatArray
from physix.verifier.prepared import Prepared
from physix.verifier.simulate import Run
from physix.verifier.types import Rejection, VariableFit

_MIN_CROSSINGS = 3  # of the mean, to call a motion oscillating
_PERFECT_NRMSE = 0.02


def describe_rejection(rejection: Rejection) -> str:
    """Return the sentence about a text that is no hypothesis."""
    return f"Did not parse: {rejection.message}."


def describe(task: Task, prepared: Prepared, run: Run, fits: dict[str, VariableFit]) -> str:
    """Return one to three sentences on what is wrong, where, and what kind of error it is."""
    if run.outcome != "ok":
        return f"The simulation failed. {run.message}"
    worst = _worst(task.variables, fits)
    index = [v.name for v in task.variables].index(worst.name)
    series = _Series(prepared.shown[0].t, prepared.shown[0].states[:, index], run.predictions[0][:, index])
    if all(_within_noise(fit, task.noise) for fit in fits.values()):
        return "The prediction matches every variable within the noise."
    return " ".join([_where(worst, fits[worst.name], series), _kind(worst.name, series)])


def _within_noise(fit: VariableFit, noise: float) -> bool:
    if fit.nrmse is None:
        # A variable that never moves has no spread to compare with; R² says whether it was met.
        return fit.r2 == 1.0
    return fit.nrmse <= max(1.5 * noise, _PERFECT_NRMSE)


def _worst(variables: tuple[StateVariable, ...], fits: dict[str, VariableFit]) -> StateVariable:
    def r2(variable: StateVariable) -> float:
        value = fits[variable.name].r2
        return -math.inf if value is None else value

    return min(variables, key=r2)


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


def _kind(name: str, series: _Series) -> str:
    if len(_crossings(series.t, series.observed)) >= _MIN_CROSSINGS:
        return _oscillation_error(name, series)
    return _drift_error(name, series)


def _oscillation_error(name: str, series: _Series) -> str:
    """Compare period, then envelope, then amplitude: an earlier error hides the later ones."""
    seen = _crossings(series.t, series.observed)
    predicted = _crossings(series.t, series.predicted)
    if len(predicted) < 2:
        return (
            f"The observed {name} oscillates but the prediction does not: "
            "a restoring term is missing or weak."
        )
    ratio = float(np.mean(np.diff(predicted)) / np.mean(np.diff(seen)))
    if abs(ratio - 1.0) > 0.03:
        return (
            f"The predicted {name} oscillates too {'slowly' if ratio > 1 else 'fast'}: "
            f"its period is {_number(ratio)} times the observed one."
        )
    decay_seen, decay_predicted = _decay(series.observed), _decay(series.predicted)
    if decay_predicted > decay_seen * 1.1:
        return (
            f"The observed {name} loses amplitude faster than the prediction: damping is missing or too weak."
        )
    if decay_predicted < decay_seen / 1.1:
        return f"The predicted {name} dies out too fast: there is too much damping."
    amplitude = float(np.std(series.predicted) / np.std(series.observed))
    if abs(amplitude - 1.0) > 0.1:
        return f"The predicted amplitude of {name} is {_number(amplitude)} times the observed one."
    return (
        f"The predicted {name} drifts out of phase slowly: "
        "the force may depend on the amplitude (a nonlinear restoring term)."
    )


def _drift_error(name: str, series: _Series) -> str:
    residual = series.residual
    half = len(residual) // 2
    seen = _curvature(series.t, series.observed)
    predicted = _curvature(series.t, series.predicted)
    late = float(residual[half:].mean())
    side = "above" if late > 0 else "below"
    if abs(seen) > 1e-12 and seen * predicted < 0:
        return f"The prediction of {name} bends the other way: the sign of a term is wrong."
    early, end = abs(float(residual[:half].mean())), abs(late)
    if end > 3.0 * early:
        flattening = abs(_late_slope(series.t, series.observed)) < abs(
            _late_slope(series.t, series.predicted)
        )
        reason = (
            "the observed motion levels off more (a resistance that grows with speed, or a saturation)"
            if flattening
            else "the predicted motion levels off too much, or its driving term is too weak"
        )
        return f"The error of {name} grows with time and stays {side} the data: {reason}."
    return f"The prediction of {name} lies {side} the data by {_number(end)} on average late in time."


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


def _decay(values: FloatArray) -> float:
    """Return the spread of the second half over that of the first."""
    half = len(values) // 2
    first = float(np.std(values[:half]))
    return float(np.std(values[half:])) / first if first > 0 else 1.0


def _curvature(t: FloatArray, values: FloatArray) -> float:
    return float(np.polyfit(t - t[0], values, 2)[0])


def _late_slope(t: FloatArray, values: FloatArray) -> float:
    quarter = max(4, len(t) // 4)
    return float(np.polyfit(t[-quarter:] - t[-quarter], values[-quarter:], 1)[0])


def _number(value: float) -> str:
    return f"{float(value):.3g}"
