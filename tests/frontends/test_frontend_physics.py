"""What front-ends must do by physics and by definition, without any reference."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.core.errors import AudioError, ConfigError
from auricle.frontends import spectral

KALDI_FLOOR = float(torch.tensor(torch.finfo(torch.float32).eps).log())


def noise(clips, samples, seed=0):
    return 0.1 * torch.randn(clips, samples, generator=torch.Generator().manual_seed(seed))


def tone(hz, sample_rate, seconds=0.5):
    t = torch.arange(round(seconds * sample_rate)) / sample_rate
    return 0.3 * torch.sin(2 * torch.pi * hz * t)[None]


def loudest(frontend, features_of, hz):
    return int(features_of(frontend, tone(hz, frontend.sample_rate)).mean(dim=2).argmax())


@pytest.mark.parametrize("row", [2, 9, 17])
def test_tone_lands_in_its_slaney_bin(build, features_of, row):
    """Slaney's scale is linear below 1 kHz and geometric above it."""
    common = {"n_mels": 19, "n_fft": 2048, "window_samples": 2048, "sample_rate": 16000}
    linear = build("logmel_32k", f_min_hz=0, f_max_hz=1000, **common)
    assert loudest(linear, features_of, 1000 * (row + 1) / 20) == row
    geometric = build("logmel_32k", f_min_hz=1000, f_max_hz=6400, **common)
    assert loudest(geometric, features_of, 1000 * 6.4 ** ((row + 1) / 20)) == row


@pytest.mark.parametrize("row", [3, 11, 21])
def test_tone_lands_in_its_kaldi_bin(build, features_of, row):
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (20, 8000))
    mel = low + (high - low) * (row + 1) / 24
    hz = 700 * (10 ** (mel / 2595) - 1)
    assert loudest(build("fbank", n_mels=23), features_of, hz) == row


def test_doubling_the_amplitude_adds_six_decibels(build, features_of):
    sound = noise(2, 16000)
    logmel = build("logmel_16k")
    gained = features_of(logmel, 2 * sound) - features_of(logmel, sound)
    torch.testing.assert_close(gained, torch.full_like(gained, 6.0206), atol=1e-3, rtol=0)
    fbank = build("fbank")
    gained = features_of(fbank, 2 * sound) - features_of(fbank, sound)
    torch.testing.assert_close(gained, torch.full_like(gained, 1.38629), atol=2e-3, rtol=0)


@pytest.mark.parametrize("exported", [False, True], ids=["fft", "for_export"])
def test_silence_sits_on_the_floor_exactly(build, features_of, exported):
    for name, floor in (("logmel_32k", -100.0), ("fbank", KALDI_FLOOR)):
        frontend = build(name).for_export() if exported else build(name)
        assert (features_of(frontend, torch.zeros(1, 8000)) == floor).all()


def test_an_empty_mel_filter_sits_on_the_floor(build, features_of):
    """Of 128 Kaldi filters the fourth covers no bin of a 512-point transform."""
    values = features_of(build("fbank128"), noise(2, 8000))
    on_floor = (values == KALDI_FLOOR).all(dim=2).all(dim=0)
    assert on_floor.nonzero().flatten().tolist() == [3]


@pytest.mark.parametrize("name", ["logmel_16k", "fbank"])
def test_a_shift_by_a_hop_shifts_the_frames(build, features_of, name):
    frontend = build(name)
    sound = noise(1, 8000)
    values = features_of(frontend, sound)
    shifted = features_of(frontend, sound[:, frontend.hop_samples :])
    # Frames that touch the ends see the reflection.
    torch.testing.assert_close(shifted[..., 2:-2], values[..., 3:-2], atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["logmel_8k", "fbank"])
@pytest.mark.parametrize("frames", [1, 7, 60])
def test_blocks_do_not_change_the_numbers(build, features_of, monkeypatch, name, frames):
    """Blocks of one frame, of a part of a clip and of several clips."""
    frontend = build(name)
    sound = noise(5, 2000)
    whole = features_of(frontend, sound)
    monkeypatch.setattr(spectral, "BLOCK_VALUES", frames * frontend.n_fft)
    torch.testing.assert_close(features_of(frontend, sound), whole, atol=2e-4, rtol=0)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("logmel_32k", {}),
        ("logmel_8k", {"n_fft": 250, "window_samples": 201, "hop_samples": 77}),
        ("fbank", {}),
        ("fbank", {"snip_edges": False, "window_s": 0.0311, "hop_s": 0.0107}),
    ],
)
@given(data=st.data())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_frame_count_is_exact(build, features_of, name, options, data):
    frontend = build(name, **options)
    samples = data.draw(st.integers(frontend.shortest_samples, 4000))
    values = features_of(frontend, noise(1, samples))
    assert frontend.frame_count(samples) == values.shape[2] >= 1
    lengths = frontend(noise(1, samples), torch.tensor([samples])).lengths_frames
    assert lengths.tolist() == [values.shape[2]]

    frames = data.draw(st.integers(1, 40))
    needed = frontend.samples_for_frames(frames)
    assert frontend.frame_count(needed) >= frames
    if needed > frontend.shortest_samples:
        assert frontend.frame_count(needed - 1) < frames


@pytest.mark.parametrize("name", ["logmel_16k", "fbank"])
def test_frames_of_a_padded_clip(build, features_of, name):
    frontend = build(name)
    sound = noise(2, 8000)
    sound[0, 5000:] = 0
    features = frontend(sound, torch.tensor([5000, 8000]))
    alone = features_of(frontend, sound[:1, :5000])
    own = int(features.lengths_frames[0])
    assert own == alone.shape[2] == frontend.frame_count(5000)
    assert features.lengths_frames[1] == features.values.shape[2]
    # Where padding is not safe, frames that reach beyond the clip see zeros, not a reflection.
    clear = own if frontend.padding_safe else own - 2
    torch.testing.assert_close(
        features.values[0, :, :clear], alone[0, :, :clear], atol=2e-4, rtol=0
    )
    if not frontend.padding_safe:
        assert (features.values[0, :, own - 1] - alone[0, :, -1]).abs().max() > 0.1


@pytest.mark.parametrize("exported", [False, True], ids=["fft", "for_export"])
def test_mean_is_taken_over_the_clips_own_frames(build, features_of, exported):
    frontend = build("fbank", normalise="clip_mean")
    if exported:
        frontend = frontend.for_export()
    sound = noise(2, 8000)
    sound[0, 5000:] = 0
    values = frontend(sound, torch.tensor([5000, 8000])).values
    own = frontend.frame_count(5000)
    torch.testing.assert_close(values[1].mean(dim=1), torch.zeros(80), atol=1e-4, rtol=0)
    assert (values[0, :, own:] == 0).all()
    alone = features_of(frontend, sound[:1, :5000])
    torch.testing.assert_close(values[:1, :, :own], alone, atol=5e-4, rtol=0)


@pytest.mark.parametrize("name", ["logmel_8k", "fbank"])
def test_gradient_reaches_the_waveform_alike_on_both_paths(build, name):
    gradients = []
    for frontend in (build(name), build(name).for_export()):
        sound = noise(2, 1500).requires_grad_()
        frontend(sound, torch.tensor([1500, 1500])).values.sum().backward()
        assert sound.grad is not None
        gradients.append(sound.grad)
    largest = gradients[0].abs().max()
    assert largest > 0
    torch.testing.assert_close(gradients[0] / largest, gradients[1] / largest, atol=1e-3, rtol=0)


def test_autocast_leaves_the_numbers_alone(build, features_of):
    frontend = build("logmel_8k")
    sound = noise(2, 4000)
    with torch.autocast("cpu", torch.bfloat16):
        cast = features_of(frontend, sound)
    assert cast.dtype == torch.float32
    assert torch.equal(cast, features_of(frontend, sound))


@pytest.mark.parametrize(
    "name", ["logmel_32k", "fbank", "seamless_fbank", "ast_fbank", "image_16k"]
)
def test_a_waveform_that_is_too_short_is_refused(build, name):
    frontend = build(name)
    samples = frontend.shortest_samples - 1
    with pytest.raises(AudioError, match=rf"at least {samples + 1} samples.*got {samples}: pad"):
        frontend(noise(1, samples), torch.tensor([samples]))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("logmel_32k", {"sample_rate": 16000}, "f_max_hz.*8000 Hz.*got 50 and 14000"),
        ("logmel_32k", {"f_min_hz": 15000}, "f_min_hz < f_max_hz"),
        ("logmel_32k", {"window_samples": 2000}, r"must not exceed n_fft \(1024\)"),
        ("logmel_32k", {"n_mels": 1, "f_min_hz": 32, "f_max_hz": 60}, "cover no bin"),
        ("logmel_32k", {"n_mells": 64}, "did you mean '--frontend.n_mels'"),
        ("fbank", {"f_max_hz": 9000}, "8000 Hz"),
        ("fbank", {"hop_s": 0.03}, "change window_s or hop_s"),
    ],
)
def test_settings_that_cannot_work_are_refused(build, name, options, message):
    with pytest.raises(ConfigError, match=message):
        build(name, **options)
