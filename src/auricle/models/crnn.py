"""CRNN: convolutions, a bidirectional recurrent network, a score for every frame.

The event-detection baseline of DCASE task 4: Turpault et al., "Sound Event Detection in Domestic
Environments with Weakly Labeled Data and Soundscape Synthesis" (2019),
https://hal.science/hal-02160855; reference implementation DESED_task c6bcb45
(desed_task/nnet/CRNN.py), whose layers have these names. Two things differ: its batch norms'
running statistics are nearly the last batch's (momentum 0.99, torch's 0.1 here), and it scales
each clip's features to 0 ... 1 before them.
"""

from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, ValidationInfo, field_validator, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.core.config import validate
from auricle.core.errors import ConfigError
from auricle.models import MODELS
from auricle.models.base import Count, ModelConfig, ModelPreset, SoundModel, Width, Widths
from auricle.models.pooling import frame_mask
from auricle.models.score_pooling import SCORE_POOLINGS, ScorePooling, build_score_pooling
from auricle.tensors import Features, Output

Activation = Literal["glu", "relu"]


class CrnnConfig(ModelConfig):
    """Settings of `Crnn`: the baseline's by default."""

    channels: Widths = Field(
        default=(16, 32, 64, 128, 128, 128, 128),
        description="channels of each convolution",
    )
    pools: tuple[tuple[Count, Count], ...] = Field(
        default=((2, 2), (2, 2), (1, 2), (1, 2), (1, 2), (1, 2), (1, 2)),
        description="frames and bins that are averaged behind each convolution",
    )
    activation: Activation = Field(
        default="glu", description="glu: a linear map times the sigmoid; or relu"
    )
    recurrent_cells: Width = Field(
        default=128, description="cells of a recurrent layer, in each direction"
    )
    recurrent_layers: Count = Field(default=2, description="recurrent layers")
    dropout: float = Field(
        default=0.5, ge=0, lt=1, description="behind each convolution and before the head"
    )
    score_pooling: str = Field(
        default="class_attention", description="how the frames' scores become the clip's"
    )
    score_pooling_options: dict[str, Any] = Field(
        default={}, description="options of the score pooling, such as alpha"
    )

    @field_validator("score_pooling_options")
    @classmethod
    def _are_of_the_pooling(cls, options: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "score_pooling" not in info.data:
            return options
        config = SCORE_POOLINGS[info.data["score_pooling"]].build.Config
        valid = validate(config, options, prefix="model.score_pooling_options")
        return valid.model_dump(exclude_unset=True)

    @model_validator(mode="after")
    def _pools_fit(self) -> "CrnnConfig":
        if len(self.pools) != len(self.channels):
            raise ValueError(
                "need as many pools as channels (one pair of frames and bins a convolution), got "
                f"{len(self.pools)} and {len(self.channels)}: change pools or channels"
            )
        return self


class GatedLinear(nn.Module):
    """A linear map of the channels times their sigmoid."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, channels, frames, bins)` to the same shape."""
        return self.linear(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) * x.sigmoid()


class Convolutions(nn.Module):
    """The convolutions, each with batch norm, activation, dropout and average pooling."""

    def __init__(self, config: CrnnConfig) -> None:
        super().__init__()
        self.pools = config.pools
        self.activation = config.activation
        self.dropout = config.dropout
        inputs = 1
        for index, outputs in enumerate(config.channels):
            self.add_module(f"conv{index}", nn.Conv2d(inputs, outputs, 3, padding=1))
            self.add_module(f"batchnorm{index}", nn.BatchNorm2d(outputs, eps=1e-3))
            if config.activation == "glu":
                self.add_module(f"glu{index}", GatedLinear(outputs))
            inputs = outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, 1, frames, bins)` to `(batch, channels, frames, bins)`, pooled."""
        for index, pool in enumerate(self.pools):
            x = self.get_submodule(f"conv{index}")(x)
            x = self.get_submodule(f"batchnorm{index}")(x)
            if self.activation == "glu":
                x = self.get_submodule(f"glu{index}")(x)
            else:
                x = torch.relu_(x)
            x = F.avg_pool2d(F.dropout(x, self.dropout, self.training), pool)
        return x


class BidirectionalGru(nn.Module):
    """Recurrent layers that read a clip in both directions."""

    def __init__(self, inputs: int, config: CrnnConfig) -> None:
        super().__init__()
        self.rnn = nn.GRU(
            inputs,
            config.recurrent_cells,
            config.recurrent_layers,
            batch_first=True,
            bidirectional=True,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, frames, inputs)` to `(batch, frames, 2 * cells)`."""
        return self.rnn(x)[0]


class Crnn(SoundModel):
    """The CRNN baseline with any score pooling.

    A frame of the recurrent network (four feature frames in the baseline) scores all of its
    feature frames, and those behind the last whole one. The embedding is the mean of the
    recurrent network's outputs over the clip. Both directions read the padding of a batch too.
    """

    Config: ClassVar[type[ModelConfig]] = CrnnConfig

    def __init__(self, config: CrnnConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        self.ratio, rows = 1, bins
        for of_frames, of_bins in config.pools:
            self.ratio *= of_frames
            rows //= of_bins
        if rows == 0:
            raise ConfigError(
                f"this network pools its bins away: its pools {config.pools} leave none of {bins}; "
                "raise --frontend.n_mels or lower the second number of some --model.pools"
            )
        self.shortest_frames = self.ratio
        self.embedding_dim = 2 * config.recurrent_cells
        self.dropout = config.dropout
        self.score_pooling = config.score_pooling
        self.score_pooling_options = config.score_pooling_options
        self.cnn = Convolutions(config)
        self.rnn = BidirectionalGru(config.channels[-1] * rows, config)
        self.dense: nn.Linear | None = None
        self.pooling: ScorePooling | None = None
        self.replace_head(classes)

    def build_head(self, classes: int) -> None:
        """Set the scores' layer and their pooling; 0: neither."""
        self.has_frame_scores = classes > 0
        self.scores_are = SCORE_POOLINGS[self.score_pooling].build.scores_are
        self.dense = self.pooling = None
        if classes > 0:
            self.dense = nn.Linear(self.embedding_dim, classes)
            self.pooling = build_score_pooling(
                self.score_pooling,
                inputs=self.embedding_dim,
                classes=classes,
                options=self.score_pooling_options,
            )

    def forward(self, features: Features) -> Output:
        """Score features `(batch, bins, frames)`; frames at least `shortest_frames`."""
        frames = features.values.shape[2]
        # (batch, 1, frames, bins), channels-last
        x = features.values.transpose(1, 2).contiguous()[..., None].permute(0, 3, 1, 2)
        x = self.rnn(self.cnn(x).transpose(1, 2).flatten(2))
        segments = x.shape[1]
        inside = frame_mask((features.lengths_frames // self.ratio).clamp(min=1), segments)
        weights = inside.float()[:, None]
        embedding = (weights @ x.float()).squeeze(1) / weights.sum(dim=2)
        if self.dense is None or self.pooling is None:
            return Output(None, embedding=embedding)
        x = F.dropout(x, self.dropout, self.training)
        scores, of_segments = self.pooling(self.dense(x), x, inside)
        frame = torch.arange(frames, device=x.device)
        of_frames = of_segments.index_select(1, (frame // self.ratio).clamp(max=segments - 1))
        return Output(
            scores, scores_are=self.scores_are, frame_scores=of_frames, embedding=embedding
        )


_SOURCE = "Turpault et al. 2019; DESED_task c6bcb45, recipes/dcase2023_task4_baseline"

MODELS.add("crnn", ModelPreset(Crnn, CrnnConfig(), "logmel_16k_desed", _SOURCE, clip_s=10.0))
for _pooling in ("class_attention", "max"):
    MODELS.add(
        f"crnn_{_pooling}_tiny",
        ModelPreset(
            Crnn,
            CrnnConfig(
                channels=(4, 8, 8),
                pools=((2, 4), (2, 2), (1, 2)),
                activation="relu" if _pooling == "max" else "glu",
                recurrent_cells=6,
                recurrent_layers=1 if _pooling == "max" else 2,
                dropout=0.1,
                score_pooling=_pooling,
            ),
            "logmel_8k",
            _SOURCE,
            tiny=True,
        ),
    )
