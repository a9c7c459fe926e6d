"""Per-channel energy normalisation of mel spectrograms.

Wang et al., "Trainable Frontend For Robust and Far-Field Keyword Spotting" (2017): an automatic
gain control in each mel bin, followed by a root. Lostanlen et al., "Per-Channel Energy
Normalization: Why and How" (2019), explain its settings.
"""

import math
from typing import ClassVar

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from auricle.frontends import FRONTENDS
from auricle.frontends.base import FrontEndConfig, FrontEndPreset
from auricle.frontends.decibels import LEAST_FLOOR
from auricle.frontends.mel import MelConfig
from auricle.frontends.stft import HopSamples, MelBins, Points, StftFrontEnd, WindowSamples

_FORGOTTEN = 1e-12  # what is left of a frame when the smoother may drop it: -120 dB
_MOST_FRAMES = 8192  # an exported smoother's memory grows with its time constant


class PcenConfig(MelConfig):
    """Settings of `Pcen`: Wang's, on 40 bins of magnitudes every 10 ms, as librosa has them."""

    n_fft: Points = 512
    window_samples: WindowSamples = 400
    hop_samples: HopSamples = 160
    n_mels: MelBins = 40
    power: float = Field(default=1.0, description="2: power spectrum; 1: magnitudes")
    waveform_scale: float = Field(
        default=2.0**31, gt=0, description="factor of the waveform: the settings expect integers"
    )
    gain: float = Field(
        default=0.98, ge=0, le=1, description="strength of the gain control (alpha)"
    )
    bias: float = Field(default=2.0, gt=0, description="what quiet values are lifted by (delta)")
    root: float = Field(default=0.5, gt=0, le=1, description="exponent of the compression (r)")
    eps: float = Field(default=1e-6, ge=LEAST_FLOOR, description="floor of the smoothed energy")
    time_constant_s: float = Field(
        default=0.4, gt=0, le=60, description="of the smoother that the gain follows (s)"
    )

    @model_validator(mode="after")
    def _forgets(self) -> "PcenConfig":
        if self.time_constant_frames > _MOST_FRAMES:
            raise ValueError(
                f"time_constant_s is {self.time_constant_frames:.0f} frames, at most "
                f"{_MOST_FRAMES}: lower it or raise hop_samples"
            )
        return self

    @property
    def time_constant_frames(self) -> float:
        """The time constant in frames."""
        return self.time_constant_s * self.sample_rate / self.hop_length_samples


class Pcen(StftFrontEnd):
    """`(E / (eps + M)^gain + bias)^root - bias^root` of mel energies, `(batch, n_mels, frames)`.

    `M` is the energy `E` smoothed by `M[t] = (1 - s) M[t - 1] + s E[t]` from `M[0] = E[0]` on. The
    smoother looks back only: a frame depends on no later one, nor on padding behind its clip.
    """

    Config: ClassVar[type[FrontEndConfig]] = PcenConfig

    def __init__(self, config: PcenConfig) -> None:
        super().__init__(config, config.filters(), power=config.power)
        self.db_per_unit = None
        self.window *= config.waveform_scale
        self.gain, self.bias, self.root = config.gain, config.bias, config.root
        self.eps = config.eps
        self.weight = smoothing_weight(config.time_constant_frames)

    def finish(self, values: Tensor, lengths_frames: Tensor) -> Tensor:
        """Divide each bin by its own recent past, and compress."""
        level = smooth(values, self.weight) + self.eps
        # Of levels: powers of large numbers would overflow in float32.
        gained = values * (-self.gain * level.log()).exp()
        return (gained + self.bias).pow(self.root) - self.bias**self.root


def smoothing_weight(frames: float) -> float:
    """Return the weight `s` of a first-order smoother whose time constant is `frames`."""
    return 2 / (math.sqrt(1 + 4 * frames**2) + 1)


def smooth(values: Tensor, weight: float) -> Tensor:
    """Return `M[t] = (1 - s) M[t - 1] + s values[t]` with `M[0] = values[0]`, over the last axis.

    A recursion step by step would be slow and could not be exported. Its response, the powers of
    `a = 1 - s`, is the product of `1 + a^(2^k) z^(-2^k)` over `k`: shifted sums that double the
    reach each time, until `a` to the power of the reach is less than 1e-12.
    """
    # Only sums of what is positive: a quiet frame behind a loud one keeps its digits.
    first = torch.arange(values.shape[-1], device=values.device) == 0
    sums = torch.where(first, values, weight * values)
    reach, left = 1, 1 - weight
    exporting = torch.compiler.is_exporting()  # any length then
    while left > _FORGOTTEN and (exporting or reach < values.shape[-1]):
        sums = sums + left * F.pad(sums, (reach, 0))[..., : sums.shape[-1]]
        reach, left = 2 * reach, left * left
    return sums


FRONTENDS.add("pcen", FrontEndPreset(Pcen, PcenConfig()))
# Outdoors: a faster, weaker gain (BirdVoxDetect's settings, Lostanlen et al., 2019).
FRONTENDS.add(
    "pcen_outdoor",
    FrontEndPreset(
        Pcen,
        PcenConfig(
            sample_rate=32000,
            n_fft=1024,
            window_samples=1024,
            hop_samples=320,
            n_mels=128,
            f_min_hz=50,
            mel_scale="slaney",
            mel_norm="slaney",
            gain=0.8,
            bias=10.0,
            root=0.25,
            time_constant_s=0.06,
        ),
    ),
)
