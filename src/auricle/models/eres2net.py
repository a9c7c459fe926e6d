"""ERes2Net and ERes2NetV2: residual networks that fuse features within blocks and between stages.

Chen et al., "An Enhanced Res2Net with Local and Global Feature Fusion for Speaker Verification"
(2023), https://arxiv.org/abs/2305.12838, and "ERes2NetV2: Boosting Short-Duration Speaker
Verification Performance with Computational Efficiency" (2024), https://arxiv.org/abs/2406.02167.
Reference implementations 3D-Speaker (speakerlab/models/eres2net, embedding networks: `classes=0`
here) and macls (the same with a classifier), both Apache-2.0. Parameters have the published names.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.models import MODELS
from auricle.models.base import Count, ModelConfig, ModelPreset, SoundModel, Width
from auricle.models.pointwise import PointwiseConv2d
from auricle.models.pooling import PooledConfig, build_pooling
from auricle.tensors import Features, Output

REDUCTION = 4
"""How much narrower a fusion's attention is than its channels."""


class ERes2NetConfig(PooledConfig):
    """Settings of `ERes2Net`: those of the base network by default."""

    channels: Width = Field(default=32, description="channels of the first stage")
    blocks: tuple[Count, Count, Count, Count] = Field(
        default=(3, 4, 6, 3), description="blocks of each stage"
    )
    expansion: Count = Field(
        default=2, description="channels behind a block, in multiples of its stage's"
    )
    base_width: Count = Field(
        default=32, description="channels of a split, in 64ths of its stage's"
    )
    scale: Count = Field(default=2, description="splits of a block")
    two_embedding_layers: bool = Field(
        default=False, description="relu, batch norm and one more layer behind the embedding"
    )
    pooling: str = Field(default="tstp", description="embedding pooling over time")


class ERes2NetV2Config(ERes2NetConfig):
    """Settings of `ERes2NetV2`: 3D-Speaker's by default."""

    channels: Width = Field(default=64, description="channels of the first stage")
    base_width: Count = Field(
        default=26, description="channels of a split, in 64ths of its stage's"
    )


class Fusion(nn.Module):
    """Attentional feature fusion: a mixture of two tensors, drawn from both."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // REDUCTION)
        self.local_att = nn.Sequential(
            nn.Conv2d(2 * channels, inner, 1),
            nn.BatchNorm2d(inner),
            nn.SiLU(),
            nn.Conv2d(inner, channels, 1),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return `x (1 + a) + y (1 - a)` with `a` in (-1, 1); all `(batch, channels, ...)`."""
        attention = self.local_att(torch.cat([x, y], dim=1)).tanh_()
        return torch.addcmul(x + y, attention, x - y)


class Block(nn.Module):
    """A residual block whose splits each see what the one before it found.

    `fused` blocks mix the two by a `Fusion`, others add them.
    """

    def __init__(
        self, config: ERes2NetConfig, inputs: int, planes: int, *, stride: int, fused: bool
    ) -> None:
        super().__init__()
        width = max(1, planes * config.base_width // 64)
        outputs = planes * config.expansion
        self.width = width
        self.conv1 = PointwiseConv2d(inputs, width * config.scale, stride)
        self.bn1 = nn.BatchNorm2d(width * config.scale)
        splits = range(config.scale)
        self.convs = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in splits
        )
        self.bns = nn.ModuleList(nn.BatchNorm2d(width) for _ in splits)
        self.fuse_models = nn.ModuleList(Fusion(width) for _ in splits[1:] if fused)
        self.conv3 = PointwiseConv2d(width * config.scale, outputs)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut.append(PointwiseConv2d(inputs, outputs, stride))
            self.shortcut.append(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, inputs, bins, frames)` to `(batch, outputs, bins, frames) / stride`."""
        found: list[Tensor] = []
        splits = _clip(self.bn1(self.conv1(x))).split(self.width, dim=1)
        for index, (split, conv, norm) in enumerate(zip(splits, self.convs, self.bns, strict=True)):
            if found:
                fuse = self.fuse_models[index - 1] if self.fuse_models else torch.add
                split = fuse(found[-1], split)
            found.append(_clip(norm(conv(split))))
        x = self.bn3(self.conv3(torch.cat(found, dim=1))).add_(self.shortcut(x))
        return _clip(x)


class _Backbone(SoundModel):
    """What both versions share: stem, four stages, pooling, one or two embedding layers."""

    def __init__(self, config: ERes2NetConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        self.shortest_frames = 9  # two behind three halvings: a spread needs as many
        self.embedding_dim = config.embedding_dim
        self.conv1 = nn.Conv2d(1, config.channels, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(config.channels)
        inputs = config.channels
        for stage, blocks in enumerate(config.blocks):
            planes = config.channels * 2**stage
            layer = nn.Sequential()
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                layer.append(Block(config, inputs, planes, stride=stride, fused=stage > 1))
                inputs = planes * config.expansion
            self.add_module(f"layer{stage + 1}", layer)
        self.add_fusions([config.channels * 2**stage * config.expansion for stage in range(4)])

        flat = inputs * -(-bins // 8)
        self.pool = build_pooling(config.pooling, channels=flat, options=config.pooling_options)
        dim = config.embedding_dim
        self.seg_1 = nn.Linear(self.pool.output_dim, dim)
        self.seg_bn_1 = nn.BatchNorm1d(dim, affine=False) if config.two_embedding_layers else None
        self.seg_2 = nn.Linear(dim, dim) if config.two_embedding_layers else None
        self.fc: nn.Linear | None = None
        self.replace_head(classes)

    def add_fusions(self, widths: list[int]) -> None:
        """Build what fuses the outputs of the stages, which are `widths` channels wide."""
        raise NotImplementedError

    def fuse_stages(self, x: Tensor) -> Tensor:
        """Run the four stages and fuse their outputs."""
        raise NotImplementedError

    def run_stage(self, stage: int, x: Tensor) -> Tensor:
        """Run stage 1, 2, 3 or 4."""
        return self.get_submodule(f"layer{stage}")(x)

    def build_head(self, classes: int) -> None:
        """Set the last layer; 0: none."""
        self.fc = nn.Linear(self.embedding_dim, classes) if classes else None

    def forward(self, features: Features) -> Output:
        """Score features `(batch, bins, frames)`; frames at least `shortest_frames`."""
        # (batch, 1, bins, frames), channels-last
        x = features.values[..., None].permute(0, 3, 1, 2)
        x = self.fuse_stages(torch.relu_(self.bn1(self.conv1(x))))
        embedding = self.seg_1(self.pool(x.flatten(1, 2)))
        if self.seg_2 is not None and self.seg_bn_1 is not None:
            embedding = self.seg_2(self.seg_bn_1(torch.relu(embedding)))
        embedding = embedding.float()
        scores = None if self.fc is None else self.fc(embedding).float()
        return Output(scores, embedding=embedding)


class ERes2Net(_Backbone):
    """ERes2Net: each stage's output is fused with what all stages before it gave.

    Any number of bins; the embedding is what the published embedding network returns.
    """

    Config: ClassVar[type[ModelConfig]] = ERes2NetConfig

    def add_fusions(self, widths: list[int]) -> None:
        """Build what fuses the outputs of the stages, which are `widths` channels wide."""
        for index in (1, 2, 3):
            downsample = _halving(widths[index - 1], widths[index])
            self.add_module(f"layer{index}_downsample", downsample)
        self.fuse_mode12 = Fusion(widths[1])
        self.fuse_mode123 = Fusion(widths[2])
        self.fuse_mode1234 = Fusion(widths[3])

    def fuse_stages(self, x: Tensor) -> Tensor:
        """Run the four stages; fuse each but the first with what came before."""
        x = self.run_stage(1, x)
        fused = x
        fusions = (self.fuse_mode12, self.fuse_mode123, self.fuse_mode1234)
        for stage, fusion in enumerate(fusions, 2):
            x = self.run_stage(stage, x)
            fused = fusion(x, self.get_submodule(f"layer{stage - 1}_downsample")(fused))
        return fused


class ERes2NetV2(_Backbone):
    """ERes2NetV2: only the last two stages are fused; stages are wider, splits narrower.

    Any number of bins; the embedding is what the published embedding network returns.
    """

    Config: ClassVar[type[ModelConfig]] = ERes2NetV2Config

    def add_fusions(self, widths: list[int]) -> None:
        """Build what fuses the outputs of the stages, which are `widths` channels wide."""
        self.layer3_ds = _halving(widths[2], widths[3])
        self.fuse34 = Fusion(widths[3])

    def fuse_stages(self, x: Tensor) -> Tensor:
        """Run the four stages; fuse the last two."""
        third = self.run_stage(3, self.run_stage(2, self.run_stage(1, x)))
        return self.fuse34(self.run_stage(4, third), self.layer3_ds(third))


def _halving(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)


def _clip(x: Tensor) -> Tensor:
    """Relu cut off at 20, in place: the activation inside the blocks, not of the stem."""
    return F.hardtanh_(x, 0.0, 20.0)


_V1 = "Chen et al. 2023, arXiv 2305.12838; 3D-Speaker 09e7806, speakerlab/models/eres2net"
_V2 = "Chen et al. 2024, arXiv 2406.02167; 3D-Speaker 09e7806, speakerlab/models/eres2net"
_MACLS = "Chen et al. 2024, arXiv 2406.02167; macls c63d284, macls/models/eres2net.py"


def _add(
    name: str, family: type[_Backbone], config: ERes2NetConfig, source: str, *, tiny: bool = False
) -> None:
    preset = ModelPreset(family, config, "fbank80_norm", source, clip_s=3.0, tiny=tiny)
    MODELS.add(name, preset)


_add("eres2net", ERes2Net, ERes2NetConfig(), _V1)
_add("eres2net_large", ERes2Net, ERes2NetConfig(channels=64), _V1)
_add(
    "eres2net_huge", ERes2Net, ERes2NetConfig(channels=64, expansion=4, base_width=24, scale=3), _V1
)
_add("eres2netv2", ERes2NetV2, ERes2NetV2Config(), _V2)
_add("eres2netv2_w24s4ep4", ERes2NetV2, ERes2NetV2Config(base_width=24, scale=4, expansion=4), _V2)
_add("eres2netv2_macls", ERes2NetV2, ERes2NetV2Config(channels=32), _MACLS)
_add(
    "eres2net_tiny",
    ERes2Net,
    ERes2NetConfig(channels=4, blocks=(1, 1, 1, 1), embedding_dim=8),
    _V1,
    tiny=True,
)
_add(
    "eres2netv2_tiny",
    ERes2NetV2,
    ERes2NetV2Config(
        channels=4, blocks=(1, 1, 1, 1), scale=3, two_embedding_layers=True, embedding_dim=8
    ),
    _V2,
    tiny=True,
)
