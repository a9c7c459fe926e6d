"""PANNs: MobileNetV1 and V2 over log-mel features.

Kong et al., "PANNs" (2020), https://arxiv.org/abs/1912.10211, after Howard et al., "MobileNets"
(2017) and Sandler et al., "MobileNetV2" (2018); reference implementation audioset_tagging_cnn
(MIT). Nothing strides: average pooling follows the convolution, in front of its batch norm.
"""

import math
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from auricle.models.base import Count, ModelConfig, Width
from auricle.models.panns_parts import (
    ClipConfig,
    ClipModel,
    add_preset,
    as_picture,
    initialised,
    require_bins,
)
from auricle.tensors import Features, Output


class MobileNetV1Config(ClipConfig):
    """Settings of `MobileNetV1`: the published ones by default."""

    stem: Width = Field(default=32, description="channels of the first convolution")
    blocks: tuple[tuple[Width, Count], ...] = Field(
        default=(
            *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
            *((512, 1),) * 5,
            *((1024, 2), (1024, 1)),
        ),
        min_length=1,
        max_length=64,
        description="channels and pooling of each separable convolution",
    )
    embedding_dim: Width = Field(default=1024, description="width of the embedding")


class MobileNetV2Config(ClipConfig):
    """Settings of `MobileNetV2`: the published ones by default."""

    stem: Width = Field(default=32, description="channels of the first convolution")
    stages: tuple[tuple[Count, Width, Count, Count], ...] = Field(
        default=(
            *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
            *((6, 96, 3, 2), (6, 160, 3, 1), (6, 320, 1, 1)),
        ),
        min_length=1,
        max_length=64,
        description="expansion, channels, number of blocks and pooling of each stage",
    )
    last_channels: Width = Field(default=1280, description="channels of the last convolution")
    embedding_dim: Width = Field(default=1024, description="width of the embedding")
    head_dropout: float = Field(default=0.0, ge=0, lt=1, description="around the embedding layer")


class _MobileNet(ClipModel):
    """Layers named `features` between batch norm per bin and the head."""

    def add_layers(
        self, config: ClipConfig, layers: list[nn.Module], outputs: int, ratio: int
    ) -> None:
        """Add everything; `layers` pool by `ratio` and give `outputs` channels."""
        self.shortest_frames = ratio
        require_bins(self.bins, self.shortest_frames)
        self.bn0 = nn.BatchNorm2d(self.bins)
        self.features = nn.Sequential(*layers)
        self.add_head(config, outputs, self.classes)

    def forward(self, features: Features) -> Output:
        """Score features `(batch, bins, frames)`; frames at least `shortest_frames`."""
        return self.score_clip(self.features(as_picture(features, self.bn0)).mean(dim=3))


class MobileNetV1(_MobileNet):
    """A convolution, then separable ones: 3 x 3 within each channel, 1 x 1 across them."""

    Config: ClassVar[type[ModelConfig]] = MobileNetV1Config

    def __init__(self, config: MobileNetV1Config, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        inputs, relu = config.stem, nn.ReLU
        layers: list[nn.Module] = [nn.Sequential(*_wide(1, inputs, relu, pool=2))]
        for outputs, pool in config.blocks:
            deep = _wide(inputs, inputs, relu, pool=pool, groups=inputs)
            layers.append(nn.Sequential(*deep, *_across(inputs, outputs), relu(inplace=True)))
            inputs = outputs
        ratio = 2 * math.prod(pool for _, pool in config.blocks)
        self.add_layers(config, layers, inputs, ratio)


class InvertedResidual(nn.Module):
    """Expand the channels, convolve within each, project; around it a shortcut where it fits."""

    def __init__(self, inputs: int, outputs: int, *, expansion: int, pool: int) -> None:
        super().__init__()
        width, relu = expansion * inputs, nn.ReLU6
        expand = [*_across(inputs, width), relu(inplace=True)] if expansion > 1 else []
        deep = _wide(width, width, relu, pool=pool, groups=width)
        self.conv = nn.Sequential(*expand, *deep, *_across(width, outputs))
        self.fits = pool == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, inputs, frames, bins)` to `(batch, outputs, frames, bins) / pool`."""
        return x + self.conv(x) if self.fits else self.conv(x)


class MobileNetV2(_MobileNet):
    """A convolution, stages of inverted residual blocks, a 1 x 1 convolution."""

    Config: ClassVar[type[ModelConfig]] = MobileNetV2Config

    def __init__(self, config: MobileNetV2Config, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        inputs, last = config.stem, config.last_channels
        layers: list[nn.Module] = [nn.Sequential(*_wide(1, inputs, nn.ReLU6, pool=2))]
        for expansion, outputs, count, pool in config.stages:
            for number in range(count):
                layers.append(
                    InvertedResidual(
                        inputs, outputs, expansion=expansion, pool=1 if number else pool
                    )
                )
                inputs = outputs
        layers.append(nn.Sequential(*_across(inputs, last), nn.ReLU6(inplace=True)))
        ratio = 2 * math.prod(pool for *_, pool in config.stages)
        self.add_layers(config, layers, last, ratio)


def _wide(
    inputs: int, outputs: int, relu: type[nn.ReLU | nn.ReLU6], *, pool: int, groups: int = 1
) -> list[nn.Module]:
    """A 3 x 3 convolution, average pooling, batch norm, relu."""
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, groups=groups, bias=False)
    pooling = nn.AvgPool2d(pool) if pool > 1 else nn.Identity()
    return [initialised(convolution), pooling, nn.BatchNorm2d(outputs), relu(inplace=True)]


def _across(inputs: int, outputs: int) -> list[nn.Module]:
    """A 1 x 1 convolution and batch norm."""
    return [initialised(nn.Conv2d(inputs, outputs, 1, bias=False)), nn.BatchNorm2d(outputs)]


add_preset("mobilenetv1", MobileNetV1, MobileNetV1Config(), "logmel_32k")
add_preset("mobilenetv2", MobileNetV2, MobileNetV2Config(), "logmel_32k")
add_preset(
    "mobilenetv1_tiny",
    MobileNetV1,
    MobileNetV1Config(stem=4, blocks=((8, 1), (8, 2), (8, 1)), embedding_dim=16),
    "logmel_8k",
    tiny=True,
)
add_preset(
    "mobilenetv2_tiny",
    MobileNetV2,
    MobileNetV2Config(
        stem=4, stages=((1, 4, 1, 1), (2, 8, 2, 2)), last_channels=16, embedding_dim=16
    ),
    "logmel_8k",
    tiny=True,
)
