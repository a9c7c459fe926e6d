"""A log-mel spectrogram to look at, in NumPy.

It is made for pictures: training and deployment compute theirs in `frontends`, on the model's
device.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from auricle.audio.resampling import check_rate
from auricle.core.errors import AudioError
from auricle.core.types import FloatArray
from auricle.core.units import seconds_to_samples

WINDOW_S = 0.032
HOP_S = 0.010
FLOOR_DB = -120.0

_LOWEST_HZ = 30.0
_BLOCK_FRAMES = 4096
"""Frames transformed at once: long sounds need no more memory than short ones."""


def log_mel_spectrogram(
    samples: FloatArray,
    sample_rate: int,
    *,
    bands: int = 64,
    columns: int | None = None,
    high_hz: float | None = None,
) -> FloatArray:
    """Return the spectrogram of float32 `(time,)` as float32 `(bands, columns)` in dB.

    Hann windows of `WINDOW_S` every `HOP_S`; triangular bands of height one between 30 Hz and
    `high_hz` (Hz, default: half the sample rate), equally wide on the mel scale 2595 log10(1 +
    f/700), the lowest first. A sine of full scale comes to 0 dB in the middle of a band, silence to
    `FLOOR_DB`.
    With `columns` the power of neighbouring frames is averaged, or frames are repeated, to that
    many. A sound shorter than a window is padded with zeros. Raises `AudioError` for no samples,
    and for sizes and frequencies out of range.
    """
    check_rate(sample_rate)
    high_hz = sample_rate / 2 if high_hz is None else high_hz
    if not _LOWEST_HZ < high_hz <= sample_rate / 2:
        raise AudioError(
            f"high_hz must be above {_LOWEST_HZ:g} Hz and at most half the sample rate "
            f"({sample_rate / 2:g} Hz), got {high_hz:g}"
        )
    if bands < 1 or (columns is not None and columns < 1):
        raise AudioError(f"a spectrogram needs at least one band and column, got {bands, columns}")
    if not len(samples):
        raise AudioError("a spectrogram needs sound, and there are no samples")
    window_samples = max(4, seconds_to_samples(WINDOW_S, sample_rate))
    hop_samples = max(1, seconds_to_samples(HOP_S, sample_rate))
    filters = _mel_filters(bands, window_samples, sample_rate, high_hz)
    power = np.concatenate(
        [
            block @ filters.T
            for block in _power_spectra(samples, window_samples, hop_samples, len(filters.T))
        ]
    )
    if columns is not None:
        power = _fit(power, columns)
    floor = 10 ** (FLOOR_DB / 10)
    return (10 * np.log10(np.maximum(power, floor))).T.astype(np.float32)


def _power_spectra(
    samples: FloatArray, window_samples: int, hop_samples: int, bins: int
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield `(frames, bins)`, block by block: over a sine they sum to its squared amplitude."""
    missing = (window_samples - len(samples)) % hop_samples
    if len(samples) < window_samples:
        missing = window_samples - len(samples)
    samples = np.pad(samples, (0, missing))
    window = np.hanning(window_samples + 1)[:-1].astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, window_samples)[::hop_samples]
    size = 2 * (bins - 1)
    scale = np.float32(4 / (size * np.square(window).sum()))
    for start in range(0, len(frames), _BLOCK_FRAMES):
        spectrum = np.fft.rfft(frames[start : start + _BLOCK_FRAMES] * window, size)
        yield (np.square(np.abs(spectrum)) * scale).astype(np.float32)


def _mel_filters(
    bands: int, window_samples: int, sample_rate: int, high_hz: float
) -> npt.NDArray[np.float32]:
    """Return triangles `(bands, bins)`; each has its peak on a bin, so that none is empty.

    The transform is as long as the narrowest triangle needs.
    """
    edges_mel = np.linspace(_mel(_LOWEST_HZ), _mel(high_hz), bands + 2)
    edges_hz = 700 * (10 ** (edges_mel / 2595) - 1)
    size = 1 << (window_samples - 1).bit_length()
    while sample_rate / size > (edges_hz[1] - edges_hz[0]) and size < 4 * window_samples:
        size *= 2
    bins_hz = np.arange(size // 2 + 1) * sample_rate / size
    low, centre, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising = (bins_hz - low) / (centre - low)
    falling = (high - bins_hz) / (high - centre)
    filters = np.maximum(0, np.minimum(rising, falling))
    nearest = np.argmin(np.abs(bins_hz - centre), axis=1)
    filters[np.arange(bands), nearest] = 1
    return filters.astype(np.float32)


def _mel(hz: float) -> float:
    return 2595 * np.log10(1 + hz / 700)


def _fit(power: npt.NDArray[np.float32], columns: int) -> npt.NDArray[np.float32]:
    """Average `(frames, bands)` to `(columns, bands)`; where there are fewer, repeat them."""
    if len(power) <= columns:
        return power[np.arange(columns) * len(power) // columns]
    edges = np.arange(columns) * len(power) // columns
    sums = np.add.reduceat(power, edges, axis=0)
    counts = np.diff(np.append(edges, len(power)))
    return (sums / counts[:, None]).astype(np.float32)
