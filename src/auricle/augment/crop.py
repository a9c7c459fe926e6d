"""A part of a clip in place of the whole."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from pydantic import Field
from torch import Generator, Tensor

from auricle.augment import AUGMENTATIONS
from auricle.augment.base import (
    Augmentation,
    AugmentationConfig,
    Drawn,
    draw_rows,
    draw_uniform,
    with_rows,
)
from auricle.augment.shift import frame_middles, frames_at, overlaid
from auricle.tensors import Batch


class RandomCropConfig(AugmentationConfig):
    """How much of a clip is kept, and what fills the rest."""

    min_share: float = Field(0.5, gt=0.01, le=1, description="least part of the clip that is kept")
    fill: Literal["repeat", "zeros"] = Field(
        "repeat", description="what fills the rest: what was kept, again (repeat), or silence"
    )


@dataclass(frozen=True)
class DrawnCrop(Drawn):
    """The `share` `(changed,)` that is kept and its `position` in the room left, in [0, 1)."""

    share: Tensor
    position: Tensor


@AUGMENTATIONS.register("random_crop")
class RandomCrop(Augmentation[RandomCropConfig, DrawnCrop]):
    """Keep a random part of a clip, and repeat it to the clip's length or leave silence after it.

    The loader crops already (`data.crop`); this crops further, for sounds shorter than the clip.
    """

    Config = RandomCropConfig
    domain = "waveform"
    rank = 5

    def draw(self, batch: Batch, generator: Generator) -> DrawnCrop:
        """Draw how much of each clip is kept, and where."""
        rows = draw_rows(batch, self.config.probability, generator)
        share = draw_uniform(batch, self.config.min_share, 1.0, generator)
        position = draw_uniform(batch, 0.0, 1.0, generator)
        return DrawnCrop(rows, share[rows], position[rows])

    def apply(self, batch: Batch, parameters: DrawnCrop) -> Batch:
        """Crop and repeat the waveforms, and frame targets with them."""
        waveforms, targets = batch.waveforms, batch.targets
        device, size = waveforms.device, waveforms.shape[1]
        rows = parameters.rows.to(device)
        lengths = batch.lengths_samples[rows]
        kept = (parameters.share.to(device) * lengths).ceil().long().clamp(min=1)
        start = (parameters.position.to(device) * (lengths - kept + 1)).long()
        clips = overlaid(waveforms[rows], start[:, None], kept, size)
        repeats = self.config.fill == "repeat"
        if repeats:
            turn = torch.arange(math.ceil(1 / self.config.min_share) + 1, device=device)
            clips = overlaid(clips, -turn * kept[:, None], lengths, size)
        batch = replace(batch, waveforms=with_rows(waveforms, rows, clips))
        if targets is None or targets.ndim == 2:
            return batch
        period = size / targets.shape[1]
        middle = frame_middles(targets, period)
        heard = middle < (lengths if repeats else kept)[:, None]
        source = middle % kept[:, None] + start[:, None]
        taken = frames_at(targets[rows], source, heard, period)
        return replace(batch, targets=with_rows(targets, rows, taken))
