"""The tensor types that front-ends, augmentations and models hand on."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class Features:
    """What a front-end makes of a batch.

    `values` is `(batch, bins, frames)`, or `(batch, channels, height, width)` for images;
    `lengths_frames` is `(batch,)`. `waveforms` `(batch, time)` rides along only for networks
    that read both.
    """

    values: Tensor
    lengths_frames: Tensor
    waveforms: Tensor | None = None

    def to(self, device: torch.device) -> "Features":
        """Return the features on `device`."""
        waveforms = self.waveforms
        return Features(
            self.values.to(device, non_blocking=True),
            self.lengths_frames.to(device, non_blocking=True),
            None if waveforms is None else waveforms.to(device, non_blocking=True),
        )


@dataclass(frozen=True)
class Batch:
    """Clips of one sample rate, padded with zeros to one length.

    `waveforms` float32 `(batch, time)`, `lengths_samples` int64 `(batch,)`, `sample_rate` Hz,
    `targets` float32 `(batch, classes)` or `(batch, frames, classes)`, or None when predicting.
    `features` are those of the waveforms, once the front-end has made them; where they were stored,
    `waveforms` is `(batch, 0)`.
    """

    waveforms: Tensor
    lengths_samples: Tensor
    sample_rate: int
    targets: Tensor | None = None
    features: Features | None = None

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on `device`."""
        return replace(
            self,
            waveforms=self.waveforms.to(device, non_blocking=True),
            lengths_samples=self.lengths_samples.to(device, non_blocking=True),
            targets=None if self.targets is None else self.targets.to(device, non_blocking=True),
            features=None if self.features is None else self.features.to(device),
        )


@dataclass(frozen=True)
class Output:
    """What a model makes of features.

    `scores` `(batch, classes)` or None (a model of `classes=0` has no head); `scores_are` says
    whether `scores` and `frame_scores` are logits or probabilities; `frame_scores`
    `(batch, frames, classes)`, one row per feature frame, or None; `embedding` `(batch, dim)`
    or None.
    """

    scores: Tensor | None
    scores_are: Literal["logits", "probabilities"] = "logits"
    frame_scores: Tensor | None = None
    embedding: Tensor | None = None
