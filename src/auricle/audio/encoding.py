"""Samples to the bytes of a sound file."""

import io
from typing import Literal, TypeAlias

import numpy as np
import soundfile

from auricle.core.errors import AudioError
from auricle.core.types import FloatArray

SoundFormat: TypeAlias = Literal["flac", "wav", "ogg"]

_BLOCK_FRAMES = 65_536
"""libsndfile crashes the process on one long buffer of Vorbis."""


def encode(
    samples: FloatArray, sample_rate: int, form: SoundFormat = "flac", bits: Literal[16, 24] = 16
) -> bytes:
    """Return float32 `(time,)` as a mono file of FLAC, WAV (PCM of `bits`) or Ogg Vorbis.

    What was read from PCM of as many bits or fewer comes back exactly from FLAC and WAV; the rest
    is rounded, and cut at full scale. Raises `AudioError` for a rate that the format does not
    hold.
    """
    values = np.clip(samples, -1, 1) if form == "ogg" else _whole_numbers(samples, bits)
    subtype = "VORBIS" if form == "ogg" else f"PCM_{bits}"
    content = io.BytesIO()
    try:
        with soundfile.SoundFile(
            content, "w", sample_rate, 1, subtype, format=form.upper()
        ) as file:
            for start in range(0, len(values), _BLOCK_FRAMES):
                file.write(values[start : start + _BLOCK_FRAMES])
    except soundfile.SoundFileError as error:
        raise AudioError(
            f"{form.upper()} cannot hold sound of {sample_rate} Hz: {error}; choose another rate "
            "or format"
        ) from None
    return content.getvalue()


def _whole_numbers(
    samples: FloatArray, bits: Literal[16, 24]
) -> "np.ndarray[tuple[int], np.dtype[np.signedinteger]]":
    """Round to integers of `bits`, in the upper bits of their type as libsndfile wants them."""
    scale = 1 << (bits - 1)
    numbers = np.clip(np.rint(samples.astype(np.float64) * scale), -scale, scale - 1)
    return numbers.astype(np.int16) if bits == 16 else numbers.astype(np.int32) << 8
