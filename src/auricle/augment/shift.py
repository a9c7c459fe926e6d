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
    below,
    draw_rows,
    draw_uniform,
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
