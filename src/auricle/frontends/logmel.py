"""Log-mel spectrograms as the PANNs define them.

Kong et al., "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern
Recognition" (2020), whose front-end is torchlibrosa: a periodic Hann window, frames centred
on multiples of the hop in a waveform that is reflected at its ends, Slaney's mel scale with
filters of equal area (Auditory Toolbox, 1998), `10 log10(max(amin, energy))`.
"""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from auricle.frontends import FRONTENDS
from auricle.frontends.base import MOST_BINS, MOST_POINTS, FrontEndConfig, FrontEndPreset
from auricle.frontends.spectral import Array, SpectralFrontEnd, check_band, triangles
from auricle.tensors import Features


class LogMelConfig(FrontEndConfig):
    """Settings of `LogMel`: the PANNs' at 32 kHz by default."""

    n_fft: int = Field(
        default=1024, ge=2, le=MOST_POINTS, description="points of the Fourier transform"
    )
    window_samples: int = Field(
        default=1024, ge=2, le=MOST_POINTS, description="length of the Hann window"
    )
    hop_samples: int = Field(default=320, ge=1, description="samples from frame to frame")
    n_mels: int = Field(default=64, ge=1, le=MOST_BINS, description="mel bins")
    f_min_hz: float = Field(default=50.0, description="lower edge of the mel bins (Hz)")
    f_max_hz: float | None = Field(
        default=14000.0, description="upper edge (Hz); null: half the sample rate"
    )
    amin: float = Field(default=1e-10, gt=0, description="floor of the energies (1e-10: -100 dB)")
    with_waveforms: bool = Field(
        default=False, description="hand the waveforms on to networks that read both"
    )

    @model_validator(mode="after")
    def _fits(self) -> "LogMelConfig":
        check_band(self.f_min_hz, self.f_max_hz, self.sample_rate)
        if self.window_samples > self.n_fft:
            raise ValueError(
                f"window_samples ({self.window_samples}) must not exceed n_fft ({self.n_fft}): "
                "raise n_fft"
            )
        return self


class LogMel(SpectralFrontEnd):
    """Log-mel features in dB, `(batch, n_mels, 1 + time // hop_samples)`.

    Digital silence is -100 dB (`10 log10(amin)`); there is no upper limit to the range. The
    reflection happens at the end of the batch, so the last frames of a shorter clip in a padded
    batch see zeros where the clip alone would be reflected: batch clips of equal length where
    numbers must not depend on the batch.
    """

    Config: ClassVar[type[FrontEndConfig]] = LogMelConfig

    def __init__(self, config: LogMelConfig) -> None:
        window = np.zeros(config.n_fft)
        start = (config.n_fft - config.window_samples) // 2
        window[start : start + config.window_samples] = _hann(config.window_samples)
        half = config.n_fft // 2
        super().__init__(
            config,
            window=window,
            filters=_mel_filters(config),
            hop_samples=config.hop_samples,
            n_fft=config.n_fft,
            padding=(half, half),
        )
        self.shortest_samples = half + 1  # a reflection needs more samples than it adds
        self.amin = config.amin
        self.with_waveforms = config.with_waveforms

    def forward(self, waveforms: Tensor, lengths_samples: Tensor) -> Features:
        """Turn `(batch, time)` waveforms in [-1, 1] into features `(batch, n_mels, frames)`.

        Raises `AudioError` for waveforms shorter than `shortest_samples`.
        """
        features = super().forward(waveforms, lengths_samples)
        return replace(features, waveforms=waveforms) if self.with_waveforms else features

    def pad(self, waveforms: Tensor) -> Tensor:
        """Reflect `(batch, time)` waveforms at both ends, the end samples not repeated."""
        return F.pad(waveforms, self.padding, mode="reflect")

    def shape(self, frames: Tensor) -> Tensor:
        """Multiply frames by the window."""
        return frames * self.window

    def compress(self, energies: Tensor) -> Tensor:
        """Return energies in dB."""
        return 10 * torch.log10(energies.clamp(min=self.amin))


def _hann(samples: int) -> Array:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)


# Slaney's mel scale: linear up to 1 kHz (3 mel for 200 Hz), then 27 steps for a factor of 6.4.
_HZ_PER_MEL = 200 / 3
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27


def _hz_to_mel(hz: float) -> float:
    if hz < _BREAK_HZ:
        return hz / _HZ_PER_MEL
    return _BREAK_MEL + np.log(hz / _BREAK_HZ) / _LOG_STEP


def _mel_to_hz(mel: Array) -> Array:
    above = _BREAK_HZ * np.exp(_LOG_STEP * (mel - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _HZ_PER_MEL, above)


def _mel_filters(config: LogMelConfig) -> Array:
    top_hz = check_band(config.f_min_hz, config.f_max_hz, config.sample_rate)
    mels = np.linspace(_hz_to_mel(config.f_min_hz), _hz_to_mel(top_hz), config.n_mels + 2)
    points_hz = _mel_to_hz(mels)
    bins_hz = np.arange(config.n_fft // 2 + 1) * config.sample_rate / config.n_fft
    area = (points_hz[2:] - points_hz[:-2]) / 2
    return triangles(points_hz, bins_hz) / area[:, None]


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
