"""Spectral features of centred, windowed frames, as torch and librosa cut them."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from auricle.frontends.base import MOST_BINS, MOST_POINTS, SampleRate
from auricle.frontends.melscale import MelNorm, MelScale, check_band, check_size, mel_filters
from auricle.frontends.normalise import NormalisedConfig
from auricle.frontends.spectral import Array, SpectralFrontEnd
from auricle.frontends.windows import WindowName, make_window

Points = Annotated[int, Field(ge=4, le=MOST_POINTS, description="points of the Fourier transform")]
WindowSamples = Annotated[
    int | None,
    Field(ge=4, le=MOST_POINTS, description="length of the window (null: n_fft)"),
]
HopSamples = Annotated[
    int | None,
    Field(ge=1, le=MOST_POINTS, description="samples from frame to frame (null: half the window)"),
]
MelBins = Annotated[int, Field(ge=1, le=MOST_BINS, description="mel bins")]
LowestHz = Annotated[float, Field(description="lower edge of the mel bins (Hz)")]
HighestHz = Annotated[
    float | None, Field(description="upper edge (Hz); null: half the sample rate")
]
PadMode = Literal["reflect", "zeros", "replicate"]
_TORCH_MODES = {"reflect": "reflect", "zeros": "constant", "replicate": "replicate"}


class StftConfig(NormalisedConfig):
    """How waveforms become spectra: torchaudio's defaults at 16 kHz."""

    sample_rate: SampleRate = 16000
    n_fft: Points = 400
    window_samples: WindowSamples = None
    hop_samples: HopSamples = None
    window_fn: WindowName = Field(default="hann", description="shape of the window")
    window_periodic: bool = Field(
        default=True, description="one period of the window; else symmetric, both ends equal"
    )
    window_scale: Literal["none", "energy", "n_fft"] = Field(
        default="none",
        description="divide the spectrum by the root of the window's energy or of n_fft",
    )
    center: bool = Field(
        default=True,
        description="frames centred on multiples of the hop; else only frames inside the clip",
    )
    pad_mode: PadMode = Field(
        default="reflect", description="what centred frames see beyond the ends of the clip"
    )

    @model_validator(mode="after")
    def _window_fits(self) -> "StftConfig":
        if self.window_length_samples > self.n_fft:
            raise ValueError(
                f"window_samples ({self.window_samples}) must not exceed n_fft ({self.n_fft}): "
                "raise n_fft"
            )
        return self

    @property
    def window_length_samples(self) -> int:
        """The length of the window (samples)."""
        return self.n_fft if self.window_samples is None else self.window_samples

    @property
    def hop_length_samples(self) -> int:
        """The samples from frame to frame."""
        return self.hop_samples or max(1, self.window_length_samples // 2)


class MelBinsConfig(StftConfig):
    """Spectra in mel bins: torchaudio's defaults."""

    n_mels: MelBins = 128
    f_min_hz: LowestHz = 0.0
    f_max_hz: HighestHz = None
    mel_scale: MelScale = "htk"
    mel_norm: MelNorm = "none"

    @model_validator(mode="after")
    def _band_fits(self) -> "MelBinsConfig":
        check_band(self.f_min_hz, self.f_max_hz, self.sample_rate)
        check_size(self.n_mels, self.n_fft)
        return self

    def filters(self) -> Array:
        """Return the filter bank `(n_mels, n_fft // 2 + 1)`."""
        return mel_filters(
            self.n_mels,
            n_fft=self.n_fft,
            sample_rate=self.sample_rate,
            f_min_hz=self.f_min_hz,
            f_max_hz=check_band(self.f_min_hz, self.f_max_hz, self.sample_rate),
            scale=self.mel_scale,
            norm=self.mel_norm,
        )


class StftFrontEnd(SpectralFrontEnd):
    """Base of the front-ends whose frames are those of a short-time Fourier transform.

    A window shorter than `n_fft` stands in the middle of its frame. Centred frames see `n_fft // 2`
    samples beyond both ends. With `reflect` and `replicate` that happens at the end of the batch,
    so the last frames of a shorter clip in a padded batch see zeros where the clip alone would be
    mirrored: batch clips of equal length where numbers must not depend on the batch.
    """

    def __init__(
        self,
        config: StftConfig,
        filters: Array | None,
        *,
        power: float = 2.0,
        bins: int | None = None,
    ) -> None:
        half = config.n_fft // 2 if config.center else 0
        super().__init__(
            config,
            window=_framed_window(config),
            filters=filters,
            hop_samples=config.hop_length_samples,
            n_fft=config.n_fft,
            padding=(half, half),
            power=power,
            bins=bins,
        )
        self.pad_mode = config.pad_mode
        if config.center and config.pad_mode == "reflect":
            self.shortest_samples = half + 1  # a reflection needs more samples than it adds
        self.padding_safe = not config.center or config.pad_mode == "zeros"

    def pad(self, waveforms: Tensor) -> Tensor:
        """Lengthen `(batch, time)` waveforms at both ends; `reflect` repeats no end sample."""
        if self.padding == (0, 0):
            return waveforms
        return F.pad(waveforms[:, None], self.padding, mode=_TORCH_MODES[self.pad_mode])[:, 0]


def _framed_window(config: StftConfig) -> Array:
    length = config.window_length_samples
    shape = make_window(config.window_fn, length, periodic=config.window_periodic)
    energy = {"none": 1.0, "energy": float(np.square(shape).sum()), "n_fft": config.n_fft}
    window = np.zeros(config.n_fft)
    start = (config.n_fft - length) // 2
    window[start : start + length] = shape / np.sqrt(energy[config.window_scale])
    return window
