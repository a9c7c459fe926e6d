"""The features of w2v-BERT 2.0 and SeamlessM4T.

Barrault et al., "Seamless: Multilingual Expressive and Streaming Speech Translation" (2023), as
`SeamlessM4TFeatureExtractor` of transformers computes them: Kaldi features of the 16-bit waveform,
each bin of each clip normalised, and neighbouring frames laid side by side.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from auricle.core.config import validate
from auricle.frontends import FRONTENDS
from auricle.frontends.base import FrontEnd, FrontEndConfig, FrontEndPreset, SampleRate
from auricle.frontends.fbank import Fbank, FbankConfig
from auricle.tensors import Features


class SeamlessFbankConfig(FrontEndConfig):
    """Settings of `SeamlessFbank`."""

    sample_rate: SampleRate = 16000
    n_mels: int = Field(default=80, ge=1, le=512, description="mel bins")
    stride: int = Field(default=2, ge=1, le=8, description="neighbouring frames side by side")


class SeamlessFbank(FrontEnd):
    """Normalised Kaldi features, `stride` frames in one: `(batch, n_mels * stride, frames)`.

    Frames that do not fill a last group of `stride` are left out. Zeros behind a shorter clip of a
    batch change nothing of it.
    """

    Config: ClassVar[type[FrontEndConfig]] = SeamlessFbankConfig
    padding_safe = True

    def __init__(self, config: SeamlessFbankConfig) -> None:
        super().__init__(config)
        self.fbank = Fbank(
            validate(
                FbankConfig,
                {
                    "sample_rate": config.sample_rate,
                    "n_mels": config.n_mels,
                    "waveform_scale": 32768.0,
                    "normalise": "clip_mean_std",
                },
                prefix="frontend",
            )
        )
        self.stride = config.stride
        self.bins = config.n_mels * config.stride
        self.frame_period_s = self.fbank.hop_samples * config.stride / config.sample_rate
        self.shortest_samples = self.fbank.samples_for_frames(config.stride)

    def forward(self, waveforms: Tensor, lengths_samples: Tensor) -> Features:
        """Turn `(batch, time)` waveforms in [-1, 1] into `(batch, n_mels * stride, frames)`.

        Raises `AudioError` for waveforms shorter than `shortest_samples`.
        """
        self.refuse_short(waveforms)
        features = self.fbank(waveforms, lengths_samples)
        groups = features.values.shape[2] // self.stride
        parts = [features.values[..., i :: self.stride][..., :groups] for i in range(self.stride)]
        return Features(torch.cat(parts, dim=1), features.lengths_frames // self.stride)

    def frame_count(self, samples: int) -> int:
        """Return the number of frames that a waveform of `samples` gives."""
        return self.fbank.frame_count(samples) // self.stride

    def samples_for_frames(self, frames: int) -> int:
        """Return the shortest waveform (samples) that gives at least `frames` frames."""
        return max(self.shortest_samples, self.fbank.samples_for_frames(frames * self.stride))


FRONTENDS.add("seamless_fbank", FrontEndPreset(SeamlessFbank, SeamlessFbankConfig()))
FRONTENDS.add(
    "seamless_fbank_tiny",
    FrontEndPreset(SeamlessFbank, SeamlessFbankConfig(n_mels=10), tiny=True),
)
