"""What of a clip is listened to: silence at its ends trimmed, its length kept within limits.

The training loader and the predictor both call this, so that what a network learnt from is what
it is asked about.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auricle.core.errors import AudioError
from auricle.core.types import FloatArray
from auricle.core.units import db_to_amplitude, seconds_to_samples

TRIM_BLOCK_S = 0.01
"""Silence is looked for in stretches of this length, one beside the other."""


@dataclass(frozen=True)
class ClipLimits:
    """What of a clip counts (None: no such limit).

    `trim_db`: the ends are trimmed where they stay so many dB below the loudest 10 ms;
    `min_clip_s`: a clip of less sound than this, in seconds, cannot be used; `max_clip_s`: of a
    longer one the first so many seconds are used. Both lengths are of what trimming leaves.
    """

    trim_db: float | None = None
    min_clip_s: float | None = None
    max_clip_s: float | None = None

    def __bool__(self) -> bool:
        return (self.trim_db, self.min_clip_s, self.max_clip_s) != (None, None, None)

    def bounds(
        self, blocks: Iterable[FloatArray], sample_rate: int, name: str = "the sound"
    ) -> tuple[int, int]:
        """Return where the sound that counts begins and ends, in samples at `sample_rate` (Hz).

        `blocks` `(time,)` are the consecutive pieces of one clip, called `name` in messages.
        Raises `AudioError` for a clip below the minimum.
        """
        start, end = (
            (0, sum(len(block) for block in blocks))
            if self.trim_db is None
            else _sound_bounds(blocks, sample_rate, self.trim_db)
        )
        return self.cut(start, end, sample_rate, name)

    def cut(self, start: int, end: int, sample_rate: int, name: str) -> tuple[int, int]:
        """Bring sound that is already trimmed within the lengths, as `bounds` does."""
        if self.max_clip_s is not None:
            end = min(end, start + max(1, seconds_to_samples(self.max_clip_s, sample_rate)))
        self._require_enough(end - start, sample_rate, name)
        return start, end

    def apply(
        self,
        read: Callable[[], Iterator[FloatArray]],
        sample_rate: int,
        name: str = "the sound",
    ) -> Iterator[FloatArray]:
        """Yield the part that counts of a clip, in blocks, in bounded memory.

        `read` gives the blocks of the clip from its start on; it is called twice where the ends
        are trimmed. Raises `AudioError`, at the end, for a clip below the minimum.
        """
        if self.trim_db is not None:
            start, end = self.bounds(read(), sample_rate, name)
        elif self.max_clip_s is not None:
            start, end = 0, max(1, seconds_to_samples(self.max_clip_s, sample_rate))
        else:
            start, end = 0, None
        yielded = position = 0
        for block in read():
            part = block[max(0, start - position) : None if end is None else end - position]
            position += len(block)
            if len(part):
                yielded += len(part)
                yield part
            if end is not None and position >= end:
                break
        self._require_enough(yielded, sample_rate, name)

    def _require_enough(self, samples: int, sample_rate: int, name: str) -> None:
        if self.min_clip_s is not None and samples < seconds_to_samples(
            self.min_clip_s, sample_rate
        ):
            trimmed = "" if self.trim_db is None else " between its silent ends"
            raise AudioError(
                f"{name} holds {samples / sample_rate:.3f} s of sound{trimmed}, and min_clip_s is "
                f"{self.min_clip_s:g} s: leave it out"
            )


def _sound_bounds(
    blocks: Iterable[FloatArray], sample_rate: int, trim_db: float
) -> tuple[int, int]:
    """Return the bounds of what is left without its silent ends, on the grid of 10 ms.

    A clip of nothing but zeros is left whole. What is trimmed once is not trimmed further a
    second time: the loudest stretch, and the grid, stay what they were.
    """
    size = max(1, seconds_to_samples(TRIM_BLOCK_S, sample_rate))
    powers, total = _powers(blocks, size)
    loudest = powers.max(initial=0.0)
    if loudest == 0:
        return 0, total
    loud = np.flatnonzero(powers >= loudest * db_to_amplitude(-trim_db) ** 2)
    return int(loud[0]) * size, min(total, (int(loud[-1]) + 1) * size)


def _powers(blocks: Iterable[FloatArray], size: int) -> tuple[npt.NDArray[np.float64], int]:
    """Return the mean square of each `size` samples, the last of what is left, and the count."""
    powers: list[npt.NDArray[np.float64]] = []
    rest = np.empty(0, np.float32)
    total = 0
    for block in blocks:
        total += len(block)
        samples = np.concatenate([rest, block]) if len(rest) else block
        whole = len(samples) // size * size
        squares = np.square(samples[:whole].reshape(-1, size), dtype=np.float64)
        powers.append(squares.mean(axis=1))
        rest = samples[whole:]
    if len(rest):
        powers.append(np.square(rest, dtype=np.float64).mean(keepdims=True))
    return np.concatenate(powers) if powers else np.empty(0), total
