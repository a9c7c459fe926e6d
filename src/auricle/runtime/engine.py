"""The protocol behind which the tensor step hides."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

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


# A convolutional network on a processor is no faster on 16 windows of 10 s than on one, but takes
# 16 times the memory: a batch is walked in chunks of about 16 s at 32 kHz.
_MOST_SAMPLES: Final = 2**19


def score_in_chunks(
    score: Callable[[FloatArray, npt.NDArray[np.int64]], EngineOutput],
    waveforms: FloatArray,
    lengths_samples: npt.NDArray[np.int64],
) -> EngineOutput:
    """Score `waveforms` `(batch, time)` on a processor, a few windows at once; see `Engine`."""
    rows = max(1, _MOST_SAMPLES // max(1, waveforms.shape[1]))
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
