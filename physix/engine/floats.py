"""The arrays of this project: float64, always."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
