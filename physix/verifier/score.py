"""R², the four reward components, generalisation, and the diagnostics beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from physix.systems.task import Task, Trajectory, Truth
from physix.verifier.compile import FloatArray
from physix.verifier.simulate import integrate
from physix.verifier.tree import ParsedHypothesis
from physix.verifier.types import Prediction, Reward, Simulation, VariableFit, VerifierConfig

VALID_SHARE = 0.1  # of a variable's spread: how far off a prediction may be to count as valid
_STILL = 1e-9  # relative spread below which a variable counts as not moving
_SIMPLICITY_SPAN = 20


def r2_per_variable(observed: FloatArray, predicted: FloatArray) -> FloatArray:
    """Return the coefficient of determination of each state variable, unclipped.

    Args:
        observed: shape (T, D).
        predicted: shape (T, D), same times and units.

    Returns:
        Shape (D,), in (-inf, 1]. A variable without variance scores 1 if every residual is
        within a millionth of its size, else 0.

    Raises:
        ValueError: the shapes differ.

    Source: 1 - SS_res / SS_tot, as scikit-learn's r2_score(force_finite=True).
    """
    if observed.shape != predicted.shape:
        raise ValueError(f"observed has shape {observed.shape}, predicted {predicted.shape}")
    residual = np.sum((observed - predicted) ** 2, axis=0)
    total = np.sum((observed - observed.mean(axis=0)) ** 2, axis=0)
    size = np.abs(observed).max(axis=0)
    still = np.sqrt(total / len(observed)) <= _STILL * np.maximum(size, _STILL)
    exact = np.abs(observed - predicted).max(axis=0) <= 1e-6 * np.maximum(size, 1e-6)
    # A variable that never moves has no variance to explain: only an exact fit earns 1.
    r2: FloatArray = np.where(still, exact.astype(float), 1.0 - residual / np.where(still, 1.0, total))
    return r2


def fit_variables(task: Task, simulation: Simulation) -> dict[str, VariableFit]:
    """Return R² (unclipped), normalised RMSE and valid time of each state variable.

    Several shown trajectories are pooled. All numbers are None unless the simulation is ok,
    except `valid_time`, which a failed simulation has for as long as it ran.
    """
    names = [variable.name for variable in task.variables]
    valid = _valid_times(task.shown, simulation.predictions)
    if simulation.outcome != "ok":
        return {n: VariableFit(r2=None, nrmse=None, valid_time=v) for n, v in zip(names, valid, strict=True)}
    observed, predicted = _pooled(task.shown), _pooled_predictions(simulation.predictions)
    spread = observed.std(axis=0)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        r2 = r2_per_variable(observed, predicted)
        nrmse = np.sqrt(np.mean((observed - predicted) ** 2, axis=0)) / spread
    return {
        name: VariableFit(r2=_finite(r2[i]), nrmse=_finite(nrmse[i]), valid_time=valid[i])
        for i, name in enumerate(names)
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _pooled(trajectories: Sequence[Trajectory]) -> FloatArray:
    return np.concatenate([np.asarray(trajectory.states) for trajectory in trajectories])


def _pooled_predictions(predictions: Sequence[Prediction]) -> FloatArray:
    return np.concatenate([np.asarray(prediction.states) for prediction in predictions])


def _valid_times(shown: Sequence[Trajectory], predictions: Sequence[Prediction]) -> list[float | None]:
    """Return, per variable, time from the start until the residual first exceeds 10 % of the spread.

    Where several trajectories are shown, the shortest counts.
    """
    if not predictions:
        return [None] * len(shown[0].states[0])
    spread = _pooled(shown).std(axis=0)
    shortest = np.full(len(spread), np.inf)
    for trajectory, prediction in zip(shown, predictions, strict=True):
        t = np.asarray(trajectory.t)
        rows = len(prediction.states)
        observed = np.asarray(trajectory.states)
        off = np.ones(observed.shape, dtype=bool)
        if rows:
            off[:rows] = np.abs(observed[:rows] - np.asarray(prediction.states)) > VALID_SHARE * spread
        first = np.where(off.any(axis=0), off.argmax(axis=0), len(t) - 1)
        shortest = np.minimum(shortest, t[first] - t[0])
    return [float(value) for value in shortest]


def generalisation(parsed: ParsedHypothesis, truth: Truth, config: VerifierConfig) -> float | None:
    """Return R² on the hidden trajectories, in [0, 1]; None if the task has none.

    Variance-weighted over state variables (1 - ΣSS_res / ΣSS_tot), clipped at 0, averaged over
    trajectories; 0 for one that cannot be integrated.
    """
    if not truth.hidden:
        return None
    scores = [_hidden_r2(parsed, trajectory, config) for trajectory in truth.hidden]
    return float(sum(scores) / len(scores))


def _hidden_r2(parsed: ParsedHypothesis, hidden: Trajectory, config: VerifierConfig) -> float:
    result = integrate(
        parsed,
        np.asarray(hidden.t),
        hidden.states[0],
        max_evaluations=config.max_evaluations,
        rtol=config.rtol,
        atol=config.atol,
    )
    if result.outcome != "ok":
        return 0.0
    observed = np.asarray(hidden.states)
    with np.errstate(over="ignore"):
        residual = float(np.sum((observed - result.states) ** 2))
    total = float(np.sum((observed - observed.mean(axis=0)) ** 2))
    if total <= 0.0 or not math.isfinite(residual):
        return 0.0
    return min(1.0, max(0.0, 1.0 - residual / total))


def mean_r2(fits: dict[str, VariableFit]) -> float:
    """Return the mean over state variables of R² clipped to [0, 1]; 0 if nothing was simulated."""
    values = [0.0 if fit.r2 is None else min(1.0, max(0.0, fit.r2)) for fit in fits.values()]
    return sum(values) / len(values)


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


def is_solved(
    reward: Reward, r2: float, generalised: float | None, noise: float, config: VerifierConfig
) -> bool:
    """Tell whether the episode ends here.

    Classic: r_match above the threshold. Strict: the residual is at the noise floor
    (1 - R² <= 1.5 x the noise's share of the variance + 1e-3) and generalisation above 0.9.
    """
    if config.profile == "classic":
        return reward.match > config.solved_threshold
    noise_share = noise**2 / (1.0 + noise**2)
    at_floor = 1.0 - r2 <= 1.5 * noise_share + 1e-3
    return at_floor and (generalised is None or generalised > 0.9)
