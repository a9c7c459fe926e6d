"""Conversions between seconds, samples and decibels. Rounding happens here only."""

import math


def seconds_to_samples(seconds: float, sample_rate: int) -> int:
    """Return the number of samples nearest to `seconds` (s) at `sample_rate` (Hz).

    Halves round up, so that equal durations give equal counts at every offset.
    """
    return math.floor(seconds * sample_rate + 0.5)


def samples_to_seconds(samples: int, sample_rate: int) -> float:
    """Return the duration in seconds of `samples` at `sample_rate` (Hz)."""
    return samples / sample_rate


def db_to_amplitude(level_db: float) -> float:
    """Return the amplitude factor of a level in dB (6.02 dB is a factor of two)."""
    return 10.0 ** (level_db / 20.0)


def format_duration(seconds: float) -> str:
    """Write a duration for people: `0.52 s`, `5.0 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
