"""What the commands that read a data set share."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from auricle.core.errors import DataError
from auricle.core.reporting import Reporter

if TYPE_CHECKING:
    from auricle.data import DataConfig, Manifest

MOST_LINES = 20
"""How many of the rows that were left out are listed."""


def data_config(flags: Mapping[str, Any]) -> "DataConfig":
    """Return how files and labels are read: the environment, then `flags`. Raises `ConfigError`."""
    from auricle.api import data_section
    from auricle.core.config import validate
    from auricle.data import DataConfig

    return validate(DataConfig, data_section(flags), prefix="data")


def say_notes(manifest: "Manifest", reporter: Reporter) -> None:
    """Tell the choices that were made while the data set was read."""
    for note in manifest.notes:
        reporter.say(f"data: {note}")


def rows_left_out(manifest: "Manifest", *, strict: bool = False) -> list[str]:
    """Return a line for every row that cannot be used; `strict` raises the first as `DataError`."""
    from auricle.data.wording import plural

    lines = [line for _, line in manifest.unusable()]
    if lines and strict:
        raise DataError(
            f"--strict: {plural(len(lines), 'row')} cannot be used, the first: {lines[0]}"
        )
    return lines


def warn_left_out(lines: Sequence[str], reporter: Reporter, what: str = "rows") -> None:
    """List what could not be used, and say how many `what` that were."""
    for line in lines[:MOST_LINES]:
        reporter.warn(f"left out: {line}")
    if len(lines) > MOST_LINES:
        reporter.warn(f"... and {len(lines) - MOST_LINES:,} more")
    if lines:
        reporter.warn(f"{what} left out: {len(lines):,}")
