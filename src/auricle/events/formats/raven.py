"""Raven selection tables: tab-separated, one table per recording.

The columns are those of the Raven Pro 1.4 manual, chapter 6 (Cornell Lab of Ornithology):
Selection, View, Channel, Begin Time (s), End Time (s), Low Freq (Hz), High Freq (Hz), then
measurements and annotations that the user named. What was learnt of tables in use:

- A selection that is shown in two views has a row for each; the one of the spectrogram counts.
- Begin File names the recording. Where several recordings were opened as one sequence, begin and
  end count from the first; File Offset (s) is the begin within its own file.
- Cells are not quoted.
- BirdNET-Analyzer writes Begin Path and no Begin File.
"""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from auricle.core.errors import DataError
from auricle.core.tables import text_lines
from auricle.core.types import Clip
from auricle.events.formats import FORMATS
from auricle.events.formats.base import (
    HIGH_HZ,
    LOW_HZ,
    Reading,
    RecordingFormat,
    check_text,
    checked_clip,
    number,
    seconds,
)

SELECTION, VIEW, CHANNEL = "Selection", "View", "Channel"
BEGIN, END = "Begin Time (s)", "End Time (s)"
FILE, PATH, FILE_OFFSET = "Begin File", "Begin Path", "File Offset (s)"
ANNOTATION = "Annotation"
FIRST_CHANNEL = "1"

_LABELS = (
    "Annotation", "Annotations", "Species", "Label", "Labels", "Class", "Tag", "Tags", "Sound type",
    "Call Type", "Call", "Type", "Common Name", "Species Code",
)  # fmt: skip
_NO_LABELS = {SELECTION, VIEW, CHANNEL, BEGIN, END, LOW_HZ, HIGH_HZ, FILE, FILE_OFFSET}
_FILES = {PATH, "End File", "End Path"}
# REC.Table.1.selections.txt is Raven's, REC.BirdNET.selection.table.txt BirdNET-Analyzer's.
_NAME = re.compile(
    r"(.+?)((\.table\.\d+)?\.selections|(\.birdnet)?\.selection\.table)?\.txt", re.IGNORECASE
)
_TIME_DECIMALS = 9


class RavenTable(RecordingFormat):
    """A selection table per recording."""

    summary = "Raven selection tables (.selections.txt), one per recording"
    strong = True
    weak = False

    def claims(self, path: Path) -> bool:
        """Say whether the first line names the columns that every selection table has."""
        if self.recording_of(path.name) is None:
            return False
        header = next(iter(text_lines(path)), "").rstrip("\r\n").split("\t")
        return BEGIN in header and END in header

    def recording_of(self, name: str) -> str | None:
        """Return the recording's name without its suffix, as Raven names tables."""
        match = _NAME.fullmatch(name)
        return None if match is None else match[1]

    def file_name(self, recording: str, *, whole: bool) -> str:
        """Return `REC.Table.1.selections.txt`, as Raven itself does."""
        stem = recording if whole else PurePosixPath(recording).with_suffix("")
        return f"{stem}.Table.1.selections.txt"

    def read(self, path: Path, recording: str, how: Reading) -> Iterator[Clip]:
        """Walk the selections; a table without any says that the recording has none."""
        lines = [line.rstrip("\r\n") for line in text_lines(path)]
        header = [name.strip() for name in lines[0].split("\t")] if lines else []
        if BEGIN not in header or END not in header:
            raise DataError(f"{path} is no selection table: it has no columns '{BEGIN}', '{END}'")
        rows = [
            (number, dict(zip(header, map(str.strip, line.split("\t")), strict=False)))
            for number, line in enumerate(lines[1:], 2)
            if line.strip()
        ]
        if not rows:
            yield Clip(recording)
            return
        label = how.label_column or _label_column(path, header)
        if label not in header:
            raise DataError(f"{path} has no column '{label}'; it has {', '.join(header)}")
        drawn = {
            row.get(SELECTION) for _, row in rows if row.get(VIEW, "").startswith("Spectrogram")
        }
        ours = {SELECTION, VIEW, BEGIN, END, FILE, FILE_OFFSET, label}
        for line, row in rows:
            if row.get(VIEW, "").startswith("Waveform") and row.get(SELECTION) in drawn:
                continue  # the same selection, in the other view
            where = f"{path.name} line {line}"
            file = row.get(FILE) or row.get(PATH, "").replace("\\", "/").rpartition("/")[2]
            name = _in_folder_of(recording, file)
            if not row.get(label):
                how.faults.reject(where, f"the label (column '{label}') is empty")
                continue
            extra = {text: cell for text, cell in row.items() if cell and text not in ours}
            if extra.get(CHANNEL) == FIRST_CHANNEL:
                del extra[CHANNEL]
            clip = checked_clip(name, (row[label],), _times(row), where, how.faults, extra=extra)
            if clip is not None:
                yield clip

    def write(self, path: Path, recording: str, rows: Sequence[Clip], extra: Sequence[str]) -> None:
        """Write a row per event; the band's columns are there where it is known."""
        check_text(recording, "name", "\t\n\r\0")
        bands = [name for name in (LOW_HZ, HIGH_HZ) if name in extra]
        rest = [name for name in extra if name not in (*_NO_LABELS, ANNOTATION)]
        header = [
            SELECTION,
            VIEW,
            CHANNEL,
            BEGIN,
            END,
            *bands,
            FILE,
            FILE_OFFSET,
            ANNOTATION,
            *rest,
        ]
        lines = ["\t".join(header)]
        for clip in rows:
            for label in clip.labels:
                check_text(label, "label", "\t\n\r\0")
                begin, end = seconds(clip.onset_s), seconds(clip.offset_s or 0.0)
                cells = [
                    str(len(lines)),
                    "Spectrogram 1",
                    clip.extra.get(CHANNEL) or FIRST_CHANNEL,
                    begin,
                    end,
                    *(clip.extra.get(name, "") for name in bands),
                    PurePosixPath(recording).name,
                    begin,
                    label,
                    *(" ".join(clip.extra.get(name, "").split()) for name in rest),
                ]
                lines.append("\t".join(cells))
        path.write_text("\n".join([*lines, ""]), encoding="utf-8", newline="\n")


def _label_column(path: Path, header: Sequence[str]) -> str:
    by_name = {name.casefold(): name for name in header}
    known = next((by_name[n.casefold()] for n in _LABELS if n.casefold() in by_name), None)
    if known is not None:
        return known
    # Measurements have their unit in brackets.
    free = [
        name
        for name in header
        if name and name not in _NO_LABELS | _FILES and not name.endswith(")")
    ]
    if len(free) == 1:
        return free[0]
    raise DataError(
        f"{path}: which column holds the label? It has {', '.join(header)}. Name it (for readers: "
        "--data.label COLUMN)"
    )


def _times(row: dict[str, str]) -> tuple[str, str]:
    """Return begin and end within the recording, from within a sequence where it is one."""
    begin, end, offset = row.get(BEGIN, ""), row.get(END, ""), row.get(FILE_OFFSET, "")
    if not offset or offset == begin or math.isnan(number(offset)):
        return begin or "-", end or "-"
    length_s = number(end) - number(begin)
    return offset, seconds(round(number(offset) + length_s, _TIME_DECIMALS))


def _in_folder_of(recording: str, file: str) -> str:
    """Return the file that a table names, which lies where the table's name says."""
    if not file:
        return recording
    folder = PurePosixPath(recording).parent.as_posix()
    return file if folder == "." else f"{folder}/{file}"


FORMATS.add("raven", RavenTable())
