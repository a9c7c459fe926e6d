"""PANNs: the plain networks over waveforms, LeeNet and DaiNet.

Kong et al., "PANNs" (2020), https://arxiv.org/abs/1912.10211, after Lee et al., "Sample-level
Deep Convolutional Neural Networks for Music Auto-tagging" (2017) and Dai et al., "Very Deep
Convolutional Neural Networks for Raw Waveforms" (2017); reference implementation
audioset_tagging_cnn (MIT).
"""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.models.base import ModelConfig, Width, Widths
from auricle.models.panns_parts import (
    ClipConfig,
    ClipModel,
    TimeConv,
    WaveBlock,
    add_preset,
    over_time_maximum,
    require_waveforms,
)
from auricle.tensors import Features, Output

_LEE_KERNEL = 3  # of everything: convolutions, their first stride, pooling
_DAI_KERNEL, _DAI_STRIDE, _DAI_POOL = 80, 4, 4


class LeeNetConfig(ClipConfig):
    """Settings of `LeeNet`: LeeNet11's by default."""

    channels: Widths = Field(
        default=(64, 64, 64, 128, 128, 128, 128, 128, 256),
        description="channels of each block",
    )
    convolutions: Literal[1, 2] = Field(default=1, description="convolutions in a block")
    pool_last: bool = Field(default=True, description="whether the last block pools too")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="between blocks")
    embedding_dim: Width = Field(default=512, description="width of the embedding")


class LeeNet(ClipModel):
    """LeeNet11 and 24: convolutions of three samples, each followed by pooling of three.

    All pooling pads, so that a single sample is enough.
    """

    Config: ClassVar[type[ModelConfig]] = LeeNetConfig
    hears_waveforms = True

    def __init__(self, config: LeeNetConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        require_waveforms(bins)
        self.dropout = config.dropout
        last = len(config.channels)
        inputs = 1
        for number, outputs in enumerate(config.channels, 1):
            pools = number > 1 and (number < last or config.pool_last)
            block = WaveBlock(
                inputs,
                outputs,
                convolutions=config.convolutions,
                stride=_LEE_KERNEL if number == 1 else 1,
                pool=_LEE_KERNEL if pools else 1,
                pool_padding=_LEE_KERNEL // 2,
            )
            self.add_module(f"conv_block{number}", block)
            inputs = outputs
        self.blocks = [f"conv_block{number}" for number in range(1, last + 1)]
        self.add_head(config, inputs, classes)

    def forward(self, features: Features) -> Output:
        """Score waveforms `(batch, 1, time)`."""
        x = features.values[..., None]
        *others, last = self.blocks
        for name in others:
            x = F.dropout(self.get_submodule(name)(x), self.dropout, self.training)
        return self.score_clip(self.get_submodule(last)(x).squeeze(3))


class DaiNetConfig(ClipConfig):
    """Settings of `DaiNet`: DaiNet19's by default."""

    channels: Widths = Field(default=(64, 128, 256, 512), description="channels of each block")
    embedding_dim: Width = Field(default=512, description="width of the embedding")


class DaiBlock(nn.Module):
    """Four convolutions over time around a shortcut.

    `downsample` and `bn_downsample` project the shortcut where the channels change; elsewhere
    they stand in published checkpoints and take part in nothing. The last norm starts at zero.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.projects = inputs != outputs
        self.conv1 = TimeConv(inputs, outputs)
        self.conv2 = TimeConv(outputs, outputs)
        self.conv3 = TimeConv(outputs, outputs)
        self.conv4 = TimeConv(outputs, outputs)
        self.downsample = TimeConv(inputs, outputs, 1)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.bn4 = nn.BatchNorm2d(outputs)
        self.bn_downsample = nn.BatchNorm2d(outputs)
        nn.init.zeros_(self.bn4.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, inputs, time, 1)` to `(batch, outputs, time, 1)`."""
        inner = F.relu_(self.bn1(self.conv1(x)))
        inner = F.relu_(self.bn2(self.conv2(inner)))
        inner = F.relu_(self.bn3(self.conv3(inner)))
        inner = self.bn4(self.conv4(inner))
        return F.relu_(inner + (self.bn_downsample(self.downsample(x)) if self.projects else x))


class DaiNet(ClipModel):
    """DaiNet19: a convolution of 80 samples, then residual blocks with pooling between them."""

    Config: ClassVar[type[ModelConfig]] = DaiNetConfig
    hears_waveforms = True

    def __init__(self, config: DaiNetConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        require_waveforms(bins)
        pooled = _DAI_POOL ** (len(config.channels) - 1)
        self.shortest_frames = _DAI_KERNEL + _DAI_STRIDE * (pooled - 1)
        inputs = config.channels[0]
        self.conv0 = TimeConv(1, inputs, _DAI_KERNEL, stride=_DAI_STRIDE, padding=0)
        self.bn0 = nn.BatchNorm2d(inputs)
        unused: list[str] = []
        for number, outputs in enumerate(config.channels, 1):
            name, block = f"conv_block{number}", DaiBlock(inputs, outputs)
            self.add_module(name, block)
            if not block.projects:
                shortcut = ("downsample.weight", "bn_downsample.weight", "bn_downsample.bias")
                unused += [f"{name}.{key}" for key in shortcut]
            inputs = outputs
        self.unused_parameters = unused
        self.blocks = [f"conv_block{number}" for number in range(1, len(config.channels) + 1)]
        self.add_head(config, inputs, classes)

    def forward(self, features: Features) -> Output:
        """Score waveforms `(batch, 1, time)`; at least `shortest_frames` samples."""
        first, *others = self.blocks
        x = self.bn0(self.conv0(features.values[..., None]))
        x = self.get_submodule(first)(x)
        for name in others:
            x = self.get_submodule(name)(over_time_maximum(x, _DAI_POOL))
        return self.score_clip(x.squeeze(3))


_LEE24 = LeeNetConfig(
    channels=(64, 96, 128, 128, 256, 256, 512, 512, 1024),
    convolutions=2,
    pool_last=False,
    dropout=0.1,
    embedding_dim=1024,
)

add_preset("leenet11", LeeNet, LeeNetConfig(), "waveform_32k")
add_preset("leenet24", LeeNet, _LEE24, "waveform_32k")
add_preset("dainet19", DaiNet, DaiNetConfig(), "waveform_32k")
add_preset(
    "leenet11_tiny",
    LeeNet,
    LeeNetConfig(channels=(4, 8, 8, 8), embedding_dim=16),
    "waveform_16k",
    tiny=True,
)
add_preset(
    "leenet24_tiny",
    LeeNet,
    LeeNetConfig(
        channels=(4, 8, 8, 8), convolutions=2, pool_last=False, dropout=0.1, embedding_dim=16
    ),
    "waveform_16k",
    tiny=True,
)
add_preset(
    "dainet_tiny",
    DaiNet,
    DaiNetConfig(channels=(4, 8, 8), embedding_dim=16),
    "waveform_16k",
    tiny=True,
)
