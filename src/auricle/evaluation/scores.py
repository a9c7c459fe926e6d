"""The table of scores: what every clip was and what the classifier said, `scores.csv`."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from auricle.core.errors import DataError
from auricle.core.types import FloatArray, Label
from auricle.core.writing import write_csv

SCORES_FILE = "scores.csv"

Targets: TypeAlias = npt.NDArray[np.int64] | npt.NDArray[np.bool_]
"""Class indices `(clips,)`, or True and False `(clips, labels)`."""

_FIXED_COLUMNS = ("path", "fold", "label")
_SEPARATOR = ";"


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Clips with their truth and scores.

    `targets` holds class indices, or True and False where a clip may have any labels;
    `probabilities` is float32 `(clips, labels)`; a fold is "" where there is none.
    """

    labels: tuple[Label, ...]
    paths: tuple[str, ...]
    folds: tuple[str, ...]
    targets: Targets
    probabilities: FloatArray

    @property
    def multi_label(self) -> bool:
        """Whether a clip may have any number of labels."""
        return self.targets.ndim == 2

    def true_labels(self, clip: int) -> list[Label]:
        """The labels that a clip really has."""
        held = np.flatnonzero(self.targets[clip]) if self.multi_label else [self.targets[clip]]
        return [self.labels[int(index)] for index in held]


def write_scores(path: str | Path, table: ScoreTable) -> None:
    """Write `path,fold,label`, then one column a class, whole or not at all.

    Several labels stand in one cell, separated by `;` (a label that holds one is quoted). Scores
    are written with the fewest digits that give the same float32 back.
    """
    rows = (
        [
            table.paths[clip],
            table.folds[clip],
            _join(table.true_labels(clip)) if table.multi_label else table.true_labels(clip)[0],
            *table.probabilities[clip].astype(str).tolist(),
        ]
        for clip in range(len(table.paths))
    )
    write_csv(path, [*_FIXED_COLUMNS, *table.labels], rows)


def read_scores(path: str | Path, *, multi_label: bool | None = None) -> ScoreTable:
    """Read what `write_scores` wrote; `path` is the file or the folder that holds it.

    With `multi_label=None` a table is multi-label where some clip has several labels, or none.
    Raises `DataError` when it is not such a table.
    """
    path = Path(path) / SCORES_FILE if Path(path).is_dir() else Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *rows = csv.reader(file)
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"table of scores {path} cannot be read: {error}") from None
    if tuple(header[:3]) != _FIXED_COLUMNS:
        raise DataError(
            f"table of scores {path} must begin with the columns {','.join(_FIXED_COLUMNS)}, "
            f"got {','.join(header[:3])}"
        )
    labels = tuple(header[3:])
    try:
        scores = np.array([row[3:] for row in rows], np.float32).reshape(len(rows), len(labels))
    except ValueError:
        raise DataError(
            f"table of scores {path} must hold {len(labels)} numbers in every row, one a class"
        ) from None
    cells = [row[2] for row in rows]
    if multi_label is None:
        multi_label = not set(cells) <= set(labels)
    named = [_split(cell) if multi_label else [cell] for cell in cells]
    return ScoreTable(
        labels,
        tuple(row[0] for row in rows),
        tuple(row[1] for row in rows),
        align_labels(labels, named, multi_label=multi_label),
        scores,
    )


def merge_scores(tables: Sequence[ScoreTable]) -> ScoreTable:
    """Put the tables of several folds together. Raises `DataError` where their labels differ."""
    if not tables:
        raise DataError("there must be at least one table of scores to merge, got none")
    first = tables[0]
    for table in tables[1:]:
        if (table.labels, table.multi_label) != (first.labels, first.multi_label):
            raise DataError(
                "tables of scores can be merged only where their labels are the same, "
                f"got {list(first.labels)} and {list(table.labels)}"
            )
    return ScoreTable(
        first.labels,
        tuple(path for table in tables for path in table.paths),
        tuple(fold for table in tables for fold in table.folds),
        _concatenated([table.targets for table in tables]),
        np.concatenate([table.probabilities for table in tables]),
    )


def align_labels(
    labels: Sequence[Label], clip_labels: Sequence[Sequence[Label]], *, multi_label: bool
) -> Targets:
    """Turn the labels of clips into targets in the order of a classifier's `labels`.

    Returns class indices `(clips,)`, or True and False `(clips, labels)` for `multi_label`. Raises
    `DataError` that names every label which the classifier does not know, and for a clip that
    does not have exactly one label where it must.
    """
    index = {label: position for position, label in enumerate(labels)}
    strangers: dict[Label, int] = {}
    for held in clip_labels:
        for label in held:
            if label not in index:
                strangers[label] = strangers.get(label, 0) + 1
    if strangers:
        named = ", ".join(f"'{label}' ({clips} clips)" for label, clips in strangers.items())
        raise DataError(
            f"the classifier does not know these labels of the data: {named}; "
            f"it knows {_shortened(labels)}. Leave those clips out or train with them"
        )
    if multi_label:
        targets = np.zeros((len(clip_labels), len(labels)), np.bool_)
        for clip, held in enumerate(clip_labels):
            targets[clip, [index[label] for label in held]] = True
        return targets
    for clip, held in enumerate(clip_labels):
        if len(held) != 1:
            raise DataError(
                f"every clip must have one label, clip {clip + 1} has {len(held)}: "
                f"{list(held)}. Several labels need a multi-label classifier (sigmoid)"
            )
    return np.array([index[held[0]] for held in clip_labels], np.int64)


def _shortened(labels: Sequence[Label], most: int = 20) -> str:
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return ", ".join(f"'{label}'" for label in labels[:most]) + more


def _concatenated(targets: Sequence[Targets]) -> Targets:
    joined: Targets = np.concatenate(targets)  # pyright: ignore[reportAssignmentType]
    return joined


def _join(labels: Sequence[Label]) -> str:
    cell = io.StringIO()
    csv.writer(cell, delimiter=_SEPARATOR, lineterminator="").writerow(labels)
    return cell.getvalue()


def _split(cell: str) -> list[Label]:
    return next(csv.reader(io.StringIO(cell, newline=""), delimiter=_SEPARATOR), [])
