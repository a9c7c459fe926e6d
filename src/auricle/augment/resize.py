"""Stretching and moving features in time and frequency."""

from dataclasses import dataclass, replace

import torch
from pydantic import Field
from torch import Generator, Tensor

from auricle.augment import AUGMENTATIONS
from auricle.augment.base import (
    Augmentation,
    AugmentationConfig,
    Drawn,
    along,
    draw_rows,
    draw_uniform,
    features_of,
    with_feature_rows,
    with_rows,
)
from auricle.tensors import Batch


class RandomResizedConfig(AugmentationConfig):
    """Limits of the stretch; 2.0 shows twice as much in the same room, 0.5 half."""

    min_time_factor: float = Field(0.8, gt=0, le=4, description="lowest factor in time")
    max_time_factor: float = Field(1.25, gt=0, le=4, description="highest factor in time")
    min_freq_factor: float = Field(0.9, gt=0, le=4, description="lowest factor in frequency")
    max_freq_factor: float = Field(1.1, gt=0, le=4, description="highest factor in frequency")


@dataclass(frozen=True)
class DrawnResize(Drawn):
    """Factors `(changed,)`, and where the window lies in the room that is left, in [0, 1)."""

    time_factor: Tensor
    freq_factor: Tensor
    time_position: Tensor
    freq_position: Tensor


@AUGMENTATIONS.register("random_resized")
class RandomResized(Augmentation[RandomResizedConfig, DrawnResize]):
    """Show a random window of the features at full size, by linear interpolation.

    Random resize crop (BYOL-A: Niizumi et al., IJCNN 2021). A window longer than the clip goes
    round it; one taller than the bins repeats the outer ones. Padding stays where it is, and so
    do waveforms that ride along.
    """

    Config = RandomResizedConfig
    domain = "features"
    rank = 110

    def draw(self, batch: Batch, generator: Generator) -> DrawnResize:
        """Draw two factors and a place for each clip."""
        config = self.config
        rows = draw_rows(batch, config.probability, generator)
        time = draw_uniform(batch, config.min_time_factor, config.max_time_factor, generator)
        freq = draw_uniform(batch, config.min_freq_factor, config.max_freq_factor, generator)
        places = torch.rand(2, len(batch.waveforms), generator=generator)
        return DrawnResize(rows, time[rows], freq[rows], places[0, rows], places[1, rows])

    def apply(self, batch: Batch, parameters: DrawnResize) -> Batch:
        """Interpolate the features, and take the nearest frame targets."""
        features = features_of(batch)
        device, (bins, frames) = features.values.device, features.values.shape[-2:]
        rows = parameters.rows.to(device)
        lengths = features.lengths_frames[rows].clamp(min=1)[:, None]
        factor = parameters.time_factor.to(device)[:, None]
        start = parameters.time_position.to(device)[:, None] * (lengths * (1 - factor)).clamp(min=0)
        place = torch.arange(frames, device=device)
        source = torch.where(place < lengths, (start + place * factor) % lengths, place)
        # Past a clip's last frame lies its padding, which must not leak in.
        last = torch.where(place < lengths, lengths - 1, frames - 1)
        values = _interpolated(features.values[rows], source, last, -1)
        factor = parameters.freq_factor.to(device)[:, None]
        start = parameters.freq_position.to(device)[:, None] * (bins - 1) * (1 - factor)
        source_bins = start + torch.arange(bins, device=device) * factor
        source_bins = source_bins.clamp(0, bins - 1)
        values = _interpolated(values, source_bins, torch.tensor(bins - 1, device=device), -2)
        return _with_targets_at(with_feature_rows(batch, rows, values), rows, source, last)


class TimeWarpConfig(AugmentationConfig):
    """How far time is bent."""

    max_frames: int = Field(
        40, ge=0, description="furthest that a moment moves (frames), at most a quarter of the clip"
    )


@dataclass(frozen=True)
class DrawnTimeWarp(Drawn):
    """`centre` `(changed,)` in [0, 1): which moment moves; `shift` `(changed,)` in [-1, 1)."""

    centre: Tensor
    shift: Tensor


@AUGMENTATIONS.register("time_warp")
class TimeWarp(Augmentation[TimeWarpConfig, DrawnTimeWarp]):
    """Move one moment of the features, and stretch and squeeze what lies on either side of it.

    The time warping of SpecAugment (Park et al., Interspeech 2019), by linear interpolation. The
    first and the last frame stay where they are, as do padding and waveforms that ride along.
    """

    Config = TimeWarpConfig
    domain = "features"
    rank = 115

    def draw(self, batch: Batch, generator: Generator) -> DrawnTimeWarp:
        """Draw a moment and a shift for each clip."""
        rows = draw_rows(batch, self.config.probability, generator)
        centre = draw_uniform(batch, 0.0, 1.0, generator)
        shift = draw_uniform(batch, -1.0, 1.0, generator)
        return DrawnTimeWarp(rows, centre[rows], shift[rows])

    def apply(self, batch: Batch, parameters: DrawnTimeWarp) -> Batch:
        """Interpolate the features, and take the nearest frame targets."""
        features = features_of(batch)
        device, frames = features.values.device, features.values.shape[-1]
        rows = parameters.rows.to(device)
        lengths = features.lengths_frames[rows].clamp(min=1)[:, None]
        last = lengths - 1
        furthest = (last // 4).clamp(max=self.config.max_frames)
        room = last - 2 * furthest
        centre = furthest + parameters.centre.to(device)[:, None] * room
        moved = centre + parameters.shift.to(device)[:, None] * furthest
        place = torch.arange(frames, device=device)
        before = place * (centre / moved.clamp(min=1e-6))
        after = last - (last - place) * ((last - centre) / (last - moved).clamp(min=1e-6))
        source = torch.where(place < moved, before, after)
        source = torch.where(place < lengths, torch.minimum(source.clamp(min=0), last), place)
        # Past a clip's last frame lies its padding, which must not leak in.
        last = torch.where(place < lengths, last, frames - 1)
        values = _interpolated(features.values[rows], source, last, -1)
        return _with_targets_at(with_feature_rows(batch, rows, values), rows, source, last)


class FreqShiftConfig(AugmentationConfig):
    """How far features move up or down."""

    max_bins: int = Field(2, ge=0, description="furthest shift up or down (bins)")


@dataclass(frozen=True)
class DrawnFreqShift(Drawn):
    """`shift_bins` `(changed,)`; positive is up."""

    shift_bins: Tensor


@AUGMENTATIONS.register("freq_shift")
class FreqShift(Augmentation[FreqShiftConfig, DrawnFreqShift]):
    """Move features up or down by whole bins; the outer bin fills the gap."""

    Config = FreqShiftConfig
    domain = "features"
    rank = 120

    def draw(self, batch: Batch, generator: Generator) -> DrawnFreqShift:
        """Draw a shift for each clip."""
        rows = draw_rows(batch, self.config.probability, generator)
        most, count = self.config.max_bins, len(batch.waveforms)
        shift_bins = torch.randint(-most, most + 1, (count,), generator=generator)
        return DrawnFreqShift(rows, shift_bins[rows])

    def apply(self, batch: Batch, parameters: DrawnFreqShift) -> Batch:
        """Move the features."""
        values = features_of(batch).values
        bins, rows = values.shape[-2], parameters.rows.to(values.device)
        shift = parameters.shift_bins.to(values.device)[:, None]
        source = (torch.arange(bins, device=values.device) - shift).clamp(0, bins - 1)
        return with_feature_rows(batch, rows, _taken(values[rows], source, -2))


def _with_targets_at(batch: Batch, rows: Tensor, source: Tensor, last: Tensor) -> Batch:
    """Take for each frame of `rows` the frame targets nearest to its `source` `(n, frames)`."""
    if batch.targets is None or batch.targets.ndim == 2:
        return batch
    nearest = torch.minimum((source + 0.5).long(), last)[..., None]
    taken = batch.targets[rows].gather(1, nearest.expand(-1, -1, batch.targets.shape[2]))
    return replace(batch, targets=with_rows(batch.targets, rows, taken))


def _interpolated(values: Tensor, places: Tensor, last: Tensor, axis: int) -> Tensor:
    """Read `values` `(n, …)` at `places` `(n, size)` along `axis`; nothing lies past `last`."""
    before = torch.minimum(places.long(), last)
    after = torch.minimum(before + 1, last)
    weight = along(places - before, values, axis).to(values.dtype)
    return torch.lerp(_taken(values, before, axis), _taken(values, after, axis), weight)


def _taken(values: Tensor, index: Tensor, axis: int) -> Tensor:
    return values.gather(axis, along(index, values, axis).expand(values.shape))
