"""Events and backgrounds for soundscapes, written as files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from auricle.core.types import FloatArray
from auricle.data.soundscapes import Source

RATE = 8000
Write = Callable[..., Source]


def _noise(seconds: float, seed: int, rate: int = RATE) -> FloatArray:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(round(seconds * rate))).astype(np.float32)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write samples to a file of a class and return it as a source."""

    def to(label: str, name: str, samples: Any, rate: int = RATE) -> Source:
        path = tmp_path / "sounds" / label / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate, subtype="FLOAT")
        return Source(str(path), label)

    return to


@pytest.fixture
def events(write: Write) -> list[Source]:
    """Three classes of noise bursts with silence on both sides."""
    return [
        write(label, str(take), np.pad(_noise(0.3 * (take + 1), 10 * index + take), (2000, 3000)))
        for index, label in enumerate(("bark", "cry", "Ö tick"))
        for take in range(3)
    ]


@pytest.fixture
def backgrounds(write: Write) -> list[Source]:
    """One shorter and one longer than the soundscapes, at a rate of their own."""
    return [
        write("rain", "short", _noise(1.5, 91, 11025), 11025),
        write("rain", "long", _noise(7.0, 92, 11025), 11025),
    ]
