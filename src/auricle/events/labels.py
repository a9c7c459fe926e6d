"""`read_labels` and `write_labels`: label files of every format, as rows."""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from auricle.core.errors import DataError
from auricle.core.types import Clip
from auricle.core.writing import replacing_folder
from auricle.events.formats import FORMATS
from auricle.events.formats.base import (
    Faults,
    Reading,
    RecordingFormat,
    TableFormat,
    check_text,
)

_BLOCK_ROWS = 50_000


def read_labels(
    path: str | Path,
    format: str | None = None,
    *,
    faults: Faults | None = None,
    label_column: str | None = None,
) -> Iterator[Clip]:
    """Walk the rows of a label file, or of a folder of them, in their order.

    `format` is a name of `FORMATS` (None: found by looking). The rows are clips: `path` is the
    name as the file gives it, no sound is looked for, and a row without times has the onset 0
    and the offset None. `label_column` names the column of labels where a format has several.
    Rows that break a rule go into `faults`; without it, the first one raises.

    Raises `DataError` for what is no label file, and `UnknownName` for an unknown format.
    """
    path = Path(path)
    kind = FORMATS[find_format(path) if format is None else format]
    how = Reading(faults or Faults(strict=True), label_column)
    if isinstance(kind, RecordingFormat):
        return _recordings(path, kind, how)
    if path.is_dir():
        raise DataError(f"{path} is a folder, where the labels must be one file: name the file")
    return kind.read(path, how)


def find_format(path: str | Path) -> str:
    """Return the name of the label format of a file or folder. Raises `DataError`."""
    path = Path(path)
    if not path.exists():
        raise DataError(f"label file not found: {path}")
    folder = path.is_dir()
    # An empty file in a folder may be anything; among label files it says that there is no event.
    for file in filter(_has_content, _files(path)) if folder else (path,):
        for name in FORMATS:
            kind = FORMATS[name]
            if isinstance(kind, RecordingFormat) >= folder and kind.claims(file):
                return name
    if folder:
        raise DataError(
            f"{path} holds no label files of recordings; where one table has the labels of all, "
            "name the table itself"
        )
    raise DataError(
        f"{path} is in no label format that is known ({', '.join(FORMATS)}): look at its columns, "
        "or name the format"
    )


def _has_content(path: Path) -> bool:
    return path.stat().st_size > 0


def _recordings(path: Path, kind: RecordingFormat, how: Reading) -> Iterator[Clip]:
    """Walk the label files of a folder, or one file, recording by recording."""
    if not path.is_dir():
        yield from kind.read(path, kind.recording_of(path.name) or path.name, how)
        return
    found = False
    for file in _files(path):
        recording = kind.recording_of(file.relative_to(path).as_posix())
        if recording is None or not kind.claims(file):
            how.faults.others.append(str(file))
            continue
        found = True
        yield from kind.read(file, recording, how)
    if not found:
        raise DataError(f"{path} holds no label file of this format")


def _files(folder: Path) -> Iterator[Path]:
    """Walk the files below a folder in the order of their names, hidden ones left out."""
    seen: set[tuple[int, int]] = set()
    found: list[Path] = []
    for here, folders, names in os.walk(folder, followlinks=True):
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()  # a link back to where the walk has been
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(here, name) for name in names if not name.startswith(".")]
    return iter(sorted(found))


def write_labels(
    path: str | Path, rows: Iterable[Clip], format: str, *, extra: Sequence[str] = ()
) -> None:
    """Write rows as one file, or as a folder with a file per recording, as `format` wants.

    `extra` names the columns of `Clip.extra` that are written; times keep every digit. The file
    or folder is whole or absent; one that is there is replaced. Memory stays flat for a table,
    and for a folder too: rows of one recording need not stand together.

    Raises `DataError` for what the format cannot say (times, missing times, a name or label with
    characters that it cannot hold), and `WriteError`.
    """
    kind = FORMATS[format]
    if isinstance(kind, RecordingFormat):
        _write_recordings(Path(path), _fitting(rows, kind), kind, extra)
    else:
        kind.write(Path(path), _fitting(rows, kind), extra)


def _fitting(rows: Iterable[Clip], kind: TableFormat | RecordingFormat) -> Iterator[Clip]:
    for clip in rows:
        kind.refuse_unfit(clip)
        yield clip


def _write_recordings(
    folder: Path, rows: Iterable[Clip], kind: RecordingFormat, extra: Sequence[str]
) -> None:
    names: dict[str, str] = {}
    taken: set[str] = set()
    rows = iter(rows)
    how = Reading(Faults(strict=True))
    with replacing_folder(folder) as temporary:
        while block := list(islice(rows, _BLOCK_ROWS)):
            recordings: dict[str, list[Clip]] = {}
            for clip in block:
                recordings.setdefault(clip.path, []).append(clip)
            for recording, clips in recordings.items():
                again = recording in names
                if not again:
                    # A table without a row has no place for the recording's name.
                    whole = not any(clip.labels for clip in clips)
                    names[recording] = _name(recording, kind, taken, whole=whole)
                file = temporary / names[recording]
                if again:  # an earlier block had rows of it
                    clips = [*(c for c in kind.read(file, recording, how) if c.labels), *clips]
                else:
                    file.parent.mkdir(parents=True, exist_ok=True)
                kind.write(file, recording, clips, extra)


def _name(recording: str, kind: RecordingFormat, taken: set[str], *, whole: bool) -> str:
    """Choose the name of a recording's label file, inside the folder and not taken.

    `whole`: with the suffix of the sound, which is there too where two differ by it alone.
    """
    check_text(recording, "name")
    parts = recording.split("/")
    if any(not part or part.startswith(".") for part in parts):
        raise DataError(
            f"the recording {recording!r} would be written outside the folder, or hidden: give "
            "names relative to a folder that holds all sounds"
        )
    for name in (kind.file_name(recording, whole=whole), kind.file_name(recording, whole=True)):
        if name.casefold() not in taken:
            taken.add(name.casefold())
            return name
    raise DataError(f"the recording {recording!r} and another would get the same label file")
