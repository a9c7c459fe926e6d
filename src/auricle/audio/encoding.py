"""Samples to the bytes of a sound file."""

import io
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
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
    if form == "ogg":
        values, subtype = np.clip(samples, -1, 1), "VORBIS"
    else:
        # libsndfile wants 24 bits in the upper ones of 32.
        shift = 8 if bits == 24 else 0
        values, subtype = to_integers(samples, bits) << shift, f"PCM_{bits}"
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


def to_integers(samples: FloatArray, bits: Literal[16, 24]) -> npt.NDArray[np.signedinteger]:
    """Round float32 samples to int16, or to int32 in the 24 lower bits, and cut at full scale.

    What was read from PCM of as many bits or fewer comes back exactly.
    """
    scale = 1 << (bits - 1)  # a power of two: float32 holds each product and each integer
    numbers = np.rint(samples * np.float32(scale)).clip(-scale, scale - 1)
    return numbers.astype(np.int16 if bits == 16 else np.int32)
