"""`ClassifierSpec`: all that turns raw scores into an answer."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from auricle.core.config import Config


class Normalise(Config):
    """How each window's level is set before the front-end.

    `none` leaves it; `peak` scales the largest absolute sample to 1; `rms` scales to
    `target_db` (dB relative to full scale), raising by at most `max_gain_db`. Silence stays.
    """

    kind: Literal["none", "peak", "rms"] = "none"
    target_db: float = -20.0
    max_gain_db: float = 60.0


class EventSpec(Config):
    """How frame scores become events: limits in seconds (0: no limit)."""

    min_gap_s: float = Field(0.0, ge=0)
    min_length_s: float = Field(0.0, ge=0)


class ClassifierSpec(Config):
    """The contract between a trained network and its answers.

    `labels` in the order of the scores; `sample_rate` in Hz; `window_s` the longest stretch the
    network sees at once and `hop_s` the step between windows of a longer recording, in seconds;
    `shortest_samples` what a shorter clip is padded to, and `length_multiple_samples` what every
    window's length is padded up to a multiple of; `padding_safe` whether windows of different
    lengths may share a batch without changing each other's scores.
    `short_clips`: `keep` runs a clip shorter than a window at its own length, `pad` appends
    zeros, `repeat` loops the clip, up to one window. `long_clips`: `windows` scores overlapping
    windows, `centre` and `start` one window, `whole` the clip at once. `aggregation` combines
    window probabilities.
    `activation` is applied to logits only (`none` where the network gives probabilities).
    `thresholds` by label (default 0.5) decide what counts as present in multi-label answers and
    events. `frame_period_s` is the time between frame scores (None: the network has none).
    """

    labels: tuple[str, ...] = Field(min_length=1)
    sample_rate: int = Field(gt=0)
    window_s: float = Field(gt=0)
    hop_s: float = Field(gt=0)
    shortest_samples: int = Field(1, ge=1)
    length_multiple_samples: int = Field(1, ge=1)
    padding_safe: bool = False
    short_clips: Literal["keep", "pad", "repeat"] = "keep"
    long_clips: Literal["windows", "centre", "start", "whole"] = "windows"
    normalise: Normalise = Normalise()
    aggregation: Literal["mean", "max"] = "mean"
    activation: Literal["softmax", "sigmoid", "none"] = "softmax"
    thresholds: dict[str, float] = Field(default_factory=dict)
    frame_period_s: float | None = Field(None, gt=0)
    events: EventSpec = EventSpec()

    @field_validator("labels")
    @classmethod
    def _labels_are_unique(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(labels)) != len(labels):
            raise ValueError("labels must differ from one another")
        return labels

    @model_validator(mode="after")
    def _thresholds_name_labels(self) -> "ClassifierSpec":
        strangers = set(self.thresholds) - set(self.labels)
        if strangers:
            raise ValueError(f"thresholds name labels that do not exist: {sorted(strangers)}")
        return self

    def threshold(self, label: str) -> float:
        """Return the probability at which `label` counts as present."""
        return self.thresholds.get(label, 0.5)
