"""The result of an evaluation: `result.json`, `confusion.csv` and `scores.csv`.

JSON comes first: pictures and tables are drawn from it. A figure that is not finite (not defined,
or d' of a perfect ranking) is null in the file and reads back as NaN.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from auricle.core.config import validate
from auricle.core.errors import ConfigError, DataError
from auricle.core.types import Label
from auricle.core.writing import write_csv, write_json
from auricle.evaluation.scores import SCORES_FILE, ScoreTable, read_scores, write_scores

RESULT_FILE = "result.json"
CONFUSION_FILE = "confusion.csv"

Number = Annotated[
    float,
    BeforeValidator(lambda value: math.nan if value is None else value),
    PlainSerializer(lambda value: value if math.isfinite(value) else None, when_used="json"),
]
"""A float that JSON writes as null where it is not finite."""


class _Record(BaseModel):
    # Keys of later versions are read past.
    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True)


class Figure(_Record):
    """A figure with its 95 % interval over `groups` recordings, or over `count` clips."""

    value: Number
    low: Number
    high: Number
    count: int
    groups: int | None = None


def interval(figure: Figure) -> str:
    """Write a figure's interval for people; one group alone gives none."""
    if math.isnan(figure.low):
        return "not defined"
    return f"{figure.low:.4f} to {figure.high:.4f}"


class FoldFigures(_Record):
    """The figures of the clips of one fold."""

    fold: str
    count: int
    metrics: dict[str, Number]


class Result(_Record):
    """What an evaluation found.

    `metrics` by name, the main one first. `per_class` has `precision`, `recall`, `f1` and
    `support` (how many clips have the class) by label, and for a multi-label classifier
    `average_precision` and `roc_auc`. `confusion` counts clips, rows are the truth (None for a
    multi-label classifier). `config` is the resolved configuration, `command` the command line
    and `seed` the seed of the resamples: together they give the figures again. Where clips of
    several folds are judged, there are `folds` and the unweighted `mean_over_folds`. `scores` go
    to their own file.
    """

    metrics: dict[str, Figure]
    per_class: dict[Label, dict[str, int | Number]]
    confusion: list[list[int]] | None
    labels: tuple[Label, ...]
    config: dict[str, Any]
    command: str
    seed: int
    folds: list[FoldFigures] | None = None
    mean_over_folds: dict[str, Number] | None = None
    scores: ScoreTable | None = Field(None, exclude=True, repr=False)

    @property
    def main_metric(self) -> str:
        """The name of the figure to quote: `accuracy` or `mean_average_precision`."""
        return next(iter(self.metrics))

    @property
    def main_value(self) -> float:
        """The figure to quote; higher is better."""
        return self.metrics[self.main_metric].value


@dataclass(frozen=True)
class Confusion:
    """`count` of the `total` clips of `true` that were taken for `predicted`."""

    true: Label
    predicted: Label
    count: int
    total: int

    def __str__(self) -> str:
        times = "1 time" if self.count == 1 else f"{self.count} times"
        return f"{self.true} taken for {self.predicted} {times} of {self.total}"


def worst_confusion(result: Result) -> Confusion | None:
    """Return the most frequent mistake; None where there is none, or no confusion matrix.

    Of equal counts the rarer class comes first, then the order of the labels.
    """
    mistakes = [
        Confusion(result.labels[true], result.labels[predicted], count, sum(row))
        for true, row in enumerate(result.confusion or [])
        for predicted, count in enumerate(row)
        if count and true != predicted
    ]
    return max(mistakes, key=lambda mistake: (mistake.count, -mistake.total), default=None)


def figure_sentence(result: Result) -> str:
    """Write the main figure with its interval, count and worst confusion."""
    name, metric = result.main_metric, result.metrics[result.main_metric]
    units, word = (metric.groups, "group") if metric.groups else (metric.count, "clip")
    by = f"{units} {word}" + ("" if units == 1 else "s")
    sentence = f"{name} {metric.value:.4f}, 95 % interval {interval(metric)} (bootstrap over {by})"
    worst = worst_confusion(result)
    return f"{sentence}; worst confusion: {worst}" if worst else sentence


def write_result(folder: str | Path, result: Result) -> None:
    """Write `result.json`, `confusion.csv` and `scores.csv` into `folder`.

    Each is whole or absent, and `result.json` comes last: where it is, the others are. Raises
    `WriteError`.
    """
    folder = Path(folder)
    if result.scores is not None:
        write_scores(folder / SCORES_FILE, result.scores)
    if result.confusion is not None:
        rows = ([label, *row] for label, row in zip(result.labels, result.confusion, strict=True))
        write_csv(folder / CONFUSION_FILE, ["truth", *result.labels], rows)
    absent = {"folds", "mean_over_folds"} if result.folds is None else set()
    write_json(folder / RESULT_FILE, result.model_dump(mode="json", exclude=absent))


def read_result(folder: str | Path) -> Result:
    """Read a result back, its scores too where they are there. Raises `DataError`."""
    path = Path(folder) / RESULT_FILE
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        result = validate(Result, tree)
    except FileNotFoundError:
        raise DataError(f"no result in {folder}: {path} does not exist") from None
    except (OSError, ValueError, ConfigError) as error:
        raise DataError(f"{path} is not the result of an evaluation: {error}") from None
    if not (Path(folder) / SCORES_FILE).exists():
        return result
    scores = read_scores(folder, multi_label=result.confusion is None)
    return result.model_copy(update={"scores": scores})
