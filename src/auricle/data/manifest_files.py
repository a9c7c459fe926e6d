"""Manifests as files: CSV, TSV, JSONL or Parquet by suffix, read and written block by block.

Every form has the columns `path,onset_s,offset_s,labels,split,fold,group`, then the extra ones.
Times are in seconds; an empty offset is the end of the file. In CSV and TSV an empty cell is
none, and labels are separated by `|`; a `|` or backslash inside a label has a backslash before it,
and a backslash alone is one label without a letter. In JSONL and Parquet labels are a list and none
is null.
"""

import csv
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from auricle.core.errors import DataError, MissingExtra
from auricle.core.types import Label
from auricle.core.writing import replacing, write_csv
from auricle.data.clips import Block, Clips, ClipsBuilder, Seconds
from auricle.data.manifest import COLUMNS, Manifest
from auricle.data.texts import MOST_REMEMBERED, ROWS_AT_ONCE

_SEPARATOR = "|"
_ESCAPE = "\\"
_GROUP_ROWS = 16384  # of Parquet
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
MANIFEST_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


def write_manifest(path: str | Path, manifest: Manifest) -> None:
    """Write a manifest in the form that the suffix of `path` says, whole or not at all.

    `read_manifest` reads it back unchanged. A file inside the folder of `path` is named relative
    to it, any other absolutely, so that a folder can move together with its sounds. Raises
    `DataError` for another suffix or a name that the form cannot hold, `MissingExtra` for Parquet
    without pyarrow, `WriteError`.
    """
    path = Path(path)
    suffix = check_suffix(path)
    clips = manifest.columns
    if clash := set(clips.extra) & set(COLUMNS):
        raise DataError(f"a clip's extra column cannot be called '{min(clash)}': rename it")
    write = {".jsonl": _write_jsonl, ".parquet": _write_parquet}.get(suffix, _write_text)
    try:
        write(path, clips, _Portable(path.resolve().parent))
    except UnicodeEncodeError as error:
        raise DataError(
            f"manifest {path}: {error.object!a:.200} is no text that this form can hold: rename it"
        ) from None


def read_manifest(path: str | Path, audio_root: str | Path | None = None) -> Manifest:
    """Read what `write_manifest` wrote. Raises `DataError`, and `MissingExtra` for Parquet.

    Relative paths start from `audio_root` (default: the manifest's own folder). The task is
    multi-label where any clip has several labels or none, and groups are declared where any clip
    has one. Files are not looked for.
    """
    path = Path(path)
    suffix = check_suffix(path)
    read = {".jsonl": _read_jsonl, ".parquet": _read_parquet}.get(suffix, _read_text)
    root = path.resolve().parent if audio_root is None else Path(os.path.abspath(audio_root))
    builder = ClipsBuilder()
    try:
        for block in read(path):
            builder.add(block._replace(paths=[os.path.join(root, name) for name in block.paths]))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"manifest {path} cannot be read: {error}") from None
    clips = builder.finish()
    return Manifest.of(clips, group_declared=bool(clips.groups.filled().any()))


def check_suffix(path: Path) -> str:
    """Return the suffix of a manifest's file in lower case; raise where it is none of ours."""
    suffix = path.suffix.lower()
    if suffix not in MANIFEST_SUFFIXES:
        raise DataError(
            f"manifest '{path}': the suffix says the form and must be one of "
            f"{', '.join(MANIFEST_SUFFIXES)}"
        )
    if suffix == ".parquet":
        _pyarrow()
    return suffix


def is_manifest(path: Path) -> bool:
    """Say whether the file at `path` has the columns of a manifest."""
    try:
        suffix = check_suffix(path)
        if suffix == ".parquet":
            _, parquet = _pyarrow()
            names = parquet.read_schema(path).names
        elif suffix == ".jsonl":
            with _open(path) as file:
                row = json.loads(next(file, "null"))
            names = row if isinstance(row, dict) else ()
        else:
            with _open(path) as file:
                _, names = _header(file, path)
    except (OSError, ValueError, csv.Error, DataError, MissingExtra):
        return False
    return set(COLUMNS) <= set(names)


class _Portable:
    """Names files relative to a folder that they are in, and others absolutely."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inside = os.path.join(folder, "")

    def __call__(self, path: str) -> str:
        absolute = path if os.path.isabs(path) else os.path.abspath(path)
        absolute = os.path.normpath(absolute)
        if absolute.startswith(self.inside):
            return absolute[len(self.inside) :].replace(os.sep, "/")
        return absolute


# CSV and TSV


def _write_text(path: Path, clips: Clips, portable: Callable[[str], str]) -> None:
    cells = _Cells()

    def rows() -> Iterator[tuple[str, ...]]:
        for block in clips.blocks():
            yield from zip(
                map(portable, block.paths),
                map(repr, block.onsets_s.tolist()),
                ("" if time is None else repr(time) for time in block.offsets()),
                map(cells.__getitem__, block.labels),
                block.splits,
                block.folds,
                block.groups,
                *block.extra.values(),
                strict=True,
            )

    write_csv(path, [*COLUMNS, *clips.extra], rows(), _DELIMITERS[path.suffix.lower()])


class _Cells(dict[tuple[Label, ...], str]):
    """The cell of each tuple of labels; most tuples come many times."""

    def __missing__(self, labels: tuple[Label, ...]) -> str:
        if len(self) > MOST_REMEMBERED:
            self.clear()
        escaped = [
            label.replace(_ESCAPE, _ESCAPE * 2).replace(_SEPARATOR, _ESCAPE + _SEPARATOR)
            for label in labels
        ]
        cell = self[labels] = _ESCAPE if escaped == [""] else _SEPARATOR.join(escaped)
        return cell


class _LabelsOfCells(dict[str, tuple[Label, ...]]):
    """The labels of each cell, split at separators that have no escape before them."""

    def __missing__(self, cell: str) -> tuple[Label, ...]:
        if len(self) > MOST_REMEMBERED:
            self.clear()
        cell.encode("utf-8")  # a label that is no text would fail much later
        labels = self[cell] = _unescape(cell) if _ESCAPE in cell else _split(cell)
        return labels


def _split(cell: str) -> tuple[Label, ...]:
    return tuple(cell.split(_SEPARATOR)) if cell else ()


def _unescape(cell: str) -> tuple[Label, ...]:
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
    return (*labels, current)


def _read_text(path: Path) -> Iterator[Block]:
    labels_of = _LabelsOfCells()
    with _open(path) as file:
        reader, header = _header(file, path)
        _require_columns(path, header)
        done = 0
        while rows := list(islice(reader, ROWS_AT_ONCE)):
            whole = [row for row in rows if row]  # blank lines are no rows
            if any(len(row) != len(header) for row in whole):
                at = next(at for at, row in enumerate(rows) if row and len(row) != len(header))
                raise _fault(path, done + at, "not as many cells as columns")
            cells = dict(zip(header, zip(*whole, strict=True), strict=True)) if whole else {}
            try:
                if cells:
                    yield _block_of_cells(cells, labels_of)
            except (ValueError, UnicodeEncodeError):
                raise _bad_row(path, header, rows, done) from None
            done += len(rows)


def _block_of_cells(
    cells: Mapping[str, Sequence[str]], labels_of: Mapping[str, tuple[Label, ...]]
) -> Block:
    """Raises `ValueError` where a time is none, `UnicodeEncodeError` where a label is no text."""
    return Block(
        paths=cells["path"],
        labels=list(map(labels_of.__getitem__, cells["labels"])),
        onsets_s=_times(list(map(float, cells["onset_s"]))),
        offsets_s=_times([float(cell) if cell else None for cell in cells["offset_s"]]),
        splits=cells["split"],
        folds=cells["fold"],
        groups=cells["group"],
        extra={name: column for name, column in cells.items() if name not in COLUMNS},
    )


def _bad_row(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], done: int
) -> DataError:
    """Return what is wrong with the first bad one of some rows."""
    for at, row in enumerate(rows):
        cells = dict(zip(header, row, strict=False))
        try:
            if row:
                _block_of_cells({name: [cell] for name, cell in cells.items()}, _LabelsOfCells())
        except UnicodeEncodeError:
            return _fault(path, done + at, "a label is not UTF-8; save the table as UTF-8")
        except ValueError:
            return _fault(
                path,
                done + at,
                f"onset_s and offset_s must be seconds, got '{cells['onset_s']}' and "
                f"'{cells['offset_s']}'",
            )
    return DataError(f"manifest {path} cannot be read")


def _fault(path: Path, row: int, what: str) -> DataError:
    """Return an error that names the line on which a row (from 0) ends."""
    with _open(path) as file:
        reader, _ = _header(file, path)
        next(islice(reader, row, None), None)
        return DataError(f"{path} line {reader.line_num}: {what}")


def _open(path: Path) -> Any:
    # Read exactly as written: a blank at either end of a name is part of the name, and a name of a
    # file that is no text keeps its bytes.
    return path.open(newline="\n", encoding="utf-8-sig", errors="surrogateescape")


def _header(file: Any, path: Path) -> tuple[Any, list[str]]:
    """Return a reader of the rows below the header, and the header.

    A spreadsheet may have saved a manifest with another delimiter than its suffix says.
    """
    own = _DELIMITERS[path.suffix.lower()]
    first = next(csv.reader(file, delimiter=own), [])
    kept = own
    if "path" not in first:
        kept = next((other for other in ",\t;" if other in "".join(first)), own)
    file.seek(0)
    reader = csv.reader(file, delimiter=kept, strict=True)
    return reader, next(reader, [])


def _require_columns(path: Path, header: Sequence[str]) -> None:
    absent = [name for name in COLUMNS if name not in header]
    if absent:
        raise DataError(
            f"{path} is not a manifest: it has no column '{absent[0]}' (it has {', '.join(header)})"
        )
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise DataError(f"{path} has two columns called '{twice}': rename one")


def _times(values: Sequence[float | None]) -> Seconds:
    """Return seconds with NaN for None. Raises `ValueError` for what is no finite number."""
    times = np.array(values, np.float64)
    given = [value for value in values if value is not None]
    if not all(map(math.isfinite, given)):
        raise ValueError("not finite")
    return times


# JSONL


def _write_jsonl(path: Path, clips: Clips, portable: Callable[[str], str]) -> None:
    encode = json.JSONEncoder(ensure_ascii=False).encode
    with (
        replacing(path) as temporary,
        # The name of a file need not be text; escaped this way, it reads back from JSON.
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file,
    ):
        for block in clips.blocks():
            columns = _plain_columns(block, portable)
            rows = zip(*columns.values(), strict=True)
            file.writelines(encode(dict(zip(columns, row, strict=True))) + "\n" for row in rows)


def _plain_columns(block: Block, portable: Callable[[str], str]) -> dict[str, Sequence[Any]]:
    """Return the columns of a block by name, with None for what is none."""
    columns = (
        list(map(portable, block.paths)),
        block.onsets_s.tolist(),
        block.offsets(),
        block.labels,
        *([text or None for text in texts] for texts in (block.splits, block.folds, block.groups)),
    )
    return {**dict(zip(COLUMNS, columns, strict=True)), **block.extra}


def _read_jsonl(path: Path) -> Iterator[Block]:
    with _open(path) as file:
        lines = enumerate(file, start=1)
        while block := list(islice(lines, ROWS_AT_ONCE)):
            rows = [
                _json_row(line, f"{path} line {number}") for number, line in block if line.strip()
            ]
            names = dict.fromkeys(name for row in rows for name in row)
            yield Block(
                paths=[row["path"] for row in rows],
                labels=[row["labels"] for row in rows],
                onsets_s=np.array([row["onset_s"] for row in rows], np.float64),
                offsets_s=np.array([row["offset_s"] for row in rows], np.float64),
                splits=[row["split"] for row in rows],
                folds=[row["fold"] for row in rows],
                groups=[row["group"] for row in rows],
                extra={
                    name: [row.get(name, "") for row in rows]
                    for name in names
                    if name not in COLUMNS
                },
            )


def _json_row(line: str, where: str) -> dict[str, Any]:
    """Return the values of a line by column. Raises `DataError` that says `where`."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"{where}: not JSON: {error}") from None
    if not isinstance(row, dict) or not isinstance(row.get("path"), str):
        raise DataError(f"{where}: not a row of a manifest: an object with a 'path' is needed")
    for name in COLUMNS:
        if name not in row:
            raise DataError(f"{where}: not a row of a manifest: it has no '{name}'")
    labels = row["labels"]
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise DataError(f"{where}: labels must be a list of texts, got {labels!r}")
    for name in ("onset_s", "offset_s"):
        value = row[name]
        if not (value is None and name == "offset_s") and not _is_time(value):
            raise DataError(f"{where}: {name} must be seconds, got {value!r}")
    return {name: _json_value(name, value) for name, value in row.items()}


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _json_value(name: str, value: Any) -> Any:
    if name in ("onset_s", "offset_s"):
        return value
    if name == "labels":
        return tuple(value)
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# Parquet


def _write_parquet(path: Path, clips: Clips, portable: Callable[[str], str]) -> None:
    arrow, parquet = _pyarrow()
    text_paths = _all_text(clips, portable)
    texts = arrow.string()
    types = [
        texts if text_paths else arrow.binary(),
        arrow.float64(),
        arrow.float64(),
        arrow.list_(texts),
        *[texts] * (3 + len(clips.extra)),
    ]
    schema = arrow.schema(list(zip([*COLUMNS, *clips.extra], types, strict=True)))

    def columns(block: Block) -> dict[str, Sequence[Any]]:
        made = _plain_columns(block, portable)
        return made if text_paths else {**made, "path": list(map(os.fsencode, made["path"]))}

    with (
        replacing(path) as temporary,
        temporary.open("wb") as file,
        parquet.ParquetWriter(file, schema) as writer,
    ):
        for start in range(0, len(clips), _GROUP_ROWS):
            blocks = clips[start : start + _GROUP_ROWS].blocks()
            batches = [arrow.record_batch(columns(block), schema) for block in blocks]
            writer.write_table(arrow.Table.from_batches(batches, schema))


def _all_text(clips: Clips, portable: Callable[[str], str]) -> bool:
    """Say whether all paths are text: a name on Linux may be any bytes."""
    try:
        for block in clips.blocks():
            "".join(map(portable, block.paths)).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _read_parquet(path: Path) -> Iterator[Block]:
    arrow, parquet = _pyarrow()
    try:
        with path.open("rb") as raw, parquet.ParquetFile(raw) as file:
            names = file.schema_arrow.names
            _require_columns(path, names)
            # Group by group and in one thread, what Arrow keeps stays small.
            for group in range(file.metadata.num_row_groups):
                some = file.iter_batches(ROWS_AT_ONCE, row_groups=[group], use_threads=False)
                for batch in some:
                    yield _block_of_batch(dict(zip(names, batch.columns, strict=True)), arrow)
    except arrow.ArrowException as error:
        raise DataError(f"manifest {path} cannot be read: {error}") from None


def _block_of_batch(columns: Mapping[str, Any], arrow: Any) -> Block:
    def texts(name: str) -> list[str]:
        column = columns[name]
        if arrow.types.is_binary(column.type):
            return [os.fsdecode(cell) for cell in column.to_pylist()]
        return [cell or "" for cell in column.cast(arrow.string()).to_pylist()]

    onsets_s, offsets_s = (
        np.array(columns[name].cast(arrow.float64()).to_numpy(zero_copy_only=False))
        for name in ("onset_s", "offset_s")
    )
    return Block(
        paths=texts("path"),
        labels=[tuple(cell or ()) for cell in columns["labels"].to_pylist()],
        onsets_s=onsets_s,
        offsets_s=offsets_s,
        splits=texts("split"),
        folds=texts("fold"),
        groups=texts("group"),
        extra={name: texts(name) for name in columns if name not in COLUMNS},
    )


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("a manifest as Parquet", "data") from None
    return pyarrow, pyarrow.parquet
