"""The noise of samples as residuals are measured in it; how large it is `systems/noise.py` estimates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physix.engine.floats import FloatArray
from physix.engine.verifier.prepared import Samples

_QUIETEST = 1e-7  # share of a variable's spread that even noise-free data are trusted to
_DRIVEN = 1e-3  # the same where inputs drive the motion: what they do between their samples nobody knows
_NEIGHBOURS = 17  # samples whose noise counts for that of one in their middle


def about(variance: FloatArray, used: NDArray[np.bool_]) -> FloatArray:
    """Return the mean variance of each sample's neighbours and itself, shape (T,).

    Args:
        variance: of the noise, shape (T,); 0 where a sample is not used.
        used: shape (T,), which samples count.
    """
    window = np.ones(min(_NEIGHBOURS, len(variance)))
    count = np.convolve(used, window, "same")
    mean: FloatArray = np.convolve(variance, window, "same") / np.maximum(count, 1.0)
    return mean


def levelled(sigma: FloatArray) -> FloatArray:
    """Return the noise of samples, shape (T, D), none less than what its neighbours have on average.

    Noise that is a share of the signal does not vanish where the signal crosses zero.
    """
    every = np.ones(len(sigma), dtype=bool)
    near = np.stack([about(one**2, every) for one in sigma.T], axis=1)
    least: FloatArray = np.maximum(sigma, np.sqrt(near))
    return least


def noise_of(samples: Samples, scale: FloatArray) -> FloatArray:
    """Return the unit that residuals are told in, shape (T, D): the noise of a sample, never zero."""
    least = least_noise(scale, driven=samples.inputs is not None)
    noise: FloatArray = np.hypot(levelled(samples.sigma), least)
    return noise


def least_noise(scale: FloatArray, *, driven: bool) -> FloatArray:
    """Return what samples of each variable are off at least, shape (D,), whatever their noise is said to be.

    Args:
        scale: shape (D,), each variable's spread.
        driven: the task has inputs.
    """
    least: FloatArray = (_DRIVEN if driven else _QUIETEST) * scale
    return least
