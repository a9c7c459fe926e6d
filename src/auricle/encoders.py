"""Self-supervised speech encoders of the library `transformers`, built in one place.

Wav2Vec 2.0 (Baevski et al., 2020, arXiv 2006.11477), HuBERT (Hsu et al., 2021, arXiv 2106.07447),
WavLM (Chen et al., 2022, arXiv 2110.13900) and w2v-BERT 2.0 (Barrault et al., 2023, arXiv
2312.05187). Front-ends and models share them. `transformers` is imported when an encoder is built,
never before, and only for its modules: nothing here reads a file or the network.
"""

import importlib
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, TypeVar

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from auricle.core.config import Config
from auricle.core.errors import ConfigError, MissingExtra

ModelType = Literal["wav2vec2", "hubert", "wavlm", "wav2vec2-bert"]
Activation = Literal["gelu", "gelu_new", "relu", "selu", "silu", "swish"]

_LONGEST_FRAME = 2**20  # samples: every clip is padded to it

Count = TypeVar("Count", int, Tensor)


class EncoderConfig(Config):
    """The architecture of an encoder, under the names that `transformers` gives its parts.

    Fields that a family does not have are not looked at. Masking of features and dropping of
    layers while training are not here: the first is an augmentation (`spec_augment`).
    """

    model_type: ModelType = Field(description="family of the encoder")
    hidden_size: int = Field(default=768, ge=1, le=16384, description="width of a frame")
    num_hidden_layers: int = Field(default=12, ge=1, le=256, description="transformer layers")
    num_attention_heads: int = Field(default=12, ge=1, le=256, description="heads of attention")
    intermediate_size: int = Field(default=3072, ge=1, le=65536, description="width within a layer")
    hidden_act: Activation = Field(default="gelu", description="activation within a layer")
    hidden_dropout: float = Field(default=0.1, ge=0, lt=1, description="behind each half-layer")
    activation_dropout: float = Field(default=0.1, ge=0, lt=1, description="within a layer")
    attention_dropout: float = Field(default=0.1, ge=0, lt=1, description="of attention weights")
    feat_proj_dropout: float = Field(default=0.0, ge=0, lt=1, description="before the layers")
    layer_norm_eps: float = Field(default=1e-5, gt=0, description="floor of layer norms")
    feat_extract_norm: Literal["group", "layer"] = Field(
        default="group", description="norm of the convolutions: over the clip, or each frame"
    )
    feat_extract_activation: Activation = Field(default="gelu", description="of the convolutions")
    conv_dim: tuple[int, ...] = Field(default=(512,) * 7, description="channels of convolutions")
    conv_stride: tuple[int, ...] = Field(default=(5, 2, 2, 2, 2, 2, 2), description="their strides")
    conv_kernel: tuple[int, ...] = Field(default=(10, 3, 3, 3, 3, 2, 2), description="their widths")
    conv_bias: bool = Field(default=False, description="whether the convolutions have biases")
    num_conv_pos_embeddings: int = Field(
        default=128, ge=1, le=4096, description="width of the convolution that tells positions"
    )
    num_conv_pos_embedding_groups: int = Field(default=16, ge=1, le=4096, description="its groups")
    do_stable_layer_norm: bool = Field(default=False, description="norms before the half-layers")
    feat_proj_layer_norm: bool = Field(default=True, description="HuBERT: norm before the layers")
    conv_pos_batch_norm: bool = Field(default=False, description="HuBERT: how positions are normed")
    num_buckets: int = Field(default=320, ge=4, le=65536, description="WavLM: relative positions")
    max_bucket_distance: int = Field(default=800, ge=1, description="WavLM: farthest position")
    feature_projection_input_dim: int = Field(
        default=160, ge=1, le=4096, description="w2v-BERT: rows of the features"
    )
    left_max_position_embeddings: int = Field(
        default=64, ge=0, le=65536, description="w2v-BERT: farthest position back"
    )
    right_max_position_embeddings: int = Field(
        default=8, ge=0, le=65536, description="w2v-BERT: farthest position ahead"
    )
    conv_depthwise_kernel_size: int = Field(
        default=31, ge=1, le=4096, description="w2v-BERT: width of the convolutions"
    )
    conformer_conv_dropout: float = Field(
        default=0.1, ge=0, lt=1, description="w2v-BERT: behind convolutions"
    )

    @model_validator(mode="after")
    def _fits(self) -> "EncoderConfig":
        sizes = (self.conv_dim, self.conv_stride, self.conv_kernel)
        if not self.conv_dim or len({len(size) for size in sizes}) != 1:
            raise ValueError("conv_dim, conv_stride and conv_kernel must have the same length")
        if len(self.conv_dim) > 32 or not all(1 <= n <= 16384 for size in sizes for n in size):
            raise ValueError("at most 32 convolutions, each number from 1 to 16384")
        if self.inputs_for(1) > _LONGEST_FRAME:
            raise ValueError(
                f"a frame of these convolutions spans {self.inputs_for(1)} samples, at most "
                f"{_LONGEST_FRAME}: lower conv_kernel or conv_stride"
            )
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size ({self.hidden_size}) must be a multiple of num_attention_heads "
                f"({self.num_attention_heads})"
            )
        if not self.hears_features and self.hidden_size % self.num_conv_pos_embedding_groups:
            raise ValueError(
                f"hidden_size ({self.hidden_size}) must be a multiple of "
                f"num_conv_pos_embedding_groups ({self.num_conv_pos_embedding_groups})"
            )
        if self.conv_depthwise_kernel_size % 2 == 0:
            raise ValueError("conv_depthwise_kernel_size must be odd")
        return self

    @property
    def hears_features(self) -> bool:
        """Whether it wants filter-bank features (w2v-BERT) in place of the waveform."""
        return self.model_type == "wav2vec2-bert"

    @property
    def input_bins(self) -> int:
        """Rows of what it wants: 1 for a waveform."""
        return self.feature_projection_input_dim if self.hears_features else 1

    @property
    def keeps_clips_apart(self) -> bool:
        """Whether, under a mask of the padding, clips of a batch leave each other alone.

        A group norm takes its statistics over the whole batch's length.
        """
        return self.hears_features or self.feat_extract_norm == "layer"

    def frames(self, inputs: Count) -> Count:
        """Return how many frames come of `inputs` samples (w2v-BERT: feature frames), maybe < 1."""
        if not self.hears_features:
            for kernel, stride in zip(self.conv_kernel, self.conv_stride, strict=True):
                inputs = (inputs - kernel) // stride + 1
        return inputs

    def inputs_for(self, frames: int) -> int:
        """Return the fewest inputs that give `frames` frames."""
        if not self.hears_features:
            for kernel, stride in zip(self.conv_kernel[::-1], self.conv_stride[::-1], strict=True):
                frames = (frames - 1) * stride + kernel
        return frames

    @property
    def stride(self) -> int:
        """Inputs from frame to frame."""
        return self.inputs_for(2) - self.inputs_for(1)


@dataclass(frozen=True)
class PublishedEncoder:
    """A published encoder, and how its own feature extractor prepares the sound.

    `normalise`: each clip to zero mean and unit variance; `mask_padding`: whether the zeros behind
    shorter clips of a batch are hidden from attention.
    """

    config: EncoderConfig
    normalise: bool
    mask_padding: bool


_LARGE: dict[str, Any] = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "feat_proj_dropout": 0.1,
}


def _published(
    kind: ModelType, *, normalise: bool = True, mask_padding: bool = True, **values: Any
) -> PublishedEncoder:
    return PublishedEncoder(EncoderConfig(model_type=kind, **values), normalise, mask_padding)


# What `config.json` and `preprocessor_config.json` of each say: no network is needed to know it.
# Before weights are loaded the architecture is compared with the checkpoint's own words.
PUBLISHED: dict[str, PublishedEncoder] = {
    "facebook/wav2vec2-base": _published(
        "wav2vec2", mask_padding=False, activation_dropout=0.0, feat_proj_dropout=0.1
    ),
    "facebook/wav2vec2-large-xlsr-53": _published(
        "wav2vec2", **_LARGE, conv_bias=True, activation_dropout=0.0
    ),
    "facebook/hubert-base-ls960": _published("hubert", mask_padding=False, feat_proj_dropout=0.1),
    "facebook/hubert-large-ll60k": _published("hubert", **_LARGE, conv_bias=True),
    "microsoft/wavlm-base": _published(
        "wavlm", normalise=False, activation_dropout=0.0, feat_proj_dropout=0.1
    ),
    "microsoft/wavlm-base-plus": _published(
        "wavlm", normalise=False, activation_dropout=0.0, feat_proj_dropout=0.1
    ),
    "microsoft/wavlm-large": _published("wavlm", **_LARGE, activation_dropout=0.0),
    "facebook/w2v-bert-2.0": _published(
        "wav2vec2-bert",
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
        hidden_act="swish",
        hidden_dropout=0.0,
        activation_dropout=0.0,
        attention_dropout=0.0,
    ),
}


def _tiny(kind: ModelType, **values: Any) -> EncoderConfig:
    small: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "conv_dim": (8, 8, 8),
        "conv_stride": (5, 4, 4),
        "conv_kernel": (10, 8, 4),
        "num_conv_pos_embeddings": 8,
        "num_conv_pos_embedding_groups": 2,
        "conv_depthwise_kernel_size": 5,
    }
    return EncoderConfig(model_type=kind, **{**small, **values})


# For tests: what sets the published ones apart (norms, biases) occurs among them.
TINY: dict[str, EncoderConfig] = {
    "wav2vec2_tiny": _tiny(
        "wav2vec2", feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True
    ),
    "hubert_tiny": _tiny("hubert"),
    "wavlm_tiny": _tiny("wavlm", feat_extract_norm="layer", num_buckets=16, max_bucket_distance=20),
    "w2v_bert_tiny": _tiny("wav2vec2-bert", feature_projection_input_dim=20, hidden_act="swish"),
}

_EVERYWHERE = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "hidden_act",
    "hidden_dropout",
    "activation_dropout",
    "attention_dropout",
    "feat_proj_dropout",
    "layer_norm_eps",
)
_CONVOLUTIONAL = (
    *_EVERYWHERE,
    "feat_extract_norm",
    "feat_extract_activation",
    "conv_dim",
    "conv_stride",
    "conv_kernel",
    "conv_bias",
    "num_conv_pos_embeddings",
    "num_conv_pos_embedding_groups",
    "do_stable_layer_norm",
)
FIELDS: dict[ModelType, tuple[str, ...]] = {
    "wav2vec2": _CONVOLUTIONAL,
    "hubert": (*_CONVOLUTIONAL, "feat_proj_layer_norm", "conv_pos_batch_norm"),
    "wavlm": (*_CONVOLUTIONAL, "num_buckets", "max_bucket_distance"),
    "wav2vec2-bert": (
        *_EVERYWHERE,
        "feature_projection_input_dim",
        "left_max_position_embeddings",
        "right_max_position_embeddings",
        "conv_depthwise_kernel_size",
        "conformer_conv_dropout",
    ),
}
"""The fields of `EncoderConfig` that a family has."""

_CLASSES: dict[ModelType, tuple[str, str]] = {
    "wav2vec2": ("Wav2Vec2Config", "Wav2Vec2Model"),
    "hubert": ("HubertConfig", "HubertModel"),
    "wavlm": ("WavLMConfig", "WavLMModel"),
    "wav2vec2-bert": ("Wav2Vec2BertConfig", "Wav2Vec2BertModel"),
}
# The fused attention takes no relative positions, or does not export with them.
_FUSED_ATTENTION: tuple[ModelType, ...] = ("wav2vec2", "hubert")


def transformers_class(name: str) -> Any:
    """Return a class of the library `transformers`. Raises `MissingExtra` where it is not there."""
    if find_spec("transformers") is None:
        raise MissingExtra(f"a network of the library transformers ({name})", "models")
    return getattr(importlib.import_module("transformers"), name)


def build_encoder(config: EncoderConfig) -> nn.Module:
    """Build an untrained encoder: a module of `transformers`, whose parameter names it has.

    It never masks features and never leaves layers out. Raises `MissingExtra`.
    """
    config_class, model_class = map(transformers_class, _CLASSES[config.model_type])
    values = {name: getattr(config, name) for name in FIELDS[config.model_type]}
    described = config_class(
        **values,
        layerdrop=0.0,
        apply_spec_augment=False,
        mask_time_prob=0.0,
        mask_feature_prob=0.0,
        attn_implementation="sdpa" if config.model_type in _FUSED_ATTENTION else "eager",
    )
    try:
        return model_class(described)
    except ValueError as error:
        raise ConfigError(f"encoder: {' '.join(str(error).split())}") from None


def encode(
    encoder: nn.Module,
    config: EncoderConfig,
    values: Tensor,
    lengths: Tensor,
    *,
    mask_padding: bool,
    every_layer: bool,
) -> list[Tensor]:
    """Run an encoder on `values` `(batch, bins, inputs)` with `lengths` `(batch,)` inputs each.

    Returns the states `(batch, frames, hidden)` of the input to the first layer and of each layer
    (the last one as the encoder gives it, behind its norm), or the last one alone.
    """
    mask = None
    if mask_padding and not values.is_meta:  # the library looks at the values of a mask
        place = torch.arange(values.shape[2], device=values.device)
        # A clip too short for one frame must not leave attention without anything to look at.
        heard = place < lengths.clamp(min=config.inputs_for(1))[:, None]
        mask = heard.long()
    inputs = values.transpose(1, 2) if config.hears_features else values.squeeze(1)
    with _quiet() if mask_padding and config.model_type == "wavlm" else nullcontext():
        output = encoder(inputs, attention_mask=mask, output_hidden_states=every_layer)
    if not every_layer:
        return [output.last_hidden_state]
    # Versions of transformers differ in whether the last state stands before or behind the norm.
    return [*output.hidden_states[:-1], output.last_hidden_state]


@contextmanager
def _quiet() -> Generator[None]:
    """Keep back torch's remark that WavLM in transformers gives it two masks of different types."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
        yield


def mix_layers(states: Sequence[Tensor], weights: Tensor) -> Tensor:
    """Return the sum of states, weighted by the softmax of `weights`, as SUPERB has it."""
    shares = weights.float().softmax(dim=0)
    mixed = shares[0] * states[0].float()
    for share, state in zip(shares[1:], states[1:], strict=True):
        mixed = mixed + share * state.float()
    return mixed
