"""PANNs: the CNN6, CNN10 and CNN14 networks pretrained on AudioSet.

Kong et al., "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern
Recognition" (2020), https://arxiv.org/abs/1912.10211; reference implementation
github.com/qiuqiangkong/audioset_tagging_cnn (MIT). Parameters have the published names, so that
published checkpoints load. SpecAugment and mixup, which the reference does inside the network,
are augmentations here.
"""

from typing import ClassVar, Literal, TypeVar, get_args

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.core.errors import ConfigError
from auricle.models import MODELS
from auricle.models.base import ModelConfig, ModelPreset, SoundModel
from auricle.tensors import Features, Output

Head = Literal["clip", "decision_max", "decision_avg", "decision_att"]
L = TypeVar("L", nn.Conv1d, nn.Conv2d, nn.Linear)


class PannsConfig(ModelConfig):
    """Settings of `Panns`: CNN14's by default.

    The head `clip` scores the whole clip; the `decision_` heads score every segment (the frames
    that pooling merges into one) and combine them by maximum, average or attention.
    """

    channels: tuple[int, ...] = Field(
        default=(64, 128, 256, 512, 1024, 2048), min_length=1, description="channels of each block"
    )
    kernel: Literal[3, 5] = Field(default=3, description="width of the convolutions")
    convolutions: Literal[1, 2] = Field(default=2, description="convolutions in a block")
    pool_last: bool = Field(
        default=False, description="whether the last block halves frames and bins too"
    )
    embedding_dim: int = Field(default=2048, ge=1, description="width of the embedding")
    head: Head = Field(default="clip", description="what is scored: the clip, or its segments")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="behind each block")
    head_dropout: float = Field(default=0.5, ge=0, lt=1, description="around the embedding layer")


class ConvBlock(nn.Module):
    """One or two convolutions, each with batch norm and relu, then average pooling by `pool`."""

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int, convolutions: int, pool: int
    ) -> None:
        super().__init__()
        self.pool = pool
        self.conv1 = _convolution(inputs, outputs, kernel)
        self.conv2 = _convolution(outputs, outputs, kernel) if convolutions == 2 else None
        self.bn1 = nn.BatchNorm2d(outputs)
        self.bn2 = nn.BatchNorm2d(outputs) if convolutions == 2 else None

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, inputs, frames, bins)` to `(batch, outputs, frames, bins) / pool`."""
        x = F.relu_(self.bn1(self.conv1(x)))
        if self.conv2 is not None and self.bn2 is not None:
            x = F.relu_(self.bn2(self.conv2(x)))
        return F.avg_pool2d(x, self.pool) if self.pool > 1 else x


class AttentionHead(nn.Module):
    """Attention pooling over segments, the published `AttBlock`.

    Scores are probabilities averaged with weights that the network draws from the segments.
    `bn_att` stands in published checkpoints and takes part in nothing.
    """

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.att = _initialised(nn.Conv1d(inputs, classes, 1))
        self.cla = _initialised(nn.Conv1d(inputs, classes, 1))
        self.bn_att = nn.BatchNorm1d(classes)

    def forward(self, segments: Tensor) -> tuple[Tensor, Tensor]:
        """Score `(batch, segments, inputs)`: clip `(batch, classes)` and every segment."""
        x = segments.transpose(1, 2)
        attention = self.att(x).float().clamp(-10, 10).softmax(dim=2)
        values = self.cla(x).float().sigmoid()
        # Rounding can lift a sum of weights above one, which no loss on probabilities takes.
        scores = (attention * values).sum(dim=2).clamp(max=1)
        return scores, values.transpose(1, 2)


class Panns(SoundModel):
    """A CNN of the PANNs family, chosen by its configuration.

    The embedding is the output of `fc1` (2048 wide in CNN14); for decision-level heads it is
    that output's mean over segments. Frame scores repeat each segment's score for all of its
    frames; frames behind the last whole segment get the last one's.
    """

    Config: ClassVar[type[ModelConfig]] = PannsConfig

    def __init__(self, config: PannsConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        pools = [2] * len(config.channels)
        if not config.pool_last:
            pools[-1] = 1
        self.ratio = 2 ** pools.count(2)
        if bins < self.ratio:
            raise ConfigError(
                f"this network halves its input {pools.count(2)} times and needs at least "
                f"{self.ratio} mel bins, got {bins}: raise --frontend.n_mels or choose a network "
                "with fewer blocks"
            )
        self.shortest_frames = self.ratio
        self.embedding_dim = config.embedding_dim
        self.head = config.head
        self.dropout = config.dropout
        self.head_dropout = config.head_dropout

        self.bn0 = nn.BatchNorm2d(bins)
        inputs = 1
        for number, (outputs, pool) in enumerate(zip(config.channels, pools, strict=True), 1):
            block = ConvBlock(
                inputs,
                outputs,
                kernel=config.kernel,
                convolutions=config.convolutions,
                pool=pool,
            )
            self.add_module(f"conv_block{number}", block)
            inputs = outputs
        self.blocks = [f"conv_block{number}" for number in range(1, len(pools) + 1)]
        self.fc1 = _initialised(nn.Linear(inputs, config.embedding_dim))
        self.fc_audioset: nn.Linear | None = None
        self.att_block: AttentionHead | None = None
        self.replace_head(classes)

    def replace_head(self, classes: int) -> None:
        """Put a fresh head for `classes` in the place of the old one (0: no head)."""
        self.classes = classes
        self.fc_audioset = None
        self.att_block = None
        self.has_frame_scores = classes > 0 and self.head != "clip"
        averages = self.head in ("decision_avg", "decision_att")
        self.scores_are = "probabilities" if averages else "logits"
        self.unused_parameters = ()
        if classes == 0:
            return
        if self.head == "decision_att":
            self.att_block = AttentionHead(self.embedding_dim, classes).to(self.fc1.weight)
            self.unused_parameters = ("att_block.bn_att.weight", "att_block.bn_att.bias")
        else:
            head = _initialised(nn.Linear(self.embedding_dim, classes))
            self.fc_audioset = head.to(self.fc1.weight)

    def forward(self, features: Features) -> Output:
        """Score features `(batch, bins, frames)`; frames at least `shortest_frames`."""
        values = features.values
        # The published bn0 sees bins as channels; the convolutions see (frames, bins) as a picture.
        x = self.bn0(values[..., None]).squeeze(-1).transpose(1, 2)[:, None]
        for name in self.blocks:
            x = F.dropout(self.get_submodule(name)(x), self.dropout, self.training)
        x = x.mean(dim=3, keepdim=True)  # (batch, channels, segments, 1)
        if self.head == "clip":
            return self._score_clip(x.squeeze(3))
        return self._score_segments(x, frames=values.shape[2])

    def _score_clip(self, x: Tensor) -> Output:
        embedding = self._embed(x.amax(dim=2) + x.mean(dim=2))
        scores = None if self.fc_audioset is None else self.fc_audioset(embedding).float()
        return Output(scores, embedding=embedding.float())

    def _score_segments(self, x: Tensor, frames: int) -> Output:
        # In two dimensions: max_pool1d fixes the number of segments when it is exported.
        highest = F.max_pool2d(x, (3, 1), stride=1, padding=(1, 0))
        mean = F.avg_pool2d(x, (3, 1), stride=1, padding=(1, 0))
        segments = self._embed((highest + mean).squeeze(3).transpose(1, 2))
        embedding = segments.mean(dim=1).float()
        segments = F.dropout(segments, self.head_dropout, self.training)
        if self.att_block is not None:
            scores, of_segments = self.att_block(segments)
        elif self.fc_audioset is not None:
            of_segments = self.fc_audioset(segments).float()
            if self.head == "decision_avg":
                of_segments = of_segments.sigmoid()
                scores = of_segments.mean(dim=1)
            else:
                scores = of_segments.amax(dim=1)
        else:
            return Output(None, embedding=embedding)
        return Output(
            scores,
            scores_are=self.scores_are,
            frame_scores=self._repeat(of_segments, frames),
            embedding=embedding,
        )

    def _embed(self, x: Tensor) -> Tensor:
        return F.relu_(self.fc1(F.dropout(x, self.head_dropout, self.training)))

    def _repeat(self, of_segments: Tensor, frames: int) -> Tensor:
        """Give each of `frames` its segment's row of `(batch, segments, classes)`."""
        frame = torch.arange(frames, device=of_segments.device)
        segment = (frame // self.ratio).clamp(max=of_segments.shape[1] - 1)
        return of_segments.index_select(1, segment)


def _convolution(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    return _initialised(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False))


def _initialised(layer: L) -> L:
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _add(
    name: str, config: PannsConfig, frontend: str = "logmel_32k", *, tiny: bool = False
) -> None:
    source = "Kong et al. 2020; audioset_tagging_cnn d2f4b8c, pytorch/models.py"
    MODELS.add(name, ModelPreset(Panns, config, frontend, source, tiny=tiny))


_CNN14 = PannsConfig()
_TINY: tuple[int, ...] = (4, 8, 8)

_add(
    "cnn6",
    PannsConfig(
        channels=(64, 128, 256, 512), kernel=5, convolutions=1, pool_last=True, embedding_dim=512
    ),
)
_add("cnn10", PannsConfig(channels=(64, 128, 256, 512), pool_last=True, embedding_dim=512))
_add("cnn14", _CNN14)
_add("cnn14_16k", _CNN14, "logmel_16k")
_add("cnn14_8k", _CNN14, "logmel_8k")
_add("cnn14_mel32", _CNN14, "logmel_32k_mel32")
_add("cnn14_mel128", _CNN14, "logmel_32k_mel128")
_add("cnn14_emb32", PannsConfig(embedding_dim=32))
_add("cnn14_emb128", PannsConfig(embedding_dim=128))
_add("cnn14_emb512", PannsConfig(embedding_dim=512))
_add("cnn14_decision_max", PannsConfig(head="decision_max"))
_add("cnn14_decision_avg", PannsConfig(head="decision_avg"))
_add("cnn14_decision_att", PannsConfig(head="decision_att"))
_add(
    "cnn6_tiny",
    PannsConfig(channels=_TINY, kernel=5, convolutions=1, pool_last=True, embedding_dim=16),
    "logmel_16k",
    tiny=True,
)
for _head in get_args(Head):
    _add(
        f"cnn14_{_head}_tiny",
        PannsConfig(channels=_TINY, embedding_dim=16, head=_head),
        "logmel_8k",
        tiny=True,
    )
