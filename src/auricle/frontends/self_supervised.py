"""Self-supervised encoders as front-ends: Wav2Vec 2.0, HuBERT, WavLM, w2v-BERT 2.0.

The encoders are those of the library `transformers`; papers and published names stand in
`auricle.encoders`. The layer mix is that of SUPERB (Yang et al., Interspeech 2021, arXiv
2105.01051). A front-end is built without weights and without a file: training gives it published
ones once, and from then on they live in the artifact.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from auricle.core.config import validate
from auricle.core.errors import ConfigError
from auricle.encoders import PUBLISHED, TINY, EncoderConfig, build_encoder, encode, mix_layers
from auricle.frontends import FRONTENDS
from auricle.frontends.base import FrontEnd, FrontEndConfig, FrontEndPreset, SampleRate
from auricle.frontends.normalise import own_frames
from auricle.frontends.seamless_fbank import SeamlessFbank, SeamlessFbankConfig
from auricle.frontends.waveform import WaveformConfig, WaveformFrontEnd
from auricle.tensors import Features


class SelfSupervisedConfig(FrontEndConfig):
    """Settings of `SelfSupervised`."""

    sample_rate: SampleRate = 16000
    checkpoint: str | None = Field(
        default=None,
        description="where training takes the first weights from: a name on the Hugging Face hub, "
        "or a folder; null: none",
    )
    encoder: EncoderConfig | None = Field(
        default=None, description="the encoder's architecture; null: that of the checkpoint"
    )
    normalise: bool | None = Field(
        default=None,
        description="each clip to zero mean and unit variance; null: as the checkpoint wants it",
    )
    mask_padding: bool | None = Field(
        default=None,
        description="hide zeros behind shorter clips of a batch from attention; null: as the "
        "checkpoint wants it",
    )
    layers: Literal["last", "mix"] = Field(
        default="last", description="the last layer's state, or a learned sum of all layers'"
    )
    frozen: bool = Field(
        default=True, description="leave the encoder's weights as they are (the mix still learns)"
    )


def filled(config: SelfSupervisedConfig) -> SelfSupervisedConfig:
    """Fill in what a published checkpoint is known to want. Raises `ConfigError`."""
    known = PUBLISHED.get(config.checkpoint or "")
    encoder = config.encoder or (known and known.config)
    if encoder is None:
        raise ConfigError(
            "a self-supervised front-end needs its architecture in --frontend.encoder, or "
            "--frontend.checkpoint (a hub name or a folder), out of which training reads it"
        )
    normalise, mask = config.normalise, config.mask_padding
    return config.model_copy(
        update={
            "encoder": encoder,
            "normalise": (known is None or known.normalise) if normalise is None else normalise,
            "mask_padding": (known is None or known.mask_padding) if mask is None else mask,
        }
    )


class SelfSupervised(FrontEnd):
    """The states of a self-supervised encoder, `(batch, hidden, frames)`, 20 ms a frame.

    The sound is prepared as the encoder's own feature extractor does, over each clip's own length.
    `padding_safe` where the encoder hides padding from attention and norms no clip over the
    batch's length (the `base` ones do the latter: batch clips of equal length). Frames beyond a
    clip's length are 0. A frozen encoder stays in evaluation mode and gets no gradient.
    """

    Config: ClassVar[type[FrontEndConfig]] = SelfSupervisedConfig
    learns = True
    layer_weights: nn.Parameter | None

    def __init__(self, config: SelfSupervisedConfig) -> None:
        config = filled(config)
        super().__init__(config)
        assert config.encoder is not None  # filled
        self.checkpoint = config.checkpoint
        self.described = config.encoder
        self.mask_padding = bool(config.mask_padding)
        self.frozen = config.frozen
        self.prepare = _preparation(config)
        self.encoder = build_encoder(self.described).requires_grad_(not config.frozen)
        self.layer_weights = None
        if config.layers == "mix":
            self.layer_weights = nn.Parameter(torch.zeros(self.described.num_hidden_layers + 1))
        self.bins = self.described.hidden_size
        self.padding_safe = self.mask_padding and self.described.keeps_clips_apart
        self.shortest_samples = self.samples_for_frames(1)
        step = self.prepare.frame_period_s
        assert step is not None  # neither waveforms nor fbanks are images
        self.frame_period_s = step * self.described.stride
        self.train(self.training)

    def forward(self, waveforms: Tensor, lengths_samples: Tensor) -> Features:
        """Turn `(batch, time)` waveforms in [-1, 1] into features `(batch, hidden, frames)`.

        Raises `AudioError` for waveforms shorter than `shortest_samples`.
        """
        self.refuse_short(waveforms)
        prepared = self.prepare(waveforms, lengths_samples)
        if self.frozen and not self.exported:
            with torch.no_grad():
                states = self._states(prepared)
        else:
            states = self._states(prepared)
        weights = self.layer_weights
        chosen = states[-1].float() if weights is None else mix_layers(states, weights)
        frames = self.described.frames(prepared.lengths_frames).clamp(min=0)
        values = chosen.transpose(1, 2)
        return Features(torch.where(own_frames(values, frames), values, 0.0).contiguous(), frames)

    def _states(self, prepared: Features) -> list[Tensor]:
        return encode(
            self.encoder,
            self.described,
            prepared.values,
            prepared.lengths_frames,
            mask_padding=self.mask_padding,
            every_layer=self.layer_weights is not None,
        )

    def train(self, mode: bool = True) -> "SelfSupervised":
        """Set the mode; a frozen encoder stays in evaluation, without dropout."""
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def frame_count(self, samples: int) -> int:
        """Return the number of frames that a waveform of `samples` gives."""
        return max(0, self.described.frames(self.prepare.frame_count(samples)))

    def samples_for_frames(self, frames: int) -> int:
        """Return the shortest waveform (samples) that gives at least `frames` frames."""
        return self.prepare.samples_for_frames(self.described.inputs_for(max(1, frames)))


def _preparation(config: SelfSupervisedConfig) -> FrontEnd:
    """Return what an encoder's own feature extractor does with the sound."""
    rate = config.sample_rate
    assert config.encoder is not None  # filled
    if config.encoder.hears_features:
        rows = config.encoder.input_bins
        if rows % 2:
            raise ConfigError(
                f"encoder.feature_projection_input_dim must be even (two frames side by side), got "
                f"{rows}"
            )
        values = {"sample_rate": rate, "n_mels": rows // 2}
        return SeamlessFbank(validate(SeamlessFbankConfig, values, prefix="frontend"))
    how = "zero_mean_unit_variance" if config.normalise else "none"
    return WaveformFrontEnd(WaveformConfig(sample_rate=rate, normalise=how))


for _name, _checkpoint in {
    "wav2vec2_base": "facebook/wav2vec2-base",
    "wav2vec2_xlsr_53": "facebook/wav2vec2-large-xlsr-53",
    "hubert_base": "facebook/hubert-base-ls960",
    "hubert_large": "facebook/hubert-large-ll60k",
    "wavlm_base": "microsoft/wavlm-base",
    "wavlm_base_plus": "microsoft/wavlm-base-plus",
    "wavlm_large": "microsoft/wavlm-large",
    "w2v_bert_2": "facebook/w2v-bert-2.0",
}.items():
    FRONTENDS.add(
        _name, FrontEndPreset(SelfSupervised, SelfSupervisedConfig(checkpoint=_checkpoint))
    )
for _name, _encoder in TINY.items():
    FRONTENDS.add(
        _name,
        FrontEndPreset(
            SelfSupervised,
            SelfSupervisedConfig(encoder=_encoder, layers="mix", frozen=False),
            tiny=True,
        ),
    )
