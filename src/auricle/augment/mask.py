"""Hiding stretches of time and bands of frequency."""

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Generator, Tensor

from auricle.augment import AUGMENTATIONS
from auricle.augment.base import (
    Augmentation,
    AugmentationConfig,
    Drawn,
    along,
    below,
    draw_rows,
    features_of,
    with_feature_rows,
)
from auricle.tensors import Batch


class SpecAugmentConfig(AugmentationConfig):
    """Number and size of the masks; the values are those of PANNs."""

    time_masks: int = Field(2, ge=0, description="masks over time")
    max_time_frames: int = Field(64, ge=0, description="widest mask over time (frames)")
    max_time_share: float = Field(
        0.2, ge=0, le=1, description="widest mask over time as a part of the clip"
    )
    freq_masks: int = Field(2, ge=0, description="masks over frequency")
    max_freq_bins: int = Field(8, ge=0, description="widest mask over frequency (bins)")


@dataclass(frozen=True)
class DrawnMasks(Drawn):
    """Width and place of each mask, `(changed, masks, 2)`, as parts in [0, 1) of their limits."""

    time: Tensor
    freq: Tensor


@AUGMENTATIONS.register("spec_augment")
class SpecAugment(Augmentation[SpecAugmentConfig, DrawnMasks]):
    """Hide stretches of time and bands of frequency behind the bin's mean.

    SpecAugment (Park et al., Interspeech 2019) with the stripes of PANNs (Kong et al., 2020). The
    filling is each bin's mean over the clip's own frames: 0 in a log-mel is a loud sound.
    """

    Config = SpecAugmentConfig
    domain = "features"
    rank = 160

    def draw(self, batch: Batch, generator: Generator) -> DrawnMasks:
        """Draw a width and a place for each mask of each clip."""
        count = len(batch.waveforms)
        rows = draw_rows(batch, self.config.probability, generator)
        time = torch.rand(count, self.config.time_masks, 2, generator=generator)
        freq = torch.rand(count, self.config.freq_masks, 2, generator=generator)
        return DrawnMasks(rows, time[rows], freq[rows])

    def apply(self, batch: Batch, parameters: DrawnMasks) -> Batch:
        """Fill the masks."""
        features = features_of(batch)
        device, (bins, frames) = features.values.device, features.values.shape[-2:]
        rows = parameters.rows.to(device)
        values, lengths = features.values[rows], features.lengths_frames[rows]
        widest = (lengths * self.config.max_time_share).long()
        widest = widest.clamp(max=self.config.max_time_frames)
        over_time = _stripes(parameters.time.to(device), widest, lengths, frames)
        tallest = torch.full_like(lengths, min(self.config.max_freq_bins, bins))
        over_freq = _stripes(
            parameters.freq.to(device), tallest, torch.full_like(lengths, bins), bins
        )
        heard = along(below(lengths, frames), values)
        mean = (values * heard).sum(-1, keepdim=True) / along(lengths.clamp(min=1), values)
        hidden = along(over_time, values, -1) | along(over_freq, values, -2)
        return with_feature_rows(batch, rows, torch.where(hidden, mean, values))


def _stripes(drawn: Tensor, widest: Tensor, room: Tensor, size: int) -> Tensor:
    """Return a mask `(n, size)` of stripes up to `widest` within the first `room` places."""
    width = (drawn[..., 0] * (widest[:, None] + 1)).long()
    start = (drawn[..., 1] * (room[:, None] - width + 1)).long()
    place = torch.arange(size, device=drawn.device)
    within = (place >= start[..., None]) & (place < (start + width)[..., None])
    return within.any(1)
