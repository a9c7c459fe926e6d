"""The waveform itself as features, for networks that learn their own filters."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from auricle.frontends import FRONTENDS
from auricle.frontends.base import FrontEnd, FrontEndConfig, FrontEndPreset
from auricle.tensors import Features

_VARIANCE_FLOOR = 1e-7  # that of Wav2Vec 2.0's feature extractor in transformers


class WaveformConfig(FrontEndConfig):
    """Settings of `WaveformFrontEnd`."""

    normalise: Literal["none", "zero_mean_unit_variance"] = Field(
        default="none", description="what is done to each clip, over its own length"
    )


class WaveformFrontEnd(FrontEnd):
    """The samples of a waveform as frames of one bin, `(batch, 1, time)`.

    `zero_mean_unit_variance` gives `(x - mean) / sqrt(variance + 1e-7)` over a clip's own samples
    and zeros behind it, as Wav2Vec 2.0 wants it (Baevski et al., 2020; transformers).
    """

    Config: ClassVar[type[FrontEndConfig]] = WaveformConfig
    bins = 1
    shortest_samples = 1
    padding_safe = True

    def __init__(self, config: WaveformConfig) -> None:
        super().__init__(config)
        self.frame_period_s = 1 / config.sample_rate
        self.normalise = config.normalise

    def forward(self, waveforms: Tensor, lengths_samples: Tensor) -> Features:
        """Turn `(batch, time)` waveforms into `(batch, 1, time)`."""
        if self.normalise == "zero_mean_unit_variance":
            waveforms = _standardised(waveforms, lengths_samples)
        return Features(waveforms[:, None], lengths_samples)

    def frame_count(self, samples: int) -> int:
        """Return the number of samples."""
        return samples

    def samples_for_frames(self, frames: int) -> int:
        """Return the number of frames."""
        return max(self.shortest_samples, frames)


def _standardised(waveforms: Tensor, lengths_samples: Tensor) -> Tensor:
    place = torch.arange(waveforms.shape[1], device=waveforms.device)
    heard = place < lengths_samples[:, None]
    count = lengths_samples.clamp(min=1)[:, None]
    mean = (waveforms * heard).sum(1, keepdim=True) / count
    centred = (waveforms - mean) * heard
    variance = centred.square().sum(1, keepdim=True) / count
    return centred / (variance + _VARIANCE_FLOOR).sqrt()


FRONTENDS.add("waveform_32k", FrontEndPreset(WaveformFrontEnd, WaveformConfig()))
FRONTENDS.add("waveform_16k", FrontEndPreset(WaveformFrontEnd, WaveformConfig(sample_rate=16000)))
FRONTENDS.add(
    "waveform_16k_norm",
    FrontEndPreset(
        WaveformFrontEnd, WaveformConfig(sample_rate=16000, normalise="zero_mean_unit_variance")
    ),
)
