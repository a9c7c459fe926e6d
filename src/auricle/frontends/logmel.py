"""Log-mel spectrograms as the PANNs define them, and as others do.

Kong et al., "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern
Recognition" (2020), whose front-end is torchlibrosa: a periodic Hann window, frames centred
on multiples of the hop in a waveform that is reflected at its ends, Slaney's mel scale with
filters of equal area (Auditory Toolbox, 1998), `10 log10(max(amin, energy))`.
"""

from dataclasses import replace
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from auricle.frontends import FRONTENDS
from auricle.frontends.base import FrontEndConfig, FrontEndPreset, SampleRate
from auricle.frontends.decibels import Amin, TopDb, decibels, limit_range
from auricle.frontends.mel import MelConfig
from auricle.frontends.melscale import MelNorm, MelScale
from auricle.frontends.stft import (
    HighestHz,
    HopSamples,
    LowestHz,
    MelBins,
    Points,
    StftFrontEnd,
    WindowSamples,
)
from auricle.tensors import Features


class LogMelConfig(MelConfig):
    """Settings of `LogMel`: the PANNs' at 32 kHz by default."""

    sample_rate: SampleRate = 32000
    n_fft: Points = 1024
    window_samples: WindowSamples = 1024
    hop_samples: HopSamples = 320
    n_mels: MelBins = 64
    f_min_hz: LowestHz = 50.0
    f_max_hz: HighestHz = 14000.0
    mel_scale: MelScale = "slaney"
    mel_norm: MelNorm = "slaney"
    amin: Amin = 1e-10
    top_db: TopDb = None
    with_waveforms: bool = Field(
        default=False, description="hand the waveforms on to networks that read both"
    )


class LogMel(StftFrontEnd):
    """Log-mel features in dB, `(batch, n_mels, frames)`; centred: `1 + time // hop_samples` frames.

    Digital silence is -100 dB (`10 log10(amin)`); without `top_db` there is no limit to the range.
    """

    Config: ClassVar[type[FrontEndConfig]] = LogMelConfig

    def __init__(self, config: LogMelConfig) -> None:
        super().__init__(config, config.filters(), power=config.power)
        self.amin = config.amin
        self.top_db = config.top_db
        self.with_waveforms = config.with_waveforms

    def forward(self, waveforms: Tensor, lengths_samples: Tensor) -> Features:
        """Turn `(batch, time)` waveforms in [-1, 1] into features `(batch, n_mels, frames)`.

        Raises `AudioError` for waveforms shorter than `shortest_samples`.
        """
        features = super().forward(waveforms, lengths_samples)
        return replace(features, waveforms=waveforms) if self.with_waveforms else features

    def compress(self, energies: Tensor) -> Tensor:
        """Return the filters' outputs in dB."""
        return decibels(energies, self.amin, power=self.power)

    def finish(self, values: Tensor, lengths_frames: Tensor) -> Tensor:
        """Limit each clip's range."""
        if self.top_db is None:
            return values
        return limit_range(values, lengths_frames, self.top_db)


FRONTENDS.add("logmel_32k", FrontEndPreset(LogMel, LogMelConfig()))
FRONTENDS.add("logmel_32k_mel32", FrontEndPreset(LogMel, LogMelConfig(n_mels=32)))
FRONTENDS.add("logmel_32k_mel128", FrontEndPreset(LogMel, LogMelConfig(n_mels=128)))
FRONTENDS.add(
    "logmel_16k",
    FrontEndPreset(
        LogMel,
        LogMelConfig(
            sample_rate=16000, n_fft=512, window_samples=512, hop_samples=160, f_max_hz=8000
        ),
    ),
)
FRONTENDS.add(
    "logmel_8k",
    FrontEndPreset(
        LogMel,
        LogMelConfig(
            sample_rate=8000, n_fft=256, window_samples=256, hop_samples=80, f_max_hz=4000
        ),
    ),
)
# Small networks: half the frames, and a floor at -70 dB, so that digital silence is no outlier.
FRONTENDS.add("logmel_32k_20ms", FrontEndPreset(LogMel, LogMelConfig(hop_samples=640, amin=1e-7)))
FRONTENDS.add("logmel_32k_wave", FrontEndPreset(LogMel, LogMelConfig(with_waveforms=True)))
FRONTENDS.add(
    "logmel_32k_mel128_wave", FrontEndPreset(LogMel, LogMelConfig(n_mels=128, with_waveforms=True))
)
# The event-detection baseline of DCASE task 4: magnitudes, a floor at -50 dB.
FRONTENDS.add(
    "logmel_16k_desed",
    FrontEndPreset(
        LogMel,
        LogMelConfig(
            sample_rate=16000,
            n_fft=2048,
            window_samples=2048,
            window_fn="hamming",
            window_periodic=False,
            power=1.0,
            hop_samples=256,
            n_mels=128,
            f_min_hz=0.0,
            f_max_hz=8000.0,
            mel_scale="htk",
            mel_norm="none",
            amin=10**-2.5,
        ),
    ),
)
