"""How well constants are known at a least-squares optimum, and which of them cannot be told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.verifier.arrays import Values, evaluate_arrays
from physix.engine.verifier.shooting import gram, lengths
from physix.engine.verifier.tree import Equation

_SAME = 1e-6  # relative singular value below which a direction of the constants leaves the field as it is
_FLAT = 1e-4  # the same for simulated motions, whose slopes are less exact, and
_ZERO = 1e-14  # relative eigenvalue of the normal equations below which there is but rounding
_UNKNOWN = 1.0  # the relative standard error that such a direction must have beside
_INVOLVED = 0.05  # share of such a direction that makes a constant part of it
_MISJUDGED = 4.0  # standard deviations of chi² beyond which the noise was not as told
_NUDGE = 1e-4

Groups = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Standard errors by constant (None: not determined), and which constants cannot be told apart."""

    errors: tuple[float | None, ...]
    undetermined: Groups


def uncertainty(
    slopes: FloatArray,
    residuals: FloatArray,
    kinds: FloatArray,
    constants: FloatArray,
    inseparable: Sequence[FloatArray] = (),
) -> Uncertainty:
    """Return standard errors of the constants, the first unknowns, whatever the others (starts) are.

    The covariance is that of linearised least squares, (J'J)^-1, J in units of the noise. Where chi² of
    a variable lies more than four of its standard deviations from its degrees of freedom, the noise of
    that variable was misjudged (or the law is wrong there), and its samples count with the noise that
    the residuals show: (J'J)^-1 J'SJ (J'J)^-1, S the reduced chi² of each sample's variable, 1 where
    chi² agrees. A wrong law's errors are then wide, yet say nothing of its wrongness. What is left of the
    way to the optimum, by the same linearisation, is added in quadrature.

    Constants are undetermined together where some change of them leaves the field along the data as it
    is, or where it changes the motion so little that it could be as large as the constants themselves.

    Args:
        slopes: shape (R, unknowns), d residual / d unknown.
        residuals: shape (R,), in units of the noise; 0 where a sample has no weight.
        kinds: shape (R,), the variable of each residual; -1 where it has no weight.
        constants: shape (P,), their values.
        inseparable: directions as of `inseparable_directions`.
    """
    count = len(constants)
    size = lengths(slopes)
    scaled = slopes / np.where(size > 0.0, size, 1.0)
    normal = gram(scaled)
    weights, axes = np.linalg.eigh(normal)
    with np.errstate(all="ignore"):
        # How far the constants may go along each direction (column), as a share of their size.
        reach = np.abs(axes[:count] / (size[:count] * np.abs(constants))[:, None])
        reach = np.nan_to_num(reach).max(axis=0, initial=0.0) / np.sqrt(np.maximum(weights, 1e-30))
    flat = (weights < _FLAT**2 * weights.max(initial=0.0)) & (reach > _UNKNOWN)
    groups = _groups([*inseparable, *axes[:count, flat].T], size[:count])
    flat[: len(inseparable)] = True
    flat |= weights <= _ZERO * weights.max(initial=0.0)
    inverse = axes[:, ~flat] / weights[~flat] @ axes[:, ~flat].T
    noise = _noise(residuals, kinds, int(np.sum(~flat)))
    covariance = inverse @ gram(scaled * np.sqrt(noise)[:, None]) @ inverse
    # Where a search stalls, as in the crooked valleys of chaos, the step that is left counts as error too.
    left = inverse @ np.einsum("ri,r->i", scaled, residuals)
    lost = {index for group in groups for index in group}
    errors = tuple(
        None if i in lost else float(np.hypot(np.sqrt(max(0.0, covariance[i, i])), left[i]) / size[i])
        for i in range(count)
    )
    return Uncertainty(errors, groups)


def inseparable_directions(
    equations: Sequence[Equation], values: Values, constants: Mapping[str, float], sizes: Sequence[float]
) -> list[FloatArray]:
    """Return the directions, shape (P,) in units of each constant's effect, that leave the field as it is.

    Args:
        equations: that hold the constants.
        values: of everything else at N points of the data.
        constants: P of them, by name.
        sizes: of each right-hand side.
    """
    points = len(np.asarray(values["t"]))

    def field(changed: Mapping[str, float]) -> FloatArray:
        parts = [evaluate_arrays(e.expression, {**values, **constants, **changed}) for e in equations]
        return np.stack(
            [np.broadcast_to(part, points) / size for part, size in zip(parts, sizes, strict=True)]
        )

    columns = []
    with np.errstate(all="ignore"):
        for name, value in constants.items():
            step = _NUDGE * abs(value) or _NUDGE
            column = (field({name: value + step}) - field({name: value - step})).ravel() / step
            columns.append(np.where(np.isfinite(column), column, 0.0))
    slopes = np.stack(columns, axis=1) if columns else np.zeros((0, 0))
    size = lengths(slopes)
    weights, axes = np.linalg.eigh(gram(slopes / np.where(size > 0.0, size, 1.0)))
    # One that changes nothing is a group of its own, found by its zero slope.
    moving = np.sum(axes[size > 0.0] ** 2, axis=0) > 0.5
    return list(axes[:, (weights < _SAME**2 * weights.max(initial=0.0)) & moving].T)


def _noise(residuals: FloatArray, kinds: FloatArray, determined: int) -> FloatArray:
    """Return for each residual the variance of its noise, in units of what was told."""
    spread = np.ones(len(residuals))
    total = int(np.sum(kinds >= 0))
    for kind in np.unique(kinds[kinds >= 0]):
        own = kinds == kind
        freedom = int(own.sum()) * (1.0 - determined / total)
        if freedom < 1.0:
            continue
        reduced = float(np.sum(residuals[own] ** 2)) / freedom
        if abs(reduced - 1.0) > _MISJUDGED * np.sqrt(2.0 / freedom):
            spread[own] = reduced
    return spread


def _groups(flat: Sequence[FloatArray], size: FloatArray) -> Groups:
    """Return the constants that the flat directions involve; those that go together form one group."""
    groups: list[set[int]] = [{i} for i in np.flatnonzero(size == 0.0).tolist()]
    for direction in flat:
        linked = set(np.flatnonzero((np.abs(direction) > _INVOLVED) & (size > 0.0)).tolist())
        if linked:
            joined = [group for group in groups if group & linked]
            groups = [*(group for group in groups if not group & linked), linked.union(*joined)]
    return tuple(sorted(tuple(sorted(group)) for group in groups))


def kinds_of(weights: Sequence[FloatArray]) -> FloatArray:
    """Return the variable of each residual of runs with these weights, -1 where there is no weight."""
    return np.concatenate([np.where(w > 0.0, np.arange(w.shape[1]), -1).ravel() for w in weights])
