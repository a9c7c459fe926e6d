"""PANNs: residual networks over log-mel features (ResNet) and over waveforms (Res1dNet).

Kong et al., "PANNs" (2020), https://arxiv.org/abs/1912.10211, after He et al., "Deep Residual
Learning for Image Recognition" (2016); reference implementation audioset_tagging_cnn (MIT).
Nothing strides: stages pool in front of convolutions, in the main path and in the shortcut.
"""

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Literal, Protocol, TypeAlias, get_args

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.core.errors import ConfigError
from auricle.models.base import Counts, ModelConfig, Width, Widths
from auricle.models.panns_parts import (
    ClipConfig,
    ClipModel,
    ConvBlock,
    TimeConv,
    add_preset,
    as_picture,
    require_bins,
    require_waveforms,
    square_convolution,
)
from auricle.tensors import Features, Output

Kind: TypeAlias = Literal["basic", "bottleneck"]

_EXPANSION = 4  # of a bottleneck: channels out for each channel within
_STEM_STRIDE, _WAVE_POOL = 5, 4  # of networks over waveforms


class ResNetConfig(ClipConfig):
    """Settings of `ResNet`: ResNet22's by default."""

    block: Kind = Field(
        default="basic", description="two 3 x 3 convolutions, or a 3 x 3 between two 1 x 1"
    )
    blocks: Counts = Field(default=(2, 2, 2, 2), description="residual blocks in each stage")
    widths: Widths = Field(
        default=(64, 128, 256, 512), description="channels of each stage's blocks"
    )
    last_channels: Width = Field(default=2048, description="channels of the last block")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="between the parts")
    block_dropout: float = Field(default=0.1, ge=0, lt=1, description="within residual blocks")


class Res1dNetConfig(ClipConfig):
    """Settings of `Res1dNet`: Res1dNet31's by default."""

    blocks: Counts = Field(
        default=(2, 2, 2, 2, 2, 2, 2), description="residual blocks in each stage"
    )
    widths: Widths = Field(
        default=(64, 128, 256, 512, 1024, 1024, 2048),
        description="channels of each stage",
    )
    block_dropout: float = Field(default=0.1, ge=0, lt=1, description="within residual blocks")


class ResidualBlock(nn.Module):
    """Convolutions with batch norm and relu around a shortcut; `pool` comes before the first.

    The last norm starts at zero, so that a fresh block hands on what it gets.
    """

    def __init__(
        self,
        convolutions: Sequence[nn.Conv1d | nn.Conv2d],
        pool: nn.Module | None,
        downsample: nn.Module | None,
        *,
        dropout: float,
    ) -> None:
        super().__init__()
        self.pool = pool
        self.dropout = dropout
        self.inner: list[tuple[str, str]] = []
        norms = [nn.BatchNorm2d(convolution.out_channels) for convolution in convolutions]
        nn.init.zeros_(norms[-1].weight)
        for number, (convolution, norm) in enumerate(zip(convolutions, norms, strict=True), 1):
            self.add_module(f"conv{number}", convolution)
            self.add_module(f"bn{number}", norm)
            self.inner.append((f"conv{number}", f"bn{number}"))
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """Add what the convolutions find to what was there."""
        inner = x if self.pool is None else self.pool(x)
        *others, last = self.inner
        for name, norm in others:
            inner = F.relu_(self._layer(name, norm, inner))
        inner = F.dropout(inner, self.dropout, self.training)
        inner = self._layer(*last, inner)
        return F.relu_(inner + (x if self.downsample is None else self.downsample(x)))

    def _layer(self, name: str, norm: str, x: Tensor) -> Tensor:
        return self.get_submodule(norm)(self.get_submodule(name)(x))


class ResNet(ClipModel):
    """ResNet22, 38 and 54: a block of convolutions, residual stages, a block of convolutions."""

    Config: ClassVar[type[ModelConfig]] = ResNetConfig

    def __init__(self, config: ResNetConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        _check_stages(config.blocks, config.widths)
        self.shortest_frames = 2 ** (len(config.widths) + 1)
        require_bins(bins, self.shortest_frames)
        self.dropout = config.dropout
        stem, basic = config.widths[0], config.block == "basic"
        self.bn0 = nn.BatchNorm2d(bins)
        self.conv_block1 = ConvBlock(1, stem, pool=(2, 2))
        block = partial(_basic if basic else _bottleneck, dropout=config.block_dropout)
        self.resnet = _stages(block, config.blocks, config.widths, 1 if basic else _EXPANSION)
        inputs = config.widths[-1] * (1 if basic else _EXPANSION)
        self.conv_block_after1 = ConvBlock(inputs, config.last_channels)
        self.add_head(config, config.last_channels, classes)

    def forward(self, features: Features) -> Output:
        """Score features `(batch, bins, frames)`; frames at least `shortest_frames`."""
        x = self._drop(self.conv_block1(as_picture(features, self.bn0)))
        x = self._drop(F.avg_pool2d(self.resnet(x), 2))
        x = self._drop(self.conv_block_after1(x))
        return self.score_clip(x.mean(dim=3))

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


class Res1dNet(ClipModel):
    """Res1dNet31 and 51: residual stages over the waveform `(batch, 1, time)`."""

    Config: ClassVar[type[ModelConfig]] = Res1dNetConfig
    hears_waveforms = True

    def __init__(self, config: Res1dNetConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        _check_stages(config.blocks, config.widths)
        require_waveforms(bins)
        self.shortest_frames = _STEM_STRIDE * (_WAVE_POOL ** (len(config.widths) - 1) - 1) + 1
        self.conv0 = TimeConv(1, config.widths[0], 11, stride=_STEM_STRIDE)
        self.bn0 = nn.BatchNorm2d(config.widths[0])
        block = partial(_over_time, dropout=config.block_dropout)
        self.resnet = _stages(block, config.blocks, config.widths)
        self.add_head(config, config.widths[-1], classes)

    def forward(self, features: Features) -> Output:
        """Score waveforms `(batch, 1, time)`; at least `shortest_frames` samples."""
        x = self.resnet(self.bn0(self.conv0(features.values[..., None])))
        return self.score_clip(x.squeeze(3))


class _Build(Protocol):
    """How a block is made of the channels before it, its width, and whether it pools."""

    def __call__(self, inputs: int, width: int, *, pools: bool) -> ResidualBlock: ...


def _stages(
    block: _Build, blocks: Sequence[int], widths: Sequence[int], expansion: int = 1
) -> nn.Sequential:
    """Stages of residual blocks; the first block of each but the first stage pools."""
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    inputs = widths[0]
    for number, (count, width) in enumerate(zip(blocks, widths, strict=True), 1):
        first = block(inputs, width, pools=number > 1)
        inputs = expansion * width
        others = [block(inputs, width, pools=False) for _ in range(count - 1)]
        stages[f"layer{number}"] = nn.Sequential(first, *others)
    return nn.Sequential(stages)


def _basic(inputs: int, width: int, *, pools: bool, dropout: float) -> ResidualBlock:
    convolutions = [square_convolution(inputs, width, 3), square_convolution(width, width, 3)]
    return _over_picture(convolutions, inputs, pools=pools, dropout=dropout)


def _bottleneck(inputs: int, width: int, *, pools: bool, dropout: float) -> ResidualBlock:
    convolutions = [
        square_convolution(inputs, width, 1),
        square_convolution(width, width, 3),
        square_convolution(width, _EXPANSION * width, 1),
    ]
    return _over_picture(convolutions, inputs, pools=pools, dropout=dropout)


def _over_picture(
    convolutions: Sequence[nn.Conv2d], inputs: int, *, pools: bool, dropout: float
) -> ResidualBlock:
    outputs = convolutions[-1].out_channels
    pool = nn.AvgPool2d(2) if pools else None
    fit = square_convolution(inputs, outputs, 1) if pools or inputs != outputs else None
    return ResidualBlock(convolutions, pool, _shortcut(pool, fit), dropout=dropout)


def _over_time(inputs: int, width: int, *, pools: bool, dropout: float) -> ResidualBlock:
    """Build a block over time: its main path keeps maxima, its shortcut means."""
    pool = nn.MaxPool2d((_WAVE_POOL, 1)) if pools else None
    means = nn.AvgPool2d((_WAVE_POOL, 1)) if pools else None
    fit = TimeConv(inputs, width, 1) if pools or inputs != width else None
    convolutions = [TimeConv(inputs, width), TimeConv(width, width, dilation=2)]
    return ResidualBlock(convolutions, pool, _shortcut(means, fit), dropout=dropout)


def _shortcut(pool: nn.Module | None, fit: nn.Conv1d | nn.Conv2d | None) -> nn.Module | None:
    """Pool and project what a block gets, so that it fits what the block finds."""
    if fit is None:
        return None
    layers = [fit, nn.BatchNorm2d(fit.out_channels)]
    return nn.Sequential(*layers) if pool is None else nn.Sequential(pool, *layers)


def _check_stages(blocks: Sequence[int], widths: Sequence[int]) -> None:
    if len(blocks) != len(widths):
        raise ConfigError(
            f"blocks and widths name one number for each stage, got {list(blocks)} and "
            f"{list(widths)}: give --model.blocks and --model.widths the same length"
        )


_DEEP = (3, 4, 6, 3)

add_preset("resnet22", ResNet, ResNetConfig(), "logmel_32k")
add_preset("resnet38", ResNet, ResNetConfig(blocks=_DEEP), "logmel_32k")
add_preset("resnet54", ResNet, ResNetConfig(block="bottleneck", blocks=_DEEP), "logmel_32k")
add_preset("res1dnet31", Res1dNet, Res1dNetConfig(), "waveform_32k")
add_preset("res1dnet51", Res1dNet, Res1dNetConfig(blocks=(2, 3, 4, 6, 4, 3, 2)), "waveform_32k")
for _kind in get_args(Kind):
    add_preset(
        f"resnet_{_kind}_tiny",
        ResNet,
        ResNetConfig(block=_kind, blocks=(2, 1), widths=(4, 8), last_channels=8, embedding_dim=16),
        "logmel_16k",
        tiny=True,
    )
add_preset(
    "res1dnet_tiny",
    Res1dNet,
    Res1dNetConfig(blocks=(1, 2, 1), widths=(4, 8, 8), embedding_dim=16),
    "waveform_16k",
    tiny=True,
)
