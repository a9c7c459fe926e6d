"""A sheet of spectrograms on terminals of every kind, and as a picture."""

import io

import numpy as np
import pytest
from rich.console import Console

from auricle.core.errors import ConfigError
from auricle.report.sheet import (
    SheetCell,
    SheetRow,
    cell_size,
    draw_sheet,
    drawing_for,
    print_sheet,
)


def console(encoding: str = "utf-8", **how) -> tuple[Console, io.BytesIO]:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    return Console(file=stream, width=60, legacy_windows=False, **how), raw


def cell(drawing: str, clips: int = 2, caption: str = "clip.wav") -> SheetCell:
    """The lower half of the bands is loud in the left half of the time."""
    bands, columns = cell_size(drawing, 60, clips)
    values = np.full((bands, columns), -120.0, np.float32)
    values[: bands // 2, : columns // 2] = -10
    return SheetCell(caption, values)


def printed(drawing: str, encoding: str = "utf-8", **how) -> list[str]:
    terminal, raw = console(encoding, **how)
    rows = [SheetRow("dog", [cell(drawing), cell(drawing), SheetCell("x", problem="no sound")])]
    print_sheet(terminal, rows, drawing)
    return raw.getvalue().decode(encoding).splitlines()


def test_a_terminal_is_drawn_on_as_it_can():
    assert drawing_for(console("ascii")[0]) == "ascii"
    assert drawing_for(console()[0]) == "braille"
    colourful = console(force_terminal=True, color_system="truecolor")[0]
    assert drawing_for(colourful) == "colour"
    bare = console(force_terminal=True, color_system="truecolor", no_color=True)[0]
    assert drawing_for(bare) == "braille"


def test_loud_is_dense_in_ascii():
    lines = printed("ascii", "ascii")
    width = cell_size("ascii", 60, 2)[1]
    assert lines[0] == "dog"
    assert lines[1].strip() == ""
    assert lines[8][: width // 2] == "@" * (width // 2)
    assert lines[8][width // 2 : width].strip() == ""
    assert lines[9].split() == ["clip.wav", "clip.wav"]
    assert lines[10] == "bad: no sound"


def test_loud_has_dots_in_braille():
    lines = printed("braille")
    letters = cell_size("braille", 60, 2)[1] // 2
    assert set(lines[8][: letters // 2]) == {"⣿"}
    assert set(lines[1][:letters]) == {"⠀"}


def test_loud_is_bright_in_colour():
    lines = printed("colour", force_terminal=True, color_system="truecolor")
    assert "38;2;250;244;168" in lines[8]
    assert "38;2;250;244;168" not in lines[1]
    assert lines[8].count("▀") == 2 * cell_size("colour", 60, 2)[1]


def test_a_sheet_never_exceeds_the_terminal():
    for drawing in ("colour", "braille", "ascii"):
        for clips in (1, 2, 4, 5):
            _, columns = cell_size(drawing, 60, clips)
            letters = columns // {"colour": 1, "braille": 2, "ascii": 1}[drawing]
            assert clips * letters + 2 * (clips - 1) <= 60


def test_silence_is_dark():
    silence = SheetCell("still", np.full(cell_size("braille", 60, 1), -120.0, np.float32))
    terminal, raw = console()
    print_sheet(terminal, [SheetRow("none", [silence])], "braille")
    assert set("".join(raw.getvalue().decode().splitlines()[1:9])) == {"\u2800"}


def test_clips_that_do_not_fit_beside_each_other_stand_below():
    terminal, raw = console()
    cells = [cell("braille", 20, f"c{number}") for number in range(20)]
    print_sheet(terminal, [SheetRow("dog", cells)], "braille")
    captions = [word for word in raw.getvalue().decode().split() if word.startswith("c")]
    assert captions == [f"c{number}" for number in range(20)]


def test_names_cannot_talk_to_the_terminal():
    terminal, raw = console()
    cells = [cell("ascii", caption="狗" * 40), cell("ascii", caption="\x1b[31mred\n")]
    print_sheet(terminal, [SheetRow("[bold]\x1b[2Jrm", cells)], "ascii")
    text = raw.getvalue().decode()
    assert "\x1b" not in text
    assert text.startswith("[bold]\\x1b[2Jrm")
    caption = text.splitlines()[9]
    assert caption.startswith("狗")
    assert "~" in caption


@pytest.mark.parametrize(
    ("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_a_picture_is_written_by_suffix(tmp_path, suffix, magic):
    rows = [
        SheetRow("dog $x", [cell("colour"), SheetCell("bad", problem="cannot be read " * 9)]),
        SheetRow("cat", [cell("colour", caption="a_b^c")]),
        SheetRow("none", []),
    ]
    draw_sheet(rows, tmp_path / f"sheet.{suffix}")
    assert (tmp_path / f"sheet.{suffix}").read_bytes().startswith(magic)
    assert [path.name for path in tmp_path.iterdir()] == [f"sheet.{suffix}"]


@pytest.mark.parametrize(("rows", "clips"), [(1, 201), (401, 1), (50, 41)])
def test_a_picture_that_nobody_could_open_is_refused(tmp_path, rows, clips):
    few = [SheetCell("x")] * clips
    with pytest.raises(ConfigError, match="lower --clips or --page-size"):
        draw_sheet([SheetRow("dog", few)] * rows, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"\.png, \.svg, \.pdf"):
        draw_sheet([], tmp_path / "sheet.jpeg2")
