"""AST: the Audio Spectrogram Transformer.

Gong et al., "AST: Audio Spectrogram Transformer" (Interspeech 2021), arXiv 2104.01778. Built of the
library `transformers`, whose `ASTForAudioClassification` gives the parameters their names; it is
imported when a network is built.
"""

from typing import ClassVar

import torch
from pydantic import Field, model_validator
from torch import nn

from auricle.core.errors import ConfigError
from auricle.encoders import Activation, transformers_class
from auricle.models import MODELS
from auricle.models.base import ModelConfig, ModelPreset, SoundModel
from auricle.tensors import Features, Output


class AstConfig(ModelConfig):
    """Settings of `Ast`: those of the networks trained on AudioSet, under their published names."""

    hidden_size: int = Field(default=768, ge=1, le=16384, description="width of a patch")
    num_hidden_layers: int = Field(default=12, ge=1, le=256, description="transformer layers")
    num_attention_heads: int = Field(default=12, ge=1, le=256, description="heads of attention")
    intermediate_size: int = Field(default=3072, ge=1, le=65536, description="width within a layer")
    hidden_act: Activation = Field(default="gelu", description="activation within a layer")
    hidden_dropout_prob: float = Field(default=0.0, ge=0, lt=1, description="behind half-layers")
    attention_probs_dropout_prob: float = Field(
        default=0.0, ge=0, lt=1, description="of attention weights"
    )
    layer_norm_eps: float = Field(default=1e-12, gt=0, description="floor of layer norms")
    qkv_bias: bool = Field(default=True, description="whether attention has biases")
    patch_size: int = Field(default=16, ge=1, le=1024, description="bins and frames of a patch")
    frequency_stride: int = Field(default=10, ge=1, le=1024, description="bins between patches")
    time_stride: int = Field(default=10, ge=1, le=1024, description="frames between patches")
    max_length: int = Field(default=1024, ge=1, le=65536, description="frames of the input")

    @model_validator(mode="after")
    def _fits(self) -> "AstConfig":
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size ({self.hidden_size}) must be a multiple of num_attention_heads "
                f"({self.num_attention_heads})"
            )
        if self.max_length < self.patch_size:
            raise ValueError(
                f"max_length ({self.max_length}) must hold a patch of {self.patch_size} frames"
            )
        return self


AST_FIELDS = tuple(AstConfig.model_fields)
"""Keys of a published `config.json` that describe the network."""


class _Head(nn.Module):
    """The published head: a layer norm and a linear layer."""

    def __init__(self, config: AstConfig, classes: int) -> None:
        super().__init__()
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dense = nn.Linear(config.hidden_size, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score embeddings `(batch, hidden)`."""
        return self.dense(self.layernorm(x))


class Ast(SoundModel):
    """A vision transformer over patches of a log-mel picture of `fixed_frames` frames.

    The embedding is the mean of the two tokens that stand for the clip. Each clip is padded to the
    same size, so clips of a batch leave each other alone.
    """

    Config: ClassVar[type[ModelConfig]] = AstConfig
    padding_safe = True
    classifier: _Head | None

    def __init__(self, config: AstConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        if bins < config.patch_size:
            raise ConfigError(
                f"this network reads patches of {config.patch_size} mel bins, got {bins}: raise "
                "--frontend.n_mels"
            )
        self.settings = config
        self.embedding_dim = config.hidden_size
        self.shortest_frames = self.fixed_frames = config.max_length
        described = transformers_class("ASTConfig")(
            **config.model_dump(), num_mel_bins=bins, attn_implementation="sdpa"
        )
        self.audio_spectrogram_transformer: nn.Module = transformers_class("ASTModel")(described)
        self.classifier = None
        self.replace_head(classes)

    def build_head(self, classes: int) -> None:
        """Set the last layer, behind the layer norm that is there; 0: neither."""
        if classes == 0:
            self.classifier = None
        elif self.classifier is None:
            self.classifier = _Head(self.settings, classes)
        else:
            self.classifier.dense = nn.Linear(self.embedding_dim, classes)

    def check_features(self, features: Features) -> None:
        """Raise `ConfigError` for features that it cannot read: of another number of frames."""
        super().check_features(features)
        frames = features.values.shape[2]
        if frames != self.fixed_frames:
            raise ConfigError(
                f"this network reads {self.fixed_frames} frames, got {frames}: set "
                f"--frontend.frames {self.fixed_frames} (front-end ast_fbank) or "
                f"--model.max_length {frames}"
            )

    def forward(self, features: Features) -> Output:
        """Score features `(batch, bins, fixed_frames)`. Raises `ConfigError` for another count."""
        self.check_features(features)
        output = self.audio_spectrogram_transformer(features.values.transpose(1, 2))
        embedding = output.pooler_output.float()
        scores = None if self.classifier is None else self.classifier(embedding).float()
        return Output(scores, embedding=embedding)


_SOURCE = "Gong et al. 2021, arXiv 2104.01778; transformers, ASTForAudioClassification"
_TINY = AstConfig(
    hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, max_length=128
)

MODELS.add("ast", ModelPreset(Ast, AstConfig(), "ast_fbank", _SOURCE, clip_s=10.0))
MODELS.add(
    "ast_speech_commands",
    ModelPreset(Ast, AstConfig(max_length=128), "ast_fbank_128", _SOURCE, clip_s=1.0),
)
MODELS.add("ast_tiny", ModelPreset(Ast, _TINY, "ast_fbank_128", "for tests", tiny=True))
