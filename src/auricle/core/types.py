"""The plain types that every room speaks: Waveform, Clip, Label, Event, Prediction."""

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float32]

Label: TypeAlias = str
"""The name of a class, exactly as it stands in `ClassifierSpec.labels`."""


@dataclass(frozen=True, eq=False)
class Waveform:
    """Sound in memory: `samples` float32 of shape `(time,)` in [-1, 1], `sample_rate` in Hz."""

    samples: FloatArray
    sample_rate: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled stretch of a sound file, a row of a manifest.

    `offset_s` is the end of the stretch (None: the end of the file); `labels` may be empty
    for an unlabelled clip; `extra` keeps the columns of the table that are not ours.
    """

    path: str
    labels: tuple[Label, ...] = ()
    onset_s: float = 0.0
    offset_s: float | None = None
    split: str | None = None
    fold: str | None = None
    group: str | None = None
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, order=True)
class Event:
    """A sound event: `onset_s` to `offset_s` in seconds from the start of the recording."""

    onset_s: float
    offset_s: float
    label: Label
    score: float | None = None
    filename: str | None = None


@dataclass(frozen=True)
class Prediction:
    """Labels with their scores, best first. `path` is set where the sound came from a file.

    `abstained`: the best label was not likely enough, so that the only one here means "none of
    these"; its score is that of the best label.
    """

    labels: tuple[Label, ...]
    scores: tuple[float, ...]
    path: str | None = None
    abstained: bool = False

    @property
    def label(self) -> Label:
        """The label with the highest score."""
        return self.labels[0]

    @property
    def score(self) -> float:
        """The highest score."""
        return self.scores[0]
