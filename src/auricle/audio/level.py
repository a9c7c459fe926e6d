"""The level and the length of a clip."""

from typing import Literal, TypeAlias

import numpy as np

from auricle.core.errors import unknown_name
from auricle.core.types import FloatArray
from auricle.core.units import db_to_amplitude

SILENT_PEAK = 1e-4
"""Largest absolute sample of a silent sound: -80 dB relative to full scale."""
FULL_SCALE = 0.999
CLIPPED_SHARE = 1e-3
"""Of the samples of a clip that is clipped, so many at least are at full scale."""


def set_level(
    samples: FloatArray,
    kind: Literal["none", "peak", "rms"],
    target_db: float = -20.0,
    max_gain_db: float = 60.0,
) -> FloatArray:
    """Scale float32 `(time,)` to a level; silence stays silence, and the input is not changed.

    `none` returns the samples as they are; `peak` scales the largest absolute sample to 1; `rms`
    scales the root mean square to `target_db` (dB relative to full scale), raising by at most
    `max_gain_db`; samples may then pass 1, and are not clipped. Raises `UnknownName` for another
    kind.
    """
    if kind == "none":
        return samples
    if kind == "peak":
        peak = max(samples.max(initial=0.0), -samples.min(initial=0.0))
        return samples / np.float32(peak) if peak > 0 else samples
    if kind == "rms":
        # float64: the squares of very quiet samples vanish in float32.
        power = np.square(samples, dtype=np.float64).sum() / max(1, len(samples))
        if power == 0:
            return samples
        gain = min(db_to_amplitude(target_db) / power**0.5, db_to_amplitude(max_gain_db))
        return samples * np.float32(gain)
    raise unknown_name("level", kind, ("none", "peak", "rms"))


Padding: TypeAlias = Literal["pad", "pad_centre", "pad_random", "repeat", "reflect"]
"""How a clip that is too short is lengthened: with zeros behind it, on both sides or on sides that
are drawn; by looping it; by running it backwards and forwards in turn."""
PADDINGS: tuple[Padding, ...] = ("pad", "pad_centre", "pad_random", "repeat", "reflect")


def pad_to(
    samples: FloatArray, length_samples: int, how: Padding = "pad", *, lead: float = 0.5
) -> FloatArray:
    """Lengthen float32 `(time,)` to `length_samples`.

    `lead` is the share of the zeros that `pad_random` puts before the sound, from 0 to 1: a draw
    of the caller's. What is long enough is returned as it is, never cut. Raises `UnknownName` for
    another `how`.
    """
    if how not in PADDINGS:
        raise unknown_name("padding", how, PADDINGS)
    missing = length_samples - len(samples)
    if missing <= 0:
        return samples
    if how == "repeat":
        return np.resize(samples, length_samples)
    if how == "reflect":
        # Neither end is said twice, as in numpy.pad; a single sample has nothing to turn to.
        there_and_back = np.concatenate([samples, samples[-2:0:-1]])
        return np.resize(there_and_back, length_samples)
    share = {"pad": 0.0, "pad_centre": 0.5, "pad_random": lead}[how]
    start = round(share * missing)
    padded = np.zeros(length_samples, dtype=samples.dtype)
    padded[start : start + len(samples)] = samples
    return padded
