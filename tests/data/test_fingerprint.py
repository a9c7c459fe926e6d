"""Landmarks: what leaves them as they are, and what moves them."""

import numpy as np
import pytest

from auricle.data.fingerprint import (
    HOP_SAMPLES,
    RATE_HZ,
    STEPS_PER_HOP,
    Fingerprinter,
    fingerprint,
    times_and_bins,
)


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    """Ninety seconds of bursts of noise over a quiet background."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(90 * RATE_HZ) * 0.01
    for start in rng.integers(0, len(noise) - 8000, 120):
        noise[start : start + 8000] += 0.1 * rng.standard_normal(8000) * np.hanning(8000)
    return noise.astype(np.float32)


@pytest.mark.parametrize("piece", [777, 16000, 300_001])
@pytest.mark.parametrize("rate", [RATE_HZ, 44100])
def test_pieces_give_what_the_whole_gives(sound, piece: int, rate: int):
    pieces = Fingerprinter(rate)
    for start in range(0, len(sound), piece):
        pieces.add(sound[start : start + piece])
    np.testing.assert_array_equal(pieces.finish(), fingerprint(sound, rate))


def test_landmarks_are_few_and_in_order(sound):
    marks = fingerprint(sound, RATE_HZ)
    assert np.all(np.diff(marks.astype(np.int64)) > 0)
    assert 10 < len(marks) / 90 < 40
    times, bins = times_and_bins(marks)
    assert times[-1] < 90 * RATE_HZ / HOP_SAMPLES * STEPS_PER_HOP
    assert bins.max() < 512


def test_a_gain_changes_nothing(sound):
    np.testing.assert_array_equal(
        fingerprint(sound[:80000] / 4, RATE_HZ), fingerprint(sound[:80000], RATE_HZ)
    )


def test_silence_before_moves_landmarks_and_adds_none(sound):
    clip = sound[:80000]
    moved = fingerprint(np.concatenate([np.zeros(40 * HOP_SAMPLES, np.float32), clip]), RATE_HZ)
    times, bins = times_and_bins(moved)
    assert times.min() >= (40 - 4) * STEPS_PER_HOP  # the first window that reaches the sound
    placed = set(zip((times - 40 * STEPS_PER_HOP).tolist(), bins.tolist(), strict=True))
    old = list(
        zip(*(one.tolist() for one in times_and_bins(fingerprint(clip, RATE_HZ))), strict=True)
    )
    assert sum(mark in placed for mark in old) / len(old) > 0.9


def test_a_short_sound_that_was_padded_keeps_its_landmarks(sound):
    """A spoken word of half a second, padded to three: it had too few peaks left to be known."""
    word = sound[: RATE_HZ // 2] * np.hanning(RATE_HZ // 2).astype(np.float32)
    hops = 50
    before, after = (np.zeros(count, np.float32) for count in (hops * HOP_SAMPLES, 2 * RATE_HZ))
    alone, alone_bins = times_and_bins(fingerprint(word, RATE_HZ))
    padded, bins = times_and_bins(fingerprint(np.concatenate([before, word, after]), RATE_HZ))
    moved = set(zip(alone + hops * STEPS_PER_HOP, alone_bins, strict=True))
    assert len(moved) >= 30
    assert len(moved & set(zip(padded, bins, strict=True))) >= 0.8 * len(moved)


def test_a_tone_burst_lies_where_it_sounds():
    samples = np.zeros(3 * RATE_HZ, np.float32)
    at = np.arange(2048)
    samples[RATE_HZ : RATE_HZ + 2048] = np.sin(2 * np.pi * 1000 * at / RATE_HZ) * np.hanning(2048)
    times, bins = times_and_bins(fingerprint(samples, RATE_HZ))
    strongest = np.flatnonzero(bins == 1000 / (RATE_HZ / 1024))
    centre_s = (times[strongest] / STEPS_PER_HOP * HOP_SAMPLES + 512) / RATE_HZ
    assert np.abs(centre_s - (1 + 1024 / RATE_HZ)).min() < 0.004


@pytest.mark.parametrize("samples", [0, 1, 1000, 80000])
def test_silence_has_no_landmarks(samples: int):
    assert not len(fingerprint(np.zeros(samples, np.float32), RATE_HZ))
