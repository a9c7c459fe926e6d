"""What every front-end is: waveforms in, `Features` out, batched, on the model's device."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from auricle.core.config import Config
from auricle.tensors import Features

MOST_POINTS, MOST_BINS = 2**17, 4096
"""Bounds that no front-end of the field comes near: a hostile file must not fill the memory."""


class FrontEndConfig(Config):
    """Base of every front-end's configuration."""

    sample_rate: int = Field(
        default=32000, gt=0, le=1_000_000, description="rate of the waveforms (Hz)"
    )


class FrontEnd(nn.Module):
    """Base of every front-end.

    A front-end states `sample_rate` (Hz), `bins` (rows of its features), `frame_period_s`
    (seconds between frames; None for images), `shortest_samples` (the shortest waveform it
    takes), `frame_count(samples)`, `fixed_frames` (the count that every waveform gives; None:
    longer waveforms give more), `channels` (of images; None for features without that axis),
    `db_per_unit` (what 1 in its features is in dB; None: they are no logarithms, or each clip has
    its own unit) and `padding_safe` (whether the zeros behind a shorter clip of a batch leave that
    clip's own frames alone). `for_export` gives an equal module whose Fourier transform is a
    convolution, which every inference engine loads.

    Its constants follow from its configuration and stand in no state dict. One that `learns` holds
    parameters too: they are saved with the classifier, trained unless it freezes them (it keeps
    frozen parts in evaluation mode itself), and built without values of their own, so that loading
    a classifier needs no other file. It runs in the network's precision; others in fp32.
    """

    Config: ClassVar[type[FrontEndConfig]]
    bins: int
    frame_period_s: float | None
    shortest_samples: int
    fixed_frames: int | None = None
    channels: int | None = None
    db_per_unit: float | None = None
    padding_safe: bool = False
    learns: bool = False

    def __init__(self, config: FrontEndConfig) -> None:
        super().__init__()
        self.config = config
        self.sample_rate = config.sample_rate

    def forward(self, waveforms: Tensor, lengths_samples: Tensor) -> Features:
        """Turn `(batch, time)` waveforms of `(batch,)` lengths (samples) into features."""
        raise NotImplementedError

    def frame_count(self, samples: int) -> int:
        """Return the number of frames that a waveform of `samples` gives."""
        raise NotImplementedError

    def samples_for_frames(self, frames: int) -> int:
        """Return the shortest waveform (samples) that gives at least `frames` frames."""
        raise NotImplementedError

    def feature_shape(self, samples: int) -> tuple[int, ...]:
        """Return the shape of the features of one waveform of `samples`, without the batch axis."""
        shape = (self.bins, self.frame_count(samples))
        return shape if self.channels is None else (self.channels, *shape)

    def for_export(self) -> "FrontEnd":
        """Return a front-end with the same numbers that holds no FFT operator."""
        raise NotImplementedError

    def __call__(self, waveforms: Tensor, lengths_samples: Tensor) -> Features:  # typed for callers
        """Call `forward`."""
        return super().__call__(waveforms, lengths_samples)


def in_fp32(values: Tensor) -> AbstractContextManager[object]:
    """Compute in float32 under autocast too, where the device of `values` knows autocast."""
    return nullcontext() if values.is_meta else torch.autocast(values.device.type, enabled=False)


@dataclass(frozen=True)
class FrontEndPreset:
    """A named setting of a front-end: the class and its configuration.

    `tiny` marks presets that exist for tests only.
    """

    build: type[FrontEnd]
    config: FrontEndConfig
    tiny: bool = False
