"""Resampling obeys physics; levels and padding do what `Normalise` and `ClassifierSpec` say."""

import numpy as np
import pytest

from auricle import audio
from auricle.core.errors import AudioError, UnknownName


def sine(hz, sample_rate, seconds=1.0, level=0.5):
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    return (level * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def rms_db(samples):
    return 20 * np.log10(np.sqrt(np.mean(np.square(samples, dtype=np.float64))) + 1e-12)


@pytest.mark.parametrize(
    ("from_hz", "to_hz"), [(44100, 32000), (48000, 16000), (8000, 32000), (16000, 44100)]
)
def test_a_tone_in_the_band_is_kept_with_its_phase(from_hz, to_hz):
    got = audio.resample(sine(1000, from_hz), from_hz, to_hz)
    assert got.dtype == np.float32
    assert len(got) == to_hz
    inside = slice(to_hz // 10, -to_hz // 10)
    np.testing.assert_allclose(got[inside], sine(1000, to_hz)[inside], atol=2e-5)


@pytest.mark.parametrize(
    ("from_hz", "to_hz", "hz"), [(44100, 32000, 17000), (48000, 16000, 9000), (16000, 8000, 5000)]
)
def test_a_tone_above_the_new_band_is_gone(from_hz, to_hz, hz):
    got = audio.resample(sine(hz, from_hz), from_hz, to_hz)
    assert rms_db(got[to_hz // 10 : -to_hz // 10]) < -110


def test_a_constant_stays_a_constant():
    got = audio.resample(np.full(44100, 0.25, dtype=np.float32), 44100, 32000)
    np.testing.assert_allclose(got[2000:-2000], 0.25, atol=1e-6)


def test_equal_rates_change_nothing():
    samples = sine(440, 16000)
    assert audio.resample(samples, 16000, 16000) is samples


@pytest.mark.parametrize("length", [0, 1, 2, 7, 441, 2205])
def test_lengths_are_rounded(length):
    got = audio.resample(np.ones(length, dtype=np.float32), 44100, 32000)
    assert len(got) == int(length * 32000 / 44100 + 0.5)


@pytest.mark.parametrize("rates", [(0, 16000), (16000, 0), (16000, -1)])
def test_a_rate_of_nothing_is_an_error(rates):
    with pytest.raises(AudioError, match="above 0 Hz"):
        audio.resample(np.ones(10, dtype=np.float32), *rates)


def test_peak_and_rms_reach_their_level():
    samples = sine(440, 16000, level=0.1) - 0.02
    before = samples.copy()
    peak = audio.set_level(samples, "peak")
    assert np.abs(peak).max() == 1.0
    rms = audio.set_level(samples, "rms", target_db=-23.0)
    assert rms_db(rms) == pytest.approx(-23.0, abs=1e-4)
    assert peak.dtype == rms.dtype == np.float32
    # Only the level changes, and the input does not.
    np.testing.assert_allclose(rms / rms[100], before / before[100], rtol=1e-5)
    np.testing.assert_array_equal(samples, before)
    assert audio.set_level(samples, "none") is samples


def test_rms_lowers_without_limit_and_raises_up_to_one():
    quiet = sine(440, 16000, level=1e-6)
    raised = audio.set_level(quiet, "rms", target_db=-20.0, max_gain_db=40.0)
    assert rms_db(raised) - rms_db(quiet) == pytest.approx(40.0, abs=0.01)
    loud = sine(440, 16000, level=100.0)
    assert rms_db(audio.set_level(loud, "rms", max_gain_db=0.0)) == pytest.approx(-20, abs=1e-3)


@pytest.mark.parametrize("kind", ["none", "peak", "rms"])
@pytest.mark.parametrize("length", [0, 1, 1000])
def test_silence_stays_silence(kind, length):
    silence = np.zeros(length, dtype=np.float32)
    np.testing.assert_array_equal(audio.set_level(silence, kind), silence)


@pytest.mark.parametrize("kind", ["peak", "rms"])
def test_the_faintest_sound_gives_numbers(kind):
    faint = np.array([1e-44, -1e-44, 0, 1e-44], dtype=np.float32)
    assert np.isfinite(audio.set_level(faint, kind)).all()


def test_padding_appends_zeros_or_loops():
    samples = np.array([1, 2, 3], dtype=np.float32)
    np.testing.assert_array_equal(audio.pad_to(samples, 5), [1, 2, 3, 0, 0])
    np.testing.assert_array_equal(audio.pad_to(samples, 8, "repeat"), [1, 2, 3, 1, 2, 3, 1, 2])
    assert audio.pad_to(samples, 5).dtype == np.float32
    assert audio.pad_to(samples, 3) is samples
    assert audio.pad_to(samples, 2, "repeat") is samples


def test_padding_puts_zeros_where_it_is_told():
    samples = np.array([1, 2, 3], dtype=np.float32)
    np.testing.assert_array_equal(audio.pad_to(samples, 7, "pad_centre"), [0, 0, 1, 2, 3, 0, 0])
    np.testing.assert_array_equal(
        audio.pad_to(samples, 7, "pad_random", lead=0.25), [0, 1, 2, 3, 0, 0, 0]
    )
    for lead, first in ((0.0, 0), (1.0, 4)):
        padded = audio.pad_to(samples, 7, "pad_random", lead=lead)
        np.testing.assert_array_equal(np.flatnonzero(padded), np.arange(first, first + 3))


@pytest.mark.parametrize("length", [4, 5, 8, 11])
def test_reflection_runs_backwards_and_forwards_as_numpy_does(length: int):
    samples = np.array([1, 2, 3], dtype=np.float32)
    expected = np.pad(samples, (0, length - 3), mode="reflect")
    np.testing.assert_array_equal(audio.pad_to(samples, length, "reflect"), expected)
    one = audio.pad_to(samples[:1], length, "reflect")
    np.testing.assert_array_equal(one, np.ones(length))


def test_unknown_kinds_name_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'peak'"):
        audio.set_level(np.ones(3, dtype=np.float32), "peek")
    with pytest.raises(UnknownName, match="did you mean 'repeat'"):
        audio.pad_to(np.ones(3, dtype=np.float32), 2, "repeats")
