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
from auricle.models.base import ModelConfig, Width


def frame_mask(lengths_frames: Tensor, frames: int) -> Tensor:
    """Say which of `frames` lie within clips of `lengths_frames` `(batch,)`: `(batch, frames)`.

    The first frame always does, so that there is something to pool.
    """
    lengths_frames = lengths_frames.clamp(min=1)
    return torch.arange(frames, device=lengths_frames.device) < lengths_frames[:, None]


def padding_mask(lengths_frames: Tensor, frames: int) -> Tensor | None:
    """Return `frame_mask`, or None where it is known that no clip is shorter than `frames`.

    Masks cost several passes over the memory, and most batches need none. Nothing waits for a GPU
    to tell, and exported graphs always mask.
    """
    on_cpu = lengths_frames.device.type == "cpu"
    if on_cpu and not torch.compiler.is_compiling() and bool((lengths_frames >= frames).all()):
        return None
    return frame_mask(lengths_frames, frames)


class PoolingConfig(Config):
    """Options of a pooling; most have none."""


class PooledConfig(ModelConfig):
    """Settings of networks that pool frames to an embedding, by whichever pooling."""

    pooling: str = Field(default="asp", description="embedding pooling over time")
    pooling_options: dict[str, Any] = Field(
        default={}, description="options of the pooling, such as attention_channels"
    )
    embedding_dim: Width = Field(default=192, description="width of the embedding")

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
        """Pool `(batch, channels, frames)` over frames, those of `mask` `(batch, frames)` only.

        Costs no copy where `x` is channels-last in memory.
        """
        return self.pool(x.transpose(1, 2).contiguous(), mask)

    def pool(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Pool `(batch, frames, channels)`, contiguous: so are all gradients then."""
        raise NotImplementedError

    def __call__(self, x: Tensor, mask: Tensor | None = None) -> Tensor:  # typed for callers
        """Call `forward`."""
        return super().__call__(x, mask)


class Average(Pooling):
    """TAP: the mean over time."""

    def pool(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Pool `(batch, frames, channels)`."""
        return _mean(rows.float(), mask)


class Maximum(Pooling):
    """The largest value over time."""

    def pool(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Pool `(batch, frames, channels)`."""
        return _maximum(rows.float(), mask)


class MeanMaximum(Pooling):
    """The mean plus the maximum over time, as in PANNs (Kong et al., 2020)."""

    def pool(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Pool `(batch, frames, channels)`."""
        rows = rows.float()
        return _mean(rows, mask) + _maximum(rows, mask)


class MeanVariance(Pooling):
    """TSP as `macls` has it: the mean and the unbiased variance (not its root) over time."""

    statistics = 2

    def pool(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Pool `(batch, frames, channels)`."""
        return torch.cat(_mean_and_variance(rows.float(), mask, correction=1), dim=1)


class MeanDeviation(Pooling):
    """TSTP: the mean and the standard deviation `sqrt(unbiased variance + 1e-8)` over time.

    The statistics pooling of x-vectors (Snyder et al., 2018), as 3D-Speaker has it.
    """

    statistics = 2

    def pool(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Pool `(batch, frames, channels)`."""
        mean, variance = _mean_and_variance(rows.float(), mask, correction=1)
        return torch.cat([mean, (variance + 1e-8).sqrt()], dim=1)


class MeanStandardDeviation(Pooling):
    """The mean and the unbiased standard deviation over time, as CAM++ has them.

    Nothing is added to the variance: a channel that is silent throughout gives 0 (1e-10 here, with
    no gradient, where `tstp` would give 1e-4).
    """

    statistics = 2

    def pool(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Pool `(batch, frames, channels)`."""
        mean, variance = _mean_and_variance(rows.float(), mask, correction=1)
        return torch.cat([mean, variance.clamp(min=1e-20).sqrt()], dim=1)


class Deviation(Pooling):
    """TSDP: the standard deviation `sqrt(unbiased variance + 1e-8)` over time alone."""

    def pool(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Pool `(batch, frames, channels)`."""
        _, variance = _mean_and_variance(rows.float(), mask, correction=1)
        return (variance + 1e-8).sqrt()


class AttentionConfig(PoolingConfig):
    """Options of `SelfAttention`."""

    attention_channels: Width = Field(default=128, description="width of the attention network")


class ContextAttentionConfig(AttentionConfig):
    """Options of attentive poolings that may show the attention the whole clip."""

    global_context: bool = Field(
        default=True, description="whether the attention sees the clip's mean and deviation too"
    )


class Attentive(Pooling):
    """Base of poolings that weigh every channel of every frame; `attend` gives the weights."""

    def attend(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Return the weights of `(batch, frames, channels)`: each channel's sum to one."""
        scores = self.score_frames(rows, mask).float()
        if mask is not None:
            scores = scores.masked_fill(~mask[..., None], -torch.inf)
        return scores.softmax(dim=1)

    def score_frames(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Score every channel of every frame, before the softmax over frames."""
        raise NotImplementedError


class SelfAttention(Attentive):
    """SAP: the mean weighted by a small network (Cai et al., 2018, each channel on its own)."""

    Config = AttentionConfig

    def __init__(self, config: AttentionConfig, *, channels: int) -> None:
        super().__init__(config, channels=channels)
        self.linear1 = nn.Conv1d(channels, config.attention_channels, 1)
        self.linear2 = nn.Conv1d(config.attention_channels, channels, 1)

    def pool(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Pool `(batch, frames, channels)`."""
        return (self.attend(rows, mask) * rows.float()).sum(dim=1)

    def score_frames(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Score every channel of every frame, before the softmax over frames."""
        return _as_rows(
            _pointwise(self.linear2, _pointwise(self.linear1, _as_picture(rows)).tanh())
        )


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

    def pool(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Pool `(batch, frames, channels)`."""
        weights, rows = self.attend(rows, mask), rows.float()
        weighted = weights * rows
        mean = weighted.sum(dim=1)
        variance = (weighted * rows).sum(dim=1) - mean.square()
        return torch.cat([mean, variance.clamp(min=1e-10).sqrt()], dim=1)

    def score_frames(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Score every channel of every frame, before the softmax over frames."""
        context = None
        if self.linear1.in_channels > rows.shape[2]:
            mean, variance = _mean_and_variance(rows.float(), mask, correction=1)
            context = torch.cat([mean, (variance + 1e-10).sqrt()], dim=1)
        hidden = _pointwise(self.linear1, _as_picture(rows), context).tanh()
        return _as_rows(_pointwise(self.linear2, hidden))


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
        self.norm = NamedNorm(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Map `(batch, channels, 1, frames)`, with `(batch, context)` for all frames alike."""
        return self.norm.norm(F.relu_(_pointwise(self.conv.conv, x, context)))


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

    def pool(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Pool `(batch, frames, channels)`."""
        weights, rows = self.attend(rows, mask), rows.float()
        mean = (weights * rows).sum(dim=1)
        # The variance is least around the mean: no gradient flows by way of it.
        centred = rows - mean.detach()[:, None]
        variance = (weights * centred * centred).sum(dim=1)
        return torch.cat([mean, variance.clamp(min=1e-12).sqrt()], dim=1)

    def score_frames(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """Score every channel of every frame, before the softmax over frames."""
        context = None
        if self.global_context:
            mean, variance = _mean_and_variance(rows.float(), mask, correction=0)
            context = torch.cat([mean, variance.clamp(min=1e-12).sqrt()], dim=1)
        return _as_rows(_pointwise(self.conv.conv, self.tdnn(_as_picture(rows), context).tanh()))


def _as_picture(rows: Tensor) -> Tensor:
    """Return `(batch, frames, channels)` as a channels-last picture `(batch, channels, 1, frames)`.

    Convolutions and batch norms of 1-d tensors would copy it.
    """
    return rows.transpose(1, 2).unsqueeze(2)


def _as_rows(picture: Tensor) -> Tensor:
    return picture.squeeze(2).transpose(1, 2)


def _pointwise(layer: nn.Conv1d, x: Tensor, context: Tensor | None = None) -> Tensor:
    """Apply a convolution of width 1 to a picture, `(batch, context)` appended to each frame.

    The context's share is the same for all frames: it is computed once.
    """
    weight = layer.weight.unsqueeze(2)
    if context is None:
        return F.conv2d(x, weight, layer.bias)
    of_frames, of_context = weight.split([x.shape[1], context.shape[1]], dim=1)
    shared = F.linear(context, of_context.flatten(1), layer.bias)
    return F.conv2d(x, of_frames) + shared[..., None, None]


def _mean(rows: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return rows.mean(dim=1)
    inside = mask[..., None]
    return torch.where(inside, rows, 0).sum(dim=1) / inside.sum(dim=1)


def _maximum(rows: Tensor, mask: Tensor | None) -> Tensor:
    return (rows if mask is None else rows.masked_fill(~mask[..., None], -torch.inf)).amax(dim=1)


def _mean_and_variance(
    rows: Tensor, mask: Tensor | None, *, correction: int
) -> tuple[Tensor, Tensor]:
    """Mean and variance over time; divided by the count less `correction`, at least 1."""
    mean = _mean(rows, mask)
    # The variance is least around the mean: no gradient flows by way of it.
    squares = (rows - mean.detach()[:, None]).square()
    if mask is None:
        # A tensor, as a number would be fixed when the network is exported.
        count = torch.ones_like(rows[:1, :, :1]).sum(dim=1)
    else:
        squares = torch.where(mask[..., None], squares, 0)
        count = mask.sum(dim=1, keepdim=True)
    return mean, squares.sum(dim=1) / (count - correction).clamp(min=1)


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
POOLINGS.add("max", PoolingPart(Maximum, "this library"))
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
