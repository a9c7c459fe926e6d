"""What the readers of archives share: options that have no meaning there, files, rows, notes.

The layout of a published archive is fixed, so no option may name its columns; `--data.split`,
`--data.fold` and `--data.group` may be `none`, which leaves what the archive says of them out.
"""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from auricle.audio import AUDIO_SUFFIXES
from auricle.core.errors import DataError, SoundsMissing
from auricle.core.tables import Table, open_table
from auricle.core.types import Clip, Label
from auricle.data.config import NO_COLUMN, DataConfig
from auricle.data.manifest import Manifest
from auricle.data.readers.base import About
from auricle.data.wording import case_twins, listed, plural

_COMMON_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
COLUMN_KEYS = ("table", "path", "label", "label_separator", "split", "fold", "group")


def refuse_columns(config: DataConfig, why: str, allowed: Sequence[str] = ()) -> None:
    """Refuse options that name columns, which would be silently without effect.

    `why` says what has no columns to choose from; `allowed` are keys that have a meaning all the
    same. Raises `DataError`.
    """
    for key in COLUMN_KEYS:
        value = getattr(config, key)
        if value is not None and value != NO_COLUMN and key not in allowed:
            raise DataError(f"--data.{key} {value}: {why}. Give a table, or leave the option out")


def audio_base(config: DataConfig, default: Path) -> Path:
    """Return the folder that paths start from: `--audio-root`, else `default`.

    Raises `DataError` for a root that is no folder.
    """
    if config.audio_root is None:
        return default
    root = Path(config.audio_root)
    if not root.is_dir():
        raise DataError(f"--audio-root {root} is not a folder")
    return root


def locate(base: Path, name: str) -> str:
    """Return the path of the file that a cell names, whether or not it exists.

    Tables made on Windows have backslashes, archives made on a Mac have letters with accents in
    pieces (NFD) where the table has them whole, and a table of ids leaves the suffix out.
    """
    path = os.path.normpath(os.path.join(base, name.replace("\\", "/")))
    others: list[str] = []
    if not path.isascii():
        others += [unicodedata.normalize(form, path) for form in ("NFC", "NFD")]
    if os.path.splitext(path)[1].lower() not in AUDIO_SUFFIXES:
        others += [path + suffix for suffix in _COMMON_SUFFIXES]
    if not others or os.path.isfile(path):
        return path
    return next(filter(os.path.isfile, others), path)


def require_columns(table: Table, columns: Sequence[str]) -> Table:
    """Return `table`. Raises `DataError`, naming it, where a column is missing."""
    absent = [name for name in columns if name not in table.header]
    if absent:
        raise DataError(
            f"{table.path} has no column '{absent[0]}', which this archive's table has; it has "
            f"{listed((repr(name) for name in table.header), shown=12)}"
        )
    return table


class FoldGroups:
    """Recordings as groups beside official folds, which a few of them may not respect.

    Authors keep the clips of one recording in one fold label by label, so that a recording with
    two kinds of sound may stand in two folds. Official folds are kept as they are, for figures
    elsewhere were measured on them: such a recording counts as one group in each fold, and is
    named. Without the folds (`--data.fold none`) every recording is one group.
    """

    def __init__(self, placed: Iterable[tuple[str, str]], config: DataConfig) -> None:
        """`placed` is the recording and the fold of every clip."""
        first: dict[str, str] = {}
        placed = placed if config.fold != NO_COLUMN else ()
        self._divided = {
            recording: None
            for recording, fold in placed
            if first.setdefault(recording, fold) != fold
        }

    def group(self, recording: str, fold: str) -> str:
        """Return the group of a clip."""
        return f"{recording} in fold {fold}" if recording in self._divided else recording

    def notes(self) -> list[str]:
        """Name the recordings that stand in two folds."""
        if not self._divided:
            return []
        return [
            f"{plural(len(self._divided), 'recording')} with two kinds of sound stand in two of "
            f"the official folds: {listed(self._divided)}. The folds are kept; --data.fold none "
            "leaves them out, and every recording then stays on one side"
        ]


class Gatherer:
    """Turns the rows of an archive into clips, and keeps what could not be used."""

    def __init__(self, about: About, config: DataConfig) -> None:
        self.about = about
        self.missing: list[str] = []
        self.rejected: list[str] = []
        self.skipped: Counter[str] = Counter()
        self._config = config

    @property
    def keeps_split(self) -> bool:
        """Whether the archive's own splits count: not where `data.split` is `none`."""
        return self._config.split != NO_COLUMN

    def rows(self, path: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
        """Walk an archive's table as `(where, cells by column)`; `where` is for messages.

        Raises `DataError` where the table cannot be read, or lacks one of `columns`.
        """
        table = require_columns(open_table(path), columns)
        for number, cells in table.rows():
            where = f"{path.name} line {number}"
            if cells is None:
                self.rejected.append(f"{where}: more cells than columns")
                continue
            yield where, dict(zip(table.header, cells, strict=True))

    def clip(
        self,
        path: str,
        labels: tuple[Label, ...],
        *,
        onset_s: float = 0.0,
        offset_s: float | None = None,
        split: str | None = None,
        fold: str | None = None,
        group: str | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> Clip | None:
        """Return the clip of a row, or None where its file does not exist.

        A column of `extra` that `data.group` names is the group.
        """
        if not os.path.isfile(path):
            self.missing.append(path)
            return None
        config = self._config
        extra = dict(extra or {})
        group = extra.pop(config.group or "", group)
        return Clip(
            path=path,
            labels=labels,
            onset_s=onset_s,
            offset_s=offset_s,
            split=split if self.keeps_split else None,
            fold=None if config.fold == NO_COLUMN else fold,
            group=None if config.group == NO_COLUMN else group or None,
            extra=extra,
        )

    def manifest(
        self,
        clips: Iterable[Clip | None],
        path: Path,
        *,
        labels: Sequence[Label] | None = None,
        multi_label: bool = False,
        grouped: bool = False,
        notes: Sequence[str] = (),
    ) -> Manifest:
        """Walk `clips`, which come one by one, and return the manifest with its notes.

        `path` is the data set, for messages; `grouped`: the archive documents a group. Raises
        `DataError` where not one clip can be used.
        """
        manifest = Manifest.of(
            (clip for clip in clips if clip is not None),
            labels=labels,
            multi_label=multi_label,
            group_declared=grouped and self._config.group != NO_COLUMN,
        )
        if not len(manifest.clips):
            raise self._nothing(path)
        return replace(
            manifest,
            missing=tuple(self.missing),
            rejected=tuple(self.rejected),
            notes=(*notes, *self._remarks(manifest)),
        )

    def _remarks(self, manifest: Manifest) -> Iterator[str]:
        if self.missing:
            yield f"{plural(len(self.missing), 'file')} missing: {listed(self.missing)}"
        if self.rejected:
            yield f"{plural(len(self.rejected), 'row')} left out: {listed(self.rejected)}"
        yield from self.about.differences(self._found(manifest))
        yield from case_twins(manifest.labels)

    def _found(self, manifest: Manifest) -> dict[str, int]:
        """Count what totals are published of; what was skipped by name counts as found."""
        found = {
            "clips": len(manifest.clips) + self.skipped.total(),
            "classes": len(manifest.labels),
        }
        if self.keeps_split:
            for split, size in manifest.split_sizes().items():
                found[f"{split} clips"] = size + self.skipped[split]
        return found

    def _nothing(self, path: Path) -> DataError:
        if self.missing:
            return SoundsMissing(
                f"none of the {plural(len(self.missing), 'file')} that {path} names exists: "
                f"{listed(self.missing)}. Say where they are with --audio-root DIR"
            )
        if self.rejected:
            return DataError(f"no row of {path} can be used: {listed(self.rejected)}")
        return DataError(f"{path} has the layout of a data set, but no clip in it")
