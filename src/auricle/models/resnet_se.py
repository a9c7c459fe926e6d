"""ResNetSE: a residual network over the spectrogram with squeeze-and-excitation.

Hu et al., "Squeeze-and-Excitation Networks" (2018), https://arxiv.org/abs/1709.01507, on the
bottlenecks of He et al. (2016); reference implementation macls c63d284 (Apache-2.0),
macls/models/resnet_se.py. Parameters have the published names.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from auricle.models import MODELS
from auricle.models.base import ModelConfig, ModelPreset
from auricle.models.pooled_picture import PooledPicture, PooledPictureConfig, projection

REDUCTION = 8


class ResNetSeConfig(PooledPictureConfig):
    """Settings of `ResNetSe`."""


class SqueezeExcitation(nn.Module):
    """Gates of the channels from their means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // REDUCTION)
        self.fc = nn.Sequential(
            nn.Linear(channels, inner), nn.ReLU(), nn.Linear(inner, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return gates `(batch, channels, 1, 1)` of `(batch, channels, height, width)`."""
        return self.fc(x.mean(dim=(2, 3)))[..., None, None]


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions, gates, and a shortcut."""

    def __init__(self, inputs: int, channels: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.se = SqueezeExcitation(outputs)
        self.downsample = projection(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, inputs, height, width)` to `(batch, outputs, height / stride, ...)`."""
        found = torch.relu_(self.bn1(self.conv1(x)))
        found = torch.relu_(self.bn2(self.conv2(found)))
        found = self.bn3(self.conv3(found))
        shortcut = x if self.downsample is None else self.downsample(x)
        return torch.addcmul(shortcut, found, self.se(found)).relu_()


class ResNetSe(PooledPicture):
    """ResNetSE with any pooling and any number of bins."""

    Config: ClassVar[type[ModelConfig]] = ResNetSeConfig
    expansion = 2

    def stem(self, channels: int) -> nn.Conv2d:
        """Return the first convolution, of a picture with one channel."""
        return nn.Conv2d(1, channels, 3, 1, 1, bias=False)

    def block(self, inputs: int, channels: int, stride: int, *, first: bool) -> nn.Module:
        """Return a block of a stage."""
        return Bottleneck(inputs, channels, channels * self.expansion, stride)


_SOURCE = "Hu et al. 2018, arXiv 1709.01507; macls c63d284, macls/models/resnet_se.py"

MODELS.add(
    "resnet_se", ModelPreset(ResNetSe, ResNetSeConfig(), "fbank80_norm", _SOURCE, clip_s=3.0)
)
MODELS.add(
    "resnet_se_tiny",
    ModelPreset(
        ResNetSe,
        ResNetSeConfig(
            channels=(4, 8),
            blocks=(1, 2),
            embedding_dim=12,
            pooling_options={"attention_channels": 4},
        ),
        "fbank80_norm",
        _SOURCE,
        tiny=True,
    ),
)
