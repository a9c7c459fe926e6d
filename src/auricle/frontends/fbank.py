"""Kaldi's filter-bank features.

Povey et al., "The Kaldi Speech Recognition Toolkit" (2011), `compute-fbank-feats`. Each frame
on its own: its mean is subtracted, then pre-emphasis, then the window, then the Fourier
transform of the next power of two; triangles on the mel scale without normalisation, and the
natural logarithm of `max(energy, eps)` with float32's epsilon.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from auricle.core.units import seconds_to_samples
from auricle.frontends import FRONTENDS
from auricle.frontends.base import MOST_POINTS, FrontEndConfig, FrontEndPreset, SampleRate
from auricle.frontends.melscale import check_band, check_size, kaldi_filters
from auricle.frontends.normalise import DB_PER_LN, NormalisedConfig, unit_behind
from auricle.frontends.spectral import Array, SpectralFrontEnd
from auricle.frontends.stft import LowestHz, MelBins
from auricle.frontends.windows import cosine_window, make_window
from auricle.tensors import Features

WindowName = Literal["povey", "hamming", "hann", "blackman", "sine", "rectangular"]
_FLOOR = float(np.finfo(np.float32).eps)


class FbankConfig(NormalisedConfig):
    """Settings of `Fbank`: Kaldi's defaults, with 80 bins and waveforms in [-1, 1]."""

    sample_rate: SampleRate = 16000
    n_mels: MelBins = 80
    window: WindowName = Field(
        default="povey",
        description="shape of the window, symmetric (povey: hann to the power of 0.85)",
    )
    blackman_coeff: float = Field(
        default=0.42, gt=0, lt=0.5, description="constant term of the blackman window"
    )
    window_s: float = Field(default=0.025, gt=0, le=1, description="length of a frame (s)")
    hop_s: float = Field(default=0.010, gt=0, description="time from frame to frame (s)")
    round_to_power_of_two: bool = Field(
        default=True, description="lengthen the Fourier transform to the next power of two"
    )
    f_min_hz: LowestHz = 20.0
    f_max_hz: float | None = Field(
        default=None,
        description="upper edge (Hz); null or 0: half the sample rate; negative: so far below that",
    )
    remove_dc_offset: bool = Field(default=True, description="subtract each frame's mean")
    pre_emphasis: float = Field(default=0.97, ge=0, le=1, description="share taken off a sample")
    snip_edges: bool = Field(
        default=True, description="only frames inside the clip; else mirrored ends, a frame a hop"
    )
    waveform_scale: float = Field(
        default=1.0, gt=0, description="32768 for recipes that expect 16-bit values"
    )
    dither: float = Field(
        default=0.0,
        ge=0,
        description="standard deviation of noise added in training, on the scaled waveform "
        "(Kaldi: 1.0 on 16-bit values)",
    )
    use_power: bool = Field(default=True, description="power spectrum; else magnitudes")
    log: bool = Field(default=True, description="natural logarithm; else the energies themselves")
    use_energy: bool = Field(default=False, description="add the frame's log energy as a bin")
    raw_energy: bool = Field(
        default=True, description="energy before pre-emphasis and window; else behind them"
    )
    energy_floor: float = Field(default=0.0, ge=0, description="floor of the energy; 0: none")
    htk_compat: bool = Field(default=False, description="energy as the last bin, else the first")

    @model_validator(mode="before")
    @classmethod
    def _older_key(cls, values: Any) -> Any:
        # `mean_norm` came before `normalise`: artifacts that say it mean the same as ever.
        if not isinstance(values, dict) or "mean_norm" not in values:
            return values
        values = dict(values)
        values["normalise"] = "clip_mean" if values.pop("mean_norm") in (True, "true") else "none"
        return values

    @model_validator(mode="after")
    def _fits(self) -> "FbankConfig":
        check_band(self.f_min_hz, self.top_hz, self.sample_rate)
        frame, hop = self.frame_samples, self.hop_samples
        if not 2 <= frame <= MOST_POINTS or not 1 <= hop <= frame:
            raise ValueError(
                f"need a window of 2 to {MOST_POINTS} samples and a hop of 1 sample to a window, "
                f"got {frame} and {hop} samples: change window_s or hop_s"
            )
        check_size(self.n_mels, self.n_fft)
        if frame % 2 and not self.round_to_power_of_two:
            raise ValueError(
                f"a Fourier transform of {frame} points is odd: change window_s, or leave "
                "round_to_power_of_two on"
            )
        return self

    @property
    def top_hz(self) -> float:
        """The upper edge of the mel bins (Hz)."""
        top_hz = self.f_max_hz or 0.0
        return top_hz if top_hz > 0 else self.sample_rate / 2 + top_hz

    @property
    def frame_samples(self) -> int:
        """The length of a frame (samples)."""
        return seconds_to_samples(self.window_s, self.sample_rate)

    @property
    def n_fft(self) -> int:
        """The points of the Fourier transform."""
        frame = self.frame_samples
        return 1 << (frame - 1).bit_length() if self.round_to_power_of_two else frame

    @property
    def hop_samples(self) -> int:
        """The samples from frame to frame."""
        return seconds_to_samples(self.hop_s, self.sample_rate)


@dataclass(frozen=True)
class _Energy:
    """How the energy bin is made."""

    raw: bool
    floor: float
    last: bool


class Fbank(SpectralFrontEnd):
    """Kaldi filter-bank features (natural logarithm), `(batch, n_mels, frames)`.

    With `use_energy` there is a bin more. With `snip_edges` no frame reaches beyond its clip, so
    zeros behind a shorter clip of a batch change nothing of it. `dither` acts in training mode
    only, drawn from torch's generator as dropout is: once a sample, where Kaldi draws anew for
    each frame.
    """

    Config: ClassVar[type[FrontEndConfig]] = FbankConfig
    energy_kernels: Tensor | None

    def __init__(self, config: FbankConfig) -> None:
        frame, hop = config.frame_samples, config.hop_samples
        filters = kaldi_filters(
            config.n_mels,
            n_fft=config.n_fft,
            sample_rate=config.sample_rate,
            f_min_hz=config.f_min_hz,
            f_max_hz=config.top_hz,
        )
        # Without snipping, frame i is centred on (i + 1/2) hops.
        before = frame // 2 - hop // 2
        mirrored = (before, frame - hop + hop // 2 - before)
        super().__init__(
            config,
            window=_window(config, frame) * config.waveform_scale,
            filters=filters,
            hop_samples=hop,
            n_fft=config.n_fft,
            padding=(0, 0) if config.snip_edges else mirrored,
            power=2.0 if config.use_power else 1.0,
            bins=config.n_mels + config.use_energy,
        )
        self.shortest_samples = max(self.shortest_samples, *self.padding)
        self.padding_safe = config.snip_edges
        self.remove_dc_offset = config.remove_dc_offset
        self.pre_emphasis = config.pre_emphasis
        self.waveform_scale = config.waveform_scale
        self.dither = config.dither
        self.log = config.log
        power = DB_PER_LN if config.use_power else 2 * DB_PER_LN
        self.db_per_unit = unit_behind(config, power) if config.log else None
        self.energy: _Energy | None = None
        if config.use_energy:
            self.energy = _Energy(config.raw_energy, config.energy_floor, config.htk_compat)
        self.register_buffer("energy_kernels", None, persistent=False)

    def forward(self, waveforms: Tensor, lengths_samples: Tensor) -> Features:
        """Turn `(batch, time)` waveforms in [-1, 1] into features `(batch, bins, frames)`.

        Raises `AudioError` for waveforms shorter than `shortest_samples`.
        """
        if self.training and self.dither:
            noise = torch.randn_like(waveforms)
            waveforms = waveforms + noise * (self.dither / self.waveform_scale)
        return super().forward(waveforms, lengths_samples)

    def for_export(self) -> Self:
        """Return a front-end with the same numbers that holds no FFT operator."""
        twin = super().for_export()
        if self.energy is not None:
            twin.energy_kernels = twin.responses(twin.heard)
        return twin

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
        frames = self._centred(frames)
        previous = torch.cat([frames[..., :1], frames[..., :-1]], dim=-1)
        return (frames - self.pre_emphasis * previous) * self.window

    def heard(self, frames: Tensor) -> Tensor:
        """Return what the energy bin is the energy of. Linear, as `shape` is."""
        assert self.energy is not None  # only asked for where there is such a bin
        if self.energy.raw:
            return self._centred(frames) * self.waveform_scale
        return self.shape(frames)

    def compress(self, energies: Tensor) -> Tensor:
        """Return the natural logarithm of energies, with a floor."""
        return energies.clamp(min=_FLOOR).log() if self.log else energies

    def transform(self, frames: Tensor) -> Tensor:
        """Turn frames `(batch, frames, frame_samples)` into `(batch, frames, bins)`."""
        values = super().transform(frames)
        if self.energy is None:
            return values
        return self._with_energy(values, self.heard(frames).square().sum(-1, keepdim=True), axis=2)

    def convolve(self, padded: Tensor, kernels: Tensor) -> Tensor:
        """Turn padded waveforms into `(batch, bins, frames)` without a Fourier transform."""
        values = super().convolve(padded, kernels)
        if self.energy_kernels is None:
            return values
        parts = F.conv1d(padded[:, None], self.energy_kernels, stride=self.hop_samples)
        return self._with_energy(values, parts.square().sum(1, keepdim=True), axis=1)

    def _centred(self, frames: Tensor) -> Tensor:
        return frames - frames.mean(dim=-1, keepdim=True) if self.remove_dc_offset else frames

    def _with_energy(self, values: Tensor, energy: Tensor, *, axis: int) -> Tensor:
        assert self.energy is not None
        energy = energy.clamp(min=max(_FLOOR, self.energy.floor)).log()
        return torch.cat([values, energy] if self.energy.last else [energy, values], dim=axis)


def _window(config: FbankConfig, samples: int) -> Array:
    if config.window == "blackman":
        first = config.blackman_coeff
        return cosine_window((first, 0.5, 0.5 - first), samples, periodic=False)
    if config.window == "povey":
        return make_window("hann", samples, periodic=False) ** 0.85
    if config.window == "sine":
        return make_window("hann", samples, periodic=False) ** 0.5
    return make_window(config.window, samples, periodic=False)


FRONTENDS.add("fbank", FrontEndPreset(Fbank, FbankConfig()))
# macls and 3D-Speaker: speaker-style networks hear each clip without its mean.
FRONTENDS.add("fbank80_norm", FrontEndPreset(Fbank, FbankConfig(normalise="clip_mean")))
# Kaldi's own defaults, 16-bit values included.
FRONTENDS.add("fbank23", FrontEndPreset(Fbank, FbankConfig(n_mels=23, waveform_scale=32768)))
# The Audio Spectrogram Transformer's, before its normalisation.
FRONTENDS.add("fbank128", FrontEndPreset(Fbank, FbankConfig(n_mels=128, window="hann")))
