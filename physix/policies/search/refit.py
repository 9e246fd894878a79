"""Constants (and the start) refitted on the simulated trajectory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.task import Trajectory
from physix.engine.verifier import ParsedHypothesis, refine

_PENALTY = 2.0  # twice the usual: a spurious term costs generalisation


@dataclass(frozen=True, slots=True)
class Refit:
    """A law with its best constants. `bic` is chi² + 2 k log n: smaller is better."""

    parsed: ParsedHypothesis
    chi2_per_sample: float
    bic: float


def refit(parsed: ParsedHypothesis, shown: list[Trajectory], sigma: FloatArray) -> Refit:
    """Return the law with constants that minimise the squared residual in units of the noise.

    Args:
        parsed: the law with starting values of its constants.
        shown: the observed trajectories.
        sigma: shape (D,), standard deviation of the noise of each variable.
    """
    found = refine(parsed, list(parsed.params), shown, sigma)
    return Refit(
        parsed=found.parsed,
        chi2_per_sample=found.chi2 / found.samples,
        bic=found.chi2 + _PENALTY * len(parsed.params) * float(np.log(found.samples)),
    )
