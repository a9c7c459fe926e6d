"""What ResNetSE and Res2Net share: residual stages over the spectrogram, a pooling, an embedding.

Reference implementation macls c63d284 (Apache-2.0); parameters have the published names.
"""

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from auricle.models.base import Counts, SoundModel, Widths
from auricle.models.pointwise import PointwiseConv2d
from auricle.models.pooling import PooledConfig, build_pooling
from auricle.tensors import Features, Output


class PooledPictureConfig(PooledConfig):
    """Settings of a `PooledPicture`: the published ones by default."""

    channels: Widths = Field(default=(32, 64, 128, 256), description="channels of each stage")
    blocks: Counts = Field(default=(3, 4, 6, 3), description="blocks of each stage")

    @model_validator(mode="after")
    def _stages_are_whole(self) -> "PooledPictureConfig":
        if len(self.channels) != len(self.blocks):
            raise ValueError(
                "channels and blocks must have one number a stage each, got "
                f"{list(self.channels)} and {list(self.blocks)}"
            )
        return self


class PooledPicture(SoundModel):
    """Convolutions over `(bins, frames)`; stages but the first halve both, rounding up.

    Channels and the bins that are left become one axis, which is pooled over time: any number of
    bins goes. A family says what its stem and its blocks are.
    """

    expansion: int  # a stage's outputs: so many times its channels

    def __init__(self, config: PooledPictureConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        # A spread over time needs two frames behind the last stage.
        self.shortest_frames = self.before_stem(2 ** (len(config.blocks) - 1) + 1)
        self.embedding_dim = config.embedding_dim
        inputs, height = config.channels[0], self.behind_stem(bins)
        self.conv1 = self.stem(inputs)
        self.bn1 = nn.BatchNorm2d(inputs)
        for number, (channels, blocks) in enumerate(
            zip(config.channels, config.blocks, strict=True), 1
        ):
            stride = 1 if number == 1 else 2
            stage = nn.Sequential()
            for index in range(blocks):
                stage.append(self.block(inputs, channels, stride, first=index == 0))
                inputs, stride = channels * self.expansion, 1
            self.add_module(f"layer{number}", stage)
            height = height if number == 1 else -(-height // 2)
        self.stages = [f"layer{number}" for number in range(1, len(config.blocks) + 1)]
        self.pooling = build_pooling(
            config.pooling, channels=inputs * height, options=config.pooling_options
        )
        self.bn2 = nn.BatchNorm1d(self.pooling.output_dim)
        self.linear = nn.Linear(self.pooling.output_dim, config.embedding_dim)
        self.bn3 = nn.BatchNorm1d(config.embedding_dim)
        self.fc: nn.Linear | None = None
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        self.replace_head(classes)

    def build_head(self, classes: int) -> None:
        """Set the last layer; 0: none."""
        self.fc = nn.Linear(self.embedding_dim, classes) if classes else None

    def forward(self, features: Features) -> Output:
        """Score features `(batch, bins, frames)`; frames at least `shortest_frames`."""
        x = features.values[:, None].contiguous(memory_format=torch.channels_last)
        x = self.shrink(torch.relu_(self.bn1(self.conv1(x))))
        for name in self.stages:
            x = self.get_submodule(name)(x)
        # Channels and rows become one axis, laid out as the pooling wants it: one copy for both.
        pooled = self.pooling(x.permute(0, 3, 1, 2).flatten(2).transpose(1, 2))
        embedding = self.bn3(self.linear(self.bn2(pooled))).float()
        scores = None if self.fc is None else self.fc(embedding).float()
        return Output(scores, embedding=embedding)

    def stem(self, channels: int) -> nn.Conv2d:
        """Return the first convolution, of a picture with one channel."""
        raise NotImplementedError

    def block(self, inputs: int, channels: int, stride: int, *, first: bool) -> nn.Module:
        """Return a block of a stage, its `first` or a further one, that gives all outputs."""
        raise NotImplementedError

    def behind_stem(self, bins: int) -> int:
        """Return how many rows the stem leaves of `bins`. Raises `ConfigError` for none."""
        return bins

    def before_stem(self, frames: int) -> int:
        """Return how many frames the stem needs to leave `frames`."""
        return frames

    def shrink(self, x: Tensor) -> Tensor:
        """Make what leaves the stem smaller; here it stays."""
        return x


def projection(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """Return the shortcut that fits inputs to outputs; None where they fit."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(PointwiseConv2d(inputs, outputs, stride), nn.BatchNorm2d(outputs))
