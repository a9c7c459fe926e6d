"""From a stream of blocks to the windows that a network scores.

A clip of at most one window is one window. A longer one is cut at 0, hop, 2 hop, ... and, where
those leave a rest, once more at the clip's end: that last window ends with the clip and starts
less than a hop after the one before it. A rest of up to a hundredth of a window is heard with the
window before it, which is that much longer: "5 s" files of 5.001 s are not scored twice. So every
sample is scored and no window is mostly padding. Level is set for each window by itself, so that a
stream gives what a file gives.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from auricle.audio import pad_to, set_level
from auricle.core.types import FloatArray
from auricle.core.units import seconds_to_samples
from auricle.runtime.spec import ClassifierSpec

LongClips = Literal["windows", "centre", "start", "whole"]

LEEWAY_PARTS = 100
"""A rest of up to a window's so-manieth part is heard with the window before it."""


@dataclass(frozen=True, eq=False)
class Window:
    """One stretch of a clip, ready for the network.

    `samples` `(time,)` are levelled and padded; the first `length_samples` of them are what the
    network is told to hear. The window shows the clip's samples from `start_samples` on,
    `content_samples` of them.
    """

    samples: FloatArray
    length_samples: int
    start_samples: int
    content_samples: int

    @property
    def end_samples(self) -> int:
        """Where in the clip the window ends, in samples."""
        return self.start_samples + self.content_samples


def cut_windows(
    blocks: Iterable[FloatArray],
    spec: ClassifierSpec,
    long_clips: LongClips,
    *,
    keep_start: bool = False,
) -> Iterator[Window]:
    """Cut one clip, given as consecutive blocks `(time,)`, into prepared windows.

    Memory stays at about a window and a block, except that `whole` holds the clip and `centre`
    half of it. `start` reads no further than it needs. `keep_start`: zeros come only behind the
    sound, so that what is heard when in a window is when it was in the clip.
    """
    window = seconds_to_samples(spec.window_s, spec.sample_rate)
    if long_clips == "windows":
        hop = max(1, seconds_to_samples(spec.hop_s, spec.sample_rate))
        stretches = _overlapping(blocks, window, hop)
    elif long_clips == "centre":
        stretches = _centre(blocks, window)
    elif long_clips == "start":
        stretches = _start(blocks, window)
    else:
        stretches = _whole(blocks)
    for start, samples in stretches:
        prepared, length = _prepare(samples, window, spec, keep_start=keep_start)
        yield Window(prepared, length, start, len(samples))


def _overlapping(
    blocks: Iterable[FloatArray], window: int, hop: int
) -> Iterator[tuple[int, FloatArray]]:
    leeway = window // LEEWAY_PARTS
    kept = np.zeros(0, np.float32)  # the clip's samples from `base` on
    base = following = total = 0
    for block in blocks:
        kept = np.concatenate([kept, block]) if len(kept) else block
        total += len(block)
        while following + window + leeway < total:
            yield following, kept[following - base : following - base + window]
            following += hop
        # What comes next starts at `following`, or a window before an end that is yet to come.
        drop = max(0, min(following, total - window) - base)
        kept = kept[drop:]
        base += drop
    if following == 0 or following + window <= total:
        yield following, kept[following - base :]
    else:
        yield total - window, kept[total - window - base :]


def _centre(blocks: Iterable[FloatArray], window: int) -> Iterator[tuple[int, FloatArray]]:
    kept: list[FloatArray] = []
    base = total = 0
    for block in blocks:
        kept.append(block)
        total += len(block)
        # The centre only ever moves on: what lies before it now is never needed again.
        while kept and base + len(kept[0]) <= (total - window) // 2:
            base += len(kept.pop(0))
    start = max(0, (total - window) // 2)
    yield start, np.concatenate(kept)[start - base : start - base + window]


def _start(blocks: Iterable[FloatArray], window: int) -> Iterator[tuple[int, FloatArray]]:
    kept: list[FloatArray] = []
    total = 0
    for block in blocks:
        kept.append(block)
        total += len(block)
        if total >= window:
            break
    yield 0, np.concatenate(kept)[:window]


def _whole(blocks: Iterable[FloatArray]) -> Iterator[tuple[int, FloatArray]]:
    yield 0, np.concatenate(list(blocks))


def _prepare(
    samples: FloatArray, window: int, spec: ClassifierSpec, *, keep_start: bool
) -> tuple[FloatArray, int]:
    """Level and pad one stretch; return it with the length that the network is told.

    Zeros up to `shortest_samples` count as sound: a network must have that much to look at.
    Those up to a multiple of `length_multiple_samples` do not.
    """
    if spec.normalise.kind != "none":
        level = spec.normalise
        samples = set_level(samples, level.kind, level.target_db, level.max_gain_db)
    if len(samples) < window and spec.short_clips != "keep":
        moves = spec.short_clips in ("pad_centre", "pad_random")
        # Nothing is drawn for an answer: sides that training drew are equal ones here.
        samples = pad_to(samples, window, "pad" if moves and keep_start else spec.short_clips)
    length = max(len(samples), spec.shortest_samples)
    padded = -(-length // spec.length_multiple_samples) * spec.length_multiple_samples
    return (pad_to(samples, padded) if padded > len(samples) else samples), length
