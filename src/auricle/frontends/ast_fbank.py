"""The features of the Audio Spectrogram Transformer.

Gong et al., "AST: Audio Spectrogram Transformer" (Interspeech 2021), arXiv 2104.01778, as
`ASTFeatureExtractor` of transformers computes them: Kaldi features with a Hann window, zeros behind
them up to a fixed number of frames, then `(x - mean) / (2 std)` with a data set's statistics.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from auricle.core.config import validate
from auricle.frontends import FRONTENDS
from auricle.frontends.base import (
    FrontEnd,
    FrontEndConfig,
    FrontEndPreset,
    SampleRate,
    refuse_missing_frames,
)
from auricle.frontends.fbank import Fbank, FbankConfig
from auricle.frontends.normalise import DB_PER_LN, own_frames
from auricle.tensors import Features


class AstFbankConfig(FrontEndConfig):
    """Settings of `AstFbank`: those of the networks trained on AudioSet."""

    sample_rate: SampleRate = 16000
    n_mels: int = Field(default=128, ge=1, le=1024, description="mel bins")
    frames: int = Field(
        default=1024, ge=1, le=65536, description="frames to which clips are padded or cut"
    )
    mean: float = Field(default=-4.2677393, description="mean of the data set's features")
    std: float = Field(default=4.5689974, gt=0, description="their standard deviation")


class AstFbank(FrontEnd):
    """Kaldi features of a fixed number of frames, `(batch, n_mels, frames)`.

    Zeros stand for what is missing before the normalisation, as in the published networks, so they
    are 0.467 behind it. What a waveform has beyond `frames` is left out.
    """

    Config: ClassVar[type[FrontEndConfig]] = AstFbankConfig
    padding_safe = True

    def __init__(self, config: AstFbankConfig) -> None:
        super().__init__(config)
        self.fbank = Fbank(
            validate(
                FbankConfig,
                {"sample_rate": config.sample_rate, "n_mels": config.n_mels, "window": "hann"},
                prefix="frontend",
            )
        )
        self.bins = config.n_mels
        self.frame_period_s = self.fbank.frame_period_s
        self.shortest_samples = self.fbank.shortest_samples
        self.fixed_frames = config.frames
        self.frames, self.mean, self.std = config.frames, config.mean, config.std
        self.db_per_unit = 2 * config.std * DB_PER_LN

    def forward(self, waveforms: Tensor, lengths_samples: Tensor) -> Features:
        """Turn `(batch, time)` waveforms in [-1, 1] into `(batch, n_mels, frames)`.

        Raises `AudioError` for waveforms shorter than `shortest_samples`.
        """
        features = self.fbank(waveforms, lengths_samples)
        values = features.values
        own = torch.where(own_frames(values, features.lengths_frames), values, 0.0)
        behind = values.new_zeros(values.shape[0], self.bins, self.frames)
        padded = torch.cat([own, behind], dim=2)[:, :, : self.frames]
        normalised = (padded - self.mean) / (2 * self.std)
        return Features(normalised, features.lengths_frames.clamp(max=self.frames))

    def frame_count(self, samples: int) -> int:
        """Return the fixed number of frames."""
        return self.frames

    def samples_for_frames(self, frames: int) -> int:
        """Return the shortest waveform (samples). Raises `ConfigError` above the fixed number."""
        refuse_missing_frames(frames, self.frames, option="frames")
        return self.shortest_samples


FRONTENDS.add("ast_fbank", FrontEndPreset(AstFbank, AstFbankConfig()))
# One-second commands: as many frames, and the statistics, of Speech Commands.
FRONTENDS.add(
    "ast_fbank_128",
    FrontEndPreset(AstFbank, AstFbankConfig(frames=128, mean=-6.845978, std=5.5654526)),
)
