"""Moving a sound within its clip."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
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
    draw_uniform,
    features_of,
    rows_of,
    with_rows,
)
from auricle.tensors import Batch


class TimeShiftConfig(AugmentationConfig):
    """How far a sound moves, and what comes into the gap."""

    max_s: float | None = Field(
        None, ge=0, description="furthest shift either way (s); null: anywhere in the clip"
    )
    fill: Literal["wrap", "zeros"] = Field(
        "wrap", description="what enters: the other end of the clip (wrap) or silence (zeros)"
    )


@dataclass(frozen=True)
class DrawnTimeShift(Drawn):
    """`position` `(changed,)` in [-1, 1): the part of the furthest shift; positive is later."""

    position: Tensor


@AUGMENTATIONS.register("time_shift")
class TimeShift(Augmentation[TimeShiftConfig, DrawnTimeShift]):
    """Move a sound earlier or later within its clip; its padding stays where it is."""

    Config = TimeShiftConfig
    domain = "waveform"
    rank = 20

    def draw(self, batch: Batch, generator: Generator) -> DrawnTimeShift:
        """Draw how far and which way each clip moves."""
        rows = draw_rows(batch, self.config.probability, generator)
        return DrawnTimeShift(rows, draw_uniform(batch, -1.0, 1.0, generator)[rows])

    def apply(self, batch: Batch, parameters: DrawnTimeShift) -> Batch:
        """Move the waveforms, and frame targets with them."""
        device = batch.waveforms.device
        rows = parameters.rows.to(device)
        lengths = batch.lengths_samples[rows]
        furthest = lengths.float()
        if self.config.max_s is not None:
            furthest = furthest.clamp(max=self.config.max_s * batch.sample_rate)
        shift = (parameters.position.to(device) * furthest).round().long()
        moved = _moved(rows_of(batch.waveforms, rows), shift, lengths, self.config.fill)
        batch = replace(batch, waveforms=with_rows(batch.waveforms, rows, moved))
        if batch.targets is None or batch.targets.ndim == 2:
            return batch
        return replace(
            batch, targets=_move_targets(batch, batch.targets, rows, shift, self.config.fill)
        )


class FrameShiftConfig(AugmentationConfig):
    """How far features move."""

    max_frames: int | None = Field(
        None, ge=0, description="furthest shift either way (frames); null: anywhere in the clip"
    )


@AUGMENTATIONS.register("frame_shift")
class FrameShift(Augmentation[FrameShiftConfig, DrawnTimeShift]):
    """Move features earlier or later by whole frames, round the clip, and frame targets exactly.

    As the baseline of DCASE's task 4 does for weakly and strongly labelled sound (Turpault et al.,
    "Sound Event Detection in Domestic Environments", DCASE 2019), with an even draw in place of its
    normal one. Padding stays where it is; waveforms that ride along move with the features.
    """

    Config = FrameShiftConfig
    domain = "features"
    rank = 105

    def draw(self, batch: Batch, generator: Generator) -> DrawnTimeShift:
        """Draw how far and which way each clip moves."""
        rows = draw_rows(batch, self.config.probability, generator)
        return DrawnTimeShift(rows, draw_uniform(batch, -1.0, 1.0, generator)[rows])

    def apply(self, batch: Batch, parameters: DrawnTimeShift) -> Batch:
        """Move the features, and frame targets and waveforms with them."""
        features = features_of(batch)
        values, device = features.values, features.values.device
        rows = parameters.rows.to(device)
        lengths = features.lengths_frames[rows]
        furthest = lengths if self.config.max_frames is None else self.config.max_frames
        shift = (parameters.position.to(device) * furthest).round().long()
        place = torch.arange(values.shape[-1], device=device)
        source = (place - shift[:, None]) % lengths.clamp(min=1)[:, None]
        source = torch.where(below(lengths, values.shape[-1]), source, place)
        moved = values[rows].gather(-1, along(source, values).expand_as(values[rows]))
        waveforms, targets = features.waveforms, batch.targets
        if waveforms is not None:
            samples = (shift * (waveforms.shape[1] / values.shape[-1])).round().long()
            heard = batch.lengths_samples[rows]
            turned = _moved(waveforms[rows], samples, heard, "wrap")
            waveforms = with_rows(waveforms, rows, turned)
        if targets is not None and targets.ndim == 3:
            taken = targets[rows].gather(1, source[..., None].expand(-1, -1, targets.shape[2]))
            targets = with_rows(targets, rows, taken)
        features = replace(features, values=with_rows(values, rows, moved), waveforms=waveforms)
        return replace(batch, features=features, targets=targets)


def frame_middles(targets: Tensor, period: float) -> Tensor:
    """Return the place `(frames,)`, in samples, of the middle of each frame of `targets`.

    `targets` `(n, frames, classes)` has a frame every `period` samples.
    """
    return (torch.arange(targets.shape[1], device=targets.device) + 0.5) * period


def frames_at(targets: Tensor, places: Tensor, heard: Tensor, period: float) -> Tensor:
    """Take from `targets` `(n, frames, classes)` the frames at `places` `(n, frames)`, in samples.

    Where nothing is `heard` `(n, frames)` there is nothing to find: zeros.
    """
    frames, classes = targets.shape[1:]
    source = (places / period).long().clamp(max=frames - 1)
    return targets.gather(1, source[..., None].expand(-1, -1, classes)) * heard[..., None]


def overlaid(values: Tensor, starts: Tensor, lengths: Tensor, count: int) -> Tensor:
    """Read `count` places of each row of `values` `(n, size)` from several starts, and add.

    `starts` `(n, reads)` may lie before the beginning or past the end; zeros are read there, and
    from each row's `lengths` `(n,)` on. Returns `(n, count)`.
    """
    if values.device.type == "cpu":
        return _overlaid_by_row(values, starts.tolist(), lengths.tolist(), count)
    starts = starts.clamp(-count, values.shape[1]) + count
    # A view that holds every window of the padded rows: one copy, and no table of indices, which
    # would be twice as large as the sound.
    windows = F.pad(values, (count, count)).unfold(1, count, 1)
    row = torch.arange(len(windows), device=values.device)
    read = values.new_zeros(len(values), count)
    for start in starts.T:
        read += windows[row, start]
    return read * below(lengths, count)


def _overlaid_by_row(
    values: Tensor, starts: list[list[int]], lengths: list[int], count: int
) -> Tensor:
    """Do as `overlaid`, row by row: a processor's cache holds a row and not a batch."""
    size = values.shape[1]
    read = values.new_empty(len(values), count)
    for row, (row_starts, length) in enumerate(zip(starts, lengths, strict=True)):
        target, source = read[row].zero_(), values[row]
        for start in row_starts:
            low, high = max(start, 0), min(start + min(count, length), size)
            if low < high:
                target[low - start : high - start] += source[low:high]
    return read


def _moved(values: Tensor, shift: Tensor, lengths: Tensor, fill: str) -> Tensor:
    starts = -shift[:, None]
    if fill == "wrap":
        other_end = torch.where(shift < 0, -lengths, lengths) - shift
        starts = torch.stack([-shift, other_end], 1)
    return overlaid(values, starts, lengths, values.shape[1])


def _move_targets(batch: Batch, targets: Tensor, rows: Tensor, shift: Tensor, fill: str) -> Tensor:
    (frames, classes), samples = targets.shape[1:], batch.waveforms.shape[1]
    shift_frames = (shift * (frames / samples)).round().long().repeat_interleave(classes)
    lengths = -(-batch.lengths_samples[rows] * frames // samples).repeat_interleave(classes)
    series = targets[rows].transpose(1, 2).reshape(-1, frames)
    moved = _moved(series * below(lengths, frames), shift_frames, lengths, fill)
    return with_rows(targets, rows, moved.reshape(-1, classes, frames).transpose(1, 2))
