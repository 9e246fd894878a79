"""Sparse regression in weak form: no derivative of noisy data is ever taken.

Multiplying dv/dt = sum_j c_j phi_j by a bump w that vanishes at both ends of a window and
integrating by parts gives -∫ w' v dt = sum_j c_j ∫ w phi_j dt, linear in the c_j and with the
noise averaged over the window. Times may be irregular.

Source: D. A. Messenger and D. M. Bortz, "Weak SINDy", Multiscale Modeling & Simulation 19 (2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physix.engine.floats import FloatArray
from physix.policies.search.library import Candidate, Columns

_WINDOWS = (0.1, 0.2)  # as shares of the time span
_MIN_SAMPLES = 7  # in a window: fewer and the integrals are guesses
_CENTRES = 60
_BUMP_POWER = 4
_BEAM = 10


@dataclass(frozen=True, slots=True)
class Structure:
    """A subset of candidates with the coefficients that regression gave them."""

    chosen: tuple[int, ...]  # indices into the candidates, increasing
    coefficients: tuple[float, ...]
    score: float  # smaller is better


@dataclass(frozen=True, slots=True)
class Samples:
    """One trajectory as columns, and its times."""

    t: FloatArray
    columns: Columns


def regress(
    samples: list[Samples], integral: str, candidates: list[Candidate], *, max_terms: int
) -> list[Structure]:
    """Return the best structures of every size up to `max_terms`, smallest score first in each size.

    Beam search over subsets; the score is n log(RSS) + k log(n) on the weak-form equations.
    """
    matrix, left = _equations(samples, integral, candidates)
    scale = np.linalg.norm(matrix, axis=0)
    usable = [j for j in range(len(candidates)) if np.isfinite(scale[j]) and scale[j] > 0]
    gram = matrix.T @ matrix
    moment = matrix.T @ left
    energy = float(left @ left)
    found: list[Structure] = []
    beam: list[tuple[int, ...]] = [()]
    for _ in range(min(max_terms, len(usable))):
        grown = {tuple(sorted((*subset, j))) for subset in beam for j in usable if j not in subset}
        level = sorted(
            (_solve(subset, gram, moment, energy, scale, len(left)) for subset in sorted(grown)),
            key=lambda structure: structure.score,
        )[:_BEAM]
        beam = [structure.chosen for structure in level]
        found += level
    return found


def _solve(
    subset: tuple[int, ...],
    gram: FloatArray,
    moment: FloatArray,
    energy: float,
    scale: FloatArray,
    rows: int,
) -> Structure:
    index = list(subset)
    size = scale[index]
    # Columns are brought to unit length and damped by a hair: near-copies stay solvable.
    system = gram[np.ix_(index, index)] / np.outer(size, size) + 1e-10 * np.eye(len(index))
    coefficients = np.linalg.solve(system, moment[index] / size) / size
    within = coefficients @ gram[np.ix_(index, index)] @ coefficients
    residual = energy - 2.0 * float(coefficients @ moment[index]) + float(within)
    rss = max(residual, 1e-14 * max(energy, 1e-300))
    score = rows * float(np.log(rss)) + len(index) * float(np.log(rows))
    return Structure(subset, tuple(float(c) for c in coefficients), score)


def _equations(
    samples: list[Samples], integral: str, candidates: list[Candidate]
) -> tuple[FloatArray, FloatArray]:
    rows, left = [], []
    for sample in samples:
        terms = np.stack([candidate.evaluate(sample.columns) for candidate in candidates], axis=1)
        weights = _trapezoid(sample.t)
        span = sample.t[-1] - sample.t[0]
        narrowest = min(1.0, _MIN_SAMPLES / len(sample.t))
        for share in sorted({max(share, narrowest) for share in _WINDOWS}):
            half = share * span / 2.0
            for centre in np.linspace(sample.t[0] + half, sample.t[-1] - half, _CENTRES):
                u = (sample.t - centre) / half
                inside = np.abs(u) < 1.0
                if inside.sum() < 3:
                    continue
                bump = np.where(inside, (1.0 - u**2).clip(0.0) ** _BUMP_POWER, 0.0)
                slope = np.where(
                    inside, -2.0 * _BUMP_POWER * u * (1.0 - u**2).clip(0.0) ** (_BUMP_POWER - 1) / half, 0.0
                )
                rows.append((weights * bump) @ terms / half)
                left.append(-float((weights * slope) @ sample.columns[integral]) / half)
    return np.array(rows).reshape(-1, len(candidates)), np.array(left)


def _trapezoid(t: FloatArray) -> FloatArray:
    steps = np.diff(t)
    weights = np.zeros_like(t)
    weights[:-1] += steps / 2.0
    weights[1:] += steps / 2.0
    return weights
