"""The display spectrogram obeys physics: where a tone lies, how loud it is, how long."""

import numpy as np
import pytest

from auricle.audio import log_mel_spectrogram
from auricle.audio.spectrogram import FLOOR_DB, HOP_S
from auricle.core.errors import AudioError

RATE = 16000


def sine(hz: float, seconds: float = 1.0, level: float = 1.0, rate: int = RATE) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def band_of(hz: float, bands: int, rate: int = RATE) -> float:
    """Where a frequency lies among bands that are equally wide in mel (published formula)."""

    def mel(f):
        return 2595 * np.log10(1 + f / 700)

    return (mel(hz) - mel(30)) / (mel(rate / 2) - mel(30)) * (bands + 1) - 1


@pytest.mark.parametrize("hz", [150, 440, 1000, 3000, 7000])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_tone_stands_in_its_band(hz, rate):
    values = log_mel_spectrogram(sine(hz, rate=rate), rate, bands=64)
    assert abs(int(values.mean(axis=1).argmax()) - band_of(hz, 64, rate)) <= 1


def test_full_scale_is_about_0_db_and_silence_the_floor():
    loud = log_mel_spectrogram(sine(1000), RATE)
    assert -2 < loud[:, 10:-10].max() < 0.1
    silent = log_mel_spectrogram(np.zeros(RATE, np.float32), RATE)
    np.testing.assert_allclose(silent, FLOOR_DB, rtol=1e-5)


def test_half_the_amplitude_is_6_db_less_everywhere():
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    difference = log_mel_spectrogram(noise, RATE) - log_mel_spectrogram(noise / 2, RATE)
    np.testing.assert_allclose(difference, 6.0206, atol=1e-3)


def test_no_band_is_empty():
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    for bands in (1, 8, 40, 128):
        values = log_mel_spectrogram(noise, RATE, bands=bands)
        assert values.shape[0] == bands
        assert values.min() > -60


def test_sound_stands_in_its_time():
    samples = np.concatenate(
        [np.zeros(RATE, np.float32), sine(1000, 0.5), np.zeros(RATE // 2, np.float32)]
    )
    values = log_mel_spectrogram(samples, RATE, columns=40).max(axis=0)
    loud = np.flatnonzero(values > -30)
    assert loud.min() in (19, 20)
    assert loud.max() in (29, 30)


@pytest.mark.parametrize("samples", [1, 3, 511, 512, 513, 8000])
def test_every_sample_is_seen(samples):
    sound = np.zeros(samples, np.float32)
    sound[-1] = 1
    values = log_mel_spectrogram(np.ones(1, np.float32) if samples == 1 else sound, RATE)
    assert np.isfinite(values).all()
    frames = values.shape[1]
    assert frames == 1 + max(0, -(-(samples - 512) // round(HOP_S * RATE)))


def test_columns_average_power_and_repeat_frames():
    tone = np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32)
    whole = log_mel_spectrogram(tone, RATE)
    few = log_mel_spectrogram(tone, RATE, columns=7)
    assert few.shape == (64, 7)
    power, few_power = 10 ** (whole.astype(np.float64) / 10), 10 ** (few.astype(np.float64) / 10)
    np.testing.assert_allclose(few_power[:, 0], power[:, :28].mean(axis=1), rtol=1e-4)
    np.testing.assert_allclose(few_power.mean(axis=1), power.mean(axis=1), rtol=0.02)
    many = log_mel_spectrogram(tone[:4000], RATE, columns=500)
    assert many.shape == (64, 500)


def test_long_sound_equals_its_blocks(monkeypatch):
    from auricle.audio import spectrogram

    noise = np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32)
    whole = log_mel_spectrogram(noise, RATE)
    monkeypatch.setattr(spectrogram, "_BLOCK_FRAMES", 7)
    np.testing.assert_allclose(log_mel_spectrogram(noise, RATE), whole, atol=1e-4)


@pytest.mark.parametrize(
    ("samples", "how", "message"),
    [
        (0, {}, "no samples"),
        (100, {"bands": 0}, "at least one band"),
        (100, {"columns": 0}, "at least one band and column"),
        (100, {"high_hz": 9000.0}, "at most half the sample rate"),
    ],
)
def test_what_cannot_be_drawn_is_refused(samples, how, message):
    with pytest.raises(AudioError, match=message):
        log_mel_spectrogram(np.zeros(samples, np.float32), RATE, **how)
