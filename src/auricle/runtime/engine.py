"""The protocol behind which the tensor step hides."""

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
