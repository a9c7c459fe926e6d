"""`probe`, `load` and `blocks`: from a file to samples."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from auricle.audio.decode import open_decoder
from auricle.audio.resampling import Resampler, check_rate, resample
from auricle.core.errors import AudioError, NotFiniteAudio, UnreadableAudio
from auricle.core.types import FloatArray, Waveform
from auricle.core.units import samples_to_seconds, seconds_to_samples

Channel: TypeAlias = int | Literal["mean"]

_LOAD_BLOCK_FRAMES = 1 << 22
"""Longer files are mixed to mono piece by piece, so that their channels never all lie in memory."""


@dataclass(frozen=True)
class AudioInfo:
    """What the header of a sound file says.

    `sample_rate` in Hz, `frames` (samples of one channel) and `duration_s` in seconds as the
    container declares them: an estimate for raw AAC and for MP3 without a Xing header, and None
    for a stream whose header leaves the length open.
    """

    path: str
    container: str
    codec: str
    sample_rate: int
    channels: int
    frames: int | None
    duration_s: float | None


def probe(path: str | os.PathLike[str]) -> AudioInfo:
    """Read the header of a sound file; nothing is decoded, and a missing end is not looked for.

    Raises `UnreadableAudio`, and `MissingExtra` for M4A, AAC, MP4 and WebM without PyAV.
    """
    with open_decoder(path, allow_truncated=True, thorough=False) as decoder:
        frames = decoder.frames
        return AudioInfo(
            path=os.fspath(path),
            container=decoder.container,
            codec=decoder.codec,
            sample_rate=decoder.sample_rate,
            channels=decoder.channels,
            frames=frames,
            duration_s=None if frames is None else samples_to_seconds(frames, decoder.sample_rate),
        )


def load(
    path: str | os.PathLike[str],
    sample_rate: int | None = None,
    *,
    offset_s: float = 0.0,
    duration_s: float | None = None,
    channel: Channel = "mean",
    allow_truncated: bool = False,
) -> Waveform:
    """Read a sound file, or a stretch of it, as one channel of float32.

    `sample_rate` in Hz (None: the file's own); `offset_s` and `duration_s` in seconds choose a
    stretch, each rounded to the file's own samples, so that equal durations give equal counts at
    every offset, until the end of the file cuts; `channel` is the mean of all or the number of
    one. Samples beyond full scale are left as they are.

    A stretch is exactly the slice of the whole at the file's own rate. With `sample_rate` it is
    that slice, resampled by itself, which differs from a slice of the resampled whole within the
    filter's reach of its two ends. PyAV's formats are decoded from their start, whatever the
    offset: convert long ones to FLAC before reading many stretches of them.

    A whole read reports a missing end in every container that declares its length, and damage
    inside where the codec shows it. Reading a stretch checks the container and what it decodes:
    of an Ogg file only the end is looked at, and a FLAC file's missing end, which only decoding
    shows, is not found. An MP3 file without a Xing or VBRI header that was cut short cannot be
    told.

    Raises `TruncatedAudio` (unless `allow_truncated`, which returns what is there),
    `UnreadableAudio`, `MissingExtra` (M4A, AAC, MP4, WebM without PyAV), and `AudioError` for
    arguments that are out of range.
    """
    whole = offset_s == 0 and duration_s is None
    _check_stretch(offset_s, duration_s)
    if sample_rate is not None:
        check_rate(sample_rate)
    with open_decoder(path, allow_truncated=allow_truncated, thorough=whole) as decoder:
        _check_channel(path, channel, decoder.channels)
        rate = decoder.sample_rate
        start = seconds_to_samples(offset_s, rate)
        count = None if duration_s is None else seconds_to_samples(duration_s, rate)
        pieces = [
            _one_channel(path, block, channel)
            for block in decoder.stream(
                start, count, _LOAD_BLOCK_FRAMES, allow_truncated=allow_truncated
            )
        ]
    if not pieces and start:
        raise AudioError(f"{path} has no sound at offset_s={offset_s:g}; choose an earlier one")
    samples = pieces[0] if len(pieces) == 1 else np.concatenate([_NOTHING, *pieces])
    if sample_rate is not None and sample_rate != rate:
        samples = resample(samples, rate, sample_rate)
        rate = sample_rate
    _check_not_empty(path, len(samples), rate)
    return Waveform(samples, rate)


def blocks(
    path: str | os.PathLike[str],
    sample_rate: int | None = None,
    *,
    block_s: float = 30.0,
    channel: Channel = "mean",
    allow_truncated: bool = False,
) -> Iterator[FloatArray]:
    """Read a sound file of any length in blocks of about `block_s` seconds, in bounded memory.

    Yields float32 `(time,)`; together they are bit for bit the samples of `load` with the same
    arguments. Raises what `load` raises, a missing end only after the blocks before it where
    nothing but decoding shows it (FLAC).
    """
    if not (math.isfinite(block_s) and block_s > 0):
        raise AudioError(f"block_s must be above 0 seconds, got {block_s}")
    if sample_rate is not None:
        check_rate(sample_rate)
    with open_decoder(path, allow_truncated=allow_truncated, thorough=True) as decoder:
        _check_channel(path, channel, decoder.channels)
        rate = decoder.sample_rate
        resampler = Resampler(rate, sample_rate or rate)
        block_frames = max(1, seconds_to_samples(block_s, rate))
        yielded = 0
        for block in decoder.stream(0, None, block_frames, allow_truncated=allow_truncated):
            samples = resampler(_one_channel(path, block, channel))
            if len(samples):
                yielded += len(samples)
                yield samples
        samples = resampler.rest()
        if len(samples):
            yielded += len(samples)
            yield samples
    _check_not_empty(path, yielded, sample_rate or rate)


_NOTHING = np.empty(0, dtype=np.float32)


def _one_channel(path: str | os.PathLike[str], block: FloatArray, channel: Channel) -> FloatArray:
    """Mix `(channels, frames)` to `(frames,)`, contiguous. Raises `NotFiniteAudio`."""
    if len(block) == 1:
        samples = np.ascontiguousarray(block[0])
    elif channel == "mean":
        # Sums of whole channels: the same bits whatever the length of the block, and faster
        # than a mean over short rows. The check below reports what overflows.
        with np.errstate(over="ignore", invalid="ignore"):
            samples = block[0] + block[1]
            for other in block[2:]:
                samples += other
            samples /= np.float32(len(block))
    else:
        samples = np.ascontiguousarray(block[channel])
    finite = np.isfinite(samples)
    if not finite.all():
        bad = len(samples) - int(np.count_nonzero(finite))
        raise NotFiniteAudio(
            f"{path} holds {bad} samples that are NaN or infinite; "
            "export it again as integer PCM (16 or 24 bit), or leave it out"
        )
    return samples


def _check_stretch(offset_s: float, duration_s: float | None) -> None:
    if not (math.isfinite(offset_s) and offset_s >= 0):
        raise AudioError(f"offset_s must be at least 0 seconds, got {offset_s}")
    if duration_s is not None and not (math.isfinite(duration_s) and duration_s > 0):
        raise AudioError(
            f"duration_s must be above 0 seconds, got {duration_s}; leave it out for the whole file"
        )


def _check_not_empty(path: str | os.PathLike[str], samples: int, sample_rate: int) -> None:
    if samples == 0:
        raise UnreadableAudio(f"{path} holds no samples at {sample_rate} Hz; leave it out")


def _check_channel(path: str | os.PathLike[str], channel: object, channels: int) -> None:
    if channel == "mean":
        return
    if isinstance(channel, bool) or not isinstance(channel, int):
        raise AudioError(f"channel must be 'mean' or a number from 0, got {channel!r}")
    if not 0 <= channel < channels:
        raise AudioError(
            f"{path} has {channels} channel{'s' if channels > 1 else ''} "
            f"(0 to {channels - 1}); channel {channel} does not exist"
        )
