"""Front-ends against numbers of torchlibrosa, torchaudio, kaldi-native-fbank and others.

`RECIPES` says, for every entry (the longest prefix of its name that is there), how its outputs are
made from its parameters. A new front-end adds a recipe: a function of the parameters and the
waveforms that gives every output in the reference's own layout.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.fft
import torch
from torch import Tensor

from auricle.core.config import validate
from auricle.frontends import FRONTENDS
from auricle.frontends.base import FrontEnd

FAMILY = "frontends"

Array = npt.NDArray[Any]
Outputs = Mapping[str, "Expected"]
MACLS_RATIOS = (1.0, 0.6)  # lengths of the two clips of `feature_lengths`
MEL = 1e-4  # torchaudio draws its mel filters in float32: 3e-5 of the largest value


@dataclass(frozen=True)
class Expected:
    """An output of ours, and how near it must come to the reference.

    `stride` is the step between stored frames, `atol` absolute, `of_largest` relative to the
    largest value of each frame (`axis` is that of the bins), for powers.
    """

    values: Array
    atol: float | None = None
    of_largest: float | None = None
    axis: int = 1

    def check(self, reference: Array) -> None:
        assert self.values.shape == reference.shape
        ours, scale = self.values, np.float64(1)
        if self.of_largest is not None:
            scale = np.maximum(np.abs(reference).max(axis=self.axis, keepdims=True), 1e-20)
        bound = self.of_largest if self.of_largest is not None else self.atol
        assert bound is not None
        np.testing.assert_allclose(ours / scale, reference / scale, atol=bound, rtol=0)


class Maker:
    """Builds front-ends, in the form that training uses or in the exported one."""

    def __init__(self, exported: bool) -> None:
        self.exported = exported

    def frontend(self, name: str, **options: Any) -> FrontEnd:
        preset = FRONTENDS[name]
        values = {**preset.config.model_dump(), **options}
        frontend = preset.build(validate(preset.build.Config, values))
        return frontend.for_export() if self.exported else frontend

    def features(self, name: str, waveforms: Tensor, **options: Any) -> Array:
        """The features `(batch, bins, frames)` of waveforms without padding."""
        frontend = self.frontend(name, **options)
        features = frontend(waveforms, torch.full((len(waveforms),), waveforms.shape[1]))
        assert features.values.shape[-1] == frontend.frame_count(waveforms.shape[1])
        assert (features.lengths_frames == features.values.shape[-1]).all()
        return features.values.numpy()


Recipe = Callable[[Maker, Any, Tensor], Outputs]


def torchlibrosa(make: Maker, given: dict[str, Any], waveforms: Tensor) -> Outputs:
    options = rename(
        given,
        sample_rate="sample_rate",
        n_fft="n_fft",
        hop_length="hop_samples",
        win_length="window_samples",
        center="center",
        pad_mode="pad_mode",
        n_mels="n_mels",
        fmin="f_min_hz",
        fmax="f_max_hz",
        amin="amin",
        top_db="top_db",
        fixed={
            "window": "hann (periodic)",
            "power": 2.0,
            "mel": "librosa.filters.mel defaults: Slaney scale, area normalisation",
            "ref": 1.0,
        },
    )
    logmel = make.features("logmel_32k", waveforms, **options)
    common = ("sample_rate", "n_fft", "hop_samples", "window_samples", "center", "pad_mode")
    spectrum = {key: value for key, value in options.items() if key in common}
    power = make.features("spectrogram", waveforms, **spectrum)
    tolerance_db = 2e-3 if options["n_mels"] > 64 else 5e-4
    return {
        "logmel": Expected(logmel.swapaxes(1, 2)[:, None], atol=tolerance_db),
        "power": Expected(power[..., ::8].swapaxes(1, 2)[:, None], of_largest=1e-5, axis=3),
    }


def kaldi(make: Maker, given: dict[str, Any], waveforms: Tensor) -> Outputs:
    fbank = make.features("fbank", waveforms, **kaldi_options(given))
    return {"fbank": Expected(fbank.swapaxes(1, 2), atol=2e-3)}


def kaldi_native(make: Maker, given: dict[str, Any], waveforms: Tensor) -> Outputs:
    options = rename(
        given,
        num_bins="n_mels",
        samp_freq="sample_rate",
        waveform_scale="waveform_scale",
        dither="dither",
        fixed={"others": "defaults", "options": given["options"]},
    )
    fbank = make.features("fbank", waveforms, **options)
    return {"fbank": Expected(fbank.swapaxes(1, 2), atol=2e-3)}


def spectrogram(make: Maker, given: dict[str, Any], waveforms: Tensor) -> Outputs:
    power = make.features("spectrogram", waveforms, **torchaudio_options(given))
    return {"feature": Expected(power[..., ::4], of_largest=1e-5)}


def melspectrogram(make: Maker, given: dict[str, Any], waveforms: Tensor) -> Outputs:
    options = torchaudio_options(given)
    mel = make.features("mel", waveforms, **options)
    # torchaudio's AmplitudeToDB("power", top_db=80), which looks at the whole batch at once.
    decibels = {**as_logmel(make, options), "top_db": 80.0}
    per_clip = make.features("logmel_32k", waveforms, **decibels)
    whole = make.features("logmel_32k", waveforms, **{**decibels, "top_db": None})
    return {
        "feature": Expected(mel, of_largest=MEL),
        "db_per_clip": Expected(per_clip, atol=2e-3),
        "db_batch": Expected(np.maximum(whole, whole.max() - 80), atol=2e-3),
    }


def mfcc(make: Maker, given: dict[str, Any], waveforms: Tensor) -> Outputs:
    options = {**torchaudio_options(given.get("melkwargs", {}))}
    options |= rename({k: v for k, v in given.items() if k != "melkwargs"}, **MFCC_KEYS)
    feature = make.features("mfcc", waveforms, **options)
    # The leak of the reference: the floor under the decibels follows the loudest clip of the batch.
    mel = {key: value for key, value in options.items() if key not in MFCC_KEYS.values()}
    mel["sample_rate"] = options["sample_rate"]
    whole = make.features("logmel_32k", waveforms, **as_logmel(make, mel), top_db=None)
    limited = np.maximum(whole, whole.max() - 80)
    cepstra = scipy.fft.dct(limited, axis=1, norm="ortho")[:, : feature.shape[1]]
    return {
        "feature": Expected(feature, atol=5e-3),
        "feature_batch": Expected(cepstra, atol=5e-3),
    }


def macls(make: Maker, given: dict[str, Any], waveforms: Tensor) -> Outputs:
    """macls subtracts each bin's mean over ALL frames, then writes zeros beyond each length."""
    if given["feature_method"] == "Fbank":
        name, options = "fbank", kaldi_options(given["method_args"])
        near = {"atol": 2e-3}
    else:
        name = {"MelSpectrogram": "mel", "Spectrogram": "spectrogram"}[given["feature_method"]]
        options, near = torchaudio_options(given["method_args"]), {"of_largest": MEL, "axis": 2}
    values = make.features(name, waveforms, **options).swapaxes(1, 2)
    centred = values - values.mean(axis=1, keepdims=True)
    frames = values.shape[1]
    ratios = np.array(MACLS_RATIOS[: len(values)])
    kept = np.round(ratios * frames)[:, None, None]
    masked = np.where(np.arange(frames)[:, None] < kept, centred, 0)
    # Where no clip is padded its mean is that of its own frames, which is what we offer.
    offered = make.features(name, waveforms, **options, normalise="clip_mean")
    loudest = np.abs(centred).max()
    np.testing.assert_allclose(offered.swapaxes(1, 2), centred, atol=1e-5 * loudest)
    return {
        "feature": Expected(centred, **near),
        "feature_lengths": Expected(masked, **near),
    }


def efficientat_mel(make: Maker, given: dict[str, Any], waveforms: Tensor) -> Outputs:
    options = rename(
        given,
        n_mels="n_mels",
        sr="sample_rate",
        win_length="window_samples",
        hopsize="hop_samples",
        n_fft="n_fft",
        fmin="f_min_hz",
        fmax="f_max_hz",
        fixed={"fmin_aug_range": 10, "fmax_aug_range": 2000},  # of the reference's training
    )
    return {"mel": Expected(make.features("efficientat_mel", waveforms, **options), atol=5e-4)}


def gtzan_image(make: Maker, given: dict[str, Any], waveforms: Tensor) -> Outputs:
    options = rename(
        {**given, "width": given["resize"]},
        sample_rate="sample_rate",
        n_fft="n_fft",
        hop_length="hop_samples",
        n_mels="n_mels",
        resize="height",
        width="width",
    )
    pictures = make.features("gtzan_image", waveforms, **options)
    assert pictures.shape[1] == 3
    assert (pictures == pictures[:, :1]).all()
    return {"image": Expected(pictures[:, 0], of_largest=MEL)}


MFCC_KEYS = {"sample_rate": "sample_rate", "n_mfcc": "n_mfcc"}


def hf_ast(make: Maker, given: str, waveforms: Tensor) -> Outputs:
    assert given.startswith("defaults"), given
    frontend = make.frontend("ast_fbank")
    features = frontend(waveforms, torch.full((len(waveforms),), waveforms.shape[1]))
    return {"input_values": Expected(features.values.numpy().swapaxes(1, 2), atol=3e-4)}


def hf_seamless(make: Maker, given: str, waveforms: Tensor) -> Outputs:
    assert given.startswith("defaults"), given
    values = make.features("seamless_fbank", waveforms).swapaxes(1, 2)
    heard = np.ones(values.shape[:2], np.int32)
    return {
        "input_features": Expected(values, atol=1e-3),
        "attention_mask": Expected(heard, atol=0),
    }


def hf_wav2vec2(make: Maker, given: str, waveforms: Tensor) -> Outputs:
    """The reference leaks in a padded batch without a mask: made here, nowhere else."""
    assert given.startswith("defaults"), given
    frontend = make.frontend("waveform_16k_norm")
    batch = waveforms.clone()
    lengths = torch.full((len(batch),), batch.shape[1])
    if len(batch) > 1:
        lengths[1] = 20000
        batch[1, 20000:] = 0
    leaking = (batch - batch.mean(1, keepdim=True)) / (batch.var(1, False)[:, None] + 1e-7).sqrt()
    return {
        "input_values": Expected(make.features("waveform_16k_norm", waveforms)[:, 0], atol=1e-5),
        "padded_batch": Expected(leaking.numpy(), atol=1e-5),
        "padded_batch_masked": Expected(frontend(batch, lengths).values[:, 0].numpy(), atol=1e-5),
        "attention_mask_sums": Expected(lengths.numpy(), atol=0),
    }


RECIPES: dict[str, Recipe] = {
    "torchlibrosa_": torchlibrosa,
    "kaldi_fbank_": kaldi,
    "kaldi_native_": kaldi_native,
    "torchaudio_spectrogram_": spectrogram,
    "torchaudio_melspec_": melspectrogram,
    "torchaudio_mfcc_": mfcc,
    "macls_featurizer_": macls,
    "efficientat_mel": efficientat_mel,
    "gtzan_image": gtzan_image,
    "hf_ast": hf_ast,
    "hf_seamless": hf_seamless,
    "hf_wav2vec2": hf_wav2vec2,
}


@pytest.mark.parametrize("exported", [False, True], ids=["fft", "for_export"])
@torch.no_grad()
def test_frontend_parity(golden, exported):
    recipe = recipe_of(golden.name)
    parameters = golden.described["parameters"]
    made: dict[str, Outputs] = {}

    def output(key: str) -> Expected:
        name, _, what = key.partition(".")
        if name not in made:
            made[name] = recipe(Maker(exported), parameters, golden.input(name))
        assert what in made[name], f"no recipe makes '{key}'"
        return made[name][what]

    for key, described in golden.described["outputs"].items():
        assert list(output(key).values.shape) == described["shape"], key
    for _, arrays in golden.vectors():
        for key, reference in arrays.items():
            output(key).check(reference)


def recipe_of(name: str) -> Recipe:
    """The recipe of an entry: that of the longest prefix of its name."""
    prefixes = [prefix for prefix in RECIPES if name.startswith(prefix)]
    assert prefixes, f"no recipe for the front-end '{name}'"
    return RECIPES[max(prefixes, key=len)]


def rename(given: dict[str, Any], *, fixed: Any = None, **names: str) -> dict[str, Any]:
    """The reference's parameters by our names; an unknown one, or another fixed one, fails."""
    fixed = fixed or {}
    for key, value in given.items():
        assert key in names or fixed.get(key, "?") == value, f"unknown parameter {key} = {value}"
    return {names[key]: value for key, value in given.items() if key in names}


def torchaudio_options(given: dict[str, Any]) -> dict[str, Any]:
    """Parameters of torchaudio's (Mel)Spectrogram by our names."""
    options = rename(
        given,
        sample_rate="sample_rate",
        n_fft="n_fft",
        win_length="window_samples",
        hop_length="hop_samples",
        f_min="f_min_hz",
        f_max="f_max_hz",
        n_mels="n_mels",
        power="power",
        center="center",
        pad_mode="pad_mode",
        norm="mel_norm",
        mel_scale="mel_scale",
    )
    if "mel_norm" in options:
        options["mel_norm"] = options["mel_norm"] or "none"
    return options


def as_logmel(make: Maker, mel: dict[str, Any]) -> dict[str, Any]:
    """Options of our log-mel front-end for torchaudio's mel spectrogram."""
    config = {**FRONTENDS["mel"].config.model_dump(), **mel}
    assert config.pop("power") == 2
    return {**config, "amin": 1e-10}


def kaldi_options(given: dict[str, Any]) -> dict[str, Any]:
    """Parameters of torchaudio's `kaldi.fbank` by our names."""
    options = rename(
        given,
        sample_frequency="sample_rate",
        num_mel_bins="n_mels",
        dither="dither",
        frame_shift="hop_s",
        frame_length="window_s",
        window_type="window",
        htk_compat="htk_compat",
        use_energy="use_energy",
        raw_energy="raw_energy",
        energy_floor="energy_floor",
        low_freq="f_min_hz",
        high_freq="f_max_hz",
        preemphasis_coefficient="pre_emphasis",
        remove_dc_offset="remove_dc_offset",
        round_to_power_of_two="round_to_power_of_two",
        snip_edges="snip_edges",
        use_power="use_power",
        use_log_fbank="log",
        blackman_coeff="blackman_coeff",
    )
    for key in {"hop_s", "window_s"} & options.keys():
        options[key] /= 1000
    options["window"] = {"hanning": "hann"}.get(
        options.get("window", "povey"), options.get("window", "povey")
    )
    options.setdefault("n_mels", 23)
    return options
