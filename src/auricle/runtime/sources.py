"""From a source (path, `Waveform` or array) to mono blocks at the network's sample rate."""

import os
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from auricle.audio import blocks, resample
from auricle.audio.reading import Channel
from auricle.core.errors import AudioError
from auricle.core.types import FloatArray, Waveform

Source: TypeAlias = str | os.PathLike[str] | Waveform | npt.NDArray[Any]
"""What can be listened to: the path of a sound file, a `Waveform`, or a NumPy array (whose
sample rate is given beside it)."""

_MOST_CHANNELS = 16
_INTEGERS: dict[str, tuple[float, float]] = {  # zero point, full scale
    "uint8": (128.0, 2.0**7),
    "int8": (0.0, 2.0**7),
    "int16": (0.0, 2.0**15),
    "int32": (0.0, 2.0**31),
}


def path_of(source: Source) -> str | None:
    """Return the path of a source that is a file, else None."""
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else None


def read_blocks(
    source: Source,
    sample_rate: int,
    *,
    channel: Channel = "mean",
    allow_truncated: bool = False,
) -> Iterator[FloatArray]:
    """Yield a source's sound as mono float32 blocks `(time,)` at `sample_rate` (Hz).

    A file is streamed, so that its length costs no memory. Raises `AudioError` for a source
    that cannot be read, is empty, or holds samples that are not numbers.
    """
    path = path_of(source)
    if path is not None:
        yield from blocks(path, sample_rate, channel=channel, allow_truncated=allow_truncated)
    elif isinstance(source, Waveform):
        yield _waveform_samples(source, sample_rate)
    else:
        remedy = ": wrap it in Waveform(samples, sample_rate)"
        raise AudioError(
            "a sound must be a path, a Waveform, or an array with its sample rate, got "
            f"{type(source).__name__}{remedy if isinstance(source, np.ndarray) else ''}"
        )


def as_waveform(samples: npt.NDArray[Any], sample_rate: int) -> Waveform:
    """Turn an array into a mono `Waveform`.

    `samples` is `(time,)`, or `(channels, time)` or `(time, channels)`: the axis of at most 16
    entries holds the channels when the other axis is longer than 16, and they are averaged.
    Floats are taken as they are; int8, int16, int32 and uint8 are scaled by their full range to
    [-1, 1]. Raises `AudioError` for any other shape or type, and for a `sample_rate` (Hz) that
    is not a positive whole number.
    """
    rate = check_rate(sample_rate)
    mono = _mono(_scaled(np.asarray(samples)))
    return Waveform(np.ascontiguousarray(mono, dtype=np.float32), rate)


def check_rate(sample_rate: object) -> int:
    """Return a sample rate (Hz) as an int. Raises `AudioError` unless whole and positive."""
    if (
        isinstance(sample_rate, (int, np.integer))
        and not isinstance(sample_rate, bool)
        and sample_rate > 0
    ):
        return int(sample_rate)
    raise AudioError(f"sample_rate must be a positive whole number of Hz, got {sample_rate!r}")


def _waveform_samples(waveform: Waveform, sample_rate: int) -> FloatArray:
    rate = check_rate(waveform.sample_rate)
    samples = np.asarray(waveform.samples)
    if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.floating):
        raise AudioError(
            "a Waveform holds float samples of shape (time,), got "
            f"{samples.dtype} of shape {samples.shape}; give such an array with sample_rate="
        )
    samples = resample(samples.astype(np.float32, copy=False), rate, sample_rate)
    if len(samples) == 0:
        raise AudioError(
            f"the waveform is empty: it holds no samples at {sample_rate} Hz; leave it out"
        )
    if not np.isfinite(samples).all():
        raise AudioError(
            "the waveform holds samples that are not numbers (NaN or infinite); "
            "repair it or leave it out"
        )
    return samples


def _scaled(samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if np.issubdtype(samples.dtype, np.floating):
        return samples
    if samples.dtype.name not in _INTEGERS:
        raise AudioError(
            f"samples must be floats in [-1, 1], or {', '.join(_INTEGERS)} (scaled by their full "
            f"range), got {samples.dtype}; convert them first, e.g. samples.astype('int16')"
        )
    zero, full_scale = _INTEGERS[samples.dtype.name]
    return (samples.astype(np.float64) - zero) / full_scale


def _mono(samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if samples.ndim == 1:
        return samples
    if samples.ndim == 2:
        channels_first = samples.shape[0] <= _MOST_CHANNELS < samples.shape[1]
        channels_last = samples.shape[1] <= _MOST_CHANNELS < samples.shape[0]
        if channels_first and samples.shape[0]:
            return samples.mean(axis=0)
        if channels_last and samples.shape[1]:
            return samples.mean(axis=1)
    raise AudioError(
        "samples must be (time,), or (channels, time) or (time, channels) with 1 to "
        f"{_MOST_CHANNELS} channels and more than {_MOST_CHANNELS} samples, got shape "
        f"{samples.shape}; mix it down first, e.g. samples.mean(axis=0)"
    )
