"""Messages, tables and progress on a terminal; timestamped lines where there is none."""

import os
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from auricle.core.reporting import Progress as ProgressLike
from auricle.core.reporting import Silent, one_line
from auricle.core.units import format_duration

LINE_EVERY_S = 10.0
PIPED_COLUMNS = 160


class ConsoleReporter:
    """Writes for people, to standard error by default so that results stay alone on stdout.

    With `quiet` only warnings are written.
    """

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        # No emoji codes: a label may be called ":dog:".
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
        self._quiet = quiet

    def say(self, text: str) -> None:
        """Write a line, with the time before it where there is no terminal."""
        if not self._quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Write a line even where the reporter is quiet."""
        stamp = "" if self.console.is_terminal else time.strftime("%H:%M:%S ")
        self.console.print(f"{stamp}{one_line(text)}", markup=False)

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Write a table; numbers stand to the right."""
        if not self._quiet:
            self.console.print(make_table(title, header, rows))

    @contextmanager
    def progress(self, what: str, total: int) -> Generator[ProgressLike, None, None]:
        """Show a bar with time left, or a line now and then where there is no terminal."""
        if self._quiet:
            yield Silent()
            return
        if not self.console.is_terminal:
            yield _Lines(self, what, total)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as bars:
            yield _Bar(bars, bars.add_task(what, total=total, note=""))


class _Bar:
    def __init__(self, bars: Progress, task: Any) -> None:
        self._bars = bars
        self._task = task

    def advance(self, steps: int = 1, note: str = "") -> None:
        if note:
            self._bars.update(self._task, note=note)
        self._bars.advance(self._task, steps)


class _Lines:
    def __init__(self, reporter: ConsoleReporter, what: str, total: int) -> None:
        self._reporter = reporter
        self._what = what
        self._total = total
        self._done = 0
        self._started = self._last = time.monotonic()

    def advance(self, steps: int = 1, note: str = "") -> None:
        self._done += steps
        now = time.monotonic()
        if now - self._last < LINE_EVERY_S:
            return
        self._last = now
        left_s = (now - self._started) / self._done * (self._total - self._done)
        self._reporter.say(
            f"{self._what}: {self._done} of {self._total}, {format_duration(left_s)} left {note}"
        )


def result_console() -> Console:
    """Return a console on standard output; where that is no terminal, tables get room."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED_COLUMNS
    return console


def make_table(title: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """Build a rich table; columns of numbers are right-aligned."""
    table = Table(title=Text(title) if title else None, title_justify="left")
    for index, name in enumerate(header):
        numeric = all(isinstance(row[index], (int, float)) for row in rows)
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(format_cell(cell) for cell in row))
    return table


def format_cell(cell: Any) -> Text:
    """Write one value for people; markup and control characters in names are not obeyed."""
    if isinstance(cell, float):
        return Text(f"{cell:.4f}")
    if isinstance(cell, int):
        return Text(f"{cell:,}")
    return Text("\n".join(map(one_line, str(cell).split("\n"))))
