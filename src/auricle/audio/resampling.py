"""Sample rate conversion with soxr ("HQ": pass band to 0.91 of Nyquist, aliases below -120 dB).

Reference: the SoX resampler library, https://sourceforge.net/p/soxr.
"""

import numpy as np
import soxr

from auricle.core.errors import AudioError
from auricle.core.types import FloatArray

_QUALITY = "HQ"


def resample(samples: FloatArray, from_hz: int, to_hz: int) -> FloatArray:
    """Convert float32 `(time,)` from one sample rate (Hz) to another.

    The result has `len(samples) * to_hz / from_hz` samples, rounded, halves up, and no delay; at
    equal rates it is `samples` itself. Raises `AudioError` for a rate that is not above 0.
    """
    check_rate(from_hz)
    check_rate(to_hz)
    if from_hz == to_hz or not len(samples):
        return samples
    return soxr.resample(samples, from_hz, to_hz, quality=_QUALITY)


class Resampler:
    """`resample` for sound that comes in pieces: together they give the same bits."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._stream = (
            None
            if from_hz == to_hz
            else soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality=_QUALITY)
        )

    def __call__(self, samples: FloatArray) -> FloatArray:
        """Take the next samples and return those that are ready."""
        return samples if self._stream is None else self._stream.resample_chunk(samples)

    def rest(self) -> FloatArray:
        """Return what is still inside, once the sound has ended."""
        nothing = np.empty(0, dtype=np.float32)
        return nothing if self._stream is None else self._stream.resample_chunk(nothing, last=True)


def check_rate(sample_rate: int) -> None:
    """Raise `AudioError` for a sample rate that is not above 0 Hz."""
    if sample_rate <= 0:
        raise AudioError(f"a sample rate must be above 0 Hz, got {sample_rate}")
