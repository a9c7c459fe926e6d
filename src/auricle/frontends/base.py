"""What every front-end is: waveforms in, `Features` out, batched, on the model's device."""

import copy
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from auricle.core.config import Config
from auricle.core.errors import AudioError, ConfigError
from auricle.tensors import Features

# Bounds that no front-end of the field comes near: a hostile file must not fill the memory.
MOST_POINTS, MOST_BINS = 2**15, 4096

SampleRate = Annotated[int, Field(gt=0, le=1_000_000, description="rate of the waveforms (Hz)")]


class FrontEndConfig(Config):
    """Base of every front-end's configuration."""

    sample_rate: SampleRate = 32000


class FrontEnd(nn.Module):
    """Base of every front-end.

    A front-end states `sample_rate` (Hz), `bins` (rows of its features), `frame_period_s`
    (seconds between frames; None for images), `shortest_samples` (the shortest waveform it
    takes), `frame_count(samples)`, `fixed_frames` (the count that every waveform gives; None:
    longer waveforms give more), `channels` (of images; None for features without that axis),
    `with_waveforms` (whether it hands the waveforms on beside its features),
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
    with_waveforms: bool = False
    db_per_unit: float | None = None
    padding_safe: bool = False
    learns: bool = False
    exported: bool = False

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
        """Return the shortest waveform (samples) that gives at least `frames` frames.

        Raises `ConfigError` where every waveform gives `fixed_frames` and those are fewer.
        """
        raise NotImplementedError

    def feature_shape(self, samples: int) -> tuple[int, ...]:
        """Return the shape of the features of one waveform of `samples`, without the batch axis."""
        shape = (self.bins, self.frame_count(samples))
        return shape if self.channels is None else (self.channels, *shape)

    def outline(self, samples: int) -> Features:
        """Return features of one waveform of `samples` that have shapes and no values."""
        shape = self.feature_shape(samples)
        waveforms = torch.empty(1, samples, device="meta") if self.with_waveforms else None
        lengths = torch.empty(1, dtype=torch.int64, device="meta")
        return Features(torch.empty(1, *shape, device="meta"), lengths, waveforms)

    def for_export(self) -> Self:
        """Return a front-end with the same numbers that holds no FFT operator.

        It lies on the CPU, in evaluation mode, as do the front-ends in it. It checks no lengths,
        so that batch and time stay dynamic.
        """
        twin = copy.deepcopy(self).cpu().eval()
        twin.exported = True
        for name, part in twin.named_children():
            if isinstance(part, FrontEnd):
                setattr(twin, name, part.for_export())
        return twin

    def refuse_short(self, waveforms: Tensor) -> None:
        """Raise `AudioError` for waveforms shorter than `shortest_samples`."""
        samples = waveforms.shape[-1]
        if not self.exported and samples < self.shortest_samples:
            raise AudioError(
                f"the front-end needs at least {self.shortest_samples} samples "
                f"({1000 * self.shortest_samples / self.sample_rate:.0f} ms), got {samples}: "
                "pad the waveform with zeros"
            )

    def __call__(self, waveforms: Tensor, lengths_samples: Tensor) -> Features:  # typed for callers
        """Call `forward`."""
        return super().__call__(waveforms, lengths_samples)


def in_fp32(values: Tensor) -> AbstractContextManager[object]:
    """Compute in float32 under autocast too, where the device of `values` knows autocast."""
    return nullcontext() if values.is_meta else torch.autocast(values.device.type, enabled=False)


def refuse_missing_frames(frames: int, fixed_frames: int, *, option: str) -> None:
    """Raise `ConfigError` where a network needs more frames than every waveform gives."""
    if frames > fixed_frames:
        raise ConfigError(
            f"the network needs at least {frames} frames and the front-end gives {fixed_frames}: "
            f"give --frontend.{option} {frames} or more"
        )


@dataclass(frozen=True)
class FrontEndPreset:
    """A named setting of a front-end: the class and its configuration.

    `tiny` marks presets that exist for tests only.
    """

    build: type[FrontEnd]
    config: FrontEndConfig
    tiny: bool = False
