"""What EfficientAT's networks must do beyond the sweep."""

import pytest
import torch

from auricle.models import MODELS
from auricle.models.efficientat_dynamic import DynamicConv

BINS = 40


def build(name, classes=3, **options):
    preset = MODELS[name]
    config = preset.config.model_copy(update=options)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return preset.family(config, bins=BINS, classes=classes).eval()


@pytest.mark.parametrize("name", ["mn_tiny", "mn_fc_tiny", "dymn_tiny"])
@pytest.mark.parametrize("clips", [1, 2])
def test_one_class_and_one_clip_keep_their_axes(make_features, name, clips):
    """The reference squeezes both away."""
    model = build(name, classes=1)
    output = model(make_features(1, BINS, clips=clips))
    assert output.scores.shape == (clips, 1)
    assert output.embedding.shape == (clips, model.embedding_dim)


def test_a_new_mlp_head_keeps_the_layer_before_the_last():
    """As fine-tuning with the reference does."""
    model = build("mn_tiny")
    before = model.classifier[2].weight
    model.replace_head(5)
    assert model.classifier[2].weight is before
    assert model.classifier[5].weight.shape[0] == 5


def dynamic(kernel, temperature, stride=1):
    torch.manual_seed(1)
    return DynamicConv(6, 6, 5, temperature=temperature, kernel=kernel, stride=stride)


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (5, 2)])
@torch.no_grad()
def test_a_dynamic_convolution_is_a_weighted_sum_of_its_kernels_outputs(kernel, stride):
    layer = dynamic(kernel, temperature=0.5, stride=stride)
    generator = torch.Generator().manual_seed(2)
    x, context = (
        torch.randn(3, 6, 9, 7, generator=generator),
        torch.randn(3, 5, generator=generator),
    )
    shares = (layer.residuals(context) / 0.5).softmax(1)
    groups = 1 if kernel == 1 else 6
    kernels = layer.weight.view(4, 6, 6 // groups, kernel, kernel)
    outputs = [
        torch.nn.functional.conv2d(x, one, None, stride, kernel // 2, groups=groups)
        for one in kernels
    ]
    expected = sum(shares[:, i, None, None, None] * outputs[i] for i in range(4))
    torch.testing.assert_close(layer(x, context), expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_temperature_evens_out_the_kernels():
    """At a high temperature every clip gets the mean of the kernels, whatever its context."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(1, 6, 8, 8, generator=generator).expand(2, -1, -1, -1)
    context = 5 * torch.randn(2, 5, generator=generator)

    def apart(temperature):
        one, other = dynamic(3, temperature)(x, context)
        return float((one - other).abs().max())

    assert apart(1e6) < 1e-4
    assert apart(1.0) > 0.1
