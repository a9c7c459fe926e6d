"""PANNs as macls has them: CNN6, CNN10 and CNN14 with biases, trained on filter-bank features.

Kong et al. (2020), https://arxiv.org/abs/1912.10211; reference implementation macls c63d284
(Apache-2.0), macls/models/panns.py. Its convolutions have a bias, and a new last layer `fc` stands
behind the embedding, beside the published `fc_audioset`, which takes part in nothing. Parameters
have its names.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from auricle.models import MODELS
from auricle.models.base import ModelConfig, ModelPreset, SoundModel, Width, Widths
from auricle.models.panns_parts import ConvBlock, as_picture, initialised, require_bins
from auricle.tensors import Features, Output

_AUDIOSET_CLASSES = 527


class MaclsPannsConfig(ModelConfig):
    """Settings of `MaclsPanns`: CNN10's by default."""

    channels: Widths = Field(default=(64, 128, 256, 512), description="channels of each block")
    kernel: Literal[3, 5] = Field(default=3, description="width of the convolutions")
    convolutions: Literal[1, 2] = Field(default=2, description="convolutions in a block")
    pool_last: bool = Field(
        default=True, description="whether the last block halves frames and bins too"
    )
    embedding_dim: Width = Field(default=512, description="width of the embedding")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="behind each block")
    embedding_dropout: float = Field(
        default=0.5, ge=0, lt=1, description="before and behind the embedding layer"
    )
    head_dropout: float = Field(default=0.1, ge=0, lt=1, description="before the last layer")


class MaclsPanns(SoundModel):
    """A CNN of the PANNs family with biases and without decision-level heads."""

    Config: ClassVar[type[ModelConfig]] = MaclsPannsConfig
    config: MaclsPannsConfig
    unused_parameters = ("fc_audioset.weight", "fc_audioset.bias")

    def __init__(self, config: MaclsPannsConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        pools = [2] * len(config.channels)
        if not config.pool_last:
            pools[-1] = 1
        self.shortest_frames = 2 ** pools.count(2)
        require_bins(bins, self.shortest_frames)
        self.embedding_dim = config.embedding_dim
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
            for convolution in (block.conv1, block.conv2):
                if convolution is not None:
                    convolution.bias = nn.Parameter(torch.zeros(outputs))
            self.add_module(f"conv_block{number}", block)
            inputs = outputs
        self.blocks = [f"conv_block{number}" for number in range(1, len(pools) + 1)]
        self.fc1 = initialised(nn.Linear(inputs, config.embedding_dim))
        self.fc_audioset = nn.Linear(config.embedding_dim, _AUDIOSET_CLASSES)
        self.fc: nn.Linear | None = None
        self.replace_head(classes)

    def build_head(self, classes: int) -> None:
        """Set the last layer; 0: none."""
        self.fc = initialised(nn.Linear(self.embedding_dim, classes)) if classes else None

    def forward(self, features: Features) -> Output:
        """Score features `(batch, bins, frames)`; frames at least `shortest_frames`."""
        config = self.config
        x = as_picture(features, self.bn0)
        for name in self.blocks:
            x = F.dropout(self.get_submodule(name)(x), config.dropout, self.training)
        x = x.mean(dim=3)
        x = F.dropout(x.amax(dim=2) + x.mean(dim=2), config.embedding_dropout, self.training)
        embedding = F.relu(self.fc1(x)).float()
        if self.fc is None:
            return Output(None, embedding=embedding)
        kept = F.dropout(embedding, config.embedding_dropout, self.training)
        kept = F.dropout(kept, config.head_dropout, self.training)
        return Output(self.fc(kept).float(), embedding=embedding)


def _add(name: str, config: MaclsPannsConfig, *, tiny: bool = False) -> None:
    source = "Kong et al. 2020; macls c63d284, macls/models/panns.py"
    MODELS.add(name, ModelPreset(MaclsPanns, config, "fbank80_norm", source, clip_s=3.0, tiny=tiny))


_add("macls_cnn6", MaclsPannsConfig(kernel=5, convolutions=1))
_add("macls_cnn10", MaclsPannsConfig())
_add(
    "macls_cnn14",
    MaclsPannsConfig(channels=(64, 128, 256, 512, 1024, 2048), pool_last=False, embedding_dim=2048),
)
_add("macls_cnn6_tiny", MaclsPannsConfig(channels=(4, 8), embedding_dim=12), tiny=True)
