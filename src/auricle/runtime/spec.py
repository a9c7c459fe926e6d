"""`ClassifierSpec`: all that turns raw scores into an answer, and the file that carries it."""

import json
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from auricle.audio import ClipLimits, Padding
from auricle.core.config import Config, Tree, validate
from auricle.core.errors import ArtifactError, ConfigError

FORMAT_VERSION = 1
"""The version of `config.json` that this Auricle writes and reads."""

NONE_OF_THESE = "none of these"
"""The answer of a classifier that abstains, where its data had no word for it."""


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

    min_gap_s: float = Field(default=0.0, ge=0)
    min_length_s: float = Field(default=0.0, ge=0)


class ClassifierSpec(Config):
    """The contract between a trained network and its answers.

    `labels` in the order of the scores (none for an embedding network); `sample_rate` in Hz;
    `window_s` the longest stretch the network sees at once and `hop_s` the step between windows of
    a longer recording, in seconds;
    `shortest_samples` what a shorter clip is padded to, and `length_multiple_samples` what every
    window's length is padded up to a multiple of; `padding_safe` whether windows of different
    lengths may share a batch without changing each other's scores.
    `trim_db`, `min_clip_s` and `max_clip_s` say what of a clip is listened to, as in
    `audio.ClipLimits`; events are looked for in all of it.
    `short_clips`: `keep` runs a clip shorter than a window at its own length, `pad` appends
    zeros, `pad_centre` and `pad_random` put them on both sides, `repeat` loops the clip, `reflect`
    runs it backwards and forwards, up to one window. `long_clips`: `windows` scores overlapping
    windows, `centre` and `start` one window, `whole` the clip at once. `aggregation` combines
    window probabilities.
    `activation` is applied to logits only (`none` where the network gives probabilities).
    `thresholds` by label (default 0.5) decide what counts as present in multi-label answers and
    events. `frame_period_s` is the time between frame scores (None: the network has none).
    `background` is the label that means "none of these": of `labels` where it was trained as a
    class, which is then never an event, and not of them where it was trained as no label at all.
    """

    labels: tuple[str, ...]
    sample_rate: int = Field(gt=0)
    window_s: float = Field(gt=0)
    hop_s: float = Field(gt=0)
    shortest_samples: int = Field(default=1, ge=1)
    length_multiple_samples: int = Field(default=1, ge=1)
    padding_safe: bool = False
    trim_db: float | None = Field(default=None, gt=0)
    min_clip_s: float | None = Field(default=None, gt=0)
    max_clip_s: float | None = Field(default=None, gt=0)
    short_clips: Literal["keep"] | Padding = "keep"
    long_clips: Literal["windows", "centre", "start", "whole"] = "windows"
    normalise: Normalise = Normalise()
    aggregation: Literal["mean", "max"] = "mean"
    activation: Literal["softmax", "sigmoid", "none"] = "softmax"
    thresholds: dict[str, float] = Field(default_factory=dict)
    frame_period_s: float | None = Field(default=None, gt=0)
    events: EventSpec = EventSpec()
    background: str | None = Field(default=None, min_length=1)

    @field_validator("labels")
    @classmethod
    def _labels_are_unique(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(labels)) != len(labels):
            raise ValueError("labels must differ from one another")
        return labels

    @model_validator(mode="after")
    def _scores_have_labels(self) -> "ClassifierSpec":
        if not self.labels and self.activation != "none":
            raise ValueError("labels must name a class (activation none: an embedding network)")
        return self

    @model_validator(mode="after")
    def _windows_leave_no_gap(self) -> "ClassifierSpec":
        if self.hop_s > self.window_s:
            raise ValueError(
                f"hop_s ({self.hop_s}) must not exceed window_s ({self.window_s}): "
                "the sound between two windows would never be scored"
            )
        return self

    @model_validator(mode="after")
    def _thresholds_name_labels(self) -> "ClassifierSpec":
        strangers = set(self.thresholds) - set(self.labels)
        if strangers:
            raise ValueError(f"thresholds name labels that do not exist: {sorted(strangers)}")
        return self

    @property
    def limits(self) -> ClipLimits:
        """What of a clip is listened to."""
        return ClipLimits(self.trim_db, self.min_clip_s, self.max_clip_s)

    @property
    def none_of_these(self) -> str:
        """The answer for a sound that is none of the classes."""
        return self.background or NONE_OF_THESE

    def threshold(self, label: str) -> float:
        """Return the probability at which `label` counts as present."""
        return self.thresholds.get(label, 0.5)


class ArtifactConfig(Config):
    """What `config.json` holds, and the `auricle.config` metadata of an ONNX file.

    `frontend`, `model` and `training` are opaque here: the rooms that need them read them.
    """

    format_version: int = FORMAT_VERSION
    spec: ClassifierSpec
    frontend: Tree = Field(default_factory=dict)
    model: Tree = Field(default_factory=dict)
    training: Tree = Field(default_factory=dict)


def parse_artifact_config(text: str, where: str) -> ArtifactConfig:
    """Read the text of a `config.json`; `where` names the file in messages.

    Raises `ArtifactError` when it is not JSON, not Auricle's, of another format version, or
    breaks a rule of the specification.
    """
    try:
        tree: Any = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ArtifactError(
            f"{where} is not valid JSON ({error}); save or export it again"
        ) from None
    if not isinstance(tree, dict) or "format_version" not in tree:
        raise ArtifactError(
            f"{where} was not written by Auricle: it states no format_version. "
            "Give a folder or ONNX file made by 'auricle train' or 'auricle export'"
        )
    _check_version(tree["format_version"], where)
    try:
        return validate(ArtifactConfig, tree)
    except ConfigError as error:
        raise ArtifactError(f"{where} cannot be used: {error}") from None


def _check_version(version: object, where: str) -> None:
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ArtifactError(
            f"{where} states format_version {version!r}; it must be a whole number from 1 to "
            f"{FORMAT_VERSION}. Save or export it again"
        )
    if version > FORMAT_VERSION:
        raise ArtifactError(
            f"{where} was made by a newer Auricle (format_version {version}, this one reads "
            f"up to {FORMAT_VERSION}); upgrade with: pip install --upgrade auricle"
        )
