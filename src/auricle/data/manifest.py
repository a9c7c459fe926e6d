"""`Manifest`: the clips of a data set with their labels, and its file form."""

import csv
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from auricle.core.errors import DataError
from auricle.core.types import Clip, Label
from auricle.core.writing import write_csv

SPLITS = ("train", "validation", "test")

COLUMNS = ("path", "onset_s", "offset_s", "labels", "split", "fold", "group")
_SEPARATOR = "|"
_ESCAPE = "\\"


@dataclass(frozen=True)
class Manifest:
    """The clips of a data set.

    `labels` are all classes, sorted. `notes` are the choices that were made while reading and
    splitting, one sentence each, to be shown to the user. `group_declared`: `Clip.group` was
    declared by a column or a reader, and never stands on two sides of a split. `missing` are
    the paths of rows whose file does not exist, `rejected` one line for every other row that
    could not be used; neither is among `clips`.
    """

    clips: Sequence[Clip]
    labels: tuple[Label, ...]
    multi_label: bool = False
    notes: tuple[str, ...] = ()
    group_declared: bool = False
    missing: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        clips: Iterable[Clip],
        *,
        labels: Sequence[Label] | None = None,
        multi_label: bool | None = None,
        notes: Iterable[str] = (),
        group_declared: bool = False,
        missing: Iterable[str] = (),
        rejected: Iterable[str] = (),
    ) -> "Manifest":
        """Gather clips, which may come one by one, into a manifest.

        `labels` gives the classes and their order where a list fixes them (default: all that
        occur, sorted); `multi_label` is found out where it is not given: a clip has several
        labels or none.
        """
        held = tuple(clips)
        return cls(
            clips=held,
            labels=sorted_labels(held) if labels is None else tuple(labels),
            multi_label=any(len(clip.labels) != 1 for clip in held)
            if multi_label is None
            else multi_label,
            notes=tuple(notes),
            group_declared=group_declared,
            missing=tuple(missing),
            rejected=tuple(rejected),
        )

    def of_split(self, *splits: str) -> "Manifest":
        """Return the manifest with the clips of the given splits only, and all its labels."""
        return replace(self, clips=tuple(clip for clip in self.clips if clip.split in splits))

    def counts(self) -> dict[Label, dict[str, int]]:
        """Count clips by label, then by split (`""` where a clip has none)."""
        table: dict[Label, dict[str, int]] = {label: {} for label in self.labels}
        for clip in self.clips:
            for label in clip.labels:
                row = table[label]
                row[clip.split or ""] = row.get(clip.split or "", 0) + 1
        return table

    def split_sizes(self) -> dict[str, int]:
        """Count clips by split, in the order train, validation, test; empty splits as 0."""
        sizes = Counter(clip.split for clip in self.clips)
        return {split: sizes[split] for split in SPLITS}

    def noting(self, *notes: str) -> "Manifest":
        """Return the manifest with further notes."""
        return replace(self, notes=(*self.notes, *notes))


def unit_of(clip: Clip) -> tuple[str, str]:
    """Return what must stay on one side of a split: the clip's group, else its file."""
    return ("group", clip.group) if clip.group is not None else ("file", clip.path)


def sorted_labels(clips: Iterable[Clip]) -> tuple[Label, ...]:
    """Return every label that occurs, sorted."""
    return tuple(sorted({label for clip in clips for label in clip.labels}))


def require_trainable(manifest: Manifest) -> None:
    """Refuse what cannot be trained on.

    Raises `DataError` for fewer than two classes (one, where a clip may have several), or for
    no training clip; a manifest that was not split yet counts as a whole.
    """
    split = any(clip.split for clip in manifest.clips)
    clips = manifest.of_split("train").clips if split else manifest.clips
    if not clips:
        raise DataError("there is no clip to train on: the training part of the split is empty")
    labels = sorted_labels(clips)
    least = 1 if manifest.multi_label else 2
    if len(labels) < least:
        found = f"only one: '{labels[0]}'" if labels else "none"
        raise DataError(
            f"training needs clips of at least {least} class{'es' if least > 1 else ''}, and the "
            f"{'training part' if split else 'data set'} has {found}. Add clips of another class, "
            "or look at the choice of label with: auricle data check"
        )


def write_manifest(path: str | Path, manifest: Manifest) -> None:
    """Write a manifest as CSV, whole or not at all. `read_manifest` reads it back unchanged.

    Columns `path,onset_s,offset_s,labels,split,fold,group`, then the clips' extra columns. Times
    are in seconds. A file inside the CSV's folder is named relative to it, any other absolutely, so
    that a folder can move together with its sounds. Labels in a cell are separated by `|`; a
    `|` or backslash inside a label has a backslash before it. Raises `WriteError`.
    """
    folder = Path(path).resolve().parent
    extra = list(dict.fromkeys(name for clip in manifest.clips for name in clip.extra))
    if clash := set(extra) & set(COLUMNS):
        raise DataError(f"a clip's extra column cannot be called '{min(clash)}': rename it")
    rows = (
        [
            _portable(clip.path, folder),
            repr(clip.onset_s),
            "" if clip.offset_s is None else repr(clip.offset_s),
            _SEPARATOR.join(_escape(label) for label in clip.labels),
            clip.split or "",
            clip.fold or "",
            clip.group or "",
            *(clip.extra.get(name, "") for name in extra),
        ]
        for clip in manifest.clips
    )
    write_csv(path, [*COLUMNS, *extra], rows)


def read_manifest(path: str | Path) -> Manifest:
    """Read what `write_manifest` wrote. Raises `DataError`.

    The task is multi-label where any clip has several labels or none, and groups are declared
    where any clip has one. Files are not looked for.
    """
    path = Path(path)
    try:
        # Read exactly as written: a blank at either end of a name is part of the name.
        with path.open(newline="", encoding="utf-8") as file:
            clips = list(_rows(csv.DictReader(file, strict=True), path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"manifest {path} cannot be read: {error}") from None
    return Manifest.of(clips, group_declared=any(clip.group is not None for clip in clips))


def _rows(reader: "csv.DictReader[str]", path: Path) -> Iterator[Clip]:
    header = reader.fieldnames or ()
    absent = [name for name in COLUMNS if name not in header]
    if absent:
        raise DataError(
            f"{path} is not a manifest: it has no column '{absent[0]}' (it has {', '.join(header)})"
        )
    folder = path.resolve().parent
    for row in reader:
        if None in row or None in row.values():
            raise DataError(f"{path} line {reader.line_num}: not as many cells as columns")
        extra = {name: text for name, text in row.items() if name not in COLUMNS}
        try:
            onset_s = float(row["onset_s"])
            offset_s = float(row["offset_s"]) if row["offset_s"] else None
        except ValueError:
            raise DataError(
                f"{path} line {reader.line_num}: onset_s and offset_s must be seconds, got "
                f"'{row['onset_s']}' and '{row['offset_s']}'"
            ) from None
        yield Clip(
            path=os.path.join(folder, row["path"]),
            labels=_unescape(row["labels"]),
            onset_s=onset_s,
            offset_s=offset_s,
            split=row["split"] or None,
            fold=row["fold"] or None,
            group=row["group"] or None,
            extra=extra,
        )


def _portable(path: str, folder: Path) -> str:
    absolute = Path(os.path.abspath(path))
    if absolute.is_relative_to(folder):
        return absolute.relative_to(folder).as_posix()
    return str(absolute)


def _escape(label: str) -> str:
    return label.replace(_ESCAPE, _ESCAPE * 2).replace(_SEPARATOR, _ESCAPE + _SEPARATOR)


def _unescape(cell: str) -> tuple[str, ...]:
    """Split a cell at separators that have no escape before them."""
    labels, current, escaped = [], "", False
    for character in cell:
        if escaped:
            current, escaped = current + character, False
        elif character == _ESCAPE:
            escaped = True
        elif character == _SEPARATOR:
            labels.append(current)
            current = ""
        else:
            current += character
    return (*labels, current) if cell else ()
