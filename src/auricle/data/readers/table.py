"""A CSV or TSV table of paths and labels: a file, or a folder that holds one.

Which table of a folder is read: the one that `data.table` names; else those called train,
validation (val, valid, dev) and test (eval, evaluation), where there are two or more such; else
the only one that has a path and a label column; else the one called train; else none, and the
user must choose. Tables whose name says submission, prediction or scores hold no truth and are
passed over. Where class folders stand beside a table, the table is read, since only a table can
hold folds and groups; `data.reader=folder` reads the folders.

Which columns are read: see `auricle.data.readers.columns`. Paths start from `data.audio_root`,
else from the table's folder, or from audio_files/, audio/, train_audio/, audio_train/ or train/
in it where more of them exist.
"""

import itertools
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from auricle.core.errors import DataError, SoundsMissing, nearest
from auricle.core.types import Clip
from auricle.data.clips import Clips, ClipsBuilder
from auricle.data.config import DataConfig
from auricle.data.manifest import COLUMNS, Manifest
from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.columns import Columns, find_columns
from auricle.data.readers.folder import SPLIT_NAMES, class_folders, entries
from auricle.data.readers.rows import audio_base, locate
from auricle.data.repeats import contradictions, merged, without_repeats
from auricle.data.tables import TABLE_SUFFIXES, Table, open_table
from auricle.data.wording import SHOWN, case_twins, listed, plural

# Beside the table's own folder: what published data sets and competitions use.
_SOUND_FOLDERS = ("", "audio_files", "audio", "train_audio", "audio_train", "train")
_NOT_TRUTH = ("submission", "prediction", "scores")
_LOOKED_AT = 1000


@dataclass(frozen=True)
class _Source:
    """A table to read, and the split that its name stands for (None: the table does not say)."""

    table: Table
    columns: Columns
    split: str | None = None


class TableReader:
    """A CSV or TSV table with a path and a label per row, or a folder that holds such a table."""

    about = About("a CSV or TSV table with a path and a label per row, or a folder that holds one")

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether `path` is a table or a folder with one."""
        if path.is_file():
            return path.suffix.lower() in TABLE_SUFFIXES
        tables = _tables_in(path)
        if config.table is not None or any(_usable(table, config) for table in tables):
            return True
        # A table that cannot be used is still what the user should hear about.
        return bool(tables) and len(class_folders(path)) < 2

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read the rows of the table, or of one table per split, that the rule above chooses."""
        sources, notes = _choose(path, config)
        build = _Build(config)
        for source in sources:
            notes += source.columns.notes
            build.add(source, notes)
        return build.manifest(sources, notes)


def _choose(path: Path, config: DataConfig) -> tuple[list[_Source], list[str]]:
    """Decide which table, or tables, of `path` to read, and say why."""
    if path.is_file():
        if config.table is not None:
            raise DataError(
                f"--data.table {config.table} names a table inside a folder, but {path} is itself "
                "a table: leave one of the two out"
            )
        return [_source(open_table(path), config)], []
    if config.table is not None:
        return [_source(open_table(_named(path, config.table)), config)], []
    tables = _tables_in(path)
    usable = [table for table in tables if _usable(table, config)]
    if not usable:
        raise _none_usable(path, tables, config)
    notes = [
        f"{table.path.name} is not read: {_why_not(table, config)}"
        for table in tables
        if table not in usable
    ]
    chosen = _chosen(path, usable, notes)
    if len(class_folders(path)) > 1:
        notes.append(
            f"{path} holds both a table and class folders; "
            f"{listed(table.path.name for table in chosen)} was read, since a table can hold "
            "folds and groups. --data.reader folder reads the folders"
        )
    if len(chosen) == 1:
        return [_source(chosen[0], config)], notes
    return [_source(table, config, _split_of(table)) for table in chosen], notes


def _chosen(path: Path, usable: list[Table], notes: list[str]) -> list[Table]:
    if len(usable) == 1:
        return usable
    splits = [table for table in usable if _split_of(table)]
    if len({_split_of(table) for table in splits}) > 1:
        rest = [table.path.name for table in usable if table not in splits]
        if rest:
            notes.append(f"tables beside those of the splits are not read: {listed(rest)}")
        notes.append(f"read as splits: {listed(table.path.name for table in splits)}")
        return splits
    if len(splits) == 1 and _split_of(splits[0]) == "train":
        rest = [table.path.name for table in usable if table not in splits]
        notes.append(
            f"{splits[0].path.name} was read and not {listed(rest)}; --data.table {rest[0]} "
            "changes that"
        )
        return splits
    raise DataError(
        f"{path} holds several tables with paths and labels: "
        f"{listed(table.path.name for table in usable)}. Say which one with "
        f"--data.table {usable[0].path.name}"
    )


def _source(table: Table, config: DataConfig, split: str | None = None) -> _Source:
    return _Source(table, find_columns(table, config), split)


def _split_of(table: Table) -> str | None:
    return SPLIT_NAMES.get(table.path.stem.lower())


def _tables_in(folder: Path) -> list[Table]:
    tables = []
    for path in sorted(entries(folder)):
        if path.suffix.lower() in (".csv", ".tsv") and path.is_file():
            try:
                tables.append(open_table(path))
            except DataError:
                continue  # an empty file is no table
    return tables


def _usable(table: Table, config: DataConfig) -> bool:
    return _why_not(table, config) is None


def _why_not(table: Table, config: DataConfig) -> str | None:
    name = table.path.name
    if any(word in name.lower() for word in _NOT_TRUTH):
        return f"its name says that it holds no truth (--data.table {name} reads it all the same)"
    try:
        find_columns(table, config)
    except DataError as error:
        return str(error)
    return None


def _named(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        guess = nearest(name, [table.path.name for table in _tables_in(folder)])
        hint = f"; did you mean '{guess}'?" if guess else ""
        raise DataError(f"--data.table {name}: {folder} has no such file{hint}")
    return path


def _none_usable(path: Path, tables: list[Table], config: DataConfig) -> DataError:
    if not tables:
        return DataError(f"{path} holds no table (.csv, .tsv); the reader 'table' needs one")
    return DataError("; ".join(_why_not(table, config) or "" for table in tables))


class _Build:
    """Turns rows into clips, and keeps count of what could not be used."""

    def __init__(self, config: DataConfig) -> None:
        self.config = config
        self.clips = ClipsBuilder()  # columns: a table may have millions of rows
        self.missing: list[str] = []
        self.rejected: list[str] = []
        self.repeated = 0
        self.strange_splits: dict[str, int] = {}

    def add(self, source: _Source, notes: list[str]) -> None:
        """Read every row of a source."""
        table, columns = source.table, source.columns
        base = _base(table, columns, self.config, notes)
        rows = 0
        for number, cells in table.rows():
            rows += 1
            where = f"{table.path.name} line {number}"
            if cells is None:
                self.rejected.append(
                    f"{where}: more cells than columns; put quotes around a cell that holds "
                    f"{'a comma' if table.delimiter == ',' else 'the delimiter'}"
                )
                continue
            clip = self._clip(cells, source, where, base)
            if clip is not None:
                self.clips.append(clip)
        if not rows:
            raise DataError(f"table {table.path} has columns but no rows")

    def _clip(self, cells: list[str], source: _Source, where: str, base: Path) -> Clip | None:
        columns = source.columns
        labels = self._labels(cells[columns.label])
        fault = None
        if not cells[columns.path]:
            fault = "the path is empty"
        elif (
            not labels
            and self.config.label_separator is None
            and not _without_event(cells, columns)
        ):
            fault = "the label is empty"
        elif columns.fold is not None and not cells[columns.fold]:
            fault = "the fold is empty"
        onset_s = offset_s = None
        if fault is None:
            onset_s = _seconds(cells, columns.onset, source.table.delimiter)
            offset_s = _seconds(cells, columns.offset, source.table.delimiter)
            fault = _time_fault(onset_s, offset_s)
        if fault:
            self.rejected.append(f"{where}: {fault}")
            return None
        path = locate(base, cells[columns.path])
        if not os.path.isfile(path):
            self.missing.append(path)
            return None
        return Clip(
            path=path,
            labels=labels,
            onset_s=onset_s or 0.0,
            offset_s=offset_s,
            split=self._split(cells, source),
            fold=None if columns.fold is None else cells[columns.fold],
            group=None if columns.group is None else cells[columns.group] or None,
            extra={
                # A column that has the name of one of ours but another meaning.
                f"{name}_" if name in COLUMNS else name: cells[at]
                for at, name in columns.extra(source.table.header)
                if cells[at] or name not in COLUMNS
            },
        )

    def _labels(self, cell: str) -> tuple[str, ...]:
        if self.config.label_separator is None:
            return (cell,) if cell else ()
        parts = (part.strip() for part in cell.split(self.config.label_separator))
        return tuple(dict.fromkeys(part for part in parts if part))

    def _split(self, cells: list[str], source: _Source) -> str | None:
        if source.columns.split is None:
            return source.split
        said = cells[source.columns.split]
        split = SPLIT_NAMES.get(said.lower())
        if split is None:
            self.strange_splits[said] = self.strange_splits.get(said, 0) + 1
        return split

    def manifest(self, sources: list[_Source], notes: list[str]) -> Manifest:
        """Return what was read. Raises `DataError` where that is nothing."""
        clips = self.clips.finish()
        self._refuse_strange_splits(sources)
        if not len(clips):
            raise self._nothing(sources)
        several = self.config.label_separator is not None
        clips, self.repeated = merged(clips) if several else without_repeats(clips)
        labels = clips.labels.present()
        notes += [*self._remarks(clips), *case_twins(labels)]
        return Manifest(
            clips=clips,
            labels=labels,
            multi_label=several,
            notes=tuple(dict.fromkeys(notes)),
            group_declared=any(source.columns.group is not None for source in sources),
            missing=tuple(self.missing),
            rejected=tuple(self.rejected),
        )

    def _remarks(self, clips: Clips) -> Iterator[str]:
        if self.missing:
            yield f"{plural(len(self.missing), 'file')} missing: {listed(self.missing)}"
        if self.rejected:
            yield f"{plural(len(self.rejected), 'row')} left out: {listed(self.rejected)}"
        if self.repeated:
            yield f"{plural(self.repeated, 'row')} repeated another and left out"
        if self.config.label_separator is None:
            twice = contradictions(clips)
            if twice:
                some = [_two_labels(clips[row], clips[old]) for row, old in twice[:SHOWN]]
                more = f" and {len(twice) - SHOWN:,} more" if len(twice) > SHOWN else ""
                yield (
                    f"{plural(len(twice), 'clip')} with two labels: {', '.join(some)}{more}. Where "
                    "a clip may have several, say so with --data.label_separator"
                )

    def _refuse_strange_splits(self, sources: list[_Source]) -> None:
        if not self.strange_splits:
            return
        column = next(
            source.table.header[source.columns.split]
            for source in sources
            if source.columns.split is not None
        )
        strange = (
            f"{said!r} ({plural(count, 'row')})" for said, count in self.strange_splits.items()
        )
        raise DataError(
            f"the column '{column}' must say train, validation or test, but says "
            f"{listed(strange)}. "
            "--data.split none ignores it"
        )

    def _nothing(self, sources: list[_Source]) -> DataError:
        name = listed(source.table.path.name for source in sources)
        if self.missing:
            return SoundsMissing(
                f"none of the {plural(len(self.missing), 'file')} that {name} names exists: "
                f"{listed(self.missing)}. Say where they are with --audio-root DIR"
            )
        return DataError(f"no row of {name} can be used: {listed(self.rejected)}")


def _base(table: Table, columns: Columns, config: DataConfig, notes: list[str]) -> Path:
    """Return the folder that relative paths start from."""
    if config.audio_root is not None:
        return audio_base(config, table.path.parent)
    rows = itertools.islice(table.rows(), _LOOKED_AT)
    names = [cells[columns.path] for _, cells in rows if cells and cells[columns.path]]

    def hits(folder: str) -> int:
        base = table.path.parent / folder
        return sum(os.path.isfile(locate(base, name)) for name in names)

    # A tie goes to the first: the table's own folder.
    best = max(_SOUND_FOLDERS, key=hits)
    if best:
        notes.append(
            f"the paths of {table.path.name} start from {best}/ beside it; --audio-root DIR "
            "says otherwise"
        )
    return table.path.parent / best


def _seconds(cells: list[str], at: int | None, delimiter: str) -> float | None:
    """Read a time in seconds; None where there is none, NaN where it is not a number."""
    if at is None or not cells[at]:
        return None
    # Programs that put semicolons between cells put commas into numbers.
    text = cells[at].replace(",", ".") if delimiter == ";" else cells[at]
    try:
        return float(text)
    except ValueError:
        return math.nan


def _two_labels(clip: Clip, old: Clip) -> str:
    said = (one.labels[0] if one.labels else "no label" for one in (old, clip))
    return f"{clip.path} ({', '.join(said)})"


def _without_event(cells: list[str], columns: Columns) -> bool:
    """Say whether a row of a table of events, without times, tells of a file that has none."""
    onset, offset = columns.onset, columns.offset
    return onset is not None and offset is not None and not (cells[onset] or cells[offset])


def _time_fault(onset_s: float | None, offset_s: float | None) -> str | None:
    if not math.isfinite(onset_s or 0.0) or not math.isfinite(offset_s or 0.0):
        return "onset and offset must be seconds"
    if (onset_s or 0.0) < 0:
        return f"the onset is negative ({onset_s} s)"
    if offset_s is not None and offset_s <= (onset_s or 0.0):
        return f"the offset ({offset_s} s) is not after the onset ({onset_s or 0.0} s)"
    return None


READERS.add("table", TableReader())
