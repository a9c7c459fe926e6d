"""PANNs: the CNN6, CNN10 and CNN14 networks pretrained on AudioSet.

Kong et al., "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern
Recognition" (2020), https://arxiv.org/abs/1912.10211; reference implementation
github.com/qiuqiangkong/audioset_tagging_cnn (MIT). Parameters have the published names, so that
published checkpoints load. SpecAugment and mixup, which the reference does inside the network,
are augmentations here.
"""

import math
from typing import ClassVar, Literal, get_args

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.core.errors import ConfigError
from auricle.models.base import Count, ModelConfig, Widths, refuse_waveforms
from auricle.models.panns_parts import (
    ClipConfig,
    ClipModel,
    ConvBlock,
    TimeConv,
    WaveBlock,
    add_preset,
    as_picture,
    initialised,
    require_bins,
)
from auricle.tensors import Features, Output

Head = Literal["clip", "decision_max", "decision_avg", "decision_att"]

_WAVEGRAM_BINS = 64  # of a network that gets no other features, before the first halving
_WAVEGRAM_CHANNELS = 4  # into which the last convolution over time is folded
_EDGE_FRAMES = 4  # frames more or fewer that a front-end may make of a waveform's ends


class PannsConfig(ClipConfig):
    """Settings of `Panns`: CNN14's by default.

    The head `clip` scores the whole clip; the `decision_` heads score every segment (the frames
    that pooling merges into one) and combine them by maximum, average or attention. A wavegram is
    a picture of the sound that convolutions over the waveform draw; it takes the place of the
    log-mel features behind the first block, or stands beside them.
    """

    channels: Widths = Field(
        default=(64, 128, 256, 512, 1024, 2048), description="channels of each block"
    )
    kernel: Literal[3, 5] = Field(default=3, description="width of the convolutions")
    convolutions: Literal[1, 2] = Field(default=2, description="convolutions in a block")
    pool_last: bool = Field(
        default=False, description="whether the last block halves frames and bins too"
    )
    input: Literal["logmel", "wavegram", "wavegram_logmel"] = Field(
        default="logmel", description="what is heard: log-mel features, a wavegram, or both"
    )
    wavegram_strides: tuple[Count, Count, Count, Count] = Field(
        default=(5, 4, 4, 4),
        description="steps over time in the wavegram; their product is the front-end's hop",
    )
    head: Head = Field(default="clip", description="what is scored: the clip, or its segments")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="behind each block")

    @model_validator(mode="after")
    def _fits(self) -> "PannsConfig":
        if self.input != "logmel" and len(self.channels) < 2:
            raise ValueError("a wavegram needs a network of two blocks or more: add channels")
        return self


class AttentionHead(nn.Module):
    """Attention pooling over segments, the published `AttBlock`.

    Scores are probabilities averaged with weights that the network draws from the segments.
    `bn_att` stands in published checkpoints and takes part in nothing.
    """

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.att = initialised(nn.Conv1d(inputs, classes, 1))
        self.cla = initialised(nn.Conv1d(inputs, classes, 1))
        self.bn_att = nn.BatchNorm1d(classes)

    def forward(self, segments: Tensor) -> tuple[Tensor, Tensor]:
        """Score `(batch, segments, inputs)`: clip `(batch, classes)` and every segment."""
        x = segments.transpose(1, 2)
        attention = self.att(x).float().clamp(-10, 10).softmax(dim=2)
        values = self.cla(x).float().sigmoid()
        # Rounding can lift a sum of weights above one, which no loss on probabilities takes.
        scores = (attention * values).sum(dim=2).clamp(max=1)
        return scores, values.transpose(1, 2)


class Panns(ClipModel):
    """A CNN of the PANNs family, chosen by its configuration.

    The embedding is the output of `fc1` (2048 wide in CNN14); for decision-level heads it is
    that output's mean over segments. Frame scores repeat each segment's score for all of its
    frames; frames behind the last whole segment get the last one's.

    A wavegram beside log-mel features is as long as they are: where it is a frame short (an odd
    number of hops, which the reference refuses), its last frame is repeated.
    """

    Config: ClassVar[type[ModelConfig]] = PannsConfig
    hears_waveforms = True
    config: PannsConfig
    bn0: nn.BatchNorm2d
    pre_block4: ConvBlock

    def __init__(self, config: PannsConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        if config.input != "wavegram":
            refuse_waveforms(bins)
        alone = bins == 1  # the front-end gives the waveform
        if alone and config.head != "clip":
            raise ConfigError(
                f"head {config.head} gives a row of scores a frame, and a waveform's frames are "
                "its samples: choose features with waveforms beside them, for example "
                "--frontend logmel_32k_wave"
            )
        bins = _WAVEGRAM_BINS if alone else bins
        pools = [2] * len(config.channels)
        if not config.pool_last:
            pools[-1] = 1
        self.ratio = 2 ** pools.count(2)
        require_bins(bins, self.ratio)
        self.shortest_frames = self._shortest(alone)
        self.head = config.head
        self.dropout = config.dropout

        if config.input != "logmel":
            self._add_wavegram(config, bins // 2)
        self.bn0 = nn.BatchNorm2d(bins)
        inputs = 1
        for number, (outputs, pool) in enumerate(zip(config.channels, pools, strict=True), 1):
            block = ConvBlock(
                inputs,
                outputs,
                kernel=config.kernel,
                convolutions=config.convolutions,
                pool=(pool, pool),
            )
            self.add_module(f"conv_block{number}", block)
            both = number == 1 and config.input == "wavegram_logmel"
            inputs = 2 * outputs if both else outputs
        self.blocks = [f"conv_block{number}" for number in range(1, len(pools) + 1)]
        self.att_block: AttentionHead | None = None
        self.add_head(config, inputs, classes)

    def _shortest(self, alone: bool) -> int:
        """Return the shortest input, in frames of the front-end."""
        first, *others = self.config.wavegram_strides
        if alone:
            return (self.ratio * math.prod(others) - 1) * first + 1
        if self.config.input == "wavegram":
            return self.ratio + 1
        # Two whole frames of a wavegram are in three of features.
        return max(self.ratio, 3) if self.config.input == "wavegram_logmel" else self.ratio

    def _add_wavegram(self, config: PannsConfig, bins: int) -> None:
        narrow, wide = config.channels[:2]
        first, *pools = config.wavegram_strides
        outputs = (narrow, wide, _WAVEGRAM_CHANNELS * bins)
        self.wavegram_bins = bins
        self.hop_samples = math.prod(config.wavegram_strides)
        self.pre_conv0 = TimeConv(1, narrow, 11, stride=first)
        self.pre_bn0 = nn.BatchNorm2d(narrow)
        inputs = narrow
        for number, (channels, pool) in enumerate(zip(outputs, pools, strict=True), 1):
            self.add_module(
                f"pre_block{number}", WaveBlock(inputs, channels, dilation=2, pool=pool)
            )
            inputs = channels
        self.pre_block4 = ConvBlock(
            _WAVEGRAM_CHANNELS,
            narrow,
            kernel=config.kernel,
            convolutions=config.convolutions,
            pool=(2, 1),
        )

    def build_head(self, classes: int) -> None:
        """Set the last layers, and what they say; 0: none."""
        attends = self.head == "decision_att"
        super().build_head(0 if attends else classes)
        self.att_block = None
        if classes and attends:
            self.att_block = AttentionHead(self.embedding_dim, classes)
        self.has_frame_scores = classes > 0 and self.head != "clip"
        averages = self.head in ("decision_avg", "decision_att")
        self.scores_are = "probabilities" if averages else "logits"
        unused = ["att_block.bn_att."] if self.att_block is not None else []
        if self.config.input == "wavegram":
            unused += ["bn0.", "conv_block1."]
        named = [name for name, _ in self.named_parameters()]
        self.unused_parameters = [name for name in named if name.startswith(tuple(unused))]

    def check_features(self, features: Features) -> None:
        """Raise `ConfigError` for features that it cannot read, or whose waveforms do not fit."""
        super().check_features(features)
        if self.config.input == "logmel" or self.bins == 1:
            return
        if features.waveforms is None:
            raise ConfigError(
                "a wavegram is drawn from the waveform, and this front-end hands none on: set "
                "--frontend.with_waveforms true, or choose --frontend logmel_32k_wave"
            )
        frames, samples = features.values.shape[2], features.waveforms.shape[1]
        if abs(frames - samples / self.hop_samples) > _EDGE_FRAMES:
            raise ConfigError(
                f"the wavegram has a frame every {self.hop_samples} samples (the product of "
                f"--model.wavegram_strides), but the front-end makes {frames} frames of "
                f"{samples} samples: make the two agree"
            )

    def forward(self, features: Features) -> Output:
        """Score features `(batch, bins, frames)`; frames at least `shortest_frames`."""
        x = F.dropout(self._first_block(features), self.dropout, self.training)
        for name in self.blocks[1:]:
            x = F.dropout(self.get_submodule(name)(x), self.dropout, self.training)
        x = x.mean(dim=3, keepdim=True)  # (batch, channels, segments, 1)
        if self.head == "clip":
            return self.score_clip(x.squeeze(3))
        return self._score_segments(x, frames=features.values.shape[2])

    def _first_block(self, features: Features) -> Tensor:
        """Return `(batch, channels, frames / 2, bins / 2)` of features, wavegram, or both."""
        if self.config.input == "wavegram":
            return self._wavegram(features)
        first = self.get_submodule(self.blocks[0])(as_picture(features, self.bn0))
        if self.config.input == "logmel":
            return first
        wavegram = self._wavegram(features)
        frame = torch.arange(first.shape[2], device=first.device)
        wavegram = wavegram.index_select(2, frame.clamp(max=wavegram.shape[2] - 1))
        return torch.cat([first, wavegram], dim=1)

    def _wavegram(self, features: Features) -> Tensor:
        x = self.pre_conv0(self._waveforms(features)[:, None, :, None])
        x = F.relu_(self.pre_bn0(x))
        for number in (1, 2, 3):
            x = self.get_submodule(f"pre_block{number}")(x)
        x = x.squeeze(3).unflatten(1, (_WAVEGRAM_CHANNELS, self.wavegram_bins))
        return self.pre_block4(x.transpose(2, 3))

    def _waveforms(self, features: Features) -> Tensor:
        if self.bins == 1:
            return features.values[:, 0]
        if not torch.compiler.is_compiling():
            self.check_features(features)
        assert features.waveforms is not None  # checked
        return features.waveforms

    def _score_segments(self, x: Tensor, frames: int) -> Output:
        # In two dimensions: max_pool1d fixes the number of segments when it is exported.
        highest = F.max_pool2d(x, (3, 1), stride=1, padding=(1, 0))
        mean = F.avg_pool2d(x, (3, 1), stride=1, padding=(1, 0))
        segments = self.embed((highest + mean).squeeze(3).transpose(1, 2))
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

    def _repeat(self, of_segments: Tensor, frames: int) -> Tensor:
        """Give each of `frames` its segment's row of `(batch, segments, classes)`."""
        frame = torch.arange(frames, device=of_segments.device)
        segment = (frame // self.ratio).clamp(max=of_segments.shape[1] - 1)
        return of_segments.index_select(1, segment)


def _add(
    name: str,
    config: PannsConfig,
    frontend: str = "logmel_32k",
    what: str = "",
    *,
    tiny: bool = False,
) -> None:
    add_preset(name, Panns, config, frontend, what, tiny=tiny)


_CNN14 = PannsConfig()

_add(
    "cnn6",
    PannsConfig(
        channels=(64, 128, 256, 512), kernel=5, convolutions=1, pool_last=True, embedding_dim=512
    ),
)
_add("cnn10", PannsConfig(channels=(64, 128, 256, 512), pool_last=True, embedding_dim=512))
_add("cnn14", _CNN14)
_add(
    "cnn14_no_specaug",
    _CNN14,
    what="Cnn14_no_specaug: cnn14 trained without SpecAugment (--augment.spec_augment false)",
)
_add(
    "cnn14_no_dropout",
    PannsConfig(dropout=0.0),
    what="Cnn14_no_dropout: cnn14 without dropout behind its blocks",
)
_add(
    "cnn14_mixup_time_domain",
    _CNN14,
    what="Cnn14_mixup_time_domain: cnn14 trained with mixup of waveforms (--augment.wave_mixup)",
)
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
_add("wavegram_cnn14", PannsConfig(input="wavegram"), "waveform_32k")
_add("wavegram_logmel_cnn14", PannsConfig(input="wavegram_logmel"), "logmel_32k_wave")
_add("wavegram_logmel128_cnn14", PannsConfig(input="wavegram_logmel"), "logmel_32k_mel128_wave")

_TINY: tuple[int, ...] = (4, 8, 8)
_TINY_CNN6 = PannsConfig(channels=_TINY, kernel=5, convolutions=1, pool_last=True, embedding_dim=16)
_add("cnn6_tiny", _TINY_CNN6, "logmel_16k", tiny=True)
for _head in get_args(Head):
    _add(
        f"cnn14_{_head}_tiny",
        PannsConfig(channels=_TINY, embedding_dim=16, head=_head),
        "logmel_8k",
        tiny=True,
    )
_add(
    "wavegram_cnn14_tiny",
    PannsConfig(channels=_TINY, embedding_dim=16, input="wavegram"),
    "waveform_16k",
    tiny=True,
)
_add(
    "wavegram_cnn6_tiny",
    _TINY_CNN6.model_copy(update={"input": "wavegram", "head": "decision_att"}),
    "logmel_32k_wave",
    tiny=True,
)
_add(
    "wavegram_logmel_cnn14_tiny",
    PannsConfig(channels=_TINY, embedding_dim=16, input="wavegram_logmel"),
    "logmel_32k_wave",
    tiny=True,
)
