"""A sheet of spectrograms: a row of clips per class, on a terminal or as a picture."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from auricle.audio.spectrogram import FLOOR_DB
from auricle.core.errors import ConfigError, MissingExtra
from auricle.core.reporting import one_line
from auricle.core.types import FloatArray
from auricle.core.writing import replacing
from auricle.report.fonts import installed_fonts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RANGE_DB = 65.0
"""From the loudest of a clip down to what is drawn black."""
_QUIETEST_TOP_DB = FLOOR_DB + RANGE_DB
"""A clip without anything louder is drawn dark instead of having its noise blown up."""

PICTURE_SUFFIXES = (".png", ".svg", ".pdf")

MOST_CLIPS, MOST_ROWS, MOST_CELLS = 200, 400, 2000
"""What a picture holds: more is no picture that a program opens."""

Drawing: TypeAlias = Literal["colour", "braille", "ascii"]

_CELL_INCHES = (2.4, 1.5)
_TITLE_INCHES = 0.4
_ROWS = 8
_RAMP = " .:-=+*#%@"
# Dark blue over red to pale yellow: brighter is louder also where colours are not told apart.
_COLOURS = (
    (3, 4, 20),
    (52, 14, 98),
    (139, 33, 107),
    (213, 72, 66),
    (247, 148, 24),
    (250, 244, 168),
)
_SHADES = 32
# Where the dots of a braille cell lie (row, column) by bit: Unicode chapter 21.1.
_DOTS = ((0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1))
_DITHER = (np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) + 0.5) / 16


@dataclass(frozen=True)
class SheetCell:
    """One clip: its spectrogram in dB `(bands, columns)`, or the `problem` with it."""

    caption: str
    spectrogram_db: FloatArray | None = None
    problem: str | None = None


@dataclass(frozen=True)
class SheetRow:
    """One class."""

    title: str
    cells: Sequence[SheetCell]


def drawing_for(console: Console) -> Drawing:
    """Return what a terminal can show: colours, else letters of Unicode, else ASCII."""
    if console.legacy_windows or not console.encoding.lower().startswith("utf"):
        return "ascii"
    return "colour" if console.color_system and not console.no_color else "braille"


def cell_size(drawing: Drawing, width: int, clips: int) -> tuple[int, int]:
    """Return the (bands, columns) of a spectrogram, where `clips` share `width` letters."""
    letters = max(8, min(60, (width - 2 * (clips - 1)) // max(1, clips)))
    bands, columns = {"colour": (2, 1), "braille": (4, 2), "ascii": (1, 1)}[drawing]
    return bands * _ROWS, columns * letters


def print_sheet(console: Console, rows: Sequence[SheetRow], drawing: Drawing) -> None:
    """Write the rows to a terminal; spectrograms have the size that `cell_size` says."""
    for row in rows:
        console.print(Text(one_line(row.title), style="bold"))
        blocks = [
            _draw(cell.spectrogram_db, cell.caption, drawing)
            for cell in row.cells
            if cell.spectrogram_db is not None
        ]
        beside = max(1, (console.width + 2) // (blocks[0][0].cell_len + 2)) if blocks else 1
        for first in range(0, len(blocks), beside):
            for line in range(_ROWS + 1):
                joined = Text("  ").join(block[line] for block in blocks[first : first + beside])
                console.print(joined, no_wrap=True, crop=True)
        for cell in row.cells:
            if cell.problem is not None:
                console.print(Text(f"bad: {one_line(cell.problem)}", style="red"))
        console.print()


def _draw(spectrogram_db: FloatArray, caption: str, drawing: Drawing) -> list[Text]:
    """Return the lines of one clip, all of the same width; the last is its caption."""
    values = _brightness(spectrogram_db)[::-1]
    lines = {"colour": _in_colour, "braille": _in_braille, "ascii": _in_ascii}[drawing](values)
    return [*lines, Text(_fitted(caption, lines[0].cell_len), style="dim")]


def _brightness(spectrogram_db: FloatArray) -> FloatArray:
    """Map dB to 0 (dark) to 1, by the loudest of the clip."""
    top_db = max(float(spectrogram_db.max()), _QUIETEST_TOP_DB)
    return np.clip((spectrogram_db - (top_db - RANGE_DB)) / np.float32(RANGE_DB), 0, 1)


def _in_colour(values: FloatArray) -> list[Text]:
    shades = np.round(values * (_SHADES - 1)).astype(int).tolist()
    lines: list[Text] = []
    for upper, lower in zip(shades[::2], shades[1::2], strict=True):
        line = Text()
        for above, below in zip(upper, lower, strict=True):
            line.append("▀", _style(above, below))
        lines.append(line)
    return lines


@lru_cache(maxsize=_SHADES**2)
def _style(above: int, below: int) -> Style:
    return Style(color=_colour(above), bgcolor=_colour(below))


def _colour(shade: int) -> Color:
    at = shade / (_SHADES - 1) * (len(_COLOURS) - 1)
    channels = zip(*_COLOURS, strict=True)
    red, green, blue = (float(np.interp(at, range(len(_COLOURS)), one)) for one in channels)
    return Color.from_rgb(red, green, blue)


def _in_braille(values: FloatArray) -> list[Text]:
    height, width = values.shape
    threshold = np.tile(_DITHER, (-(-height // 4), -(-width // 4)))[:height, :width]
    # Squared: without colours the quiet parts must be nearly empty to show the loud ones.
    dots = values**2 > threshold
    codes = np.full((height // 4, width // 2), 0x2800)
    for bit, (row, column) in enumerate(_DOTS):
        codes += dots[row::4, column::2].astype(int) << bit
    return [Text("".join(map(chr, line))) for line in codes.tolist()]


def _in_ascii(values: FloatArray) -> list[Text]:
    steps = np.minimum((values * len(_RAMP)).astype(int), len(_RAMP) - 1)
    return [Text("".join(_RAMP[step] for step in line)) for line in steps.tolist()]


def _fitted(text: str, width: int) -> str:
    text = one_line(text)
    if cell_len(text) > width:
        return set_cell_size(text, max(0, width - 1)) + "~"
    return set_cell_size(text, width)


def check_size(rows: int, clips: int) -> None:
    """Refuse a picture of so many rows and clips in each that nobody could open it."""
    if clips > MOST_CLIPS or rows > MOST_ROWS or rows * clips > MOST_CELLS:
        raise ConfigError(
            f"a picture shows at most {MOST_CLIPS} clips of a class, {MOST_ROWS} classes and "
            f"{MOST_CELLS:,} clips in all, and {rows} times {clips} are asked for: lower --clips "
            "or --page-size"
        )


def draw_sheet(rows: Sequence[SheetRow], output: str | Path) -> None:
    """Draw the rows to a PNG, SVG or PDF, whole or not at all.

    Raises `ConfigError` for another suffix and for too many clips, `MissingExtra` without
    matplotlib, `WriteError`.
    """
    suffix = Path(output).suffix.lower()
    if suffix not in PICTURE_SUFFIXES:
        raise ConfigError(f"a picture ends in {', '.join(PICTURE_SUFFIXES)}; got '{output}'")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("A sheet as a picture", "train") from None
    lines, clips = max(1, len(rows)), max([1, *(len(row.cells) for row in rows)])
    check_size(lines, clips)
    width, height = 0.2 + _CELL_INCHES[0] * clips, 0.1 + _CELL_INCHES[1] * lines
    figure = Figure(figsize=(width, height), dpi=100)
    # Laid out by hand: a layout that is solved for takes minutes for hundreds of clips.
    grid = figure.subplots(lines, clips, squeeze=False)
    figure.subplots_adjust(
        left=0.1 / width,
        right=1 - 0.1 / width,
        bottom=0.1 / height,
        top=1 - _TITLE_INCHES / height,
        wspace=0.05,
        hspace=_TITLE_INCHES / (_CELL_INCHES[1] - _TITLE_INCHES),
    )
    fonts = installed_fonts()
    for axes in grid.flat:
        axes.set_axis_off()
    for row, line in zip(rows, grid, strict=False):
        for index, (cell, axes) in enumerate(zip(row.cells, line, strict=False)):
            title = f"{one_line(row.title)}\n" if index == 0 else "\n"
            _draw_cell(axes, cell, title, fonts)
    with replacing(output) as temporary, warnings.catch_warnings():
        # A letter that no installed font holds is drawn as a box, which is warning enough.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        figure.savefig(temporary, format=suffix[1:])


def _draw_cell(axes: "Axes", cell: SheetCell, title: str, fonts: list[str]) -> None:
    caption = title + one_line(cell.caption)
    axes.set_title(caption, fontsize=7, loc="left", family=fonts, parse_math=False)
    if cell.spectrogram_db is None:
        problem = "\n".join(wrap(one_line(cell.problem or ""), 36))
        axes.text(0, 1, problem, va="top", fontsize=6, color="firebrick", parse_math=False)
        return
    axes.imshow(
        _brightness(cell.spectrogram_db),
        origin="lower",
        aspect="auto",
        cmap="inferno",
        vmin=0,
        vmax=1,
        interpolation="nearest",
    )
