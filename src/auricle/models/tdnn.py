"""TDNN: dilated convolutions over time, statistics pooling, an embedding; the x-vector network.

Snyder et al., "X-Vectors: Robust DNN Embeddings for Speaker Recognition" (2018); reference
implementation macls c63d284 (Apache-2.0), macls/models/tdnn.py. Parameters have the published
names.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.models import MODELS
from auricle.models.base import ModelConfig, ModelPreset, SoundModel, Width
from auricle.models.pooling import PooledConfig, build_pooling, padding_mask
from auricle.tensors import Features, Output

LAYERS = ((5, 1), (3, 2), (3, 3), (1, 1), (1, 1))
"""Width and dilation of each convolution; none pads."""
_LOST_FRAMES = sum((kernel - 1) * dilation for kernel, dilation in LAYERS)


class TdnnConfig(PooledConfig):
    """Settings of `Tdnn`: the published ones by default."""

    channels: Width = Field(default=512, description="channels of every layer")


class Tdnn(SoundModel):
    """Five convolutions, each with relu and batch norm behind it, then the pooling.

    The convolutions see 15 frames and pad none, and the pooling leaves padding out: a clip in a
    padded batch gets the scores that it gets alone.
    """

    Config: ClassVar[type[ModelConfig]] = TdnnConfig
    padding_safe = True

    def __init__(self, config: TdnnConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        self.shortest_frames = 2 + _LOST_FRAMES  # a spread over time needs two
        self.embedding_dim = config.embedding_dim
        inputs = bins
        for number, (kernel, dilation) in enumerate(LAYERS, 1):
            convolution = nn.Conv1d(inputs, config.channels, kernel, dilation=dilation)
            self.add_module(f"td_layer{number}", convolution)
            if number < len(LAYERS):
                self.add_module(f"bn{number}", nn.BatchNorm2d(config.channels))
            inputs = config.channels
        self.pooling = build_pooling(
            config.pooling, channels=config.channels, options=config.pooling_options
        )
        self.bn5 = nn.BatchNorm1d(self.pooling.output_dim)
        self.linear = nn.Linear(self.pooling.output_dim, config.embedding_dim)
        self.bn6 = nn.BatchNorm1d(config.embedding_dim)
        self.fc: nn.Linear | None = None
        self.replace_head(classes)

    def build_head(self, classes: int) -> None:
        """Set the last layer; 0: none."""
        self.fc = nn.Linear(self.embedding_dim, classes) if classes else None

    def forward(self, features: Features) -> Output:
        """Score features `(batch, bins, frames)`; frames at least `shortest_frames`."""
        # Pictures of height one: unlike 1-d tensors these may be channels-last, which is faster.
        x = features.values[:, :, None].contiguous(memory_format=torch.channels_last)
        for number in range(1, len(LAYERS) + 1):
            x = F.relu_(self._convolve(number, x))
            if number < len(LAYERS):
                x = self.get_submodule(f"bn{number}")(x)
        mask = padding_mask(features.lengths_frames - _LOST_FRAMES, x.shape[3])
        pooled = self.pooling(x.squeeze(2), mask)
        embedding = self.bn6(self.linear(self.bn5(pooled))).float()
        scores = None if self.fc is None else self.fc(embedding).float()
        return Output(scores, embedding=embedding)

    def _convolve(self, number: int, x: Tensor) -> Tensor:
        layer = self.get_submodule(f"td_layer{number}")
        assert isinstance(layer, nn.Conv1d)
        return F.conv2d(x, layer.weight.unsqueeze(2), layer.bias, dilation=(1, layer.dilation[0]))


_SOURCE = "Snyder et al. 2018; macls c63d284, macls/models/tdnn.py"

MODELS.add("tdnn", ModelPreset(Tdnn, TdnnConfig(), "fbank80_norm", _SOURCE, clip_s=3.0))
MODELS.add(
    "tdnn_tiny",
    ModelPreset(
        Tdnn,
        TdnnConfig(channels=8, embedding_dim=12, pooling_options={"attention_channels": 4}),
        "fbank80_norm",
        _SOURCE,
        tiny=True,
    ),
)
