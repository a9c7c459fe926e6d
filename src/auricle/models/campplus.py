"""CAM++: a densely connected time-delay network whose layers are gated by their context.

Wang et al., "CAM++: A Fast and Efficient Network for Speaker Verification Using Context-Aware
Masking" (2023), https://arxiv.org/abs/2303.00332; reference implementations 3D-Speaker
(speakerlab/models/campplus, an embedding network: `classes=0` here) and macls (the same with a
classifier), both Apache-2.0. Parameters have the published names.

Everything runs as 2-d convolutions on channels-last tensors, with a height of one behind the
2-d head: on CPUs that is the fast layout, and no frame is copied between the two.
"""

from collections import OrderedDict
from typing import ClassVar, TypeVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.models import MODELS
from auricle.models.base import Count, Counts, ModelConfig, ModelPreset, SoundModel, Width
from auricle.models.pointwise import PointwiseConv2d
from auricle.models.pooling import PooledConfig, build_pooling
from auricle.tensors import Features, Output

L = TypeVar("L", nn.Conv1d, nn.Linear)


class CamPlusPlusConfig(PooledConfig):
    """Settings of `CamPlusPlus`: the published ones by default."""

    head_channels: Width = Field(default=32, description="channels of the 2-d head")
    channels: Width = Field(default=128, description="channels of the first 1-d layer")
    layers: Counts = Field(default=(12, 24, 16), description="layers of each dense block")
    growth: Width = Field(default=32, description="channels that each dense layer adds")
    bottleneck: Count = Field(
        default=4, description="channels inside a dense layer, in multiples of growth"
    )
    segment_frames: int = Field(
        default=100, ge=1, description="frames (after halving) that share one gate"
    )
    pooling: str = Field(default="stats", description="embedding pooling over time")
    embedding_dim: Width = Field(default=512, description="width of the embedding")


class BasicResBlock(nn.Module):
    """Two 3 x 3 convolutions around a shortcut; `stride` thins out bins, never frames."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, (stride, 1), 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut.append(PointwiseConv2d(inputs, outputs, (stride, 1)))
            self.shortcut.append(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, inputs, bins, frames)` to `(batch, outputs, bins / stride, frames)`."""
        inner = torch.relu_(self.bn1(self.conv1(x)))
        return torch.relu_(self.bn2(self.conv2(inner)).add_(self.shortcut(x)))


class ConvolutionModule(nn.Module):
    """The 2-d head: `(batch, 1, bins, frames)` to `(batch, channels, ceil(bins / 8), frames)`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.layer1 = _residual_stage(channels)
        self.layer2 = _residual_stage(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, (2, 1), 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Find local patterns in time and frequency."""
        x = torch.relu_(self.bn1(self.conv1(x)))
        return torch.relu_(self.bn2(self.conv2(self.layer2(self.layer1(x)))))


class NormRelu(nn.Module):
    """Batch norm and relu of `(batch, channels, 1, frames)`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.batchnorm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise and cut off below zero."""
        return torch.relu_(self.batchnorm(x))


class Tdnn(nn.Module):
    """The first layer: all of the head's bins and five frames at once, every other frame."""

    def __init__(self, channels: int, bins: int, outputs: int) -> None:
        super().__init__()
        self.bins = bins
        self.linear = nn.Conv1d(channels * bins, outputs, 5, bias=False)
        self.nonlinear = NormRelu(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, channels, bins, frames)` to `(batch, outputs, 1, ceil(frames / 2))`."""
        # The published 1-d convolution sees (channel, bin) as one axis: its weight, unfolded.
        weight = self.linear.weight.unflatten(1, (-1, self.bins))
        return self.nonlinear(F.conv2d(x, weight, stride=(1, 2), padding=(0, 2)))


class Segments:
    """Which frame belongs to which segment of `length` frames; the last one may be shorter."""

    def __init__(self, x: Tensor, length: int) -> None:
        frames = x.shape[3]
        frame = torch.arange(frames, device=x.device) // length
        # One or two of them stay empty: an axis that may be one long is fixed when it is exported.
        segment = torch.arange(frames // length + 2, device=x.device)
        self.members = (segment[:, None] == frame).to(x.dtype)  # (segments, frames)
        self.sizes = self.members.float().sum(dim=1)[:, None]

    def context(self, x: Tensor) -> Tensor:
        """Mean of the clip plus mean of each segment: `(batch, segments, channels)`, float32."""
        sums = torch.matmul(self.members, x.squeeze(2).transpose(1, 2)).float()
        clip = sums.sum(dim=1, keepdim=True) / self.sizes.sum()
        return clip + sums / self.sizes.clamp(min=1)

    def spread(self, x: Tensor) -> Tensor:
        """Give each frame its segment's row: `(batch, channels, 1, frames)`, channels-last."""
        return torch.matmul(self.members.t(), x).transpose(1, 2).unsqueeze(2)


class ContextAwareMask(nn.Module):
    """A dilated convolution whose channels are gated by the context of each segment."""

    def __init__(self, inputs: int, outputs: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.linear_local = nn.Conv1d(inputs, outputs, 3, bias=False)
        self.linear1 = nn.Conv1d(inputs, inputs // 2, 1)
        self.linear2 = nn.Conv1d(inputs // 2, outputs, 1)

    def forward(self, x: Tensor, segments: Segments) -> Tensor:
        """Map `(batch, inputs, 1, frames)` to `(batch, outputs, 1, frames)`."""
        weight = self.linear_local.weight.unsqueeze(2)
        local = F.conv2d(x, weight, padding=(0, self.dilation), dilation=(1, self.dilation))
        # One gate a segment: the published network computes the same one for each of its frames.
        context = segments.context(x)
        hidden = F.linear(context, self.linear1.weight.squeeze(2), self.linear1.bias)
        gate = F.linear(torch.relu_(hidden), self.linear2.weight.squeeze(2), self.linear2.bias)
        return local * segments.spread(gate.sigmoid())


class DenseLayer(nn.Module):
    """Bottleneck and gated convolution: what one layer adds to its block's channels."""

    def __init__(self, inputs: int, inner: int, outputs: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = NormRelu(inputs)
        self.linear1 = nn.Conv1d(inputs, inner, 1, bias=False)
        self.nonlinear2 = NormRelu(inner)
        self.cam_layer = ContextAwareMask(inner, outputs, dilation)

    def forward(self, x: Tensor, segments: Segments) -> Tensor:
        """Map `(batch, inputs, 1, frames)` to `(batch, outputs, 1, frames)`."""
        x = F.conv2d(self.nonlinear1(x), self.linear1.weight.unsqueeze(2))
        return self.cam_layer(self.nonlinear2(x), segments)


class DenseBlock(nn.Module):
    """Dense layers: each sees the block's input and the outputs of all layers before it."""

    def __init__(self, inputs: int, layers: int, growth: int, inner: int, dilation: int) -> None:
        super().__init__()
        for index in range(layers):
            layer = DenseLayer(inputs + index * growth, inner, growth, dilation)
            self.add_module(f"tdnnd{index + 1}", layer)

    def forward(self, x: Tensor, segments: Segments) -> Tensor:
        """Append `layers * growth` channels to `(batch, inputs, 1, frames)`."""
        for layer in self.children():
            x = torch.cat([x, layer(x, segments)], dim=1)
        return x


class Transition(nn.Module):
    """Batch norm, relu, and half as many channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.nonlinear = NormRelu(inputs)
        self.linear = nn.Conv1d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, inputs, 1, frames)` to `(batch, outputs, 1, frames)`."""
        return F.conv2d(self.nonlinear(x), self.linear.weight.unsqueeze(2))


class EmbeddingLayer(nn.Module):
    """The projection to the embedding, standardised by a batch norm without parameters."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(inputs, outputs, 1, bias=False)
        batchnorm = nn.BatchNorm1d(outputs, affine=False)
        self.nonlinear = nn.Sequential(OrderedDict(batchnorm=batchnorm))

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, inputs)` to `(batch, outputs)`."""
        return self.nonlinear(F.linear(x, self.linear.weight.squeeze(2)))


class XVector(nn.Module):
    """The 1-d network behind the head, down to the embedding."""

    def __init__(self, config: CamPlusPlusConfig, bins: int) -> None:
        super().__init__()
        self.segment_frames = config.segment_frames
        self.tdnn = Tdnn(config.head_channels, bins, config.channels)
        channels = config.channels
        inner = config.bottleneck * config.growth
        for index, layers in enumerate(config.layers, 1):
            block = DenseBlock(channels, layers, config.growth, inner, dilation=min(index, 2))
            self.add_module(f"block{index}", block)
            channels += layers * config.growth
            self.add_module(f"transit{index}", Transition(channels, channels // 2))
            channels //= 2
        self.blocks = len(config.layers)
        self.out_nonlinear = NormRelu(channels)
        self.stats = build_pooling(
            config.pooling, channels=channels, options=config.pooling_options
        )
        self.dense = EmbeddingLayer(self.stats.output_dim, config.embedding_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Embed `(batch, channels, bins, frames)` as `(batch, embedding_dim)`."""
        x = self.tdnn(x)
        segments = Segments(x, self.segment_frames)
        for index in range(1, self.blocks + 1):
            x = self.get_submodule(f"block{index}")(x, segments)
            x = self.get_submodule(f"transit{index}")(x)
        return self.dense(self.stats(self.out_nonlinear(x).squeeze(2)))


class CamPlusPlus(SoundModel):
    """CAM++ for any number of bins; its embedding is the published embedding network's output."""

    Config: ClassVar[type[ModelConfig]] = CamPlusPlusConfig

    def __init__(self, config: CamPlusPlusConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        self.shortest_frames = 3  # two behind the layer that halves: a spread needs as many
        self.embedding_dim = config.embedding_dim
        self.head = ConvolutionModule(config.head_channels)
        self.xvector = XVector(config, bins=-(-bins // 8))
        for module in self.modules():
            if isinstance(module, nn.Conv1d):
                _initialised(module)
        self.fc: nn.Linear | None = None
        self.replace_head(classes)

    def build_head(self, classes: int) -> None:
        """Set the last layer; 0: none."""
        self.fc = _initialised(nn.Linear(self.embedding_dim, classes)) if classes else None

    def forward(self, features: Features) -> Output:
        """Score features `(batch, bins, frames)`."""
        # (batch, 1, bins, frames), channels-last
        x = features.values[..., None].permute(0, 3, 1, 2)
        embedding = self.xvector(self.head(x)).float()
        scores = None if self.fc is None else self.fc(embedding).float()
        return Output(scores, embedding=embedding)


def _residual_stage(channels: int) -> nn.Sequential:
    return nn.Sequential(BasicResBlock(channels, channels, 2), BasicResBlock(channels, channels, 1))


def _initialised(layer: L) -> L:
    nn.init.kaiming_normal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


_SOURCE = "Wang et al. 2023, arXiv 2303.00332; 3D-Speaker 09e7806, speakerlab/models/campplus"

MODELS.add(
    "campplus", ModelPreset(CamPlusPlus, CamPlusPlusConfig(), "fbank80_norm", _SOURCE, clip_s=3.0)
)
MODELS.add(
    "campplus_tiny",
    ModelPreset(
        CamPlusPlus,
        CamPlusPlusConfig(
            head_channels=4,
            channels=8,
            layers=(2, 2),
            growth=4,
            bottleneck=2,
            segment_frames=20,
            embedding_dim=16,
        ),
        "fbank80_norm",
        _SOURCE,
        tiny=True,
    ),
)
