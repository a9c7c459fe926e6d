"""What the options of spectral front-ends do, by physics, by definition and against SciPy."""

import numpy as np
import pytest
import scipy.fft
import scipy.signal
import torch

from auricle.core.errors import ConfigError
from auricle.frontends import spectral
from auricle.frontends.melscale import hz_to_mel, mel_to_hz
from auricle.frontends.mfcc import dct_matrix
from auricle.frontends.pcen import smooth, smoothing_weight
from auricle.frontends.windows import make_window

RATE = 16000


def noise(clips, samples, seed=0):
    return 0.1 * torch.randn(clips, samples, generator=torch.Generator().manual_seed(seed))


def tone(hz, seconds=0.5, level=0.3):
    t = torch.arange(round(seconds * RATE)) / RATE
    return level * torch.sin(2 * torch.pi * hz * t)[None]


def both(frontend):
    """The form that training uses and the exported one."""
    return frontend, frontend.for_export()


@pytest.mark.parametrize("name", ["hann", "hamming", "blackman", "flattop", "rectangular"])
@pytest.mark.parametrize("samples", [8, 401])
def test_windows_equal_scipys(name, samples):
    known = {"rectangular": "boxcar"}.get(name, name)
    for periodic in (True, False):
        expected = scipy.signal.get_window(known, samples, fftbins=periodic)
        np.testing.assert_allclose(
            make_window(name, samples, periodic=periodic), expected, atol=1e-9
        )


@pytest.mark.parametrize(
    ("hz", "htk", "slaney"),
    [
        (0, 0, 0),
        (700, 2595 * np.log10(2), 10.5),
        (1000, 999.9855, 15),
        (6400, 2595 * np.log10(1 + 64 / 7), 42),  # 27 steps above 1 kHz
    ],
)
def test_mel_scales_follow_their_formulae(hz, htk, slaney):
    assert hz_to_mel(hz, "htk") == pytest.approx(htk, abs=1e-3)
    assert hz_to_mel(hz, "slaney") == pytest.approx(slaney, abs=1e-9)
    for scale in ("htk", "slaney"):
        assert mel_to_hz(hz_to_mel(hz, scale), scale) == pytest.approx(hz, abs=1e-6)


@pytest.mark.parametrize("row", [3, 17, 36])
@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_a_tone_lands_in_its_mel_bin(build, features_of, scale, row):
    low, high = hz_to_mel(100, scale), hz_to_mel(8000, scale)
    hz = float(mel_to_hz(low + (high - low) * (row + 1) / 41, scale))
    frontend = build("mel", n_fft=2048, n_mels=40, f_min_hz=100, mel_scale=scale)
    values = features_of(frontend, tone(hz))
    assert int(values.mean(dim=2).argmax()) == row


def test_slaneys_norm_gives_filters_of_area_one(build):
    """White noise is flat in them; filters of height one rise with their width."""
    flat = build("mel", n_fft=4096, n_mels=30, mel_norm="slaney", mel_scale="slaney").filters
    areas = flat.sum(dim=1) * RATE / 4096
    torch.testing.assert_close(areas, torch.ones(30), atol=0.02, rtol=0)
    high = build("mel", n_fft=4096, n_mels=30, mel_scale="slaney").filters
    assert 0.9 < float(high.amax(dim=1).min()) <= float(high.max()) <= 1


@pytest.mark.parametrize("n_fft", [256, 255])
def test_the_spectrums_energy_is_the_frames_energy(build, features_of, n_fft):
    """Parseval: with a rectangular window, both sides of the spectrum add up to the samples."""
    options = {"window_fn": "rectangular", "center": False, "n_fft": n_fft, "hop_samples": n_fft}
    sound = noise(2, 10 * n_fft)
    expected = sound.view(2, 10, n_fft).square().sum(dim=2)
    weights = torch.full((n_fft // 2 + 1,), 2.0)
    weights[0] = 1.0
    if n_fft % 2 == 0:
        weights[-1] = 1.0
    for twin in both(build("spectrogram", **options)):
        energy = torch.einsum("bft,f->bt", features_of(twin, sound), weights) / n_fft
        torch.testing.assert_close(energy, expected, rtol=1e-4, atol=0)
    for twin in both(build("spectrogram", window_scale="n_fft", **options)):
        energy = torch.einsum("bft,f->bt", features_of(twin, sound), weights)
        torch.testing.assert_close(energy, expected, rtol=1e-4, atol=0)


def test_a_spectrum_scaled_by_the_windows_energy_shows_the_noises_power(build, features_of):
    for window in ("hann", "blackman", "rectangular"):
        frontend = build("spectrogram", window_fn=window, window_scale="energy")
        assert features_of(frontend, noise(4, 30000)).mean() == pytest.approx(0.01, rel=0.03)


def test_magnitudes_are_the_roots_of_powers(build, features_of):
    sound = noise(2, 4000)
    sound[:, 2000:] = 0
    for name in ("spectrogram", "mel"):
        pairs = zip(both(build(name, power=1)), both(build(name)), strict=True)
        for magnitude, power in pairs:
            ours, theirs = features_of(magnitude, sound), features_of(power, sound)
            assert (ours[..., -3:] == 0).all()
            if name == "spectrogram":
                torch.testing.assert_close(ours, theirs.sqrt(), rtol=1e-4, atol=1e-6)
    sound.requires_grad_()
    build("spectrogram", power=1)(sound, torch.tensor([4000, 4000])).values.sum().backward()
    assert sound.grad is not None
    assert sound.grad.isfinite().all()


def test_scipys_spectrogram_is_ours(build, features_of):
    sound = noise(1, 5000)
    _, _, expected = scipy.signal.stft(
        sound[0].numpy(), nperseg=300, noverlap=200, nfft=512, window="blackman", boundary=None,
        padded=False, scaling="spectrum",
    )  # fmt: skip
    window = make_window("blackman", 300)
    frontend = build(
        "spectrogram",
        n_fft=512,
        window_samples=300,
        hop_samples=100,
        window_fn="blackman",
        center=False,
        power=1,
    )
    ours = features_of(frontend, sound)[0].numpy()
    # Our window stands in the middle of 512 samples: SciPy's frame begins 106 samples later.
    shifted = features_of(frontend, torch.cat([torch.zeros(1, 106), sound], dim=1))[0].numpy()
    count = ours.shape[1]
    np.testing.assert_allclose(
        shifted[:, :count], np.abs(expected)[:, :count] * window.sum(), atol=1e-4
    )


def test_a_symmetric_window_has_equal_ends(build):
    for periodic in (False, True):
        window = build("spectrogram", n_fft=512, window_periodic=periodic).window
        assert torch.allclose(window, window.flip(0), atol=1e-6) != periodic


@pytest.mark.parametrize("mode", ["reflect", "zeros", "replicate"])
def test_what_centred_frames_see_beyond_the_ends(build, features_of, mode):
    sound = noise(2, 3000)
    name = {"zeros": "constant", "replicate": "edge"}.get(mode, mode)
    padded = torch.tensor(np.pad(sound.numpy(), ((0, 0), (200, 200)), mode=name))
    inside = build("spectrogram", center=False)
    for twin in both(build("spectrogram", pad_mode=mode)):
        values = features_of(twin, sound)
        torch.testing.assert_close(values, features_of(inside, padded), atol=1e-3, rtol=1e-3)
        assert values.shape[2] == 1 + 3000 // 200 == twin.frame_count(3000)


@pytest.mark.parametrize("options", [{"center": False}, {"pad_mode": "zeros"}])
@pytest.mark.parametrize("name", ["logmel_16k", "mel", "mfcc", "pcen"])
def test_padding_leaves_a_clip_alone_where_frames_do_not_mirror_it(
    build, features_of, name, options
):
    frontend = build(name, normalise="clip_mean_std", **options)
    assert frontend.padding_safe
    sound = noise(2, 9000)
    sound[1] *= 100
    sound[0, 5000:] = 0
    for twin in both(frontend):
        features = twin(sound, torch.tensor([5000, 9000]))
        alone = features_of(twin, sound[:1, :5000])
        own = int(features.lengths_frames[0])
        assert own == alone.shape[2]
        torch.testing.assert_close(features.values[:1, :, :own], alone, atol=2e-3, rtol=1e-3)
        assert (features.values[0, :, own:] == 0).all()


@pytest.mark.parametrize("name", ["logmel_16k", "mfcc"])
def test_top_db_is_each_clips_own_affair(build, features_of, name):
    """A loud clip beside it, or padding behind it, changes nothing of a quiet one."""
    quiet, loud = 1e-3 * noise(1, 8000), noise(1, 8000, seed=1)
    quiet[:, 4000:6000] = 0
    for twin in both(build(name, top_db=30.0)):
        alone = features_of(twin, quiet)
        together = features_of(twin, torch.cat([quiet, loud]))
        torch.testing.assert_close(together[:1], alone, atol=1e-3, rtol=0)


def test_top_db_bounds_the_range_of_a_clips_own_frames(build):
    sound = noise(2, 8000)
    sound[0, 2000:4000] = 0
    sound[0, 5000:] *= 100  # behind the clip's end: no sound of its own
    for twin in both(build("logmel_16k", top_db=30.0, center=False)):
        features = twin(sound, torch.tensor([5000, 8000]))
        own = features.values[0, :, : int(features.lengths_frames[0])]
        assert float(own.max() - own.min()) == pytest.approx(30, abs=1e-3)
        assert own.min() > -60  # the loud stretch behind it would lift the floor


@pytest.mark.parametrize("power", [1, 2])
def test_decibels_of_a_louder_clip_are_higher_by_the_gain(build, features_of, power):
    sound = noise(2, 8000)
    frontend = build("logmel_16k", power=power, top_db=40.0, mel_scale="htk", mel_norm="none")
    gained = features_of(frontend, 10 * sound) - features_of(frontend, sound)
    torch.testing.assert_close(gained, torch.full_like(gained, 20.0), atol=1e-3, rtol=0)


@pytest.mark.parametrize("points", [1, 2, 23, 128])
def test_the_cosine_transform_equals_scipys(points):
    expected = scipy.fft.dct(np.eye(points), axis=0, norm="ortho")
    np.testing.assert_allclose(dct_matrix(points), expected, atol=1e-12)


def test_cepstra_are_the_transform_of_the_decibels(build, features_of):
    sound = noise(2, 6000)
    sound[1] *= 30
    for log in ("db", "ln"):
        cepstra = features_of(build("mfcc", log=log, n_mfcc=13), sound).numpy()
        options = {"n_fft": 400, "window_samples": None, "hop_samples": None, "n_mels": 128}
        options |= {"f_min_hz": 0, "f_max_hz": None, "mel_scale": "htk", "mel_norm": "none"}
        if log == "db":
            energies = features_of(build("logmel_16k", top_db=80.0, **options), sound)
        else:
            energies = (features_of(build("mel"), sound) + 1e-6).log()
        expected = scipy.fft.dct(energies.numpy(), axis=1, norm="ortho")[:, :13]
        np.testing.assert_allclose(cepstra, expected, atol=2e-3)


def test_of_silence_only_the_first_coefficient_is_not_zero(build, features_of):
    """Its log spectrum is one constant: -100 dB in 128 bins."""
    for twin in both(build("mfcc")):
        values = features_of(twin, torch.zeros(1, 4000))
        expected = torch.full_like(values[:, 0], -100 * 128**0.5)
        torch.testing.assert_close(values[:, 0], expected, rtol=1e-5, atol=0)
        assert values[:, 1:].abs().max() < 1e-3


@pytest.mark.parametrize("frames", [1, 2, 500, 4000])
@pytest.mark.parametrize("time_constant", [1e-200, 1e-9, 0.5, 6.0, 40.0, 3000.0])
def test_the_smoother_is_the_recursion(frames, time_constant):
    """Also where a loud frame is forgotten over many quiet ones."""
    weight = smoothing_weight(time_constant)
    values = np.random.default_rng(3).random((2, frames))
    values[:, 1:] *= 1e-7
    state = (1 - weight) * values[:, :1]
    expected, _ = scipy.signal.lfilter([weight], [1, weight - 1], values, axis=1, zi=state)
    ours = smooth(torch.tensor(values, dtype=torch.float32), weight)
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-4)


def test_pcen_follows_its_formula(build, features_of):
    sound = noise(2, 8000)
    for twin in both(build("pcen_outdoor", normalise="none")):
        config = twin.config
        energies = features_of(
            build("mel", **{key: getattr(config, key) for key in MEL_KEYS}), sound
        ).numpy()
        energies = energies.astype(np.float64) * config.waveform_scale
        period = config.hop_samples / config.sample_rate
        s = smoothing_weight(config.time_constant_s / period)
        level = scipy.signal.lfilter([s], [1, s - 1], energies, zi=(1 - s) * energies[..., :1])[0]
        expected = (energies / (config.eps + level) ** config.gain + config.bias) ** config.root
        np.testing.assert_allclose(
            features_of(twin, sound).numpy(), expected - config.bias**config.root, atol=1e-3
        )


MEL_KEYS = (
    "sample_rate",
    "n_fft",
    "window_samples",
    "hop_samples",
    "n_mels",
    "f_min_hz",
    "mel_scale",
    "mel_norm",
    "power",
)


def test_pcen_hears_a_quiet_clip_as_a_loud_one(build, features_of):
    """A gain of 1 is taken back whole; the usual 0.98 nearly so, where decibels move by 40."""
    sound = noise(1, 16000)
    full = build("pcen", gain=1.0)
    torch.testing.assert_close(
        features_of(full, 0.01 * sound), features_of(full, sound), rtol=1e-3, atol=1e-4
    )
    usual = build("pcen")
    ratio = features_of(usual, sound) / features_of(usual, 0.01 * sound)
    assert 1 < float(ratio.median()) < 1.2


def test_pcen_looks_back_only(build, features_of):
    sound = noise(1, 16000)
    changed = sound.clone()
    changed[:, 9000:] = noise(1, 7000, seed=2)
    for twin in both(build("pcen")):
        before = 9000 // twin.hop_samples - 2
        ours, theirs = features_of(twin, sound), features_of(twin, changed)
        torch.testing.assert_close(ours[..., :before], theirs[..., :before], atol=1e-5, rtol=1e-4)
        assert (ours[..., before + 4 :] - theirs[..., before + 4 :]).abs().mean() > 1e-2


def test_pcen_lets_a_steady_tone_fade_and_an_onset_stand_out(build, features_of):
    sound = torch.cat([1e-3 * noise(1, 16000), tone(1000, seconds=2)], dim=1)
    values = features_of(build("pcen"), sound)[0]
    row = int(values[:, 105].argmax())
    onset = values[row, 100:110].max()
    assert onset > 3 * values[row, -10]


@pytest.mark.parametrize("name", ["spectrogram", "mel", "logmel_16k", "mfcc", "pcen", "fbank"])
@pytest.mark.parametrize("how", ["clip_mean", "clip_mean_std"])
def test_normalised_clips_have_mean_zero_and_deviation_one(build, features_of, name, how):
    sound = noise(3, 8000)
    sound[1] *= 0.01
    for twin in both(build(name, normalise=how)):
        values = features_of(twin, sound).double()
        largest = float(values.abs().max())
        torch.testing.assert_close(
            values.mean(dim=2), torch.zeros(3, twin.bins, dtype=torch.float64),
            atol=1e-5 * largest, rtol=0,
        )  # fmt: skip
        if how == "clip_mean_std" and name in ("fbank", "logmel_16k"):
            spread = values.std(dim=2)
            torch.testing.assert_close(spread, torch.ones_like(spread), atol=1e-3, rtol=0)


def test_a_clip_of_one_frame_is_normalised_to_zero(build):
    for twin in both(build("fbank", normalise="clip_mean_std")):
        features = twin(noise(2, 4000), torch.tensor([400, 4000]))
        assert features.lengths_frames.tolist() == [1, 23]
        assert (features.values[0] == 0).all()
        assert features.values.isfinite().all()


@pytest.mark.parametrize("how", ["dataset", "dataset_bins"])
def test_dataset_statistics_are_subtracted_and_divided_by(build, features_of, how):
    count = 1 if how == "dataset" else 80
    mean, std = np.linspace(-7, -3, count), np.linspace(1, 4, count)
    frontend = build("fbank", normalise=how, dataset_mean=mean.tolist(), dataset_std=std.tolist())
    sound = noise(2, 4000)
    expected = (features_of(build("fbank"), sound).numpy() - mean[:, None]) / std[:, None]
    for twin in both(frontend):
        np.testing.assert_allclose(features_of(twin, sound), expected, atol=2e-3)
    assert frontend.state_dict() == {}  # they stand in the configuration


def test_the_older_key_still_means_the_mean(build):
    assert build("fbank", mean_norm=True).config.normalise == "clip_mean"
    for name in ("fbank", "fbank80_norm"):
        assert build(name, mean_norm=False).config == build("fbank").config


def test_dither_is_drawn_in_training_only_and_again_by_the_same_seed(build, features_of):
    frontend = build("fbank", dither=0.1)
    silence = torch.zeros(1, 8000)
    floor = features_of(build("fbank"), silence)
    torch.manual_seed(1)
    first = features_of(frontend, silence)
    torch.manual_seed(1)
    assert torch.equal(features_of(frontend, silence), first)
    assert not torch.equal(features_of(frontend, silence), first)
    # Noise of that deviation, whatever the scale that the deviation is stated for.
    scaled = build("fbank", dither=3276.8, waveform_scale=32768.0)
    torch.manual_seed(1)
    gained = features_of(scaled, silence) - first
    torch.testing.assert_close(gained, torch.full_like(gained, 20.794), atol=0.01, rtol=0)
    assert torch.equal(features_of(frontend.for_export(), silence), floor)
    assert torch.equal(features_of(frontend.eval(), silence), floor)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("spectrogram", {"power": 3}, "1 .magnitudes. or 2 .power."),
        ("spectrogram", {"window_samples": 500}, r"must not exceed n_fft \(400\): raise n_fft"),
        ("spectrogram", {"window_fn": "han"}, "frontend.window_fn"),
        ("mel", {"f_max_hz": 9000}, "8000 Hz"),
        ("mfcc", {"n_mels": 20}, r"n_mfcc \(40\) must not exceed n_mels \(20\): raise n_mels"),
        ("pcen", {"bias": 0}, "frontend.bias"),
        ("pcen", {"time_constant_s": 60, "hop_samples": 16}, "is 60000 frames, at most 8192"),
        ("fbank", {"f_max_hz": -7990}, "got 20 and 10"),
        ("fbank", {"window_s": 0.0250625, "round_to_power_of_two": False}, "401 points is odd"),
        ("fbank", {"dataset_mean": -4, "dataset_std": 2}, "normalise is 'none'"),
        ("fbank", {"normalise": "dataset", "dataset_mean": -4}, "both"),
        (
            "fbank",
            {"normalise": "dataset", "dataset_mean": [1, 2], "dataset_std": [1, 2]},
            "one number, got 2",
        ),
        (
            "fbank",
            {"normalise": "dataset_bins", "dataset_mean": [1, 2], "dataset_std": [1, 2]},
            "2 numbers and the front-end has 80 bins",
        ),
        (
            "fbank",
            {"normalise": "dataset", "dataset_mean": 1, "dataset_std": 0},
            "numbers above 0",
        ),
        # A flag without its value.
        ("fbank", {"normalise": "dataset", "dataset_mean": True, "dataset_std": True}, "_mean"),
        # Front-ends with another in them.
        ("ast_fbank", {"sample_rate": 30}, "raise sample_rate"),
        ("seamless_fbank", {"sample_rate": 30}, "raise sample_rate"),
        ("waveform_16k", {"sample_rate": 10**9}, "frontend.sample_rate"),
        ("wav2vec2_tiny", {"sample_rate": 10**9}, "frontend.sample_rate"),
        # What would fill the memory, overflow, or give numbers that are none.
        ("mel", {"n_fft": 2**15, "n_mels": 4096}, "more than the 512 that fit"),
        ("fbank", {"sample_rate": 32000, "window_s": 1, "n_mels": 4096}, "512 that fit"),
        ("efficientat_mel", {"n_fft": 2**14, "n_mels": 4096}, "1024 that fit"),
        ("spectrogram", {"n_fft": 2**17}, "frontend.n_fft"),
        ("spectrogram", {"hop_samples": 10**30}, "frontend.hop_samples"),
        ("spectrogram", {"window_samples": 2, "window_periodic": False}, "window_samples"),
        ("mel", {"f_min_hz": 1000, "f_max_hz": 1000 + 1e-9}, "1 Hz apart"),
        ("fbank", {"f_min_hz": 1000, "f_max_hz": 1000 + 1e-9}, "1 Hz apart"),
        ("logmel_32k", {"amin": 1e-60}, "frontend.amin"),
        ("pcen", {"eps": 1e-60}, "frontend.eps"),
    ],
)
def test_options_that_cannot_work_are_refused(build, name, options, message):
    with pytest.raises(ConfigError, match=message):
        build(name, **options)


def test_a_transform_too_long_for_an_onnx_file_is_refused(build):
    with pytest.raises(ConfigError, match="32768 points is too long for export"):
        build("spectrogram", n_fft=2**15).for_export()


def test_kernels_are_the_same_in_blocks(build, monkeypatch):
    frontend = build("fbank", use_energy=True)
    whole = frontend.for_export()
    monkeypatch.setattr(spectral, "_IMPULSES_AT_ONCE", 7)
    blocks = frontend.for_export()
    assert torch.equal(blocks.kernels, whole.kernels)
    assert torch.equal(blocks.energy_kernels, whole.energy_kernels)


@pytest.mark.parametrize(("name", "option"), [("ast_fbank", "frames"), ("image_16k", "width")])
def test_a_network_that_wants_more_frames_than_there_ever_are_is_refused(build, name, option):
    frontend = build(name, **{option: 64})
    assert frontend.samples_for_frames(64) == frontend.shortest_samples
    with pytest.raises(ConfigError, match=rf"gives 64: give --frontend\.{option} 65"):
        frontend.samples_for_frames(65)


def test_statistics_that_are_not_known_yet_are_asked_for(build, features_of):
    frontend = build("fbank", normalise="dataset")
    with pytest.raises(ConfigError, match=r"training measures\s+them, or give frontend.dataset_m"):
        features_of(frontend, noise(1, 4000))
