"""Samples that lie in a container uncompressed, as a `Decoder`."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from auricle.core.types import FloatArray

INT16_FULL_SCALE = 32768.0


class SampleDecoder:
    """A `Decoder` over an array of int16 samples `(time,)`; only what is asked for is read."""

    codec = "PCM_16"
    channels = 1

    def __init__(self, samples: npt.NDArray[Any], sample_rate: int, container: str) -> None:
        self._samples = samples
        self.container = container
        self.sample_rate = sample_rate
        self.frames: int | None = len(samples)

    def stream(
        self, start_frame: int, count: int | None, block_frames: int, *, allow_truncated: bool
    ) -> Iterator[FloatArray]:
        """See `Decoder.stream`."""
        end = len(self._samples) if count is None else min(len(self._samples), start_frame + count)
        for start in range(start_frame, end, block_frames):
            piece = self._samples[start : min(end, start + block_frames)]
            samples = np.multiply(piece, np.float32(1 / INT16_FULL_SCALE), dtype=np.float32)
            yield samples[None]
