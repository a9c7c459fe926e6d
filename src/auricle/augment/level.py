"""Level and sign of a waveform."""

from dataclasses import dataclass, replace

import torch
from pydantic import Field
from torch import Generator, Tensor

from auricle.augment import AUGMENTATIONS
from auricle.augment.base import (
    Augmentation,
    AugmentationConfig,
    Decibels,
    Drawn,
    draw_rows,
    draw_uniform,
)
from auricle.tensors import Batch


class GainConfig(AugmentationConfig):
    """Limits of the change of level, in dB."""

    min_db: Decibels = Field(-6.0, description="lowest change of level (dB)")
    max_db: Decibels = Field(6.0, description="highest change of level (dB)")


@dataclass(frozen=True)
class DrawnGain(Drawn):
    """`gain_db` `(changed,)`."""

    gain_db: Tensor


@AUGMENTATIONS.register("gain")
class Gain(Augmentation[GainConfig, DrawnGain]):
    """Change a clip's level by a number of dB drawn evenly; samples may pass 1.0."""

    Config = GainConfig
    domain = "waveform"
    rank = 40

    def draw(self, batch: Batch, generator: Generator) -> DrawnGain:
        """Draw a change of level for each clip."""
        rows = draw_rows(batch, self.config.probability, generator)
        gain_db = draw_uniform(batch, self.config.min_db, self.config.max_db, generator)
        return DrawnGain(rows, gain_db[rows])

    def apply(self, batch: Batch, parameters: DrawnGain) -> Batch:
        """Scale the waveforms."""
        return _scaled(batch, parameters.rows, 10 ** (parameters.gain_db / 20))


@AUGMENTATIONS.register("polarity")
class Polarity(Augmentation[AugmentationConfig, Drawn]):
    """Turn a waveform upside down, which nobody hears but a network on samples sees."""

    Config = AugmentationConfig
    domain = "waveform"
    rank = 30

    def draw(self, batch: Batch, generator: Generator) -> Drawn:
        """Draw which clips are turned."""
        return Drawn(draw_rows(batch, self.config.probability, generator))

    def apply(self, batch: Batch, parameters: Drawn) -> Batch:
        """Negate the waveforms."""
        return _scaled(batch, parameters.rows, torch.full((len(parameters.rows),), -1.0))


def _scaled(batch: Batch, rows: Tensor, factors: Tensor) -> Batch:
    scale = torch.ones(len(batch.waveforms), 1).index_copy(0, rows, factors[:, None])
    return replace(batch, waveforms=batch.waveforms * scale.to(batch.waveforms))
