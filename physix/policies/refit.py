"""Constants (and the start) refitted on the simulated trajectory."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares

from physix.policies.library import FloatArray
from physix.systems.task import Trajectory
from physix.verifier import ParsedHypothesis, integrate

_BAD = 1e4  # residual, in noise units, of what cannot be simulated
_ROUNDS = 12
_PENALTY = 2.0  # twice the usual: a spurious term costs generalisation
_EVALUATIONS = 3_000
_RTOL, _ATOL = 1e-6, 1e-8


@dataclass(frozen=True, slots=True)
class Refit:
    """A law with its best constants. `bic` is chi² + 2 k log n: smaller is better."""

    parsed: ParsedHypothesis
    chi2_per_sample: float
    bic: float


def refit(parsed: ParsedHypothesis, shown: list[Trajectory], sigma: FloatArray) -> Refit:
    """Return the law with constants that minimise the squared residual in units of the noise.

    The start of every trajectory is fitted too: its first sample is as noisy as any other, and
    a law should not bend its constants to make up for that.

    Args:
        parsed: the law with starting values of its constants.
        shown: the observed trajectories.
        sigma: shape (D,), standard deviation of the noise of each variable.
    """
    names = list(parsed.params)
    observed = [np.asarray(trajectory.states) for trajectory in shown]
    times = [np.asarray(trajectory.t) for trajectory in shown]
    dimension = len(sigma)
    constants = np.array([parsed.params[name] for name in names])
    scale = np.where(np.abs(constants) > 1e-12, np.abs(constants), 1.0)

    def with_constants(values: FloatArray) -> ParsedHypothesis:
        scaled = (values * scale).tolist()
        return replace(parsed, params=dict(zip(names, scaled, strict=True)))

    def residuals(values: FloatArray) -> FloatArray:
        law = with_constants(values[: len(names)])
        starts = values[len(names) :].reshape(len(shown), dimension)
        parts = []
        for t, seen, start in zip(times, observed, starts, strict=True):
            first = seen[0] + start * sigma
            run = integrate(law, t, first.tolist(), max_evaluations=_EVALUATIONS, rtol=_RTOL, atol=_ATOL)
            off = np.full(seen.shape, _BAD)
            rows = len(run.states)
            off[:rows] = np.clip((run.states - seen[:rows]) / sigma, -_BAD, _BAD)
            # The start may move, but only as far as a sample's noise makes likely.
            parts.append(off.ravel())
        parts.append(values[len(names) :] / 3.0)
        return np.concatenate(parts)

    begin = np.concatenate([constants / scale, np.zeros(len(shown) * dimension)])
    fitted = least_squares(
        residuals,
        begin,
        method="lm",
        x_scale=1.0,
        diff_step=np.array(1e-5),
        max_nfev=_ROUNDS * (len(begin) + 1),
    )
    samples = sum(seen.size for seen in observed)
    chi2 = float(np.sum(fitted.fun**2))
    return Refit(
        parsed=with_constants(fitted.x[: len(names)]),
        chi2_per_sample=chi2 / samples,
        bic=chi2 + _PENALTY * len(names) * float(np.log(samples)),
    )
