"""A level meter on one line of a terminal; where there is none, nothing is written."""

import math
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from auricle.core.reporting import one_line

_WIDTH = 30
_LOWEST_DB = -60.0
_HIGH_DB = -12.0
_TOO_HIGH_DB = -1.0
_FALL_DB = 1.5
"""How far the mark of the peak falls with each block."""


class LevelMeter:
    """Shows seconds and level while the `with` block lasts; call it for every block of sound."""

    def __init__(self, what: str, console: Console | None = None) -> None:
        self._what = one_line(what)
        self._console = console or Console(stderr=True, highlight=False)
        self._held_db = _LOWEST_DB
        ascii_only = not self._console.encoding.lower().startswith("utf")
        self._letters = "#-|" if ascii_only else "█░│"
        self._live = (
            Live(console=self._console, auto_refresh=False, transient=True)
            if self._console.is_terminal
            else None
        )

    def __enter__(self) -> "LevelMeter":
        """Take the line."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Clear the line."""
        if self._live is not None:
            self._live.stop()

    def __call__(self, seconds: float, peak_db: float) -> None:
        """Show the time and the peak of a block, dB relative to full scale."""
        if self._live is not None:
            self._live.update(self.line(seconds, peak_db), refresh=True)

    def line(self, seconds: float, peak_db: float) -> Text:
        """Return the line: the bar is the block's peak, the mark the highest of late."""
        self._held_db = max(peak_db, self._held_db - _FALL_DB, _LOWEST_DB)
        full, empty, mark = self._letters
        length, held = _steps(peak_db), _steps(self._held_db)
        bar = list(full * length + empty * (_WIDTH - length))
        if held:
            bar[held - 1] = mark
        high = self._held_db
        colour = "red" if high > _TOO_HIGH_DB else "yellow" if high > _HIGH_DB else "green"
        level = "  -inf" if peak_db == -math.inf else f"{peak_db:6.1f}"
        return Text.assemble(
            f"{self._what}  {seconds:6.1f} s  ", ("".join(bar), colour), f" {level} dB"
        )


def _steps(level_db: float) -> int:
    share = (max(level_db, _LOWEST_DB) - _LOWEST_DB) / -_LOWEST_DB
    return min(_WIDTH, round(share * _WIDTH))
