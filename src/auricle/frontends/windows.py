"""Window functions, in float64."""

from typing import Literal

import numpy as np
import numpy.typing as npt

WindowName = Literal["hann", "hamming", "blackman", "flattop", "rectangular"]

# Sums of cosines, signs alternating. Harris, "On the use of windows for harmonic analysis" (1978);
# the flat top is D'Antona and Ferrero's (2006), as in SciPy.
_COEFFICIENTS: dict[WindowName, tuple[float, ...]] = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "flattop": (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
    "rectangular": (1.0,),
}


def make_window(
    name: WindowName, samples: int, *, periodic: bool = True
) -> npt.NDArray[np.float64]:
    """Return a window `(samples,)`: one period of it, or symmetric with equal ends."""
    return cosine_window(_COEFFICIENTS[name], samples, periodic=periodic)


def cosine_window(
    coefficients: tuple[float, ...], samples: int, *, periodic: bool
) -> npt.NDArray[np.float64]:
    """Return `c0 - c1 cos(x) + c2 cos(2 x) - ...` over `samples` points."""
    steps = samples if periodic else samples - 1
    phase = 2 * np.pi * np.arange(samples) / steps
    terms = [(-1) ** k * c * np.cos(k * phase) for k, c in enumerate(coefficients)]
    return np.sum(terms, axis=0)
