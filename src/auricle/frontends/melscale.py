"""Mel scales and the triangular filters on them."""

from typing import Annotated, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import Field

Array: TypeAlias = npt.NDArray[np.float64]
MelScale = Annotated[
    Literal["htk", "slaney"],
    Field(description="htk: 2595 log10(1 + f/700); slaney: linear up to 1 kHz, then logarithmic"),
]
MelNorm = Annotated[
    Literal["none", "slaney"],
    Field(description="none: filters of height one; slaney: of area one"),
]

_MOST_VALUES = 2**24  # bins times points of the transform: filters of 64 MB
_NARROWEST_HZ = 1.0

# Slaney's scale (Auditory Toolbox, 1998): linear up to 1 kHz (3 mel for 200 Hz), then 27 steps for
# a factor of 6.4.
_HZ_PER_MEL = 200 / 3
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27


def hz_to_mel(hz: Array | float, scale: MelScale) -> Array:
    """Return frequencies (Hz) on a mel scale."""
    hz = np.asarray(hz, dtype=np.float64)
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    above = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _HZ_PER_MEL, above)


def mel_to_hz(mel: Array | float, scale: MelScale) -> Array:
    """Return values of a mel scale as frequencies (Hz)."""
    mel = np.asarray(mel, dtype=np.float64)
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    above = _BREAK_HZ * np.exp(_LOG_STEP * (mel - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _HZ_PER_MEL, above)


def mel_filters(
    n_mels: int,
    *,
    n_fft: int,
    sample_rate: int,
    f_min_hz: float,
    f_max_hz: float,
    scale: MelScale,
    norm: MelNorm,
) -> Array:
    """Return filters `(n_mels, n_fft // 2 + 1)`: triangles in Hz, spread evenly in mel.

    `norm` "none" gives them height one, "slaney" area one (over Hz).
    """
    low, high = hz_to_mel(np.array([f_min_hz, f_max_hz]), scale)
    points_hz = mel_to_hz(np.linspace(low, high, n_mels + 2), scale)
    filters = triangles(points_hz, np.arange(n_fft // 2 + 1) * sample_rate / n_fft)
    if norm == "slaney":
        filters /= (points_hz[2:, None] - points_hz[:-2, None]) / 2
    return filters


def kaldi_filters(
    n_mels: int, *, n_fft: int, sample_rate: int, f_min_hz: float, f_max_hz: float
) -> Array:
    """Return Kaldi's filters `(n_mels, n_fft // 2 + 1)`: triangles in mel, of height one."""

    def mel(hz: Array) -> Array:
        return 1127.0 * np.log(1.0 + hz / 700.0)

    low, high = mel(np.array([f_min_hz, f_max_hz]))
    points = np.linspace(low, high, n_mels + 2)
    return triangles(points, mel(np.arange(n_fft // 2 + 1) * sample_rate / n_fft))


def triangles(points: Array, positions: Array) -> Array:
    """Return triangular filters `(len(points) - 2, len(positions))` of height one.

    Filter `i` rises from `points[i]` to `points[i + 1]` and falls to `points[i + 2]`.
    """
    lower, centre, upper = points[:-2, None], points[1:-1, None], points[2:, None]
    rising = (positions - lower) / (centre - lower)
    falling = (upper - positions) / (upper - centre)
    return np.maximum(0.0, np.minimum(rising, falling))


def check_band(f_min_hz: float, f_max_hz: float | None, sample_rate: int) -> float:
    """Return the upper edge (Hz; None means half the sample rate). Raises `ValueError`."""
    nyquist_hz = sample_rate / 2
    top_hz = nyquist_hz if f_max_hz is None else f_max_hz
    if not 0 <= f_min_hz <= top_hz - _NARROWEST_HZ < top_hz <= nyquist_hz:
        raise ValueError(
            f"need 0 <= f_min_hz < f_max_hz <= half the sample rate ({nyquist_hz:g} Hz), "
            f"{_NARROWEST_HZ:g} Hz apart or more, got {f_min_hz:g} and {top_hz:g}: "
            "change f_min_hz and f_max_hz or raise sample_rate"
        )
    return top_hz


def check_size(n_mels: int, n_fft: int) -> None:
    """Raise `ValueError` for a filter bank that no memory is meant for."""
    if n_mels * n_fft > _MOST_VALUES:
        raise ValueError(
            f"{n_mels} mel bins over a Fourier transform of {n_fft} points are more than the "
            f"{_MOST_VALUES // n_fft} that fit: lower n_mels or the points"
        )
