"""Tables that say what is in a recording, not when.

`weak` is DESED's form (https://github.com/turpaultn/DESED): tab-separated `filename event_labels`
with commas between labels. `audioset` is the form of AudioSet's segment lists
(https://research.google.com/audioset/download.html): three lines that begin with `#`, then
`YTID, start_seconds, end_seconds, "mid,mid"`. The start and end say where in the video the
segment was; the published copies hold the segment alone, so they are kept as extra columns.
"""

import csv
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from auricle.core.errors import DataError
from auricle.core.tables import open_table, text_lines
from auricle.core.types import Clip
from auricle.core.writing import replacing, write_csv
from auricle.events.formats import FORMATS
from auricle.events.formats.base import (
    Reading,
    TableFormat,
    check_text,
    checked_clip,
    free_columns,
    number,
    seconds,
    time_fault,
)

_NAMES = ("filename", "file_name", "file")
_LABELS = ("event_labels", "labels")
_BETWEEN = ","

SEGMENT_COLUMNS: tuple[str, str] = ("start_seconds", "end_seconds")
"""Extra columns of AudioSet's segments: where in the video each one was, in seconds."""


class WeakTable(TableFormat):
    """A row per recording: its name and its labels, with commas between them."""

    summary = "labels of whole recordings, tab-separated, as DESED writes them"
    strong = False
    weak = True

    def claims(self, path: Path) -> bool:
        """Say whether there is a column of names and one of several labels, and none of times."""
        if path.suffix.lower() not in (".tsv", ".csv", ".txt", ".tab"):
            return False
        header = open_table(path).header
        return _columns(header) is not None and "onset" not in header

    def read(self, path: Path, how: Reading) -> Iterator[Clip]:
        """Walk the recordings. Raises `DataError`."""
        table = open_table(path)
        columns = _columns(table.header, how.label_column)
        if columns is None:
            raise DataError(
                f"{path} is no table of weak labels: it needs the columns filename and "
                f"event_labels, and has {', '.join(table.header)}"
            )
        name, labels = columns
        others = [(i, text) for i, text in enumerate(table.header) if text and i not in columns]
        for line, cells in table.rows():
            where = f"{path.name} line {line}"
            if cells is None:
                how.faults.reject(where, "more cells than columns")
                continue
            extra = {text: cells[i] for i, text in others if cells[i]}
            clip = checked_clip(
                cells[name], _split(cells[labels]), ("", ""), where, how.faults, extra=extra
            )
            if clip is not None:
                yield clip

    def write(self, path: Path, rows: Iterable[Clip], extra: Sequence[str]) -> None:
        """Write a row per recording."""
        cells = (
            [clip.path, _joined(clip), *(clip.extra.get(name, "") for name in extra)]
            for clip in rows
        )
        header = [_NAMES[0], _LABELS[0], *free_columns(extra, (_NAMES, _LABELS))]
        write_csv(path, header, cells, "\t")


class SegmentTable(TableFormat):
    """AudioSet's lists of segments with their labels."""

    summary = "labels of whole segments, as AudioSet lists them"
    strong = False
    weak = True
    holds = frozenset(SEGMENT_COLUMNS)

    def claims(self, path: Path) -> bool:
        """Say whether one of the first three lines is AudioSet's header."""
        if path.suffix.lower() != ".csv":
            return False
        lines = itertools.islice(text_lines(path), 3)
        return any(line.startswith("#") and "YTID" in line for line in lines)

    def read(self, path: Path, how: Reading) -> Iterator[Clip]:
        """Walk the segments; `path` is the YTID. Raises `DataError`."""
        if next(text_lines(path), None) is None:
            raise DataError(f"{path} is empty: it lists no segment")
        reader = csv.reader(text_lines(path), skipinitialspace=True)
        for cells in reader:
            if not cells or cells[0].startswith("#"):
                continue
            where = f"{path.name} line {reader.line_num}"
            if len(cells) != 4:
                how.faults.reject(where, f"a segment has 4 cells, and this line {len(cells)}")
                continue
            name, start, end, labels = (cell.strip() for cell in cells)
            fault = time_fault(number(start), number(end))
            if fault is not None:
                how.faults.reject(where, fault)
                continue
            extra = dict(zip(SEGMENT_COLUMNS, (start, end), strict=True))
            clip = checked_clip(name, _split(labels), ("", ""), where, how.faults, extra=extra)
            if clip is not None:
                yield clip

    def write(self, path: Path, rows: Iterable[Clip], extra: Sequence[str]) -> None:
        """Write the header and a line per segment; each must know its start and end."""
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.write("# Segments csv\n# written by auricle\n")
            file.write("# YTID, start_seconds, end_seconds, positive_labels\n")
            for clip in rows:
                start, end = (number(clip.extra.get(name, "")) for name in SEGMENT_COLUMNS)
                if time_fault(start, end) is not None:
                    raise DataError(
                        f"{clip.path}: AudioSet's list says where in its video a segment was, and "
                        f"these labels do not (columns {' and '.join(SEGMENT_COLUMNS)}, in "
                        "seconds): choose another format"
                    )
                check_text(clip.path, "name", '",\n\r\0')
                labels = _joined(clip, '"')
                file.write(f'{clip.path}, {seconds(start)}, {seconds(end)}, "{labels}"\n')


def _columns(header: Sequence[str], label: str | None = None) -> tuple[int, int] | None:
    lower = [name.casefold() for name in header]
    wanted = (_NAMES, (label.casefold(),) if label else _LABELS)
    found = [next((lower.index(n) for n in names if n in lower), None) for names in wanted]
    name, labels = found
    return None if name is None or labels is None else (name, labels)


def _split(cell: str) -> tuple[str, ...]:
    labels = (label.strip() for label in cell.split(_BETWEEN))
    return tuple(dict.fromkeys(label for label in labels if label))


def _joined(clip: Clip, forbidden: str = "") -> str:
    """Join labels with commas; a label must not hold one. Raises `DataError`."""
    for label in clip.labels:
        check_text(label, "label", f"{_BETWEEN}{forbidden}\n\r\0")
    check_text(clip.path, "name")
    return _BETWEEN.join(clip.labels)


FORMATS.add("weak", WeakTable())
FORMATS.add("audioset", SegmentTable())
