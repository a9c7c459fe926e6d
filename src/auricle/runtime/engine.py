"""The protocol behind which the tensor step hides."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from auricle.core.types import FloatArray


@dataclass(frozen=True, eq=False)
class EngineOutput:
    """Raw numbers of one batch, float32.

    `scores` `(batch, classes)` or None, `frame_scores` `(batch, frames, classes)` or None,
    `embedding` `(batch, dim)` or None.
    """

    scores: FloatArray | None
    frame_scores: FloatArray | None = None
    embedding: FloatArray | None = None


class Engine(Protocol):
    """Waveforms in, raw scores out; nothing else."""

    def __call__(
        self, waveforms: FloatArray, lengths_samples: npt.NDArray[np.int64]
    ) -> EngineOutput:
        """Score `waveforms` `(batch, time)`, float32, zero-padded; lengths `(batch,)`, samples."""
        ...


def score_in_chunks(
    score: Callable[[FloatArray, npt.NDArray[np.int64]], EngineOutput],
    waveforms: FloatArray,
    lengths_samples: npt.NDArray[np.int64],
    most_samples: int,
) -> EngineOutput:
    """Score `waveforms` `(batch, time)`, at most `most_samples` (or one row) at once; see `Engine`.

    A convolutional network on a processor is hardly faster on 16 windows of 10 s than on one, but
    takes 16 times the memory.
    """
    rows = max(1, most_samples // max(1, waveforms.shape[1]))
    parts = [
        score(waveforms[start : start + rows], lengths_samples[start : start + rows])
        for start in range(0, len(waveforms), rows)
    ]
    if len(parts) == 1:
        return parts[0]

    def whole(name: str) -> FloatArray | None:
        values = [getattr(part, name) for part in parts]
        return None if values[0] is None else np.concatenate(values)

    return EngineOutput(whole("scores"), whole("frame_scores"), whole("embedding"))
