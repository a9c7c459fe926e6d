"""EfficientAT's MobileNets: MobileNetV3-large over log-mel features, distilled on AudioSet.

Schmid et al., "Efficient Large-Scale Audio Tagging via Transformer-to-CNN Knowledge Distillation"
(ICASSP 2023), https://arxiv.org/abs/2211.04772; reference implementation
github.com/fschmid56/EfficientAT (MIT), models/mn. After Howard et al., "Searching for MobileNetV3"
(2019), with a sigmoid in squeeze-excitation and an epsilon of 1e-3 in batch norms. Parameters have
the published names.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, TypeVar

import torch
from pydantic import Field
from torch import Tensor, nn

from auricle.models import MODELS
from auricle.models.base import ModelConfig, ModelPreset, SoundModel
from auricle.tensors import Features, Output

M = TypeVar("M", bound=nn.Module)
Stride: TypeAlias = Literal[1, 2]


class EfficientATConfig(ModelConfig):
    """What both families of EfficientAT share: mn10's values by default."""

    width: float = Field(
        default=1.0, gt=0, le=16, description="factor on all channel counts (mn04: 0.4)"
    )
    depth: int = Field(
        default=15, ge=1, le=15, description="blocks; fewer than the published 15 end it early"
    )
    strides: tuple[Stride, Stride, Stride, Stride] = Field(
        default=(2, 2, 2, 2), description="strides of the four blocks that halve"
    )
    head: Literal["mlp", "fully_convolutional"] = Field(
        default="mlp",
        description="pool, then two layers; or one layer at every place, then pool",
    )
    dropout: float = Field(default=0.2, ge=0, lt=1, description="before the mlp head's last layer")
    norm_momentum: float = Field(
        default=0.01,
        gt=0,
        le=1,
        description="share of a batch in the running statistics; 0.1 where steps are few",
    )


@dataclass(frozen=True)
class Stage:
    """One inverted residual block, its channels multiplied by the network's width."""

    inputs: int
    expanded: int
    outputs: int
    kernel: int
    stride: int
    squeeze: bool
    hard_swish: bool


def divisible(channels: float, by: int = 8) -> int:
    """Round to a multiple of `by`, never more than a tenth down (MobileNetV2's rule)."""
    rounded = max(by, int(channels + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * channels else rounded


def stages(config: EfficientATConfig) -> list[Stage]:
    """Return the blocks of MobileNetV3-large (its Table 1) at a width."""
    first, second, third, fourth = config.strides
    table = (  # inputs, kernel, expanded, outputs, squeeze-excitation, hard-swish, stride
        (16, 3, 16, 16, False, False, 1),
        (16, 3, 64, 24, False, False, first),
        (24, 3, 72, 24, False, False, 1),
        (24, 5, 72, 40, True, False, second),
        (40, 5, 120, 40, True, False, 1),
        (40, 5, 120, 40, True, False, 1),
        (40, 3, 240, 80, False, True, third),
        (80, 3, 200, 80, False, True, 1),
        (80, 3, 184, 80, False, True, 1),
        (80, 3, 184, 80, False, True, 1),
        (80, 3, 480, 112, True, True, 1),
        (112, 3, 672, 112, True, True, 1),
        (112, 5, 672, 160, True, True, fourth),
        (160, 5, 960, 160, True, True, 1),
        (160, 5, 960, 160, True, True, 1),
    )
    return [
        Stage(
            divisible(inputs * config.width),
            divisible(expanded * config.width),
            divisible(outputs * config.width),
            kernel,
            stride,
            squeeze,
            hard_swish,
        )
        for inputs, kernel, expanded, outputs, squeeze, hard_swish, stride in table[: config.depth]
    ]


def batch_norm(channels: int, momentum: float) -> nn.BatchNorm2d:
    """Batch norm with EfficientAT's epsilon."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=momentum)


def conv_norm(
    inputs: int,
    outputs: int,
    kernel: int,
    activation: nn.Module | None,
    *,
    momentum: float,
    stride: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    """Convolution, batch norm, activation; the size is kept but for the stride."""
    convolution = nn.Conv2d(
        inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False
    )
    layers = [convolution, batch_norm(outputs, momentum)]
    return nn.Sequential(*layers, *([activation] if activation is not None else []))


def activation_of(stage: Stage) -> nn.Module:
    """Return the activation of a block."""
    return nn.Hardswish(inplace=True) if stage.hard_swish else nn.ReLU(inplace=True)


class SqueezeExcitation(nn.Module):
    """Scale channels by what their means over the picture say (Hu et al., 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = divisible(channels // 4)
        self.fc1 = nn.Linear(channels, squeezed)
        self.fc2 = nn.Linear(squeezed, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Scale `(batch, channels, bins, frames)`."""
        scale = self.fc2(torch.relu(self.fc1(x.mean(dim=(2, 3))))).sigmoid()
        return x * scale[:, :, None, None]


class ConcurrentSqueezeExcitation(nn.Module):
    """The published place of squeeze-excitation; of its axes only channels is ever used."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conc_se_layers = nn.ModuleList([SqueezeExcitation(channels)])

    def forward(self, x: Tensor) -> Tensor:
        """Scale `(batch, channels, bins, frames)`."""
        return self.conc_se_layers[0](x)


class InvertedResidual(nn.Module):
    """Expand, convolve each channel by itself, perhaps squeeze and excite, project, add."""

    def __init__(self, stage: Stage, momentum: float, *, squeeze: bool) -> None:
        super().__init__()
        self.residual = stage.stride == 1 and stage.inputs == stage.outputs
        layers: list[nn.Module] = []
        if stage.expanded != stage.inputs:
            expand = conv_norm(
                stage.inputs, stage.expanded, 1, activation_of(stage), momentum=momentum
            )
            layers.append(expand)
        layers.append(
            conv_norm(
                stage.expanded,
                stage.expanded,
                stage.kernel,
                activation_of(stage),
                momentum=momentum,
                stride=stage.stride,
                groups=stage.expanded,
            )
        )
        if squeeze:
            layers.append(ConcurrentSqueezeExcitation(stage.expanded))
        layers.append(conv_norm(stage.expanded, stage.outputs, 1, None, momentum=momentum))
        self.block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, inputs, bins, frames)` to outputs, bins and frames divided by the stride."""
        out = self.block(x)
        return out + x if self.residual else out


class EfficientAT(SoundModel):
    """What both families share: a picture of one channel, its maps' average, a head.

    The embedding is the global average of the last maps, six times as wide as the last block. A
    new head of the kind `mlp` keeps the layer before the last, as fine-tuning with the reference
    does.
    """

    config: EfficientATConfig

    def __init__(self, config: EfficientATConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        self.embedding_dim = 6 * stages(config)[-1].outputs
        self.hidden = divisible(1280 * config.width)
        self.classifier: nn.Sequential | None = None

    def maps(self, x: Tensor) -> Tensor:
        """Turn `(batch, 1, bins, frames)` into `(batch, embedding_dim, bins / 32, frames / 32)`."""
        raise NotImplementedError

    def finish(self, classes: int) -> None:
        """Initialise all layers, then add the head: the end of a family's constructor."""
        initialise(self)
        self.replace_head(classes)

    def build_head(self, classes: int) -> None:
        """Set the classifier, or the last layer of an mlp that is there; 0: none."""
        if classes == 0:
            self.classifier = None
        elif self.config.head == "mlp" and self.classifier is not None:
            self.classifier[5] = initialise(nn.Linear(self.hidden, classes))
        else:
            self.classifier = initialise(self._head(classes))

    def _head(self, classes: int) -> nn.Sequential:
        if self.config.head == "fully_convolutional":
            return nn.Sequential(
                nn.Conv2d(self.embedding_dim, classes, 1, bias=False),
                # The reference leaves this one's epsilon and momentum at torch's defaults.
                nn.BatchNorm2d(classes),
                nn.AdaptiveAvgPool2d(1),
            )
        return nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(self.embedding_dim, self.hidden),
            nn.Hardswish(inplace=True),
            nn.Dropout(self.config.dropout),
            nn.Linear(self.hidden, classes),
        )

    def forward(self, features: Features) -> Output:
        """Score features `(batch, bins, frames)`."""
        picture = features.values[:, None].contiguous(memory_format=torch.channels_last)
        maps = self.maps(picture)
        embedding = maps.float().mean(dim=(2, 3))
        if self.classifier is None:
            return Output(None, embedding=embedding)
        if self.config.head == "mlp":
            scores = self.classifier[2:](embedding)  # which has been pooled and flattened
        else:
            scores = self.classifier(maps).flatten(1)
        return Output(scores.float(), embedding=embedding)


def initialise(module: M) -> M:
    """Draw weights as the reference does."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out")
        elif isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, 0, 0.01)
        if isinstance(part, (nn.Conv2d, nn.Linear)) and part.bias is not None:
            nn.init.zeros_(part.bias)
    return module


class MobileNet(EfficientAT):
    """EfficientAT's `mn`: MobileNetV3-large with squeeze-excitation over channels."""

    Config: ClassVar[type[ModelConfig]] = EfficientATConfig

    def __init__(self, config: EfficientATConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        momentum = config.norm_momentum
        blocks = stages(config)
        first, last = blocks[0].inputs, blocks[-1].outputs
        self.features = nn.Sequential(
            conv_norm(1, first, 3, nn.Hardswish(inplace=True), momentum=momentum, stride=2),
            *(InvertedResidual(stage, momentum, squeeze=stage.squeeze) for stage in blocks),
            conv_norm(last, 6 * last, 1, nn.Hardswish(inplace=True), momentum=momentum),
        )
        self.finish(classes)

    def maps(self, x: Tensor) -> Tensor:
        """Turn `(batch, 1, bins, frames)` into `(batch, embedding_dim, bins / 32, frames / 32)`."""
        return self.features(x)


SOURCE = "Schmid et al. 2023, arXiv 2211.04772; EfficientAT a425fdc, models/mn"


def _add(
    name: str, config: EfficientATConfig, frontend: str = "efficientat_mel", *, tiny: bool = False
) -> None:
    MODELS.add(name, ModelPreset(MobileNet, config, frontend, SOURCE, clip_s=10.0, tiny=tiny))


for _width in (0.1, 0.2, 0.4, 0.5, 1.0, 2.0, 3.0, 4.0):
    _add(f"mn{round(10 * _width):02d}", EfficientATConfig(width=_width))
for _variant in ("hop_5", "hop_15", "hop_20", "hop_25", "mels_40", "mels_64", "mels_256"):
    _add(f"mn10_{_variant}", EfficientATConfig(), f"efficientat_mel_{_variant}")
_FULLY = EfficientATConfig(head="fully_convolutional")
_add("mn10_fc", _FULLY)
_add("mn10_fc_s2221", _FULLY.model_copy(update={"strides": (2, 2, 2, 1)}))
_add("mn10_fc_s2211", _FULLY.model_copy(update={"strides": (2, 2, 1, 1)}))
_TINY = EfficientATConfig(width=0.05, depth=5, norm_momentum=0.1)
_add("mn_tiny", _TINY, "efficientat_mel_mels_40", tiny=True)
_add(
    "mn_fc_tiny",
    _TINY.model_copy(update={"head": "fully_convolutional"}),
    "efficientat_mel_mels_40",
    tiny=True,
)
