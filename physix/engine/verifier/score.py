"""R², the four reward components, generalisation, and the diagnostics beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.verifier.chi2 import agrees
from physix.engine.verifier.compile import Program
from physix.engine.verifier.prepared import QUIET, BoolArray, Hidden, Prepared
from physix.engine.verifier.simulate import Run, predict_hidden
from physix.engine.verifier.types import Reward, VariableFit, VerifierConfig

VALID_SHARE = 0.1  # of a variable's spread: how far off a prediction may be to count as valid
EXACT = 1e-6  # of its size: how closely a variable that never moves, without noise, must be met
_SIMPLICITY_SPAN = 20
_HIDDEN_FLOOR, _HIDDEN_NOISE, _HIDDEN_RESIDUAL = 1e-4, 3.5, 5e-3


def fit_variables(prepared: Prepared, run: Run) -> dict[str, VariableFit]:
    """Return R² (unclipped), normalised RMSE and valid time of each state variable.

    Several shown trajectories are pooled. All numbers are None unless the run is ok, except
    `valid_time`, which a failed run has for as long as it went; and for an estimated rate, which
    is a guess and no observation that anything could be held against.
    """
    valid = _valid_times(prepared, run.predictions)
    r2 = nrmse = [math.nan] * len(prepared.names)
    if run.outcome == "ok":
        predictions = run.predictions
        predicted = predictions[0] if len(predictions) == 1 else np.concatenate(predictions)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            r2, nrmse = (numbers.tolist() for numbers in _r2_and_nrmse(prepared, predicted))
    return {
        name: VariableFit(
            r2=_finite(a) if scored else None,
            nrmse=_finite(b) if scored else None,
            valid_time=time if scored else None,
        )
        for name, a, b, time, scored in zip(
            prepared.names, r2, nrmse, valid, prepared.scored.tolist(), strict=True
        )
    }


def _r2_and_nrmse(prepared: Prepared, predicted: FloatArray) -> tuple[FloatArray, FloatArray]:
    off = prepared.pooled - predicted
    if prepared.weight is not None:
        off *= prepared.weight
    squares = np.einsum("td,td->d", off, off)
    counted = len(off) if prepared.weight is None else prepared.weight.sum(axis=0)
    nrmse = np.sqrt(squares / counted) / prepared.spread
    r2 = 1.0 - squares / prepared.total
    if not prepared.quiet.any():
        return r2, nrmse
    return np.where(prepared.quiet, in_band(off, prepared.sigma, prepared.size), r2), nrmse


def in_band(off: FloatArray, sigma: FloatArray, size: FloatArray) -> BoolArray:
    """Tell for which variables residuals are such as their noise makes, shape (D,).

    Args:
        off: shape (T, D), residuals.
        sigma: shape (T, D), standard deviation of the noise of each sample.
        size: shape (D,), largest magnitude: without noise a millionth of it is what may be off.
    """
    noisy = np.mean(sigma**2, axis=0) > (EXACT * size) ** 2
    # A variable that is zero throughout has no size either; what is tiny beside all else passes.
    exact = np.abs(off).max(axis=0) <= EXACT * np.where(size > 0.0, size, EXACT * size.max())
    with np.errstate(divide="ignore", invalid="ignore"):
        chi2 = np.nan_to_num(np.mean((off / sigma) ** 2, axis=0), nan=math.inf)
    within: BoolArray = np.where(noisy, chi2 <= QUIET, exact)
    return within


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _valid_times(prepared: Prepared, predictions: Sequence[FloatArray]) -> list[float]:
    """Return, per variable, time from the start until the residual first exceeds 10 % of the spread.

    Where several trajectories are shown, the shortest counts.
    """
    limit = VALID_SHARE * prepared.spread
    shortest: FloatArray | None = None
    for samples, states in zip(prepared.shown, predictions, strict=True):
        rows = len(states)
        # One row of True at the end: whatever did not run, or the last sample, ends validity.
        off = np.ones((len(samples.t) + 1, len(limit)), dtype=bool)
        np.greater(np.abs(samples.states[:rows] - states), limit, out=off[:rows])
        if prepared.weight is not None:
            off[:rows] &= samples.weight[:rows] > 0.0
        first = np.minimum(off.argmax(axis=0), len(samples.t) - 1)
        valid = samples.t[first] - samples.t[0]
        shortest = valid if shortest is None else np.minimum(shortest, valid)
    return [0.0] * len(limit) if shortest is None else shortest.tolist()


def match_of(prepared: Prepared, fits: dict[str, VariableFit]) -> float:
    """Return the mean over state variables of R² clipped to [0, 1]; 0 if nothing was simulated.

    Estimated rates have no part in it. A variable that does not move beyond its noise has none
    either, unless the prediction does: it counts 0 then.
    """
    r2 = [math.nan if fit.r2 is None else fit.r2 for fit in fits.values()]
    return _mean(r2, prepared.quiet, prepared.scored)


def _mean(r2: Sequence[float], quiet: BoolArray, scored: BoolArray) -> float:
    values = [
        min(1.0, max(0.0, one)) if math.isfinite(one) else 0.0
        for one, still, counts in zip(r2, quiet.tolist(), scored.tolist(), strict=True)
        if counts and not (still and one == 1.0)
    ]
    # Nothing moves, and so it was predicted.
    return sum(values) / len(values) if values else 1.0


Predicted = tuple[Hidden, FloatArray | None]  # None: it could not be integrated


def predict_all(
    compiled: Program, prepared: Prepared, hidden: Sequence[Hidden], config: VerifierConfig
) -> list[Predicted]:
    """Return every hidden trajectory with what the law makes of it."""
    return [(one, predict_hidden(compiled, prepared, one, config)) for one in hidden]


def generalisation(predicted: Sequence[Predicted]) -> float | None:
    """Return R² on the hidden trajectories, in [0, 1]; None if the task has none.

    The mean over trajectories of the mean over variables of 1 - MS_res / variance, clipped, where
    the variance is that of the variable's whole record; 0 for one that cannot be integrated.
    """
    if not predicted:
        return None
    return sum(_hidden_r2(one, states) for one, states in predicted) / len(predicted)


def _hidden_r2(hidden: Hidden, states: FloatArray | None) -> float:
    if states is None:
        return 0.0
    samples = hidden.samples
    off = samples.states - states
    if not hidden.complete:
        off *= samples.weight
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        r2 = 1.0 - np.einsum("td,td->d", off, off) / hidden.total
        if hidden.quiet.any():
            r2 = np.where(hidden.quiet, in_band(off, samples.sigma, hidden.size), r2)
    return _mean(r2.tolist(), hidden.quiet, hidden.counts)


def sharpened(r2: float) -> float:
    """Return min(1, -log10(1 - R² + 1e-4) / 4): resolves the last percent that R² hides."""
    return min(1.0, max(0.0, -math.log10(1.0 - r2 + 1e-4) / 4.0))


def reward_of(
    *,
    r2: float,
    generalised: float | None,
    operators: int | None,
    well_formed: bool,
    best_match: float,
    config: VerifierConfig,
) -> Reward:
    """Return the components and their weighted total.

    Args:
        r2: mean clipped R² on the shown data.
        generalised: R² on hidden data; only the strict profile looks at it.
        operators: operators and functions; None if the text did not parse.
        well_formed: it parsed and its units are consistent.
        best_match: the best r_match of earlier turns, 0 before turn 1.
        config: weights and profile.
    """
    match = r2
    if config.profile == "strict":
        match = sharpened(r2)
        if generalised is not None:
            match = 0.5 * (match + sharpened(generalised))
    room = 1.0 - best_match
    progress = min(1.0, max(0.0, (match - best_match) / room)) if room > 0 else 0.0
    simplicity = 0.0 if operators is None else max(0.0, 1.0 - operators / _SIMPLICITY_SPAN)
    form = 1.0 if well_formed else 0.0
    total = (
        config.weight_match * match
        + config.weight_progress * progress
        + config.weight_simplicity * simplicity
        + config.weight_format * form
    )
    return Reward(match=match, progress=progress, simplicity=simplicity, format=form, total=total)


def passes(prepared: Prepared, run: Run, reward: Reward, config: VerifierConfig) -> bool:
    """Tell whether the law is right on what is shown.

    Classic: r_match above the threshold. Strict: chi² is what the noise makes it, see `agrees`.
    """
    if config.profile == "classic":
        return reward.match > config.solved_threshold
    return agrees_on_shown(prepared, run)


def agrees_on_shown(prepared: Prepared, run: Run) -> bool:
    """Tell whether what a law leaves over of the shown data is no more than the noise, see `agrees`."""
    residuals = [s.states - p for s, p in zip(prepared.shown, run.predictions, strict=True)]
    return agrees(prepared.shown, residuals, prepared.scale, measured=prepared.measured)


def carries_over(
    prepared: Prepared, predicted: Sequence[Predicted], generalised: float, config: VerifierConfig
) -> bool:
    """Tell whether the law is right on what is hidden.

    Where that was measured it is as noisy as what is shown: chi² must be what the noise makes it or,
    under classic, R² above the threshold. Where it was computed from the truth classic, the seed's
    contract, does not ask; strict asks that the residual be what constants fitted to noisy data leave.
    """
    if not any(hidden.noisy for hidden, _ in predicted):
        return config.profile == "classic" or 1.0 - generalised <= allowed_residual(prepared)
    if config.profile == "classic" and generalised > config.solved_threshold:
        return True
    return all(
        states is not None
        and agrees((one.samples,), [one.samples.states - states], one.scale, measured=prepared.measured)
        for one, states in predicted
    )


def allowed_residual(prepared: Prepared) -> float:
    """Return how large 1 - generalisation of a right law may be on trajectories without noise.

    Its constants are rounded, or fitted to the noise: a hundredth of the spread, or three and a half
    times the noise, but at most 5e-3 of the variance. That lies between the laws that are right and
    those that merely fit: over 80 noise-free episodes no linear law at the floor of a nonlinear
    system came below 1e-2, and of 480 right laws with constants fitted to 2 % and 5 % noise one was above.
    """
    return max(_HIDDEN_FLOOR, min(_HIDDEN_RESIDUAL, (_HIDDEN_NOISE * prepared.noise) ** 2))
