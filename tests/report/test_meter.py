"""The level meter: longer is louder, and nothing where nobody looks."""

import io
import math

import pytest
from rich.console import Console

from auricle.report.meter import LevelMeter


def meter(encoding: str = "utf-8", terminal: bool = True) -> tuple[LevelMeter, io.BytesIO]:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    console = Console(file=stream, force_terminal=terminal, width=80, legacy_windows=False)
    return LevelMeter("dog 1 of 2", console), raw


@pytest.mark.parametrize(("encoding", "full"), [("utf-8", "█"), ("ascii", "#")])
def test_the_bar_grows_with_the_level(encoding, full):
    lengths = []
    for level_db in (-math.inf, -59, -30, -10, 0, 3):
        line = meter(encoding)[0].line(1.25, level_db).plain
        line.encode(encoding)
        lengths.append(line.count(full))
    assert lengths == sorted(lengths)
    assert lengths[0] == 0
    assert lengths[2] < lengths[4] == lengths[5]


def test_time_and_level_are_written():
    line = meter()[0].line(12.34, -23.46).plain
    assert "dog 1 of 2    12.3 s" in line
    assert line.endswith(" -23.5 dB")
    assert meter()[0].line(0, -math.inf).plain.endswith("-inf dB")


def test_the_highest_of_late_stays_a_while():
    now, _ = meter()
    now.line(0, -6)
    assert now.line(0.05, -60).plain.count("│") == 1
    for _ in range(60):
        last = now.line(1, -60).plain
    assert "│" not in last


def test_nothing_is_written_where_there_is_no_terminal():
    now, raw = meter(terminal=False)
    with now:
        now(1.0, -10)
    assert raw.getvalue() == b""
    now, raw = meter()
    with now:
        now(1.0, -10)
    assert b"dog 1 of 2" in raw.getvalue()
