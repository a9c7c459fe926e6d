"""`Manifest`: the clips of a data set with their labels, and choices made on the way."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from auricle.core.errors import DataError
from auricle.core.types import Clip, Label
from auricle.data.clips import Clips
from auricle.data.wording import plural

SPLITS = ("train", "validation", "test")

COLUMNS = ("path", "onset_s", "offset_s", "labels", "split", "fold", "group")
"""The columns that every file of a manifest has; further ones are extra."""


@dataclass(frozen=True)
class Manifest:
    """The clips of a data set.

    `clips` is any sequence; those that `of` gathers are columns (`Clips`), which millions of rows
    fit into. `labels` are all classes, sorted. `notes` are the choices that were made while
    reading and splitting, one sentence each, to be shown to the user. `group_declared`:
    `Clip.group` was declared by a column or a reader, and never stands on two sides of a split.
    `missing` are the paths of rows whose file does not exist, `rejected` one line for every other
    row that could not be used; neither is among `clips`.
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
        """Gather clips, which may come one by one, into a manifest that holds them as columns.

        `labels` gives the classes and their order where a list fixes them (default: all that
        occur, sorted); `multi_label` is found out where it is not given: a clip has several
        labels or none.
        """
        held = Clips.of(clips)
        return cls(
            clips=held,
            labels=held.labels.present() if labels is None else tuple(labels),
            multi_label=bool(np.any(held.labels.sizes != 1))
            if multi_label is None
            else multi_label,
            notes=tuple(notes),
            group_declared=group_declared,
            missing=tuple(missing),
            rejected=tuple(rejected),
        )

    @property
    def columns(self) -> Clips:
        """The clips as columns; they are made of other sequences on every access."""
        return Clips.of(self.clips)

    def of_split(self, *splits: str) -> "Manifest":
        """Return the manifest with the clips of the given splits only, and all its labels."""
        clips = self.columns
        column = clips.splits.as_numbered()
        wanted = np.array([value in splits for value in column.values] or [False])
        return replace(self, clips=clips.select(wanted[column.codes]))

    def counts(self) -> dict[Label, dict[str, int]]:
        """Count clips by label, then by split (`""` where a clip has none)."""
        table: dict[Label, dict[str, int]] = {label: {} for label in self.labels}
        clips = self.columns
        rows, codes = clips.labels.flat()
        column, names = clips.splits.as_numbered(), clips.labels.names
        keys = codes.astype(np.int64) * len(column.values) + column.codes[rows]
        counts = np.bincount(keys)
        for key in np.flatnonzero(counts).tolist():
            label, split = divmod(key, len(column.values))
            table[names[label]][column.values[split]] = int(counts[key])
        return table

    def split_sizes(self) -> dict[str, int]:
        """Count clips by split, in the order train, validation, test; empty splits as 0."""
        column = self.columns.splits.as_numbered()
        counts = np.bincount(column.codes, minlength=len(column.values)).tolist()
        sizes = dict(zip(column.values, counts, strict=True))
        return {split: sizes.get(split, 0) for split in SPLITS}

    def unusable(self) -> list[tuple[str, str]]:
        """Return path (`""` where there is none to name) and reason of every row left out."""
        missing = [(path, f"{path}: the file does not exist") for path in self.missing]
        return missing + [("", line) for line in self.rejected]

    def noting(self, *notes: str) -> "Manifest":
        """Return the manifest with further notes."""
        return replace(self, notes=(*self.notes, *notes))


def unit_of(clip: Clip) -> tuple[str, str]:
    """Return what must stay on one side of a split: the clip's group, else its file."""
    return ("group", clip.group) if clip.group is not None else ("file", clip.path)


def require_trainable(manifest: Manifest) -> None:
    """Refuse what cannot be trained on.

    Raises `DataError` for fewer than two classes (one, where a clip may have several), for
    no training clip, and for a clip without a label where each must have one, in whichever part; a
    manifest that was not split yet counts as a whole.
    """
    bare = np.flatnonzero(manifest.columns.labels.sizes == 0)
    if len(bare) and not manifest.multi_label:
        raise DataError(
            f"{plural(len(bare), 'clip has', 'clips have')} no label, the first: "
            f"{manifest.columns[int(bare[0])].path}. Leave them out, or let a clip have several "
            "labels or none: --data.label_separator '|'"
        )
    split = bool(manifest.columns.splits.filled().any())
    clips = manifest.of_split("train").columns if split else manifest.columns
    if not len(clips):
        raise DataError(
            "there is no clip to train on: the training part is empty. Where the data name their "
            "own parts, as an archive's list for evaluation does, --data.split none draws new ones"
        )
    labels = clips.labels.present()
    least = 1 if manifest.multi_label else 2
    if len(labels) < least:
        found = f"only one: '{labels[0]}'" if labels else "none"
        raise DataError(
            f"training needs clips of at least {least} class{'es' if least > 1 else ''}, and the "
            f"{'training part' if split else 'data set'} has {found}. Add clips of another class, "
            "or look at the choice of label with: auricle data check"
        )
