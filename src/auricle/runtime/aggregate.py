"""From the numbers of a clip's windows to the numbers of the clip.

Each aggregate takes a clip's windows in order, one row each, and keeps no more than it must.
"""

import math
from collections.abc import Callable
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from auricle.core.types import FloatArray
from auricle.core.units import seconds_to_samples
from auricle.runtime.windows import Window


class Aggregate(Protocol):
    """What gathers the windows of one clip."""

    def add(self, window: Window, row: FloatArray) -> None:
        """Take what the network gave for the clip's next window."""
        ...

    def result(self) -> FloatArray:
        """Return the clip's numbers. Called once, after its last window."""
        ...


class ClipScores:
    """Mean or maximum over windows of class probabilities `(classes,)`."""

    def __init__(self, aggregation: Literal["mean", "max"]) -> None:
        self._aggregation = aggregation
        self._windows = 0
        self._running: npt.NDArray[np.float64] = np.zeros(0)

    def add(self, window: Window, row: FloatArray) -> None:
        """Take the probabilities of one window."""
        values = row.astype(np.float64)
        if self._windows == 0:
            self._running = values
        elif self._aggregation == "mean":
            self._running += values
        else:
            np.maximum(self._running, values, out=self._running)
        self._windows += 1

    def result(self) -> FloatArray:
        """Return the clip's probabilities `(classes,)`."""
        windows = self._windows if self._aggregation == "mean" else 1
        return (self._running / windows).astype(np.float32)


class Stack:
    """The rows of all windows: `(windows, dim)`."""

    def __init__(self) -> None:
        self._rows: list[FloatArray] = []

    def add(self, window: Window, row: FloatArray) -> None:
        """Take the row of one window."""
        self._rows.append(row)

    def result(self) -> FloatArray:
        """Return `(windows, dim)`."""
        return np.stack(self._rows)


class Timeline:
    """Overlapping stretches of frames averaged on one grid `(frames, classes)`.

    Stretches come in order of their start. Frames before the newest start are settled at once,
    so that only one stretch is held as sums. A frame that no stretch covers holds the value of
    the frame before it.
    """

    def __init__(self) -> None:
        self._settled: list[FloatArray] = []
        self._start = 0  # the frame at which the open sums begin
        self._sums: FloatArray | None = None
        self._counts: FloatArray = np.zeros(0, np.float32)

    def add(self, first_frame: int, rows: FloatArray) -> None:
        """Take `rows` `(frames, classes)`, the first of which is frame `first_frame`."""
        if self._sums is None:
            self._sums = np.zeros((0, rows.shape[1]), np.float32)
        self._settle(first_frame)
        missing = len(rows) - len(self._sums)
        if missing > 0:
            self._sums = np.pad(self._sums, ((0, missing), (0, 0)))
            self._counts = np.pad(self._counts, (0, missing))
        self._sums[: len(rows)] += rows
        self._counts[: len(rows)] += 1

    def result(self, frames: int) -> FloatArray:
        """Return the averages of frames 0 to `frames` - 1: `(frames, classes)`."""
        self._settle(frames)
        return np.concatenate(self._settled)[:frames]

    def _settle(self, until: int) -> None:
        """Move the frames before `until` from the open sums to the settled averages."""
        count = until - self._start
        if count <= 0 or self._sums is None:
            return
        done = self._sums[:count] / self._counts[:count, None]
        if len(done):
            self._settled.append(done)
        if len(done) < count:
            self._settled.append(np.repeat(self._settled[-1][-1:], count - len(done), axis=0))
        self._sums, self._counts = self._sums[count:], self._counts[count:]
        self._start = until


class FrameTimeline:
    """A network's frame scores on the clip's frame grid: frame i starts at i * `period_s`.

    A window's place is rounded to the nearest frame; frames that start past its sound (padding)
    are dropped.
    """

    def __init__(self, period_s: float, sample_rate: int) -> None:
        self._frame_samples = period_s * sample_rate
        self._timeline = Timeline()
        self._end_samples = 0

    def add(self, window: Window, row: FloatArray) -> None:
        """Take the frame probabilities `(frames, classes)` of one window."""
        heard = _ceil(window.content_samples / self._frame_samples)
        self._timeline.add(_round(window.start_samples / self._frame_samples), row[:heard])
        self._end_samples = window.end_samples

    def result(self) -> FloatArray:
        """Return the clip's frame probabilities `(frames, classes)`."""
        return self._timeline.result(_ceil(self._end_samples / self._frame_samples))


class WindowTimeline:
    """Window scores on a grid of cells one hop long: the mean of the windows that cover a cell.

    A window counts for the cells of which it covers at least half. The last window ends with
    the clip and counts for the last cell, however short that is.
    """

    def __init__(self, hop_s: float, sample_rate: int) -> None:
        self._hop_samples = max(1, seconds_to_samples(hop_s, sample_rate))
        self._timeline = Timeline()
        # Which window is the last is known at the end only: the newest one waits.
        self._newest: tuple[Window, FloatArray] | None = None

    def add(self, window: Window, row: FloatArray) -> None:
        """Take the probabilities `(classes,)` of one window."""
        self._place_newest(_round)
        self._newest = window, row

    def result(self) -> FloatArray:
        """Return the clip's cell probabilities `(cells, classes)`."""
        cells = self._place_newest(_ceil)
        return self._timeline.result(cells)

    def _place_newest(self, rounded_end: Callable[[float], int]) -> int:
        """Add the waiting window, if there is one; return the cell at which it ends."""
        if self._newest is None:
            return 0
        window, row = self._newest
        first = _round(window.start_samples / self._hop_samples)
        end = rounded_end(window.end_samples / self._hop_samples)
        self._timeline.add(first, np.repeat(row[None], end - first, axis=0))
        return end


def _round(position: float) -> int:
    return math.floor(position + 0.5)


def _ceil(position: float) -> int:
    # 0.3 s in frames of 0.1 s is 3 frames, whatever the binary fractions say.
    return math.ceil(position - 1e-6)
