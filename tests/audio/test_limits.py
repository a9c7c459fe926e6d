"""What of a clip is listened to: its silent ends, and how long it may be."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.audio import ClipLimits
from auricle.core.errors import AudioError

RATE = 1000  # a block of the trimming is 10 samples


def pieces(samples: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (samples[start : start + size] for start in range(0, len(samples), size))


def applied(limits: ClipLimits, samples: np.ndarray, size: int = 64) -> np.ndarray:
    parts = limits.apply(lambda: pieces(samples, size), RATE)
    return np.concatenate([np.empty(0, np.float32), *parts])


@pytest.fixture
def burst() -> np.ndarray:
    """0.3 s near silence (60 dB down), 0.2 s noise, 0.5 s near silence."""
    samples = np.random.default_rng(0).normal(0, 0.1, 1000).astype(np.float32)
    samples[:300] *= 1e-3
    samples[500:] *= 1e-3
    return samples


def test_silent_ends_are_trimmed_and_a_pause_inside_is_not(burst: np.ndarray) -> None:
    assert ClipLimits(trim_db=40).bounds([burst], RATE) == (300, 500)
    assert ClipLimits(trim_db=80).bounds([burst], RATE) == (0, 1000)
    twice = np.concatenate([burst, burst])
    assert ClipLimits(trim_db=40).bounds([twice], RATE) == (300, 1500)


@given(
    count=st.integers(1, 400),
    start=st.integers(0, 400),
    size=st.integers(1, 500),
    trim_db=st.floats(1, 90),
    max_clip_s=st.none() | st.floats(0.001, 0.5),
)
def test_blocks_change_nothing_and_trimming_twice_changes_nothing(
    count: int, start: int, size: int, trim_db: float, max_clip_s: float | None
) -> None:
    samples = np.random.default_rng(count).normal(0, 1, count).astype(np.float32)
    samples[:start] *= 1e-3
    limits = ClipLimits(trim_db=trim_db, max_clip_s=max_clip_s)
    begin, end = limits.bounds([samples], RATE)
    once = applied(limits, samples, size)
    np.testing.assert_array_equal(once, samples[begin:end])
    if max_clip_s is None:  # else what was cut off may have been the loudest
        np.testing.assert_array_equal(applied(limits, once, size), once)


def test_the_level_of_a_clip_does_not_move_its_ends(burst: np.ndarray) -> None:
    limits = ClipLimits(trim_db=40)
    assert limits.bounds([burst * np.float32(1e-4)], RATE) == limits.bounds([burst], RATE)


def test_nothing_but_zeros_stays_whole() -> None:
    assert ClipLimits(trim_db=40).bounds([np.zeros(123, np.float32)], RATE) == (0, 123)


def test_of_a_longer_clip_the_first_seconds_are_used(burst: np.ndarray) -> None:
    limits = ClipLimits(max_clip_s=0.25)
    assert limits.bounds([burst], RATE) == (0, 250)
    np.testing.assert_array_equal(applied(limits, burst), burst[:250])
    # After trimming: a silent beginning takes nothing away.
    assert ClipLimits(trim_db=40, max_clip_s=0.15).bounds([burst], RATE) == (300, 450)


def test_a_clip_below_the_minimum_is_refused_by_name(burst: np.ndarray) -> None:
    enough = ClipLimits(trim_db=40, min_clip_s=0.2)
    assert enough.bounds([burst], RATE) == (300, 500)
    limits = ClipLimits(trim_db=40, min_clip_s=0.21)
    message = "a.wav holds 0.200 s of sound between its silent ends, and min_clip_s is 0.21"
    with pytest.raises(AudioError, match=message):
        limits.bounds([burst], RATE, "a.wav")
    with pytest.raises(AudioError, match=message):
        list(limits.apply(lambda: pieces(burst, 64), RATE, "a.wav"))
    with pytest.raises(AudioError, match=r"holds 1\.000 s of sound, and"):
        applied(ClipLimits(min_clip_s=2), burst)


def test_only_what_says_something_is_a_limit() -> None:
    assert not ClipLimits()
    assert ClipLimits(trim_db=30)
    assert ClipLimits(max_clip_s=1)
