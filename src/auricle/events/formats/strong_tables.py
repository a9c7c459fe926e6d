"""Tables of events: one row per event, with a name, onset and offset in seconds, and a label.

`tsv` is the form of DESED and of DCASE Task 4 (https://github.com/turpaultn/DESED): tab-separated
`filename onset offset event_label`; a recording without events has one row with the other cells
empty. `csv` is the same with commas, which `auricle detect` writes too, with a score. Google's
AudioSet strong labels (https://research.google.com/audioset/download_strong.html) have the
columns `segment_id start_time_seconds end_time_seconds label`.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from auricle.core.errors import DataError
from auricle.core.tables import Table, open_table
from auricle.core.types import Clip
from auricle.core.writing import write_csv
from auricle.events.formats import FORMATS
from auricle.events.formats.base import (
    Reading,
    TableFormat,
    check_text,
    checked_clip,
    free_columns,
    seconds,
)

_ALIASES = (
    ("filename", "file_name", "file", "audio_filename", "segment_id", "clip_id"),
    ("onset", "onset_s", "start_time_seconds", "start_seconds", "start"),
    ("offset", "offset_s", "end_time_seconds", "end_seconds", "end"),
    ("event_label", "label", "class", "event"),
)
"""What the columns are called, the usual name first."""

_PRESENT = "present"
"""A column of AudioSet's lists of explicit positives and negatives."""


class StrongTable(TableFormat):
    """A table with a row per event; `header` names its four columns."""

    strong = True
    weak = False

    def __init__(self, summary: str, header: tuple[str, str, str, str], delimiter: str) -> None:
        self.summary = summary
        self._header = header
        self._delimiter = delimiter

    def claims(self, path: Path) -> bool:
        """Say whether the columns are there and called as this form calls them."""
        if path.suffix.lower() not in (".tsv", ".csv", ".txt", ".tab"):
            return False
        table = open_table(path)
        at = _columns(table)
        if at is None or _PRESENT in table.header:
            return False
        google = table.header[at[0]] in ("segment_id", "clip_id")
        if google or self._header[0] == "segment_id":
            return google and self._header[0] == "segment_id"
        return (table.delimiter == "\t") == (self._delimiter == "\t")

    def read(self, path: Path, how: Reading) -> Iterator[Clip]:
        """Walk the rows, whatever delimiter and form they are in. Raises `DataError`."""
        table = open_table(path)
        at = _columns(table, how.label_column)
        if at is None:
            raise DataError(
                f"{path} is no table of events: it needs the columns {', '.join(self._header)}, "
                f"and has {', '.join(table.header)}"
            )
        if _PRESENT in table.header:
            raise DataError(
                f"{path} lists where sounds are and are not (column '{_PRESENT}'); events are in "
                "another of AudioSet's tables, such as audioset_eval_strong.tsv"
            )
        name, onset, offset, label = at
        others = [(i, text) for i, text in enumerate(table.header) if text and i not in at]
        for line, cells in table.rows():
            where = f"{path.name} line {line}"
            if cells is None:
                how.faults.reject(where, "more cells than columns")
                continue
            labels = (cells[label],) if cells[label] else ()
            extra = {text: cells[i] for i, text in others if cells[i]} if others else None
            times = (cells[onset], cells[offset])
            clip = checked_clip(cells[name], labels, times, where, how.faults, extra=extra)
            if clip is not None:
                yield clip

    def write(self, path: Path, rows: Iterable[Clip], extra: Sequence[str]) -> None:
        """Write a row per event and label; a recording without events has empty cells."""
        write_csv(
            path,
            [*self._header, *free_columns(extra, _ALIASES)],
            (cells for clip in rows for cells in self._cells(clip, extra)),
            self._delimiter,
        )

    def _cells(self, clip: Clip, extra: Sequence[str]) -> Iterator[list[str]]:
        check_text(clip.path, "name")
        times = ["", ""]
        if clip.offset_s is not None:
            times = [seconds(clip.onset_s), seconds(clip.offset_s)]
        for label in clip.labels or ("",):
            if clip.labels:
                check_text(label, "label")
            yield [clip.path, *times, label, *(clip.extra.get(name, "") for name in extra)]


def _columns(table: Table, label: str | None = None) -> tuple[int, int, int, int] | None:
    """Return the positions of name, onset, offset and label; None where one is missing."""
    header = [name.casefold() for name in table.header]
    wanted = (*_ALIASES[:3], (label.casefold(),) if label else _ALIASES[3])
    found = [next((header.index(n) for n in names if n in header), None) for names in wanted]
    if any(at is None for at in found):
        return None
    name, onset, offset, event = (at for at in found if at is not None)
    return name, onset, offset, event


DESED_HEADER = ("filename", "onset", "offset", "event_label")
FORMATS.add("tsv", StrongTable("events, tab-separated, as DESED writes them", DESED_HEADER, "\t"))
FORMATS.add("csv", StrongTable("events, comma-separated, as auricle detect", DESED_HEADER, ","))
FORMATS.add(
    "audioset_strong",
    StrongTable(
        "events, tab-separated, with the columns of AudioSet's strong labels",
        ("segment_id", "start_time_seconds", "end_time_seconds", "label"),
        "\t",
    ),
)
