"""Kaldi features against kaldi-native-fbank, over all options that both have."""

import kaldi_native_fbank
import numpy as np
import pytest
import torch

OPTIONS = [
    {"window": "hamming", "pre_emphasis": 0.9, "waveform_scale": 32768.0},
    {"window": "hann", "f_min_hz": 100.0, "f_max_hz": 7000.0, "n_mels": 40},
    {"window": "rectangular", "pre_emphasis": 0.0},
    {"window": "blackman", "f_max_hz": -400.0},
    {"window": "blackman", "blackman_coeff": 0.4, "remove_dc_offset": False},
    {"window": "sine", "use_power": False, "n_mels": 23},
    {"snip_edges": False},
    {"snip_edges": False, "sample_rate": 8000, "window_s": 0.032, "hop_s": 0.008, "n_mels": 23},
    {"round_to_power_of_two": False, "f_max_hz": 0.0, "n_mels": 40},
    {"log": False, "waveform_scale": 100.0},
    {"use_energy": True},
    {"use_energy": True, "htk_compat": True, "waveform_scale": 32768.0, "snip_edges": False},
    {"use_energy": True, "raw_energy": False, "window": "hamming", "use_power": False},
    {"use_energy": True, "remove_dc_offset": False},
    {"use_energy": True, "energy_floor": 1.5},
]


def oracle_features(config, sound):
    options = kaldi_native_fbank.FbankOptions()
    frame, mel = options.frame_opts, options.mel_opts
    frame.samp_freq = config.sample_rate
    frame.frame_length_ms = 1000 * config.window_s
    frame.frame_shift_ms = 1000 * config.hop_s
    frame.dither = 0
    frame.preemph_coeff = config.pre_emphasis
    frame.window_type = {"hann": "hanning"}.get(config.window, config.window)
    frame.blackman_coeff = config.blackman_coeff
    frame.remove_dc_offset = config.remove_dc_offset
    frame.round_to_power_of_two = config.round_to_power_of_two
    frame.snip_edges = config.snip_edges
    mel.num_bins = config.n_mels
    mel.low_freq = config.f_min_hz
    mel.high_freq = config.f_max_hz or 0
    options.use_power = config.use_power
    options.use_log_fbank = config.log
    options.use_energy = config.use_energy
    options.raw_energy = config.raw_energy
    options.energy_floor = config.energy_floor
    options.htk_compat = config.htk_compat
    computer = kaldi_native_fbank.OnlineFbank(options)
    computer.accept_waveform(config.sample_rate, (sound * config.waveform_scale).tolist())
    computer.input_finished()
    return np.stack([computer.get_frame(i) for i in range(computer.num_frames_ready)], axis=1)


@pytest.mark.parametrize("exported", [False, True], ids=["fft", "for_export"])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(f"{k}={o[k]}" for k in o))
def test_fbank_equals_kaldi_native_fbank(build, features_of, options, exported):
    frontend = build("fbank", **options)
    rng = np.random.default_rng(5)
    # A direct current, a stretch of near silence and one of noise.
    sound = 0.002 + 0.1 * rng.standard_normal(7777) * np.linspace(0, 1, 7777) ** 2
    sound = sound.astype(np.float32)
    expected = oracle_features(frontend.config, sound)
    twin = frontend.for_export() if exported else frontend
    ours = features_of(twin, torch.tensor(sound)[None])[0].numpy()
    relative = 0 if frontend.log else 1e-3
    np.testing.assert_allclose(ours, expected, atol=2e-3, rtol=relative)
    assert len(ours) == frontend.bins
