"""Kaldi's filter-bank features.

Povey et al., "The Kaldi Speech Recognition Toolkit" (2011), `compute-fbank-feats`. Each frame
on its own: its mean is subtracted, then pre-emphasis, then the window, then the Fourier
transform of the next power of two; triangles on the mel scale without normalisation, and the
natural logarithm of `max(energy, eps)` with float32's epsilon. There is no dither: noise is an
augmentation.
"""

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from auricle.core.units import seconds_to_samples
from auricle.frontends import FRONTENDS
from auricle.frontends.base import MOST_BINS, FrontEndConfig, FrontEndPreset
from auricle.frontends.spectral import Array, SpectralFrontEnd, check_band, triangles
from auricle.tensors import Features

WindowName = Literal["povey", "hamming", "hann", "rectangular"]
_FLOOR = float(np.finfo(np.float32).eps)


class FbankConfig(FrontEndConfig):
    """Settings of `Fbank`: Kaldi's defaults, with 80 bins and waveforms in [-1, 1]."""

    sample_rate: int = Field(default=16000, gt=0, description="rate of the waveforms (Hz)")
    n_mels: int = Field(default=80, ge=1, le=MOST_BINS, description="mel bins")
    window: WindowName = Field(
        default="povey", description="shape of the window (povey: hann to the power of 0.85)"
    )
    window_s: float = Field(default=0.025, gt=0, le=1, description="length of a frame (s)")
    hop_s: float = Field(default=0.010, gt=0, description="time from frame to frame (s)")
    f_min_hz: float = Field(default=20.0, description="lower edge of the mel bins (Hz)")
    f_max_hz: float | None = Field(
        default=None, description="upper edge (Hz); null: half the sample rate"
    )
    pre_emphasis: float = Field(default=0.97, ge=0, le=1, description="share taken off a sample")
    snip_edges: bool = Field(
        default=True, description="only frames inside the clip; else mirrored ends, a frame a hop"
    )
    waveform_scale: float = Field(
        default=1.0, gt=0, description="32768 for recipes that expect 16-bit values"
    )
    mean_norm: bool = Field(default=False, description="subtract each bin's mean over the clip")

    @model_validator(mode="after")
    def _fits(self) -> "FbankConfig":
        check_band(self.f_min_hz, self.f_max_hz, self.sample_rate)
        frame = seconds_to_samples(self.window_s, self.sample_rate)
        hop = seconds_to_samples(self.hop_s, self.sample_rate)
        if frame < 2 or not 1 <= hop <= frame:
            raise ValueError(
                "need a window of at least 2 samples and a hop of 1 sample to a window, got "
                f"{frame} and {hop} samples: change window_s or hop_s"
            )
        return self


class Fbank(SpectralFrontEnd):
    """Kaldi filter-bank features (natural logarithm), `(batch, n_mels, frames)`.

    With `snip_edges` no frame reaches beyond its clip, so zeros behind a shorter clip of a batch
    change nothing of it. With `mean_norm` the mean is taken over the clip's own frames, and the
    frames beyond its length are 0.
    """

    Config: ClassVar[type[FrontEndConfig]] = FbankConfig

    def __init__(self, config: FbankConfig) -> None:
        frame = seconds_to_samples(config.window_s, config.sample_rate)
        hop = seconds_to_samples(config.hop_s, config.sample_rate)
        n_fft = 1 << (frame - 1).bit_length()
        # Without snipping, frame i is centred on (i + 1/2) hops.
        before = frame // 2 - hop // 2
        mirrored = (before, frame - hop + hop // 2 - before)
        super().__init__(
            config,
            window=_window(config.window, frame) * config.waveform_scale,
            filters=_mel_filters(config, n_fft),
            hop_samples=hop,
            n_fft=n_fft,
            padding=(0, 0) if config.snip_edges else mirrored,
        )
        self.shortest_samples = max(self.shortest_samples, *self.padding)
        self.padding_safe = config.snip_edges
        self.pre_emphasis = config.pre_emphasis
        self.mean_norm = config.mean_norm

    def forward(self, waveforms: Tensor, lengths_samples: Tensor) -> Features:
        """Turn `(batch, time)` waveforms in [-1, 1] into features `(batch, n_mels, frames)`.

        Raises `AudioError` for waveforms shorter than `shortest_samples`.
        """
        features = super().forward(waveforms, lengths_samples)
        return _without_mean(features) if self.mean_norm else features

    def pad(self, waveforms: Tensor) -> Tensor:
        """Mirror `(batch, time)` waveforms at both ends, the end samples repeated."""
        before, behind = self.padding
        if before == behind == 0:
            return waveforms
        head = waveforms[:, :before].flip(1)
        tail = waveforms[:, waveforms.shape[1] - behind :].flip(1)
        return torch.cat([head, waveforms, tail], dim=1)

    def shape(self, frames: Tensor) -> Tensor:
        """Subtract each frame's mean, emphasise high frequencies, multiply by the window."""
        centred = frames - frames.mean(dim=-1, keepdim=True)
        previous = torch.cat([centred[..., :1], centred[..., :-1]], dim=-1)
        return (centred - self.pre_emphasis * previous) * self.window

    def compress(self, energies: Tensor) -> Tensor:
        """Return the natural logarithm of energies, with a floor."""
        return energies.clamp(min=_FLOOR).log()


def _without_mean(features: Features) -> Features:
    values = features.values
    lengths = features.lengths_frames[:, None]
    inside = (torch.arange(values.shape[2], device=values.device) < lengths)[:, None]
    total = torch.where(inside, values, 0.0).sum(dim=2, keepdim=True)
    mean = total / lengths.clamp(min=1)[:, None]
    return replace(features, values=torch.where(inside, values - mean, 0.0))


def _window(name: WindowName, samples: int) -> Array:
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / (samples - 1))
    windows = {
        "povey": hann**0.85,
        "hamming": 0.08 + 0.92 * hann,
        "hann": hann,
        "rectangular": np.ones(samples),
    }
    return windows[name]


def _mel_filters(config: FbankConfig, n_fft: int) -> Array:
    def mel(hz: Array | float) -> Array:
        return 1127.0 * np.log(1.0 + np.asarray(hz) / 700.0)

    top_hz = check_band(config.f_min_hz, config.f_max_hz, config.sample_rate)
    points = np.linspace(mel(config.f_min_hz), mel(top_hz), config.n_mels + 2)
    bins_hz = np.arange(n_fft // 2 + 1) * config.sample_rate / n_fft
    return triangles(points, mel(bins_hz))


FRONTENDS.add("fbank", FrontEndPreset(Fbank, FbankConfig()))
# macls and 3D-Speaker: speaker-style networks hear each clip without its mean.
FRONTENDS.add("fbank80_norm", FrontEndPreset(Fbank, FbankConfig(mean_norm=True)))
