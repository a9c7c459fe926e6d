"""What wavegrams, residual networks, MobileNets, LeeNet and DaiNet do by definition."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from auricle.core.errors import ConfigError
from auricle.models import MODELS
from auricle.models.panns import Panns, PannsConfig
from auricle.models.panns_parts import TimeConv
from auricle.models.panns_resnet import ResNet, ResNetConfig
from auricle.tensors import Features

HOP = 320
SMALL = {"channels": (4, 6, 8), "embedding_dim": 10}


def sound(samples, frames, *, bins=16, clips=2):
    """Features of `frames` beside waveforms of `samples`."""
    generator = torch.Generator().manual_seed(samples)
    values = 15 * torch.randn(clips, bins, frames, generator=generator) - 30
    waveforms = 0.1 * torch.randn(clips, samples, generator=generator)
    return Features(values, torch.full((clips,), frames), waveforms)


def small(bins=16, classes=3, **options):
    torch.manual_seed(0)
    return Panns(PannsConfig(**{**SMALL, **options}), bins=bins, classes=classes).eval()


@pytest.mark.parametrize("hops", [20, 21])
def test_a_wavegram_is_as_long_as_the_features_beside_it(hops):
    """An odd number of hops too: 22 frames are 11 when halved, the 21 of a wavegram 10."""
    model = small(input="wavegram_logmel")
    seen = []
    model.conv_block2.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    model(sound(hops * HOP, hops + 1))
    assert seen[0].shape == (2, 8, (hops + 1) // 2, 8)
    wavegram = seen[0][:, 4:]
    repeated = torch.equal(wavegram[:, :, -1], wavegram[:, :, -2])
    assert repeated == (hops % 2 == 1)


@pytest.mark.parametrize("kind", ["wavegram", "wavegram_logmel"])
def test_what_a_wavegram_hears(kind):
    """The waveform always; the features only where both are asked for."""
    model = small(input=kind)
    features = sound(20 * HOP, 21)
    before = model(features).scores
    other = Features(features.values, features.lengths_frames, features.waveforms.flip(0))
    assert not torch.allclose(model(other).scores, before)
    deaf = Features(features.values.flip(0), features.lengths_frames, features.waveforms)
    assert torch.equal(model(deaf).scores, before) == (kind == "wavegram")


def test_wavegrams_with_frame_scores(make_features):
    model = small(input="wavegram", head="decision_max")
    output = model(sound(20 * HOP, 21))
    assert output.frame_scores.shape == (2, 21, 3)
    assert torch.equal(output.frame_scores[:, 16:], output.frame_scores[:, 16:17].expand(-1, 5, -1))


def test_a_wavegram_that_does_not_fit_is_refused():
    model = small(input="wavegram_logmel")
    features = sound(20 * HOP, 21)
    alone = Features(features.values, features.lengths_frames)
    with pytest.raises(ConfigError, match=r"--frontend\.with_waveforms true"):
        model(alone)
    with pytest.raises(ConfigError, match=r"every 320 samples .* 41 frames of 6400 samples"):
        model(sound(20 * HOP, 41))
    half = small(input="wavegram_logmel", wavegram_strides=(5, 4, 4, 2))
    assert half(sound(20 * HOP, 41)).scores.shape == (2, 3)
    with pytest.raises(ConfigError, match="head decision_att gives a row of scores a frame"):
        small(bins=1, input="wavegram", head="decision_att")
    with pytest.raises(ValueError, match="two blocks or more"):
        PannsConfig(channels=(8,), input="wavegram")


@pytest.mark.parametrize("name", ["leenet11", "dainet19", "res1dnet31"])
def test_networks_over_waveforms_refuse_other_features(name):
    preset = MODELS[name]
    with pytest.raises(ConfigError, match="got features of 64 bins: choose a waveform front-end"):
        preset.family(preset.config, bins=64, classes=3)


@pytest.mark.parametrize(
    ("name", "shortest"),
    [
        ("wavegram_cnn14", 10236),
        ("wavegram_logmel_cnn14", 9920),
        ("resnet38", 9920),
        ("mobilenetv2", 9920),
        ("res1dnet51", 20476),
        ("dainet19", 332),
        ("leenet24", 1),
    ],
)
def test_published_shortest_inputs(frontend_of, name, shortest):
    preset, frontend = MODELS[name], frontend_of(name)
    with torch.device("meta"):
        model = preset.family(preset.config, bins=frontend.bins, classes=527)
    assert frontend.samples_for_frames(model.shortest_frames) == shortest


@pytest.mark.parametrize(
    "variant", ["cnn14_no_specaug", "cnn14_no_dropout", "cnn14_mixup_time_domain"]
)
def test_variants_that_differ_in_training_are_one_network(variant):
    plain, ours = MODELS["cnn14"], MODELS[variant]
    assert (ours.family, ours.frontend) == (plain.family, plain.frontend)
    assert ours.config.model_copy(update={"dropout": plain.config.dropout}) == plain.config
    assert ours.config.dropout == (0 if variant == "cnn14_no_dropout" else 0.2)


@pytest.mark.parametrize(("stride", "dilation", "padding"), [(1, 1, None), (5, 1, 5), (1, 2, None)])
def test_a_convolution_over_time_is_one(stride, dilation, padding):
    torch.manual_seed(0)
    ours = TimeConv(3, 4, stride=stride, dilation=dilation, padding=padding)
    assert ours.weight.shape == (4, 3, 3)
    x = torch.randn(2, 3, 50)
    expected = F.conv1d(x, ours.weight, None, stride, dilation if padding is None else 5, dilation)
    torch.testing.assert_close(ours(x[..., None]).squeeze(3), expected)


@pytest.mark.parametrize("kind", ["basic", "bottleneck"])
def test_residual_blocks_start_as_their_shortcut(make_features, kind):
    torch.manual_seed(0)
    config = ResNetConfig(block=kind, blocks=(2, 2), widths=(4, 8), last_channels=8)
    model = ResNet(config, bins=16, classes=3).eval()
    features = make_features(32, 16)
    before = model(features).scores
    for module in model.resnet.modules():
        if hasattr(module, "conv2"):
            nn.init.normal_(module.conv2.weight)
    assert torch.equal(model(features).scores, before)


def test_stages_that_disagree_are_refused():
    with pytest.raises(ConfigError, match=r"got \[2, 2\] and \[4, 8, 8\]"):
        ResNet(ResNetConfig(blocks=(2, 2), widths=(4, 8, 8)), bins=64, classes=3)
