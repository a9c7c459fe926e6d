"""What the networks of the PANNs family share: first and last layers, convolutions over time.

Kong et al., "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern
Recognition" (2020), https://arxiv.org/abs/1912.10211; reference implementation
github.com/qiuqiangkong/audioset_tagging_cnn (MIT). Parameters have the published names, so that
published checkpoints load.
"""

from typing import TypeVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.core.errors import ConfigError
from auricle.models import MODELS
from auricle.models.base import ModelConfig, ModelPreset, SoundModel, Width
from auricle.tensors import Features, Output

L = TypeVar("L", nn.Conv1d, nn.Conv2d, nn.Linear)


class ClipConfig(ModelConfig):
    """What every network of the family can choose about its end."""

    embedding_dim: Width = Field(default=2048, description="width of the embedding")
    head_dropout: float = Field(default=0.5, ge=0, lt=1, description="around the embedding layer")


class ClipModel(SoundModel):
    """The end of every network: maximum plus mean over time, `fc1` (the embedding), `fc_audioset`.

    A family builds its layers, then calls `add_head`; its `forward` ends with `score_clip`.
    """

    fc1: nn.Linear
    fc_audioset: nn.Linear | None

    def add_head(self, config: ClipConfig, inputs: int, classes: int) -> None:
        """Add the last layers behind `inputs` channels; they come last in a state dict."""
        self.embedding_dim = config.embedding_dim
        self.head_dropout = config.head_dropout
        self.fc1 = initialised(nn.Linear(inputs, config.embedding_dim))
        self.fc_audioset = None
        self.replace_head(classes)

    def build_head(self, classes: int) -> None:
        """Set the last layer; 0: none."""
        layer = initialised(nn.Linear(self.embedding_dim, classes)) if classes else None
        self.fc_audioset = layer

    def score_clip(self, x: Tensor) -> Output:
        """Score `(batch, channels, time)`."""
        embedding = self.embed(x.amax(dim=2) + x.mean(dim=2))
        scores = None if self.fc_audioset is None else self.fc_audioset(embedding).float()
        return Output(scores, embedding=embedding.float())

    def embed(self, x: Tensor) -> Tensor:
        """Turn `(..., channels)` into embeddings `(..., embedding_dim)`."""
        return F.relu_(self.fc1(F.dropout(x, self.head_dropout, self.training)))


class ConvBlock(nn.Module):
    """One or two convolutions, each with batch norm and relu, then average pooling by `pool`."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: int = 3,
        convolutions: int = 2,
        pool: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__()
        self.pool = pool
        self.conv1 = square_convolution(inputs, outputs, kernel)
        self.conv2 = square_convolution(outputs, outputs, kernel) if convolutions == 2 else None
        self.bn1 = nn.BatchNorm2d(outputs)
        self.bn2 = nn.BatchNorm2d(outputs) if convolutions == 2 else None

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, inputs, frames, bins)` to `(batch, outputs, frames, bins) / pool`."""
        x = F.relu_(self.bn1(self.conv1(x)))
        if self.conv2 is not None and self.bn2 is not None:
            x = F.relu_(self.bn2(self.conv2(x)))
        return x if self.pool == (1, 1) else F.avg_pool2d(x, self.pool)


class TimeConv(nn.Conv1d):
    """A convolution over time, without bias, that sees `(batch, channels, time, 1)`.

    Its weight has the published shape, `(outputs, inputs, kernel)`; its work is that of a
    two-dimensional one over a channels-last picture, a layout in which all layers behind it stay.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        padding: int | None = None,
    ) -> None:
        padding = kernel // 2 * dilation if padding is None else padding
        super().__init__(
            inputs, outputs, kernel, stride, padding=padding, dilation=dilation, bias=False
        )
        initialised(self)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve `(batch, inputs, time, 1)`."""
        return F.conv2d(
            input.contiguous(memory_format=torch.channels_last),
            self.weight[..., None],
            stride=(self.stride[0], 1),
            padding=(int(self.padding[0]), 0),
            dilation=(self.dilation[0], 1),
        )


class WaveBlock(nn.Module):
    """One or two convolutions over time, each with batch norm and relu, then maximum pooling.

    `stride` is the first convolution's, `dilation` the second's; `pool_padding` samples beyond
    either end are pooled too.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        convolutions: int = 2,
        stride: int = 1,
        dilation: int = 1,
        pool: int = 1,
        pool_padding: int = 0,
    ) -> None:
        super().__init__()
        self.pool = pool
        self.pool_padding = pool_padding
        two = convolutions == 2
        self.conv1 = TimeConv(inputs, outputs, stride=stride)
        self.conv2 = TimeConv(outputs, outputs, dilation=dilation) if two else None
        self.bn1 = nn.BatchNorm2d(outputs)
        self.bn2 = nn.BatchNorm2d(outputs) if two else None

    def forward(self, x: Tensor) -> Tensor:
        """Map `(batch, inputs, time, 1)` to `(batch, outputs, time / (stride * pool), 1)`."""
        x = F.relu_(self.bn1(self.conv1(x)))
        if self.conv2 is not None and self.bn2 is not None:
            x = F.relu_(self.bn2(self.conv2(x)))
        return x if self.pool == 1 else over_time_maximum(x, self.pool, self.pool_padding)


def over_time_maximum(x: Tensor, pool: int, padding: int = 0) -> Tensor:
    """Return the maxima of `pool` neighbours in time of `(batch, channels, time, 1)`."""
    return F.max_pool2d(x, (pool, 1), padding=(padding, 0))


def as_picture(features: Features, bn0: nn.BatchNorm2d) -> Tensor:
    """Return features as `(batch, 1, frames, bins)`, normalised per bin."""
    # The published bn0 sees bins as channels; the convolutions see (frames, bins) as a picture.
    return bn0(features.values[..., None]).squeeze(-1).transpose(1, 2)[:, None]


def require_bins(bins: int, ratio: int) -> None:
    """Raise `ConfigError` unless `bins` can be pooled by `ratio`."""
    if bins < ratio:
        raise ConfigError(
            f"this network pools its input by {ratio} and needs at least {ratio} mel bins, "
            f"got {bins}: raise --frontend.n_mels or choose a network with fewer blocks"
        )


def require_waveforms(bins: int) -> None:
    """Raise `ConfigError` unless features are waveforms, which have one bin."""
    if bins != 1:
        raise ConfigError(
            f"this network hears the waveform itself, got features of {bins} bins: choose a "
            "waveform front-end, for example --frontend waveform_32k"
        )


def square_convolution(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    """Return a convolution without bias that keeps frames and bins."""
    return initialised(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False))


def initialised(layer: L) -> L:
    """Give a layer the published initial values."""
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def add_preset(
    name: str,
    family: type[SoundModel],
    config: ModelConfig,
    frontend: str,
    what: str = "",
    *,
    tiny: bool = False,
) -> None:
    """Register a network; `what` names its class in the reference and what is special of it."""
    source = "Kong et al. 2020; audioset_tagging_cnn d2f4b8c, pytorch/models.py"
    source = f"{source}, {what}" if what else source
    MODELS.add(name, ModelPreset(family, config, frontend, source, tiny=tiny))
