"""ECAPA-TDNN: Res2Net blocks over time with squeeze-and-excitation, and attentive statistics.

Desplanques et al., "ECAPA-TDNN: Emphasized Channel Attention, Propagation and Aggregation in TDNN
Based Speaker Verification" (2020), https://arxiv.org/abs/2005.07143; reference implementations
macls c63d284 and 3D-Speaker 09e7806 (an embedding network: `classes=0` here), both Apache-2.0 and
after SpeechBrain's. Parameters have the published names.

Everything runs on channels-last pictures of height one: unlike 1-d tensors these need no copy
between convolution and batch norm.
"""

from typing import ClassVar

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.models import MODELS
from auricle.models.base import Count, Counts, ModelConfig, ModelPreset, SoundModel, Width
from auricle.models.pooling import (
    AttentiveStatistics,
    NamedConv1d,
    NamedNorm,
    PooledConfig,
    build_pooling,
    padding_mask,
)
from auricle.tensors import Features, Output


class EcapaTdnnConfig(PooledConfig):
    """Settings of `EcapaTdnn`: the published ones, with 512 channels, by default."""

    channels: Width = Field(default=512, description="channels of the blocks")
    pooled_channels: Width | None = Field(
        default=None,
        description="channels that are pooled; null: as the blocks give together",
    )
    dilations: Counts = Field(default=(2, 3, 4), description="dilation of each SE-Res2Net block")
    scale: Count = Field(default=8, ge=2, description="groups of channels in a Res2Net block")
    se_channels: Width = Field(default=128, description="width of squeeze-and-excitation")

    @model_validator(mode="after")
    def _groups_are_equal(self) -> "EcapaTdnnConfig":
        if self.channels % self.scale:
            raise ValueError(
                f"channels ({self.channels}) must be a multiple of scale ({self.scale})"
            )
        return self


class FrameConv1d(NamedConv1d):
    """A convolution over the frames of a picture of height one, its ends reflected."""

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, inputs, 1, frames)` to `(batch, outputs, 1, frames)`."""
        dilation = self.conv.dilation[0]
        reach = (self.conv.kernel_size[0] - 1) * dilation // 2
        if reach:
            x = F.pad(x, (reach, reach, 0, 0), mode="reflect")
        weight = self.conv.weight.unsqueeze(2)
        return F.conv2d(x, weight, self.conv.bias, dilation=(1, dilation))


class TdnnBlock(nn.Module):
    """Convolution, relu, batch norm, in this order."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = FrameConv1d(inputs, outputs, kernel=kernel, dilation=dilation)
        self.norm = NamedNorm(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, inputs, 1, frames)` to `(batch, outputs, 1, frames)`."""
        return self.norm.norm(F.relu_(self.conv(x)))


class Res2NetBlock(nn.Module):
    """Groups of channels in a chain: each but the first is convolved with its predecessor added."""

    def __init__(self, channels: int, scale: int, dilation: int) -> None:
        super().__init__()
        width = channels // scale
        self.scale = scale
        self.blocks = nn.ModuleList(
            TdnnBlock(width, width, kernel=3, dilation=dilation) for _ in range(scale - 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, channels, 1, frames)` to the same shape."""
        first, *others = x.chunk(self.scale, dim=1)
        found = [first]
        for block, group in zip(self.blocks, others, strict=True):
            found.append(block(group if len(found) == 1 else group + found[-1]))
        return torch.cat(found, dim=1)


class SqueezeExcitation(nn.Module):
    """Gates of the channels from their means over time."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.conv1 = NamedConv1d(channels, inner)
        self.conv2 = NamedConv1d(inner, channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return gates `(batch, channels, 1, 1)`, from the frames of `mask` `(batch, frames)`."""
        if mask is None:
            x = x.mean(dim=(2, 3))
        else:  # a product of matrices: no masked copy of x is made
            inside = mask.to(x.dtype)[:, None]
            sums = torch.matmul(inside, x.squeeze(2).transpose(1, 2)).squeeze(1)
            x = sums.float() / mask.sum(dim=1, keepdim=True)
        x = F.relu_(_linear(self.conv1.conv, x))
        return _linear(self.conv2.conv, x).sigmoid()[..., None, None]


class SeRes2NetBlock(nn.Module):
    """Two layers of width 1 around a Res2Net block, gates, and a shortcut."""

    def __init__(self, config: EcapaTdnnConfig, dilation: int) -> None:
        super().__init__()
        self.tdnn1 = TdnnBlock(config.channels, config.channels)
        self.res2net_block = Res2NetBlock(config.channels, config.scale, dilation)
        self.tdnn2 = TdnnBlock(config.channels, config.channels)
        self.se_block = SqueezeExcitation(config.channels, config.se_channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Map `(batch, channels, 1, frames)` to the same shape; gates look at `mask` only."""
        found = self.tdnn2(self.res2net_block(self.tdnn1(x)))
        return torch.addcmul(x, found, self.se_block(found, mask))


class EcapaTdnn(SoundModel):
    """ECAPA-TDNN with any pooling and any number of bins.

    Gates and pooling leave padding out, as 3D-Speaker's do; the convolutions reflect at the end
    of the batch, so a clip in a padded batch gets slightly other scores than alone.
    """

    Config: ClassVar[type[ModelConfig]] = EcapaTdnnConfig

    def __init__(self, config: EcapaTdnnConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        # A reflection needs more frames than it adds.
        self.shortest_frames = 1 + max(2, *config.dilations)
        self.embedding_dim = config.embedding_dim
        self.blocks = nn.ModuleList([TdnnBlock(bins, config.channels, kernel=5)])
        self.blocks.extend(SeRes2NetBlock(config, dilation) for dilation in config.dilations)
        found = config.channels * len(config.dilations)
        channels = config.pooled_channels or found
        self.mfa = TdnnBlock(found, channels)
        self.asp = build_pooling(config.pooling, channels=channels, options=config.pooling_options)
        norm = nn.BatchNorm1d(self.asp.output_dim)
        # The published name differs with the pooling.
        self.asp_bn = NamedNorm(norm) if isinstance(self.asp, AttentiveStatistics) else norm
        self.fc = NamedConv1d(self.asp.output_dim, config.embedding_dim)
        self.output: nn.Linear | None = None
        self.replace_head(classes)

    def build_head(self, classes: int) -> None:
        """Set the last layer; 0: none."""
        self.output = nn.Linear(self.embedding_dim, classes) if classes else None

    def forward(self, features: Features) -> Output:
        """Score features `(batch, bins, frames)`; frames at least `shortest_frames`."""
        x = features.values[:, :, None].contiguous(memory_format=torch.channels_last)
        mask = padding_mask(features.lengths_frames, x.shape[3])
        first, *others = self.blocks
        x = first(x)
        found: list[Tensor] = []
        for block in others:
            x = block(x, mask)
            found.append(x)
        x = self.mfa(torch.cat(found, dim=1))
        pooled = self.asp(x.squeeze(2), mask)
        norm = self.asp_bn.norm if isinstance(self.asp_bn, NamedNorm) else self.asp_bn
        embedding = _linear(self.fc.conv, norm(pooled)).float()
        scores = None if self.output is None else self.output(embedding).float()
        return Output(scores, embedding=embedding)


def _linear(layer: nn.Conv1d, x: Tensor) -> Tensor:
    """Apply a convolution of width 1 to `(batch, inputs)`."""
    return F.linear(x, layer.weight.squeeze(2), layer.bias)


_SOURCE = "Desplanques et al. 2020, arXiv 2005.07143; macls c63d284, macls/models/ecapa_tdnn.py"

MODELS.add(
    "ecapa_tdnn", ModelPreset(EcapaTdnn, EcapaTdnnConfig(), "fbank80_norm", _SOURCE, clip_s=3.0)
)
MODELS.add(  # the paper's own pools 1536 channels
    "ecapa_tdnn_1024",
    ModelPreset(
        EcapaTdnn,
        EcapaTdnnConfig(channels=1024),
        "fbank80_norm",
        "Desplanques et al. 2020; 3D-Speaker 09e7806, speakerlab/models/ecapa_tdnn/ECAPA_TDNN.py",
        clip_s=3.0,
    ),
)
MODELS.add(
    "ecapa_tdnn_tiny",
    ModelPreset(
        EcapaTdnn,
        EcapaTdnnConfig(
            channels=8,
            dilations=(2, 3),
            scale=4,
            se_channels=4,
            embedding_dim=12,
            pooling_options={"attention_channels": 4},
        ),
        "fbank80_norm",
        _SOURCE,
        tiny=True,
    ),
)
