"""Res2Net: residual blocks whose groups of channels see ever wider parts of the spectrogram.

Gao et al., "Res2Net: A New Multi-scale Backbone Architecture" (2019),
https://arxiv.org/abs/1904.01169; reference implementation macls c63d284 (Apache-2.0),
macls/models/res2net.py, whose default of two groups convolves one and passes the other on.
Parameters have the published names.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.core.errors import ConfigError
from auricle.models import MODELS
from auricle.models.base import Count, ModelConfig, ModelPreset
from auricle.models.pooled_picture import PooledPicture, PooledPictureConfig, projection

SMALLEST = 5
"""Rows that the stem needs to leave one: its kernel's 7 less its padding."""


class Res2NetConfig(PooledPictureConfig):
    """Settings of `Res2Net`: the published ones by default."""

    scale: Count = Field(default=2, ge=2, description="groups of channels in a block")
    base_width: Count = Field(
        default=32, description="channels of a group, for 64 channels of the stage"
    )


class Bottle2neck(nn.Module):
    """1 x 1 convolution, groups of channels in a chain of 3 x 3 ones, 1 x 1, and a shortcut.

    The last group takes part in no convolution. In the first block of a stage the groups are not
    chained, and the last one is averaged over 3 x 3.
    """

    def __init__(
        self, inputs: int, width: int, outputs: int, stride: int, *, scale: int, first: bool
    ) -> None:
        super().__init__()
        self.first = first
        self.stride = stride
        self.width = width
        self.conv1 = nn.Conv2d(inputs, width * scale, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width * scale)
        self.convs = nn.ModuleList(
            nn.Conv2d(width, width, 3, stride, 1, bias=False) for _ in range(scale - 1)
        )
        self.bns = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(scale - 1))
        self.conv3 = nn.Conv2d(width * scale, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = projection(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, inputs, height, width)` to `(batch, outputs, height / stride, ...)`."""
        *groups, last = torch.relu_(self.bn1(self.conv1(x))).split(self.width, dim=1)
        found: list[Tensor] = []
        for group, conv, bn in zip(groups, self.convs, self.bns, strict=True):
            chained = group if self.first or not found else group + found[-1]
            found.append(torch.relu_(bn(conv(chained))))
        found.append(F.avg_pool2d(last, 3, self.stride, 1) if self.first else last)
        whole = self.bn3(self.conv3(torch.cat(found, dim=1)))
        return whole.add_(x if self.downsample is None else self.downsample(x)).relu_()


class Res2Net(PooledPicture):
    """Res2Net with any pooling, for 5 bins or more."""

    Config: ClassVar[type[ModelConfig]] = Res2NetConfig
    config: Res2NetConfig
    expansion = 4

    def stem(self, channels: int) -> nn.Conv2d:
        """Return the first convolution, of a picture with one channel."""
        return nn.Conv2d(1, channels, 7, 3, 1, bias=False)

    def behind_stem(self, bins: int) -> int:
        """Return how many rows the stem leaves of `bins`. Raises `ConfigError` for none."""
        if bins < SMALLEST:
            raise ConfigError(
                f"Res2Net needs at least {SMALLEST} mel bins, got {bins}: raise --frontend.n_mels"
            )
        convolved = (bins - SMALLEST) // 3 + 1
        return -(-convolved // 2)

    def before_stem(self, frames: int) -> int:
        """Return how many frames the stem needs to leave `frames`."""
        return SMALLEST + 3 * 2 * (frames - 1)

    def shrink(self, x: Tensor) -> Tensor:
        """Keep the largest of overlapping 3 x 3 values, every other one."""
        return F.max_pool2d(x, 3, 2, 1)

    def block(self, inputs: int, channels: int, stride: int, *, first: bool) -> nn.Module:
        """Return a block of a stage; its first averages what it passes on."""
        config = self.config
        width = max(1, channels * config.base_width // 64)
        outputs = channels * self.expansion
        return Bottle2neck(inputs, width, outputs, stride, scale=config.scale, first=first)


_SOURCE = "Gao et al. 2019, arXiv 1904.01169; macls c63d284, macls/models/res2net.py"

MODELS.add("res2net", ModelPreset(Res2Net, Res2NetConfig(), "fbank80_norm", _SOURCE, clip_s=3.0))
MODELS.add(
    "res2net_tiny",
    ModelPreset(
        Res2Net,
        Res2NetConfig(
            channels=(4, 8),
            blocks=(1, 2),
            scale=3,
            embedding_dim=12,
            pooling_options={"attention_channels": 4},
        ),
        "fbank80_norm",
        _SOURCE,
        tiny=True,
    ),
)
