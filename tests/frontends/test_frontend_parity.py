"""Front-ends against numbers computed by torchlibrosa, torchaudio and kaldi-native-fbank."""

import json

import kaldi_native_fbank
import numpy as np
import pytest
import torch

SILENCE_DB = -100.0
FLOOR = float(np.log(np.finfo(np.float32).eps))

# entry: front-end, changed options, name of the output, tolerance
VECTORS = {
    "torchlibrosa_32k": ("logmel_32k", {}, "logmel", 5e-4),
    "torchlibrosa_16k": ("logmel_16k", {}, "logmel", 5e-4),
    "torchlibrosa_8k": ("logmel_8k", {}, "logmel", 5e-4),
    "kaldi_fbank_23": ("fbank", {"n_mels": 23}, "fbank", 2e-3),
    "kaldi_fbank_80": ("fbank", {}, "fbank", 2e-3),
    "kaldi_fbank_128": ("fbank", {"n_mels": 128, "window": "hann"}, "fbank", 2e-3),
    "kaldi_native_80_scaled": ("fbank", {"waveform_scale": 32768.0}, "fbank", 2e-3),
    "kaldi_native_80_unscaled": ("fbank", {}, "fbank", 2e-3),
    "macls_featurizer_fbank80": ("fbank", {"mean_norm": True}, "feature", 2e-3),
}


def vectors(parity, entry, output):
    """The arrays `{input: (batch, bins, frames)}` of an entry; none where it has a json only."""
    path = parity / f"frontends.{entry}.npz"
    if not path.exists():
        return {}
    with np.load(path) as arrays:
        found = {key.split(".")[0]: arrays[key] for key in arrays if key.endswith(f".{output}")}
    return {
        name: value.reshape(len(value), *value.shape[-2:]).swapaxes(1, 2)
        for name, value in found.items()
    }


@pytest.mark.parametrize("exported", [False, True], ids=["fft", "for_export"])
@pytest.mark.parametrize("entry", VECTORS)
def test_frontend_parity(parity, parity_inputs, build, features_of, entry, exported):
    name, options, output, tolerance = VECTORS[entry]
    frontend = build(name, **options)
    if exported:
        frontend = frontend.for_export()
    described = json.loads((parity / f"frontends.{entry}.json").read_text())["outputs"]
    expected = vectors(parity, entry, output)
    shapes = {key.split(".")[0]: v["shape"] for key, v in described.items() if output in key}
    assert shapes
    for source, shape in shapes.items():
        ours = features_of(frontend, parity_inputs[source])
        assert list(ours.shape) == [shape[0], shape[-1], shape[-2]]
        assert ours.shape[2] == frontend.frame_count(parity_inputs[source].shape[1])
        if source in expected:
            np.testing.assert_allclose(ours.numpy(), expected[source], atol=tolerance, rtol=0)


def test_parity_covers_every_entry_of_its_families(parity):
    families = ("torchlibrosa_", "kaldi_")
    there = {path.name.split(".")[1] for path in parity.glob("frontends.*.json")}
    assert {name for name in there if name.startswith(families)} <= set(VECTORS)


@pytest.mark.parametrize("entry", ["torchlibrosa_32k", "torchlibrosa_8k"])
def test_power_spectrum_parity(parity, parity_inputs, build, entry):
    frontend = build(VECTORS[entry][0])
    for source, expected in vectors(parity, entry, "power").items():
        padded = frontend.pad(parity_inputs[source])
        frames = padded.unfold(1, frontend.n_fft, frontend.hop_samples)[:, ::8]
        power = torch.fft.rfft(frontend.shape(frames)).abs().square().transpose(1, 2)
        largest = np.maximum(expected.max(axis=1, keepdims=True), 1e-30)
        np.testing.assert_allclose(power.numpy() / largest, expected / largest, atol=1e-5)


def test_parity_of_silence(parity_inputs, build, features_of):
    """Item 1 ends in exact zeros: its last frames sit on the floor, exactly."""
    for twin in (build("logmel_32k"), build("logmel_32k").for_export()):
        assert (features_of(twin, parity_inputs["wave32k"])[1, :, -15:] == SILENCE_DB).all()
    values = features_of(build("fbank"), parity_inputs["wave16k"])
    assert torch.equal(values[1, :, -15:], torch.full((80, 15), FLOOR))


def test_parity_of_an_empty_mel_filter(parity_inputs, build, features_of):
    """Of 128 Kaldi filters the fourth covers no bin of a 512-point transform."""
    values = features_of(build("fbank", n_mels=128, window="hann"), parity_inputs["wave16k"])
    on_floor = (values - FLOOR).abs().amax(dim=(0, 2)) < 1e-5
    assert on_floor.nonzero().flatten().tolist() == [3]


ORACLE_OPTIONS = [
    {"window": "hamming", "pre_emphasis": 0.9, "waveform_scale": 32768.0},
    {"window": "hann", "f_min_hz": 100.0, "f_max_hz": 7000.0, "n_mels": 40},
    {"window": "rectangular", "pre_emphasis": 0.0},
    {"snip_edges": False},
    {"snip_edges": False, "sample_rate": 8000, "window_s": 0.032, "hop_s": 0.008, "n_mels": 23},
]


@pytest.mark.parametrize("options", ORACLE_OPTIONS, ids=lambda o: "-".join(map(str, o.values())))
def test_fbank_equals_kaldi_native_fbank(build, features_of, options):
    frontend = build("fbank", **options)
    config = frontend.config
    rng = np.random.default_rng(5)
    sound = (0.1 * rng.standard_normal(7777)).astype(np.float32)
    oracle = kaldi_native_fbank.FbankOptions()
    oracle.frame_opts.samp_freq = config.sample_rate
    oracle.frame_opts.frame_length_ms = 1000 * config.window_s
    oracle.frame_opts.frame_shift_ms = 1000 * config.hop_s
    oracle.frame_opts.dither = 0
    oracle.frame_opts.preemph_coeff = config.pre_emphasis
    oracle.frame_opts.window_type = {"hann": "hanning"}.get(config.window, config.window)
    oracle.frame_opts.snip_edges = config.snip_edges
    oracle.mel_opts.num_bins = config.n_mels
    oracle.mel_opts.low_freq = config.f_min_hz
    oracle.mel_opts.high_freq = config.f_max_hz or 0
    computer = kaldi_native_fbank.OnlineFbank(oracle)
    computer.accept_waveform(config.sample_rate, (sound * config.waveform_scale).tolist())
    computer.input_finished()
    expected = np.stack([computer.get_frame(i) for i in range(computer.num_frames_ready)], axis=1)
    for twin in (frontend, frontend.for_export()):
        ours = features_of(twin, torch.tensor(sound)[None])[0].numpy()
        np.testing.assert_allclose(ours, expected, atol=2e-3)
