"""The noise of samples as residuals are measured in it."""

from __future__ import annotations

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.verifier.prepared import Samples

_LEAST = 1e-7  # of a variable's spread: as far as even noise-free data are trusted
_NEIGHBOURS = 17  # samples whose noise counts for that of one in their middle


def levelled(sigma: FloatArray) -> FloatArray:
    """Return the noise of samples, shape (T, D), none less than what its neighbours have on average.

    Noise that is a share of the signal does not vanish where the signal crosses zero.
    """
    window = np.ones((min(_NEIGHBOURS, len(sigma)), 1))
    about = [np.convolve(one**2, window[:, 0], "same") for one in sigma.T]
    count = np.convolve(np.ones(len(sigma)), window[:, 0], "same")
    return np.maximum(sigma, np.sqrt(np.stack(about, axis=1) / count[:, None]))


def noise_of(samples: Samples, scale: FloatArray) -> FloatArray:
    """Return the unit that residuals are told in, shape (T, D): the noise of a sample, never zero."""
    noise: FloatArray = np.hypot(levelled(samples.sigma), _LEAST * scale)
    return noise
