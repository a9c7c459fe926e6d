"""Tables of text as people really save them: CSV and TSV, any encoding, walked row by row."""

import codecs
import csv
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from auricle.core.errors import DataError

_DELIMITERS = (",", "\t", ";")
_SNIFF_BYTES = 65536


@dataclass(frozen=True)
class Table:
    """A text table on disk: its header and a way to walk its rows without holding them.

    Every row of `rows()` is `(line number, cells)` with exactly one cell per column, stripped
    of blanks around it; a row with too many cells comes with `cells=None`.
    """

    path: Path
    header: tuple[str, ...]
    delimiter: str
    encoding: str

    def rows(self) -> Iterator[tuple[int, list[str] | None]]:
        """Walk the rows below the header, blank lines left out. Raises `DataError`."""
        width = len(self.header)
        with self.path.open("rb") as file:
            reader = _reader(_lines(file, self.encoding), self.delimiter)
            for number, cells in _guarded(reader, self.path, start=True):
                if not any(cells):
                    continue
                if len(cells) > width and any(cells[width:]):
                    yield number, None
                else:
                    yield number, (cells + [""] * width)[:width]


def open_table(path: str | Path) -> Table:
    """Find out encoding, delimiter and header of a CSV or TSV file.

    UTF-8 with or without a BOM and UTF-16 are read; a line that is not UTF-8 is read as
    Latin-1. The delimiter is the one of comma, tab and semicolon that splits the first lines
    most evenly. Raises `DataError` when there is no header to be had.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(_SNIFF_BYTES)
    except OSError as error:
        raise DataError(f"table {path} cannot be read: {error.strerror or error}") from None
    encoding = _encoding(head)
    lines = list(_lines(head.splitlines(keepends=True), encoding))
    if len(head) == _SNIFF_BYTES and len(lines) > 1:
        lines.pop()  # cut in the middle
    delimiter = _delimiter(lines, path.suffix.lower())
    rows = _guarded(_reader(lines, delimiter), path)
    header = next((cells for _, cells in rows if any(cells)), [])
    while header and not header[-1]:
        header.pop()
    if not header:
        raise DataError(f"table {path} is empty: its first row must name the columns")
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if repeated:
        raise DataError(f"table {path} has two columns called '{repeated[0]}': rename one")
    return Table(path, tuple(header), delimiter, encoding)


def text_lines(path: str | Path) -> Iterator[str]:
    """Walk the lines of a text file, decoded as `open_table` does. Raises `DataError`."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            encoding = _encoding(file.read(_SNIFF_BYTES))
            file.seek(0)
            yield from _lines(file, encoding)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


def _encoding(head: bytes) -> str:
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # UTF-16 without a mark: text that is mostly ASCII has a zero in every other byte.
    if head[1:2] == b"\0":
        return "utf-16-le"
    if head[:1] == b"\0":
        return "utf-16-be"
    return "utf-8"


def _lines(raw: Iterable[bytes], encoding: str) -> Iterator[str]:
    """Decode line by line, so that one line saved in another encoding spoils only itself."""
    if encoding.startswith("utf-16"):
        # A line feed is two bytes here, so lines are found after decoding.
        text = codecs.iterdecode(raw, encoding, errors="replace")
        yield from _relined(text)
        return
    first = True
    for line in raw:
        if first and line.startswith(codecs.BOM_UTF8):
            line = line[len(codecs.BOM_UTF8) :]
        first = False
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError:
            yield line.decode("latin-1")


def _relined(pieces: Iterable[str]) -> Iterator[str]:
    rest = ""
    for piece in pieces:
        *whole, rest = (rest + piece).split("\n")
        for line in whole:
            yield line + "\n"
    if rest:
        yield rest


def _delimiter(lines: list[str], suffix: str) -> str:
    preferred = "\t" if suffix in (".tsv", ".tab") else ","

    def evenness(delimiter: str) -> tuple[float, bool, int]:
        rows = itertools.islice(csv.reader(lines, delimiter=delimiter), 50)
        try:
            widths = [len(row) for row in rows if row]
        except csv.Error:
            return (0.0, False, 0)
        if not widths or widths[0] < 2:
            return (0.0, delimiter == preferred, 0)
        same = sum(width == widths[0] for width in widths) / len(widths)
        return (same, delimiter == preferred, widths[0])

    return max(_DELIMITERS, key=evenness)


def _reader(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    for row in reader:
        yield reader.line_num, [cell.strip() for cell in row]


def _guarded(
    rows: Iterator[tuple[int, list[str]]], path: Path, *, start: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """Turn what the csv module and the disk raise into `DataError`; `start` drops the header."""
    number = 0
    try:
        for number, cells in rows:
            if start:
                start = not any(cells)
                continue
            yield number, cells
    except csv.Error as error:
        raise DataError(
            f"table {path} breaks off after line {number}: {error}. Is a quote left open?"
        ) from None
    except OSError as error:
        raise DataError(f"table {path} cannot be read: {error.strerror or error}") from None
