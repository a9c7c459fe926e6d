"""Noise under a sound."""

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


class NoiseConfig(AugmentationConfig):
    """Colour of the noise and limits of the signal-to-noise ratio."""

    colour: Literal["white", "pink"] = Field(
        "pink", description="white: equal power a hertz; pink: equal power an octave"
    )
    min_snr_db: float = Field(10.0, description="lowest ratio of sound to noise (dB)")
    max_snr_db: float = Field(40.0, description="highest ratio of sound to noise (dB)")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_snr_db > self.max_snr_db:
            raise ValueError("min_snr_db must not be above max_snr_db")
        return self


@dataclass(frozen=True)
class DrawnNoise(Drawn):
    """`snr_db` `(changed,)`, `start` `(changed,)` in samples, and one stretch `noise` `(time,)`.

    Every clip reads the same stretch, circularly, from a place of its own: drawing a new one for
    each would cost more than the rest of the step's augmentation.
    """

    snr_db: Tensor
    start: Tensor
    noise: Tensor


@AUGMENTATIONS.register("noise")
class Noise(Augmentation[NoiseConfig, DrawnNoise]):
    """Add noise at a signal-to-noise ratio over the clip's length; silence stays silent."""

    Config = NoiseConfig
    domain = "waveform"
    rank = 50

    def draw(self, batch: Batch, generator: Generator) -> DrawnNoise:
        """Draw the noise, and for each clip its ratio and where it starts to read."""
        count, size = batch.waveforms.shape
        rows = draw_rows(batch, self.config.probability, generator)
        snr_db = draw_uniform(batch, self.config.min_snr_db, self.config.max_snr_db, generator)
        start = torch.randint(size, (count,), generator=generator)
        noise = torch.randn(size, generator=generator)
        if self.config.colour == "pink":
            noise = _pink(noise)
        return DrawnNoise(rows, snr_db[rows], start[rows], noise)

    def apply(self, batch: Batch, parameters: DrawnNoise) -> Batch:
        """Add the noise within each clip's length."""
        device, size = batch.waveforms.device, batch.waveforms.shape[1]
        rows = parameters.rows.to(device)
        clips, lengths = batch.waveforms[rows], batch.lengths_samples[rows]
        twice = parameters.noise.to(device).repeat(2)
        noise = twice.unfold(0, size, 1)[parameters.start.to(device)]
        noise *= below(lengths, size)
        # Norms over the length alone: the padding of both is zero.
        ratio = torch.linalg.vector_norm(clips, dim=1)
        ratio = ratio / torch.linalg.vector_norm(noise, dim=1).clamp(min=1e-10)
        noise *= (ratio * 10 ** (-parameters.snr_db.to(device) / 20))[:, None]
        return replace(batch, waveforms=with_rows(batch.waveforms, rows, noise.add_(clips)))


def _pink(white: Tensor) -> Tensor:
    """Give white noise a power that falls as 1/f."""
    # A power of two: some lengths in samples are primes, on which an FFT is slow.
    size = 1 << (len(white) - 1).bit_length()
    spectrum = torch.fft.rfft(white, size)
    slope = torch.arange(len(spectrum), dtype=torch.float32).clamp(min=1).rsqrt()
    slope[0] = 0.0
    return torch.fft.irfft(spectrum * slope, size)[: len(white)]
