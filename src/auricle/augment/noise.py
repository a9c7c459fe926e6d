"""Noise under a sound."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor

from auricle.augment import AUGMENTATIONS
from auricle.augment.base import (
    Augmentation,
    AugmentationConfig,
    Decibels,
    Drawn,
    below,
    draw_rows,
    draw_uniform,
    with_rows,
)
from auricle.augment.folder import SoundFolder
from auricle.tensors import Batch

_LOWEST_HZ = 20.0


class SnrConfig(AugmentationConfig):
    """Limits of the signal-to-noise ratio."""

    min_snr_db: Decibels = Field(10.0, description="lowest ratio of sound to noise (dB)")
    max_snr_db: Decibels = Field(40.0, description="highest ratio of sound to noise (dB)")


class NoiseConfig(SnrConfig):
    """Colour of the noise and limits of the signal-to-noise ratio."""

    colour: Literal["white", "pink", "brown"] = Field(
        "pink",
        description="white: equal power a hertz; pink: equal power an octave; brown: half of it "
        "with every octave up, from 20 Hz on",
    )


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
        noise = _coloured(noise, self.config.colour, batch.sample_rate)
        return DrawnNoise(rows, snr_db[rows], start[rows], noise)

    def apply(self, batch: Batch, parameters: DrawnNoise) -> Batch:
        """Add the noise within each clip's length."""
        size = batch.waveforms.shape[1]
        twice = parameters.noise.to(batch.waveforms.device).repeat(2)
        noise = twice.unfold(0, size, 1)[parameters.start.to(batch.waveforms.device)]
        return _under(batch, parameters.rows, noise, parameters.snr_db)


class BackgroundConfig(SnrConfig):
    """Where the recordings are, and limits of the signal-to-noise ratio."""

    folder: str | None = Field(
        None, min_length=1, description="folder of recordings; must be given where the part is on"
    )
    cache_mb: int = Field(
        1024, ge=1, description="memory for the decoded recordings (MB); others are not used"
    )

    @model_validator(mode="after")
    def _has_a_folder(self) -> Self:
        if self.folder is None:
            raise ValueError(
                "needs a folder of recordings: --augment.background_noise.folder FOLDER"
            )
        return self


@dataclass(frozen=True)
class DrawnBackground(Drawn):
    """`snr_db` `(changed,)` and a stretch for each clip, `background` `(changed, time)`."""

    snr_db: Tensor
    background: Tensor


@AUGMENTATIONS.register("background_noise")
class BackgroundNoise(Augmentation[BackgroundConfig, DrawnBackground]):
    """Add a stretch of a recording out of a folder at a signal-to-noise ratio over the clip.

    Files are drawn evenly, then a place in the file; a file shorter than the clip goes round.
    """

    Config = BackgroundConfig
    domain = "waveform"
    rank = 55

    def __init__(self, config: BackgroundConfig) -> None:
        super().__init__(config)
        option = "--augment.background_noise.folder"
        # The configuration has made sure of the folder.
        self._folder = SoundFolder(config.folder or "", option, cache_mb=config.cache_mb)

    def prepare(self, sample_rate: int) -> Sequence[str]:
        """Read the folder."""
        return self._folder.at(sample_rate).notes

    def draw(self, batch: Batch, generator: Generator) -> DrawnBackground:
        """Draw a stretch of a recording and a ratio for each clip."""
        count, size = batch.waveforms.shape
        sounds = self._folder.at(batch.sample_rate)
        rows = draw_rows(batch, self.config.probability, generator)
        snr_db = draw_uniform(batch, self.config.min_snr_db, self.config.max_snr_db, generator)
        which = torch.randint(len(sounds), (count,), generator=generator)[rows]
        places = torch.rand(count, generator=generator)[rows]
        background = sounds.stretches(which.tolist(), places.tolist(), size)
        return DrawnBackground(rows, snr_db[rows], background)

    def apply(self, batch: Batch, parameters: DrawnBackground) -> Batch:
        """Add the stretches within each clip's length."""
        background = parameters.background.to(batch.waveforms.device, copy=True)
        return _under(batch, parameters.rows, background, parameters.snr_db)


def _under(batch: Batch, rows: Tensor, noise: Tensor, snr_db: Tensor) -> Batch:
    """Add `noise` `(changed, time)`, which is written over, to `rows` at a ratio `(changed,)`."""
    device = batch.waveforms.device
    rows = rows.to(device)
    clips, lengths = batch.waveforms[rows], batch.lengths_samples[rows]
    noise *= below(lengths, noise.shape[1])
    # Norms over the length alone: the padding of both is zero.
    ratio = torch.linalg.vector_norm(clips, dim=1)
    ratio = ratio / torch.linalg.vector_norm(noise, dim=1).clamp(min=1e-10)
    noise *= (ratio * 10 ** (-snr_db.to(device) / 20))[:, None]
    return replace(batch, waveforms=with_rows(batch.waveforms, rows, noise.add_(clips)))


def _coloured(white: Tensor, colour: str, sample_rate: int) -> Tensor:
    """Give white noise a power that stays, or falls as 1/f (pink) or 1/f^2 (brown)."""
    if colour == "white":
        return white
    # A power of two: some lengths in samples are primes, on which an FFT is slow.
    size = 1 << (len(white) - 1).bit_length()
    spectrum = torch.fft.rfft(white, size)
    slope = torch.arange(len(spectrum), dtype=torch.float32).clamp(min=1).rsqrt()
    if colour == "brown":
        # Below what is heard the power stays: otherwise nearly all of it would lie there.
        slope = slope.clamp(max=(_LOWEST_HZ * size / sample_rate) ** -0.5).square()
    slope[0] = 0.0
    return torch.fft.irfft(spectrum * slope, size)[: len(white)]
