"""Networks for pictures: what they take, and what they say to what they do not."""

import sys

import pytest
import torch

from auricle.core.errors import ConfigError, MissingExtra
from auricle.models import MODELS
from auricle.tensors import Features


def build(name, *, bins=64, classes=3, **options):
    preset = MODELS[name]
    return preset.family(preset.config.model_copy(update=options), bins=bins, classes=classes)


def pictures(*shape):
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    return Features(values, torch.full((shape[0],), shape[-1]))


@torch.no_grad()
@pytest.mark.parametrize("name", ["image_convnext_tiny", "image_mobilenet_tiny"])
def test_features_are_pictures_of_one_channel(name):
    model = build(name, channels=3).eval()
    flat = pictures(2, 64, 40)
    one = Features(flat.values[:, None], flat.lengths_frames)
    three = Features(one.values.expand(-1, 3, -1, -1), flat.lengths_frames)
    assert torch.equal(model(flat).scores, model(one).scores)
    assert torch.equal(model(flat).scores, model(three).scores)


def test_three_channels_into_a_network_of_one():
    model = build("image_mobilenet_tiny", channels=1)
    with pytest.raises(ConfigError, match=r"--model\.channels 3 or --frontend\.channels 1"):
        model(pictures(2, 3, 64, 64))


def test_a_network_of_one_size():
    model = build("image_vit_tiny", bins=32, width=96)
    assert model.fixed_frames == model.shortest_frames == 96
    assert model(pictures(2, 1, 32, 96)).scores.shape == (2, 3)
    with pytest.raises(ConfigError, match=r"32 x 96, got 32 x 64: .* --model\.width 64"):
        model(pictures(2, 1, 32, 64))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": "resnet1"}, r"did you mean 'resnet"),
        ({"backbone": "hf-hub:someone/something"}, "timm has no network"),
        ({"backbone": "deit_tiny_distilled_patch16_224"}, "one linear last layer"),
        ({"bins": 16}, r"at least 32 rows, got 16: raise --frontend\.height"),
    ],
)
def test_what_cannot_be_built(options, message):
    with pytest.raises(ConfigError, match=message), torch.device("meta"):
        build("timm", **options)


@pytest.mark.parametrize(
    ("name", "library", "extra"),
    [("resnet18", "timm", "models"), ("mobilenetv3_small", "torchvision", "train")],
)
def test_without_the_library_the_install_line_is_named(monkeypatch, name, library, extra):
    for module in [key for key in sys.modules if key.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=rf"pip install 'auricle\[{extra}\]'"):
        build(name)
