"""`DataConfig`: where the clips are, what their columns mean, how they are split and cut."""

from typing import Literal

from pydantic import Field, model_validator

from auricle.audio import ClipLimits, Padding
from auricle.core.config import Config

NO_COLUMN = "none"
"""The value of `split`, `fold` and `group` that says: use no such column."""


class DataConfig(Config):
    """The section `data`. Every key is also a flag: `--data.label category`.

    The readers use the first block of keys, `apply_splits` the second, the training loader and
    the classifier's spec the third.
    """

    reader: str = Field(
        default="auto",
        description="what DATA is: auto, or the name of a reader ('auricle data --help' lists "
        "them)",
    )
    audio_root: str | None = Field(
        default=None,
        description="folder that relative paths of a table start from (default: the table's own "
        "folder, else audio_files/ or audio/ inside it)",
    )
    table: str | None = Field(
        default=None,
        description="which table inside the folder DATA to read (default: found by rule)",
    )
    path: str | None = Field(
        default=None, description="column that holds the paths (default: found by its name)"
    )
    label: str | None = Field(
        default=None, description="column that holds the labels (default: found by its name)"
    )
    label_separator: str | None = Field(
        default=None,
        min_length=1,
        description="what separates several labels in a cell; giving it makes the task multi-label",
    )
    split: str | None = Field(
        default=None,
        description="column that says train, validation or test (default: one called 'split'; "
        "none: ignore it)",
    )
    fold: str | None = Field(
        default=None,
        description="column of cross-validation folds (default: one called 'fold'; none: ignore "
        "it)",
    )
    group: str | None = Field(
        default=None,
        description="column of what must stay on one side of a split, such as speaker or "
        "recording (default: one called 'group'; none: ignore it)",
    )
    classes: str | None = Field(
        default=None,
        description="file of the classes to keep, in their order: one name or id a line, or the "
        "first column of a table (default: every class of the data, sorted)",
    )
    label_names: str | None = Field(
        default=None, description="table of ids and names: labels that are ids become names"
    )
    background: str | None = Field(
        default=None,
        min_length=1,
        description="label that means none of these: never an event; in multi-label data no class",
    )

    test_fold: str | int | None = Field(
        default=None, description="fold that is the test part (default: the last one)"
    )
    validation_fold: str | int | None = Field(
        default=None,
        description="fold that is the validation part (default: a tenth of the training clips is "
        "drawn)",
    )

    test_share: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="how much is drawn for the test part where the data names no splits and folds",
    )
    validation_share: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="how much of the training clips is drawn for validation where the data names "
        "none; 0: nothing, train on all of them",
    )

    channel: Literal["mean"] | int = Field(
        default="mean",
        description="how a file becomes mono: mean of its channels, or one by number from 0",
    )
    allow_truncated: bool = Field(
        default=False, description="use files that are cut short, as far as they go"
    )
    clip_s: float | None = Field(
        default=None, gt=0, description="length of training crops in seconds (default: the model's)"
    )
    eval_clip_s: float | None = Field(
        default=None, gt=0, description="length of evaluation windows in seconds (default: clip_s)"
    )
    eval_hop_s: float | None = Field(
        default=None,
        gt=0,
        description="step between evaluation windows in seconds (default: half of one)",
    )
    trim_db: float | None = Field(
        default=None,
        gt=0,
        description="trim silence at both ends: what stays so many dB below the loudest 10 ms "
        "(default: no trimming)",
    )
    min_clip_s: float | None = Field(
        default=None,
        gt=0,
        description="a clip of less sound than this, in seconds, is left out (default: none is)",
    )
    max_clip_s: float | None = Field(
        default=None,
        gt=0,
        description="of a longer clip only the first so many seconds are used (default: all)",
    )
    short_clips: Literal["keep"] | Padding = Field(
        default="pad",
        description="what a clip shorter than a window becomes: keep its length, pad with zeros at "
        "its end, pad_centre on both sides, pad_random on sides drawn in training, repeat it, "
        "reflect it",
    )
    long_clips: Literal["windows", "centre", "start", "whole"] = Field(
        default="windows",
        description="what is heard of a longer clip in evaluation: overlapping windows, one window "
        "at its centre or start, the whole at once",
    )
    crop: Literal["random", "centre", "start"] = Field(
        default="random", description="which part of a longer clip training takes"
    )
    normalise: Literal["none", "peak", "rms"] = Field(
        default="none", description="how the level of a window is set before the front-end"
    )
    target_db: float = Field(
        default=-20.0,
        ge=-100,
        le=20,
        description="level that normalise=rms sets, dB relative to full scale",
    )
    max_gain_db: float = Field(
        default=60.0, ge=0, le=120, description="most that normalise=rms raises a window, dB"
    )
    cache_mb: int = Field(
        default=2048, ge=0, description="decoded clips that the training loader keeps in memory, MB"
    )

    @model_validator(mode="after")
    def _windows_leave_no_gap(self) -> "DataConfig":
        window_s = self.eval_clip_s or self.clip_s
        if self.eval_hop_s and window_s and self.eval_hop_s > window_s:
            raise ValueError(
                f"eval_hop_s ({self.eval_hop_s:g}) must not exceed the window ({window_s:g} s): "
                "the sound between two windows would never be heard"
            )
        return self

    @property
    def limits(self) -> ClipLimits:
        """What of a clip is listened to."""
        return ClipLimits(self.trim_db, self.min_clip_s, self.max_clip_s)
