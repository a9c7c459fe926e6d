"""Speaker-style backbones: any number of bins, any pooling, and their limits."""

import pytest
import torch
from torch import nn

from auricle.core.errors import ConfigError
from auricle.models import MODELS
from auricle.models.pooling import POOLINGS
from auricle.tensors import Features

BACKBONES = (
    "campplus_tiny",
    "ecapa_tdnn_tiny",
    "eres2net_tiny",
    "eres2netv2_tiny",
    "res2net_tiny",
    "resnet_se_tiny",
    "tdnn_tiny",
)
BINS = (5, 13, 20, 23, 31, 100, 201, 257, 513)
"""Among them all at which the reference's Res2Net, ResNetSE or ERes2Net fails."""


def build(name, *, bins=80, classes=3, **values):
    preset = MODELS[name]
    config = preset.family.Config.model_validate(preset.config.model_dump() | values)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return preset.family(config, bins=bins, classes=classes).eval()


@pytest.mark.parametrize("bins", BINS)
@pytest.mark.parametrize("name", BACKBONES)
def test_any_number_of_bins(make_features, name, bins):
    model = build(name, bins=bins)
    for frames in (model.shortest_frames, 61):
        output = model(make_features(frames, bins))
        assert output.scores.shape == (2, 3)
        assert output.scores.isfinite().all()


@pytest.mark.parametrize("bins", [2, 4])
def test_too_few_bins_say_so(bins):
    with pytest.raises(ConfigError, match=rf"at least 5 mel bins, got {bins}: .*n_mels"):
        build("res2net_tiny", bins=bins)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("name", BACKBONES)
def test_any_pooling(make_features, name, pooling):
    model = build(name, pooling=pooling, pooling_options={}).train()
    output = model(make_features(61, 80, clips=4))
    output.scores.square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_tdnn_hears_nothing_behind_a_clip(make_features):
    """Not only zeros: whatever stands there."""
    model = build("tdnn_tiny")
    whole = make_features(61, 80)
    values = whole.values.clone()
    values[0, :, 40:] = 1e3
    padded = model(Features(values, torch.tensor([40, 61])))
    alone = model(Features(whole.values[:1, :, :40], torch.tensor([40])))
    torch.testing.assert_close(padded.scores[0], alone.scores[0])
    torch.testing.assert_close(padded.scores[1], model(whole).scores[1])


class Padded(nn.Module):
    """Scores of features and lengths, as plain tensors."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, values, lengths):
        return self.model(Features(values, lengths)).scores


def test_an_exported_graph_masks_though_its_example_had_no_padding(make_features):
    model = build("tdnn_tiny")
    values = make_features(61, 80).values
    batch, time = torch.export.Dim("batch"), torch.export.Dim("time", min=model.shortest_frames)
    example = (values, torch.tensor([61, 61]))
    program = torch.export.export(
        Padded(model), example, dynamic_shapes=({0: batch, 2: time}, {0: batch})
    )
    padded = program.module()(values, torch.tensor([40, 61]))
    alone = model(Features(values[:1, :, :40], torch.tensor([40])))
    torch.testing.assert_close(padded[:1], alone.scores)


def test_ecapa_hears_padding_through_its_convolutions_only(make_features):
    """Gates and pooling leave padding out: no more than the clip's last frames feel it."""
    model = build("ecapa_tdnn_tiny")
    clip = make_features(400, 80, clips=1)
    alone = model(clip).scores[0]
    values = torch.cat([clip.values, clip.values.new_zeros(1, 80, 400)], dim=2)
    ignored, counted = (
        (model(Features(values, torch.tensor([frames]))).scores[0] - alone).abs().max()
        for frames in (400, 800)
    )
    assert ignored < counted / 10


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("ecapa_tdnn_tiny", {"scale": 3}, r"channels \(8\) must be a multiple of scale \(3\)"),
        ("resnet_se_tiny", {"blocks": (1, 2, 3)}, r"one number a stage"),
        ("res2net_tiny", {"channels": (4, 0)}, r"channels\.1\n.*greater than or equal to 1"),
    ],
)
def test_sizes_that_do_not_fit_say_so(name, values, message):
    with pytest.raises(ValueError, match=message):
        build(name, **values)


@pytest.mark.parametrize(
    ("name", "pooled_channels", "millions"),
    [
        ("ecapa_tdnn", None, 6.2),
        ("ecapa_tdnn_1024", None, 20.8),  # 3D-Speaker's
        ("ecapa_tdnn_1024", 1536, 14.7),  # the paper's
    ],
)
def test_embedding_networks_have_the_published_size(name, pooled_channels, millions):
    with torch.device("meta"):
        model = build(name, classes=0, pooled_channels=pooled_channels)
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)
