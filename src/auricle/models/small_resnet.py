"""Small residual networks over log-mel features: the library's default, made for laptops.

He et al., "Deep Residual Learning for Image Recognition", 2016, with average-pooled shortcuts
(He et al., "Bag of Tricks for Image Classification", 2019), mean plus maximum over time as in
PANNs (Kong et al., 2020). Plain 3 x 3 convolutions only: in bfloat16 and channels-last they run
at more than ten times the operations per second of depthwise ones on a CPU.
"""

import torch
from pydantic import Field
from torch import Tensor, nn

from auricle.models import MODELS
from auricle.models.base import ModelConfig, ModelPreset, SoundModel, Widths
from auricle.tensors import Features, Output

SOURCE = "He et al. 2016, arXiv 1512.03385; this library"


class SmallResNetConfig(ModelConfig):
    """The size of a small residual network."""

    widths: Widths = Field(default=(16, 64, 128, 192), description="channels of each stage")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="before the head")


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions around a shortcut, which is pooled and projected to fit.

    `(batch, channels_in, height, width)` to `(batch, channels, height / stride, width / stride)`,
    rounded up.
    """

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True) if stride != 1 else nn.Identity(),
                nn.Conv2d(channels_in, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
            )

    def forward(self, values: Tensor) -> Tensor:
        """Add what the convolutions find to what was there."""
        inner = torch.relu(self.norm1(self.conv1(values)))
        return torch.relu(self.norm2(self.conv2(inner)) + self.shortcut(values))


class SmallResNet(SoundModel):
    """Batch norm per bin, a stride-2 stem, one residual block a stage, mean plus maximum over time.

    Frame scores are those that the clip would have if all of it sounded like the frame; a frame
    shares them with the others of its segment (16 frames with four stages).
    """

    Config = SmallResNetConfig
    config: SmallResNetConfig

    def __init__(self, config: SmallResNetConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        widths = config.widths
        self.norm = nn.BatchNorm1d(bins)
        self.stem = nn.Sequential(
            nn.Conv2d(1, widths[0], 3, 2, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        inputs = (widths[0], *widths[:-1])
        self.stages = nn.Sequential(
            *(
                ResidualBlock(channels_in, channels, stride=1 if index == 0 else 2)
                for index, (channels_in, channels) in enumerate(zip(inputs, widths, strict=True))
            )
        )
        self.segment_frames = 2 ** len(widths)
        self.dropout = nn.Dropout(config.dropout)
        self.embedding_dim = widths[-1]
        self.head: nn.Linear | None = None
        self.replace_head(classes)

    def build_head(self, classes: int) -> None:
        """Set the last layer; 0: none."""
        self.has_frame_scores = classes > 0
        self.head = nn.Linear(self.embedding_dim, classes) if classes else None

    def forward(self, features: Features) -> Output:
        """Score features `(batch, bins, frames)`."""
        values = self.norm(features.values)[:, None].contiguous(memory_format=torch.channels_last)
        # (batch, channels, segments), in full precision from here on
        segments = self.stages(self.stem(values)).float().mean(2)
        embedding = segments.mean(2) + segments.amax(2)
        if self.head is None:
            return Output(None, embedding=embedding)
        scores = self.head(self.dropout(embedding)).float()
        # A clip of one sound throughout has mean = maximum: twice its segment.
        of_segments = self.head(2 * segments.transpose(1, 2)).float()
        frames = features.values.shape[2]
        of_frames = of_segments.repeat_interleave(self.segment_frames, dim=1)[:, :frames]
        return Output(scores, frame_scores=of_frames, embedding=embedding)


MODELS.add(
    "small_resnet",
    ModelPreset(SmallResNet, SmallResNetConfig(), "logmel_32k_20ms", SOURCE, clip_s=5.0),
)
MODELS.add(
    "small_resnet_tiny",
    ModelPreset(
        SmallResNet,
        SmallResNetConfig(widths=(4, 8), dropout=0.0),
        "logmel_8k",
        SOURCE,
        clip_s=1.0,
        tiny=True,
    ),
)
