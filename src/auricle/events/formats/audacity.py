"""Audacity label tracks: onset, offset and text, tab-separated, one file per recording.

The form is that of the Audacity manual, "Importing and Exporting Labels": a line with a
backslash below a label gives the band that it was drawn in. A point label has equal times.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

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

_SUFFIX = ".txt"
_BAND = "\\"
_LOOKED_AT = 5


class AudacityLabels(RecordingFormat):
    """A label track per recording."""

    summary = "Audacity labels (.txt), one file per recording"
    strong = True
    weak = False
    holds = frozenset({LOW_HZ, HIGH_HZ})

    def claims(self, path: Path) -> bool:
        """Say whether the file is empty or begins with two numbers."""
        if self.recording_of(path.name) is None:
            return False
        cells = [line.split("\t") for line in islice(text_lines(path), _LOOKED_AT) if line.strip()]
        return not cells or (
            len(cells[0]) > 1 and number(cells[0][0]) >= 0 and number(cells[0][1]) >= 0
        )

    def recording_of(self, name: str) -> str | None:
        """Return the name without `.txt`; it may or may not have the sound's suffix."""
        return name[: -len(_SUFFIX)] or None if name.casefold().endswith(_SUFFIX) else None

    def file_name(self, recording: str, *, whole: bool) -> str:
        """Return the recording's whole name and `.txt`: nothing inside names the recording."""
        return f"{recording}{_SUFFIX}"

    def read(self, path: Path, recording: str, how: Reading) -> Iterator[Clip]:
        """Walk the labels; an empty file says that the recording has none."""
        lines = [(n, line) for n, line in enumerate(text_lines(path), 1) if line.strip()]
        if not lines:
            yield Clip(recording)
        bands = {n: line.split("\t")[1:] for n, line in lines if line.startswith(_BAND)}
        for n, line in lines:
            if n in bands:
                continue
            where = f"{path.name} line {n}"
            onset, offset, label = [*(cell.strip() for cell in line.split("\t", 2)), "", ""][:3]
            if not label:
                how.faults.reject(where, "a label has two times and a text, with tabs between")
                continue
            # Minus one stands for a side of the band that is open.
            extra = {
                name: cell.strip()
                for name, cell in zip((LOW_HZ, HIGH_HZ), bands.get(n + 1, ()), strict=False)
                if number(cell) >= 0
            }
            times = (onset or "-", offset or "-")
            clip = checked_clip(recording, (label,), times, where, how.faults, extra=extra)
            if clip is not None:
                yield clip

    def write(self, path: Path, recording: str, rows: Sequence[Clip], extra: Sequence[str]) -> None:
        """Write a line per event, and its band where `extra` asks for it."""
        lines: list[str] = []
        for clip in rows:
            for label in clip.labels:
                check_text(label, "label", "\t\n\r\0")
                lines.append(f"{seconds(clip.onset_s)}\t{seconds(clip.offset_s or 0.0)}\t{label}\n")
                band = [clip.extra.get(name) or "-1" for name in (LOW_HZ, HIGH_HZ) if name in extra]
                if any(side != "-1" for side in band):
                    lines.append("\t".join([_BAND, *band]) + "\n")
        path.write_text("".join(lines), encoding="utf-8", newline="\n")


FORMATS.add("audacity", AudacityLabels())
