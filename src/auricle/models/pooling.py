"""Embedding poolings: many frames to one vector.

Each turns `(batch, channels, frames)` into `(batch, output_dim)`: a part with a name and typed
options. It takes a mask of the frames that count, and reduces in float32 whatever the precision
of the network. Parameters have the names of the published networks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.core.config import Config, validate
from auricle.core.registry import Registry
from auricle.models.base import ModelConfig


def frame_mask(lengths_frames: Tensor, frames: int) -> Tensor:
    """Say which of `frames` lie within clips of `lengths_frames` `(batch,)`: `(batch, frames)`.

    The first frame always does, so that there is something to pool.
    """
    lengths_frames = lengths_frames.clamp(min=1)
    return torch.arange(frames, device=lengths_frames.device) < lengths_frames[:, None]


class PoolingConfig(Config):
    """Options of a pooling; most have none."""


class PooledConfig(ModelConfig):
    """Settings of networks that pool frames to an embedding, by whichever pooling."""

    pooling: str = Field(default="asp", description="embedding pooling over time")
    pooling_options: dict[str, Any] = Field(
        default={}, description="options of the pooling, such as attention_channels"
    )
    embedding_dim: int = Field(default=192, ge=1, description="width of the embedding")

    @field_validator("pooling_options")
    @classmethod
    def _are_of_the_pooling(cls, options: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "pooling" not in info.data:
            return options
        return pooling_config(info.data["pooling"], options).model_dump(exclude_unset=True)


class Pooling(nn.Module):
    """Base of embedding poolings: `(batch, channels, frames)` to `(batch, output_dim)`, float32.

    One frame is enough for every pooling: its spread is the least that the pooling knows.
    """

    Config: ClassVar[type[PoolingConfig]] = PoolingConfig
    statistics: ClassVar[int] = 1  # numbers a channel

    def __init__(self, config: PoolingConfig, *, channels: int) -> None:
        super().__init__()
        self.output_dim = self.statistics * channels

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool `(batch, channels, frames)` over frames, those of `mask` `(batch, frames)` only."""
        raise NotImplementedError

    def __call__(self, x: Tensor, mask: Tensor | None = None) -> Tensor:  # typed for callers
        """Call `forward`."""
        return super().__call__(x, mask)


class Average(Pooling):
    """TAP: the mean over time."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool `(batch, channels, frames)` over frames, those of `mask` `(batch, frames)` only."""
        return _mean(x.float(), mask)


class Maximum(Pooling):
    """The largest value over time."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool `(batch, channels, frames)` over frames, those of `mask` `(batch, frames)` only."""
        return _maximum(x.float(), mask)


class MeanMaximum(Pooling):
    """The mean plus the maximum over time, as in PANNs (Kong et al., 2020)."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool `(batch, channels, frames)` over frames, those of `mask` `(batch, frames)` only."""
        x = x.float()
        return _mean(x, mask) + _maximum(x, mask)


class MeanVariance(Pooling):
    """TSP as `macls` has it: the mean and the unbiased variance (not its root) over time."""

    statistics = 2

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool `(batch, channels, frames)` over frames, those of `mask` `(batch, frames)` only."""
        return torch.cat(_mean_and_variance(x.float(), mask, correction=1), dim=1)


class MeanDeviation(Pooling):
    """TSTP: the mean and the standard deviation `sqrt(unbiased variance + 1e-8)` over time.

    The statistics pooling of x-vectors (Snyder et al., 2018), as 3D-Speaker has it.
    """

    statistics = 2

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool `(batch, channels, frames)` over frames, those of `mask` `(batch, frames)` only."""
        mean, variance = _mean_and_variance(x.float(), mask, correction=1)
        return torch.cat([mean, (variance + 1e-8).sqrt()], dim=1)


class MeanStandardDeviation(Pooling):
    """The mean and the unbiased standard deviation over time, as CAM++ has them.

    Nothing is added to the variance: a channel that is silent throughout gives 0 (1e-10 here, with
    no gradient, where `tstp` would give 1e-4).
    """

    statistics = 2

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool `(batch, channels, frames)` over frames, those of `mask` `(batch, frames)` only."""
        mean, variance = _mean_and_variance(x.float(), mask, correction=1)
        return torch.cat([mean, variance.clamp(min=1e-20).sqrt()], dim=1)


class Deviation(Pooling):
    """TSDP: the standard deviation `sqrt(unbiased variance + 1e-8)` over time alone."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool `(batch, channels, frames)` over frames, those of `mask` `(batch, frames)` only."""
        _, variance = _mean_and_variance(x.float(), mask, correction=1)
        return (variance + 1e-8).sqrt()


class AttentionConfig(PoolingConfig):
    """Options of `SelfAttention`."""

    attention_channels: int = Field(default=128, ge=1, description="width of the attention network")


class ContextAttentionConfig(AttentionConfig):
    """Options of attentive poolings that may show the attention the whole clip."""

    global_context: bool = Field(
        default=True, description="whether the attention sees the clip's mean and deviation too"
    )


class Attentive(Pooling):
    """Base of poolings that weigh every channel of every frame; `attend` gives the weights."""

    def attend(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return the weights of `(batch, channels, frames)`: each channel's sum to one."""
        scores = self.score_frames(x, mask).float()
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None], -torch.inf)
        if scores.stride(1) == 1:  # channels-last: a softmax along rows would copy it, twice
            return scores.transpose(1, 2).softmax(dim=1).transpose(1, 2)
        return scores.softmax(dim=2)

    def score_frames(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Score every channel of every frame, before the softmax over frames."""
        raise NotImplementedError


class SelfAttention(Attentive):
    """SAP: the mean weighted by a small network (Cai et al., 2018, each channel on its own)."""

    Config = AttentionConfig

    def __init__(self, config: AttentionConfig, *, channels: int) -> None:
        super().__init__(config, channels=channels)
        self.linear1 = nn.Conv1d(channels, config.attention_channels, 1)
        self.linear2 = nn.Conv1d(config.attention_channels, channels, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool `(batch, channels, frames)` over frames, those of `mask` `(batch, frames)` only."""
        return (self.attend(x, mask) * x.float()).sum(dim=2)

    def score_frames(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Score every channel of every frame, before the softmax over frames."""
        return self.linear2(self.linear1(x).tanh())


class AttentiveMoments(Attentive):
    """ASTP: weighted mean and deviation, as in 3D-Speaker.

    The variance is the mean square minus the squared mean, at least 1e-10. The context's
    deviation is `sqrt(unbiased variance + 1e-10)`.
    """

    class Config(ContextAttentionConfig):  # its default differs
        """Options of `AttentiveMoments`."""

        global_context: bool = Field(
            default=False, description="whether the attention sees the clip's mean and deviation"
        )

    statistics = 2

    def __init__(self, config: ContextAttentionConfig, *, channels: int) -> None:
        super().__init__(config, channels=channels)
        seen = 3 * channels if config.global_context else channels
        self.linear1 = nn.Conv1d(seen, config.attention_channels, 1)
        self.linear2 = nn.Conv1d(config.attention_channels, channels, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool `(batch, channels, frames)` over frames, those of `mask` `(batch, frames)` only."""
        weights = self.attend(x, mask)
        x = x.float()
        weighted = weights * x
        mean = weighted.sum(dim=2)
        variance = (weighted * x).sum(dim=2) - mean.square()
        return torch.cat([mean, variance.clamp(min=1e-10).sqrt()], dim=1)

    def score_frames(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Score every channel of every frame, before the softmax over frames."""
        context = None
        if self.linear1.in_channels > x.shape[1]:
            mean, variance = _mean_and_variance(x.float(), mask, correction=1)
            context = torch.cat([mean, (variance + 1e-10).sqrt()], dim=1)
        return self.linear2(_with_context(self.linear1, x, context).tanh())


class NamedConv1d(nn.Module):
    """A convolution under one more name, as SpeechBrain's state dicts have it: `conv.conv`."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, dilation=dilation)


class NamedNorm(nn.Module):
    """A batch norm under one more name, as SpeechBrain's state dicts have it: `norm.norm`."""

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
        super().__init__()
        self.norm = norm


class AttentionTdnn(nn.Module):
    """Convolution of width 1, relu, batch norm: the first half of ECAPA-TDNN's attention."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = NamedConv1d(inputs, outputs)
        # In two dimensions, which may be channels-last, as 1-d batch norm may not.
        self.norm = NamedNorm(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Map `(batch, channels, frames)`, with `(batch, context)` for all frames alike."""
        hidden = F.relu_(_with_context(self.conv.conv, x, context))
        return self.norm.norm(hidden.unsqueeze(2)).squeeze(2)


class AttentiveStatistics(Attentive):
    """ASP: weighted mean and deviation as in ECAPA-TDNN (Desplanques et al., 2020).

    Deviations are `sqrt(biased variance)` of values around their mean, the variance at least
    1e-12; so in SpeechBrain, `macls` and 3D-Speaker's ECAPA-TDNN.
    """

    Config = ContextAttentionConfig
    statistics = 2

    def __init__(self, config: ContextAttentionConfig, *, channels: int) -> None:
        super().__init__(config, channels=channels)
        self.global_context = config.global_context
        seen = 3 * channels if config.global_context else channels
        self.tdnn = AttentionTdnn(seen, config.attention_channels)
        self.conv = NamedConv1d(config.attention_channels, channels)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool `(batch, channels, frames)` over frames, those of `mask` `(batch, frames)` only."""
        weights = self.attend(x, mask)
        x = x.float()
        mean = (weights * x).sum(dim=2)
        variance = (weights * (x - mean[..., None]).square()).sum(dim=2)
        return torch.cat([mean, variance.clamp(min=1e-12).sqrt()], dim=1)

    def score_frames(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Score every channel of every frame, before the softmax over frames."""
        context = None
        if self.global_context:
            mean, variance = _mean_and_variance(x.float(), mask, correction=0)
            context = torch.cat([mean, variance.clamp(min=1e-12).sqrt()], dim=1)
        return self.conv.conv(self.tdnn(x, context).tanh())


def _with_context(layer: nn.Conv1d, x: Tensor, context: Tensor | None) -> Tensor:
    """Apply a convolution of width 1 to frames, each with the same `(batch, context)` appended.

    The context's share is the same for all frames: it is computed once.
    """
    if context is None:
        return layer(x)
    of_frames, of_context = layer.weight.split([x.shape[1], context.shape[1]], dim=1)
    shared = F.linear(context, of_context[..., 0], layer.bias)
    return F.conv1d(x, of_frames) + shared[..., None]


def _mean(x: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return x.mean(dim=2)
    inside = mask[:, None]
    return torch.where(inside, x, 0).sum(dim=2) / inside.sum(dim=2).clamp(min=1)


def _maximum(x: Tensor, mask: Tensor | None) -> Tensor:
    return (x if mask is None else x.masked_fill(~mask[:, None], -torch.inf)).amax(dim=2)


def _mean_and_variance(x: Tensor, mask: Tensor | None, *, correction: int) -> tuple[Tensor, Tensor]:
    """Mean and variance over time; divided by the count less `correction`, at least 1."""
    mean = _mean(x, mask)
    squares = (x - mean[..., None]).square()
    if mask is None:
        # A tensor, as a number would be fixed when the network is exported.
        count = torch.ones_like(x[:1, :1]).sum(dim=2)
    else:
        squares = torch.where(mask[:, None], squares, 0)
        count = mask[:, None].sum(dim=2)
    return mean, squares.sum(dim=2) / (count - correction).clamp(min=1)


@dataclass(frozen=True)
class PoolingPart:
    """An embedding pooling: its class, and the paper or implementation that it follows."""

    build: type[Pooling]
    source: str


POOLINGS: Registry[PoolingPart] = Registry("pooling", __name__, ())


def pooling_config(name: str, options: Mapping[str, Any]) -> PoolingConfig:
    """Validate the `options` of the embedding pooling `name`. Raises `ConfigError`."""
    return validate(POOLINGS[name].build.Config, options, prefix="model.pooling_options")


def build_pooling(name: str, *, channels: int, options: Mapping[str, Any] | None = None) -> Pooling:
    """Build the embedding pooling `name` for `channels`. Raises `ConfigError`."""
    return POOLINGS[name].build(pooling_config(name, options or {}), channels=channels)


_MACLS = "macls c63d284, macls/models/pooling.py"
_SPEAKER = "3D-Speaker 09e7806, speakerlab/models/eres2net/pooling_layers.py"

POOLINGS.add("asp", PoolingPart(AttentiveStatistics, f"Desplanques et al. 2020; {_MACLS}"))
POOLINGS.add("astp", PoolingPart(AttentiveMoments, _SPEAKER))
POOLINGS.add("max", PoolingPart(Maximum, "-"))
POOLINGS.add("mean_max", PoolingPart(MeanMaximum, "Kong et al. 2020, arXiv 1912.10211"))
POOLINGS.add("sap", PoolingPart(SelfAttention, f"Cai et al. 2018, arXiv 1804.05160; {_MACLS}"))
POOLINGS.add(
    "stats",
    PoolingPart(MeanStandardDeviation, "3D-Speaker 09e7806, speakerlab/models/campplus/layers.py"),
)
POOLINGS.add("tap", PoolingPart(Average, _MACLS))
POOLINGS.add("tsdp", PoolingPart(Deviation, _SPEAKER))
POOLINGS.add("tsp", PoolingPart(MeanVariance, _MACLS))
POOLINGS.add("tstp", PoolingPart(MeanDeviation, f"Snyder et al. 2018; {_SPEAKER}"))
