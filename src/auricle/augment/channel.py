"""What a channel between the sound and the network takes away: band limits and quantisation."""

import math
from dataclasses import dataclass, replace
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor

from auricle.augment import AUGMENTATIONS
from auricle.augment.base import (
    Augmentation,
    AugmentationConfig,
    Drawn,
    below,
    draw_rows,
    draw_uniform,
    with_rows,
)
from auricle.tensors import Batch

_RING_S = 0.1  # room behind the clip, so that the filter's ringing does not come round
_MU = 255.0


class BandLimitConfig(AugmentationConfig):
    """Where the band ends, and how steeply."""

    passes: Literal["low", "high", "band"] = Field(
        "band", description="what is left: the low part, the high part, or the band between"
    )
    min_lowpass_hz: float = Field(2000.0, gt=0, description="lowest upper end of the band (Hz)")
    max_lowpass_hz: float = Field(7500.0, gt=0, description="highest upper end of the band (Hz)")
    min_highpass_hz: float = Field(50.0, gt=0, description="lowest lower end of the band (Hz)")
    max_highpass_hz: float = Field(400.0, gt=0, description="highest lower end of the band (Hz)")
    order: int = Field(8, ge=1, le=16, description="steepness of the ends: 6 dB an octave for each")

    @model_validator(mode="after")
    def _leaves_a_band(self) -> Self:
        if self.passes == "band" and self.max_highpass_hz >= self.min_lowpass_hz:
            raise ValueError("max_highpass_hz must be below min_lowpass_hz: no band would be left")
        return self


@dataclass(frozen=True)
class DrawnBandLimit(Drawn):
    """`lowpass_hz` and `highpass_hz` `(changed,)`: where each end has lost 3 dB."""

    lowpass_hz: Tensor
    highpass_hz: Tensor


@AUGMENTATIONS.register("band_limit")
class BandLimit(Augmentation[BandLimitConfig, DrawnBandLimit]):
    """Take away what lies above, below or outside a band, as a small speaker or a telephone does.

    The ends are drawn evenly over octaves. The filter has the magnitudes of a Butterworth filter
    (Butterworth, "On the Theory of Filter Amplifiers", 1930) and no phase: nothing is delayed.
    An end above half the sample rate does nothing.
    """

    Config = BandLimitConfig
    domain = "waveform"
    rank = 80

    def draw(self, batch: Batch, generator: Generator) -> DrawnBandLimit:
        """Draw both ends for each clip."""
        config = self.config
        rows = draw_rows(batch, config.probability, generator)
        low = _draw_octaves(batch, config.min_lowpass_hz, config.max_lowpass_hz, generator)
        high = _draw_octaves(batch, config.min_highpass_hz, config.max_highpass_hz, generator)
        return DrawnBandLimit(rows, low[rows], high[rows])

    def apply(self, batch: Batch, parameters: DrawnBandLimit) -> Batch:
        """Filter the waveforms."""
        device, size = batch.waveforms.device, batch.waveforms.shape[1]
        rows = parameters.rows.to(device)
        fft_size = 1 << (size + math.ceil(_RING_S * batch.sample_rate) - 1).bit_length()
        hz = torch.arange(fft_size // 2 + 1, device=device) * (batch.sample_rate / fft_size)
        gain = torch.ones(len(rows), len(hz), device=device)
        twice = 2 * self.config.order
        if self.config.passes != "high":
            gain *= (1 + (hz / parameters.lowpass_hz.to(device)[:, None]) ** twice).rsqrt()
        if self.config.passes != "low":
            gain *= (1 + (parameters.highpass_hz.to(device)[:, None] / hz) ** twice).rsqrt()
        spectra = torch.fft.rfft(batch.waveforms[rows], fft_size) * gain
        filtered = torch.fft.irfft(spectra, fft_size)[:, :size]
        filtered = filtered * below(batch.lengths_samples[rows], size)
        return replace(batch, waveforms=with_rows(batch.waveforms, rows, filtered))


def _draw_octaves(batch: Batch, low: float, high: float, generator: Generator) -> Tensor:
    return 2 ** draw_uniform(batch, math.log2(low), math.log2(high), generator)


class QuantiseConfig(AugmentationConfig):
    """How coarse the samples become."""

    law: Literal["mu_law", "linear"] = Field(
        "mu_law", description="mu_law: fine steps for quiet samples, as telephones do; linear"
    )
    min_bits: int = Field(6, ge=2, le=16, description="fewest bits a sample")
    max_bits: int = Field(10, ge=2, le=16, description="most bits a sample")


@dataclass(frozen=True)
class DrawnQuantise(Drawn):
    """`bits` `(changed,)` a sample."""

    bits: Tensor


@AUGMENTATIONS.register("quantise")
class Quantise(Augmentation[QuantiseConfig, DrawnQuantise]):
    """Round samples to a few bits, and clip what is beyond full scale.

    `mu_law` is the continuous curve behind ITU-T G.711 (mu = 255), at the clip's own sample rate;
    with `band_limit` before it, which is the order, it is a telephone. Silence stays silent.
    """

    Config = QuantiseConfig
    domain = "waveform"
    rank = 85

    def draw(self, batch: Batch, generator: Generator) -> DrawnQuantise:
        """Draw a number of bits for each clip."""
        rows = draw_rows(batch, self.config.probability, generator)
        low, high = self.config.min_bits, self.config.max_bits
        bits = torch.randint(low, high + 1, (len(batch.waveforms),), generator=generator)
        return DrawnQuantise(rows, bits[rows])

    def apply(self, batch: Batch, parameters: DrawnQuantise) -> Batch:
        """Round the waveforms."""
        device = batch.waveforms.device
        rows = parameters.rows.to(device)
        steps = 2.0 ** (parameters.bits.to(device)[:, None] - 1) - 1
        values = batch.waveforms[rows].clamp(-1, 1)
        if self.config.law == "linear":
            values = (values * steps).round() / steps
        else:
            curved = values.sign() * (values.abs() * _MU).log1p() / math.log1p(_MU)
            curved = (curved * steps).round() / steps
            values = curved.sign() * (curved.abs() * math.log1p(_MU)).expm1() / _MU
        return replace(batch, waveforms=with_rows(batch.waveforms, rows, values))
