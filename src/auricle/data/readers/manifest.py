"""A manifest, as the commands of `auricle data` write it: CSV, TSV, JSONL or Parquet.

Its columns are `path,onset_s,offset_s,labels,split,fold,group` and extra ones (see
`auricle.data.manifest_files`). An option may take an extra column in the place of ours
(`--data.group speaker`), or none. It is also read where it is the only table of a folder and
called `manifest`. Two million rows fit: nothing here is a Python object per row.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from auricle.audio.members import split_member
from auricle.core.errors import DataError, nearest
from auricle.core.types import Label
from auricle.data.clips import Clips, LabelBuilder, LabelColumn
from auricle.data.config import NO_COLUMN, DataConfig
from auricle.data.manifest import Manifest
from auricle.data.manifest_files import MANIFEST_SUFFIXES, is_manifest, read_manifest
from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.folder import SPLIT_NAMES, entries
from auricle.data.repeats import without_repeats
from auricle.data.texts import ROWS_AT_ONCE, Column, no_texts, numbered
from auricle.data.wording import case_twins, listed, plural

_NAME = "manifest"
_SEPARATOR = "|"
_THREADS = 16  # a network folder answers many questions at once
_FILES_AT_ONCE = 512

Mask = npt.NDArray[np.bool_]


class ManifestReader:
    """A file with the columns of a manifest, or a folder whose only table is one."""

    about = About("a manifest that auricle data wrote: CSV, TSV, JSONL or Parquet")

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether `path` has the columns of a manifest."""
        file = _file(path, config)
        return file is not None and is_manifest(file)

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read the rows whose files exist and whose times make sense."""
        file = _file(path, config)
        if file is None:
            raise DataError(
                f"{path} is no manifest: it must be a file that ends in "
                f"{', '.join(MANIFEST_SUFFIXES)}, or a folder with one called '{_NAME}'"
            )
        if config.audio_root is not None and not Path(config.audio_root).is_dir():
            raise DataError(f"--audio-root {config.audio_root} is not a folder")
        whole = read_manifest(file, config.audio_root)
        if not len(whole.clips):
            raise DataError(f"manifest {file} has columns but no rows")
        notes: list[str] = []
        clips = _as_declared(whole.columns, config, file, notes)
        kept, rejected = _usable(clips, file)
        clips = clips.select(kept)
        here, missing = _existing(clips.paths)
        clips, repeated = without_repeats(clips.select(here))
        if not len(clips):
            raise _nothing(file, missing, rejected)
        if missing:
            notes.append(f"{plural(len(missing), 'file')} missing: {listed(missing)}")
        if rejected:
            notes.append(f"{plural(len(rejected), 'row')} left out: {listed(rejected)}")
        if repeated:
            notes.append(f"{plural(repeated, 'row')} repeated another and left out")
        manifest = Manifest.of(
            clips,
            multi_label=True if config.label_separator is not None else None,
            group_declared=bool(clips.groups.filled().any()),
            missing=missing,
            rejected=rejected,
        )
        return replace(manifest, notes=(*notes, *case_twins(manifest.labels)))


def _file(path: Path, config: DataConfig) -> Path | None:
    """Return the file of the manifest at `path`, None where there is none."""
    if not path.is_dir():
        if config.table is not None and path.suffix.lower() in MANIFEST_SUFFIXES:
            raise DataError(
                f"--data.table {config.table} names a table inside a folder, but {path} is itself "
                "a table: leave one of the two out"
            )
        return path if path.suffix.lower() in MANIFEST_SUFFIXES else None
    if config.table is not None:
        file = path / config.table
        return file if file.suffix.lower() in MANIFEST_SUFFIXES and file.is_file() else None
    if not any((path / f"{_NAME}{suffix}").is_file() for suffix in MANIFEST_SUFFIXES):
        return None
    tables = [entry for entry in entries(path) if entry.suffix.lower() in MANIFEST_SUFFIXES]
    return tables[0] if len(tables) == 1 else None


def _as_declared(clips: Clips, config: DataConfig, file: Path, notes: list[str]) -> Clips:
    """Return the clips with the columns that the options name in the place of ours."""
    if config.path not in (None, "path"):
        raise DataError(f"--data.path {config.path}: the paths of a manifest are in 'path'")
    return clips.having(
        splits=_three(_column(clips, config, "split", file, notes), config, file),
        folds=_column(clips, config, "fold", file, notes),
        groups=_column(clips, config, "group", file, notes),
        labels=_labels(clips, config, file),
    )


def _column(
    clips: Clips,
    config: DataConfig,
    key: Literal["split", "fold", "group"],
    file: Path,
    notes: list[str],
) -> Column:
    name: str | None = getattr(config, key)
    own = {"split": clips.splits, "fold": clips.folds, "group": clips.groups}[key]
    if name == NO_COLUMN:
        return no_texts(len(clips))
    if name is None and own.filled().any():
        what = {"split": "the splits", "fold": "the folds", "group": "what must stay together"}
        notes.append(f"the column '{key}' says {what[key]}; --data.{key} {NO_COLUMN} ignores it")
    return own if name in (None, key) else _extra(clips, name or "", f"--data.{key}", file)


def _extra(clips: Clips, name: str, option: str, file: Path) -> Column:
    if name not in clips.extra:
        guess = nearest(name, clips.extra)
        hint = f" Did you mean '{guess}'?" if guess else ""
        raise DataError(
            f"{option} {name}: {file.name} has no such column; its extra columns are "
            f"{listed(clips.extra, 12) or 'none'}.{hint}"
        )
    return clips.extra[name]


def _labels(clips: Clips, config: DataConfig, file: Path) -> LabelColumn:
    separator = config.label_separator
    if config.label in (None, "labels"):
        if separator not in (None, _SEPARATOR):
            raise DataError(
                f"--data.label_separator {separator}: the labels of a manifest are separated by "
                f"'{_SEPARATOR}'; leave the option out"
            )
        return clips.labels
    column = _extra(clips, config.label or "", "--data.label", file)

    def of_cell(cell: str) -> tuple[Label, ...]:
        parts = cell.split(separator) if separator else (cell,)
        return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))

    builder = LabelBuilder()
    for start in range(0, len(column), ROWS_AT_ONCE):
        builder.add([of_cell(cell) for cell in column.block(start, start + ROWS_AT_ONCE)])
    return builder.finish()


def _three(column: Column, config: DataConfig, file: Path) -> Column:
    """Return splits under the names that we have for them."""
    few = column.as_numbered()
    counts = np.bincount(few.codes, minlength=len(few.values)).tolist()
    ours = [SPLIT_NAMES.get(value.lower(), "") for value in few.values]
    strange = [
        f"{value!r} ({plural(count, 'row')})"
        for value, count, our in zip(few.values, counts, ours, strict=True)
        if value and count and not our
    ]
    if strange:
        raise DataError(
            f"the column '{config.split or 'split'}' of {file.name} must say train, validation or "
            f"test, but says {listed(strange)}. --data.split none ignores it"
        )
    names = sorted(set(ours))
    numbers = np.array([names.index(our) for our in ours] or [0])
    return numbered(names or [""], numbers[few.codes])


def _usable(clips: Clips, file: Path) -> tuple[Mask, list[str]]:
    """Say which rows can be used, and of every other one why not."""
    onsets_s, offsets_s = clips.onsets_s, clips.offsets_s
    folds = clips.folds.filled()
    faults: dict[str, Mask] = {
        "the path is empty": _no_name(clips.paths),
        "the onset is negative": onsets_s < 0,
        "the offset is not after the onset": offsets_s <= onsets_s,
        "the fold is empty": ~folds if folds.any() else np.zeros(len(clips), np.bool_),
    }
    bad = np.logical_or.reduce(list(faults.values()))
    lines = [
        f"{file.name} row {at + 1}: {next(fault for fault, rows in faults.items() if rows[at])}"
        for at in np.flatnonzero(bad).tolist()
    ]
    return ~bad, lines


def _no_name(paths: Column) -> Mask:
    ends = (
        path.endswith(os.sep)
        for start in range(0, len(paths), ROWS_AT_ONCE)
        for path in paths.block(start, start + ROWS_AT_ONCE)
    )
    return np.fromiter(ends, np.bool_, len(paths))


def _existing(paths: Column) -> tuple[Mask, tuple[str, ...]]:
    """Say which rows' files exist, and return the others' paths, each once."""
    files, first = paths.factorise()
    distinct = paths.take(first)

    def look(start: int) -> list[bool]:
        return [_exists(path) for path in distinct.block(start, start + _FILES_AT_ONCE)]

    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(chain.from_iterable(pool.map(look, range(0, len(distinct), _FILES_AT_ONCE))))
    there = np.array(found, np.bool_)
    absent = distinct.take(~there)
    return there[files], tuple(absent.block(0, len(absent)))


def _exists(path: str) -> bool:
    return os.path.isfile(path) or split_member(path) is not None


def _nothing(file: Path, missing: tuple[str, ...], rejected: list[str]) -> DataError:
    if missing:
        return DataError(
            f"none of the {plural(len(missing), 'file')} that {file.name} names exists: "
            f"{listed(missing)}. Say where they are with --audio-root DIR"
        )
    return DataError(f"no row of {file.name} can be used: {listed(rejected)}")


READERS.add("manifest", ManifestReader())
