"""Self-supervised encoders with a classification head: Wav2Vec 2.0, HuBERT, WavLM, w2v-BERT 2.0.

Papers and published names stand in `auricle.encoders`. Parameters have the names of
`Wav2Vec2ForSequenceClassification` and its siblings in the library `transformers`, so that
published checkpoints load (those of SUPERB, Yang et al., arXiv 2105.01051, among them).
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from auricle.core.errors import ConfigError
from auricle.encoders import (
    PUBLISHED,
    TINY,
    EncoderConfig,
    ModelType,
    PublishedEncoder,
    build_encoder,
    encode,
    mix_layers,
)
from auricle.models import MODELS
from auricle.models.base import ModelConfig, ModelPreset, SoundModel
from auricle.tensors import Features, Output

PREFIXES: dict[ModelType, str] = {
    "wav2vec2": "wav2vec2",
    "hubert": "hubert",
    "wavlm": "wavlm",
    "wav2vec2-bert": "wav2vec2_bert",
}
"""What published checkpoints with a head call the encoder within."""


class SpeechEncoderConfig(ModelConfig):
    """Settings of `SpeechEncoder`, the head's under the names of `transformers`."""

    encoder: EncoderConfig = Field(description="the encoder's architecture")
    classifier_proj_size: int = Field(default=256, ge=1, le=65536, description="width of the head")
    use_weighted_layer_sum: bool = Field(
        default=False, description="a learned sum of all layers' states, not the last one's"
    )
    mask_padding: bool = Field(
        default=False, description="hide zeros behind shorter clips of a batch from attention"
    )


class SpeechEncoder(SoundModel):
    """An encoder, its states averaged over each clip's own frames, a projection and a classifier.

    Reads waveforms `(batch, 1, samples)` at 16 kHz, or the features of w2v-BERT. The embedding is
    the averaged state; projecting it is the same as averaging projections, which the published
    networks do.
    """

    Config: ClassVar[type[ModelConfig]] = SpeechEncoderConfig
    hears_waveforms = True
    layer_weights: nn.Parameter | None
    projector: nn.Linear | None
    classifier: nn.Linear | None

    def __init__(self, config: SpeechEncoderConfig, *, bins: int, classes: int) -> None:
        super().__init__(config, bins=bins, classes=classes)
        described = config.encoder
        if bins != described.input_bins:
            wanted = "seamless_fbank" if described.hears_features else "waveform_16k_norm"
            raise ConfigError(
                f"this network reads {described.input_bins} rows of features, got {bins}: use "
                f"--frontend {wanted}"
            )
        self.described = described
        self.mask_padding = config.mask_padding
        self.proj_size = config.classifier_proj_size
        self.embedding_dim = described.hidden_size
        self.shortest_frames = described.inputs_for(1)
        self.padding_safe = config.mask_padding and described.keeps_clips_apart
        self.prefix = PREFIXES[described.model_type]
        self.add_module(self.prefix, build_encoder(described))
        self.layer_weights = None
        if config.use_weighted_layer_sum:
            states = described.num_hidden_layers + 1
            self.layer_weights = nn.Parameter(torch.full((states,), 1 / states))
        self.projector = None
        self.classifier = None
        self.replace_head(classes)

    def build_head(self, classes: int) -> None:
        """Set the classifier, behind the projection that is there; 0: neither."""
        if classes == 0:
            self.projector = self.classifier = None
            return
        if self.projector is None:
            self.projector = nn.Linear(self.embedding_dim, self.proj_size)
        self.classifier = nn.Linear(self.proj_size, classes)

    def forward(self, features: Features) -> Output:
        """Score features `(batch, bins, frames)`; frames at least `shortest_frames`."""
        states = encode(
            self.get_submodule(self.prefix),
            self.described,
            features.values,
            features.lengths_frames,
            mask_padding=self.mask_padding,
            every_layer=self.layer_weights is not None,
        )
        weights = self.layer_weights
        state = states[-1].float() if weights is None else mix_layers(states, weights)
        embedding = _own_mean(state, self.described.frames(features.lengths_frames))
        if self.projector is None or self.classifier is None:
            return Output(None, embedding=embedding)
        return Output(self.classifier(self.projector(embedding)).float(), embedding=embedding)


def _own_mean(state: Tensor, lengths: Tensor) -> Tensor:
    """Return the mean of `(batch, frames, hidden)` over the first frames of each clip."""
    lengths = lengths.clamp(min=1)[:, None]
    own = torch.arange(state.shape[1], device=state.device) < lengths
    return torch.where(own[..., None], state, 0.0).sum(dim=1) / lengths


def _add(name: str, published: PublishedEncoder, source: str) -> None:
    described = published.config
    config = SpeechEncoderConfig(
        encoder=described,
        classifier_proj_size=768 if described.hears_features else 256,
        mask_padding=published.mask_padding,
    )
    waveform = "waveform_16k_norm" if published.normalise else "waveform_16k"
    frontend = "seamless_fbank" if described.hears_features else waveform
    MODELS.add(name, ModelPreset(SpeechEncoder, config, frontend, source))


_W2V = "Baevski et al. 2020, arXiv 2006.11477; transformers, Wav2Vec2ForSequenceClassification"
_XLSR = "Conneau et al. 2021, arXiv 2006.13979; transformers, Wav2Vec2ForSequenceClassification"
_HUBERT = "Hsu et al. 2021, arXiv 2106.07447; transformers, HubertForSequenceClassification"
_WAVLM = "Chen et al. 2022, arXiv 2110.13900; transformers, WavLMForSequenceClassification"
_BERT = (
    "Barrault et al. 2023, arXiv 2312.05187; transformers, Wav2Vec2BertForSequenceClassification"
)

_add("wav2vec2_base_classifier", PUBLISHED["facebook/wav2vec2-base"], _W2V)
_add("wav2vec2_xlsr_53_classifier", PUBLISHED["facebook/wav2vec2-large-xlsr-53"], _XLSR)
_add("hubert_base_classifier", PUBLISHED["facebook/hubert-base-ls960"], _HUBERT)
_add("hubert_large_classifier", PUBLISHED["facebook/hubert-large-ll60k"], _HUBERT)
_add("wavlm_base_classifier", PUBLISHED["microsoft/wavlm-base"], _WAVLM)
_add("wavlm_base_plus_classifier", PUBLISHED["microsoft/wavlm-base-plus"], _WAVLM)
_add("wavlm_large_classifier", PUBLISHED["microsoft/wavlm-large"], _WAVLM)
_add("w2v_bert_2_classifier", PUBLISHED["facebook/w2v-bert-2.0"], _BERT)

for _name, _encoder in TINY.items():
    _frontend = "seamless_fbank_tiny" if _encoder.hears_features else "waveform_16k_norm"
    MODELS.add(
        f"{_name.removesuffix('_tiny')}_classifier_tiny",
        ModelPreset(
            SpeechEncoder,
            SpeechEncoderConfig(
                encoder=_encoder,
                classifier_proj_size=12,
                use_weighted_layer_sum=_encoder.model_type != "hubert",
                mask_padding=_encoder.keeps_clips_apart,
            ),
            _frontend,
            "for tests",
            tiny=True,
        ),
    )
