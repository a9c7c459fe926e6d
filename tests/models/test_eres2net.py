"""ERes2Net: its activation, its fusion, its sizes."""

import pytest
import torch
from torch import nn

from auricle.models import MODELS
from auricle.models.eres2net import Block, ERes2NetConfig, Fusion
from auricle.models.pointwise import PointwiseConv2d


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("fused", [False, True])
def test_a_block_gives_nothing_above_twenty(fused):
    block = Block(ERes2NetConfig(channels=4), 4, 4, stride=1, fused=fused).eval()
    loud = block(1e4 * draw(2, 4, 5, 6))
    assert loud.max() == 20
    assert loud.min() == 0


@pytest.mark.parametrize(("bias", "shares"), [(0.0, (1, 1)), (50.0, (2, 0)), (-50.0, (0, 2))])
def test_fusion_mixes_from_all_of_one_to_all_of_the_other(bias, shares):
    fusion = Fusion(4).eval()
    nn.init.zeros_(fusion.local_att[-1].weight)
    nn.init.constant_(fusion.local_att[-1].bias, bias)
    x, y = draw(2, 4, 5, 6), draw(2, 4, 5, 6, seed=1)
    torch.testing.assert_close(fusion(x, y), shares[0] * x + shares[1] * y)


@pytest.mark.parametrize(
    ("name", "millions"),
    [("eres2net", 6.61), ("eres2net_large", 22.46), ("eres2netv2", 17.86)],
)
def test_embedding_networks_have_the_published_size(name, millions):
    preset = MODELS[name]
    with torch.device("meta"):
        model = preset.family(preset.config, bins=80, classes=0)
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize("channels", [4, 16])
@pytest.mark.parametrize("stride", [1, 2, (2, 1)])
def test_pointwise_convolution_is_a_product_of_matrices(channels, stride):
    """Thin, strided and channels-last: there oneDNN writes past its memory."""
    ours = PointwiseConv2d(channels, 8, stride).to(memory_format=torch.channels_last)
    x = draw(4, channels, 80, 101)
    weight = ours.weight.detach().clone().requires_grad_()
    seen = x[:, :, :: ours.stride[0], :: ours.stride[1]]
    expected = torch.einsum("nihw,oi->nohw", seen, weight[:, :, 0, 0])
    found = ours(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    slope = draw(*expected.shape, seed=1)
    expected.backward(slope)
    found.backward(slope)
    torch.testing.assert_close(ours.weight.grad, weight.grad, atol=1e-2, rtol=1e-4)
