"""How long work tells people what it does, without knowing whether they sit at a terminal."""

import unicodedata
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol


def one_line(text: str) -> str:
    """Return `text` on one line: control characters, such as those in file names, are escaped."""
    return "".join(
        letter.encode("unicode_escape").decode()
        if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
        else letter
        for letter in text
    )


class Progress(Protocol):
    """A piece of work under way."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Say that `steps` more are done; `note` is shown beside the time left."""
        ...


class Reporter(Protocol):
    """Where messages, tables and progress go."""

    def say(self, text: str) -> None:
        """Write a line."""
        ...

    def warn(self, text: str) -> None:
        """Write a line about something that went wrong; being quiet does not silence it."""
        ...

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Write a table."""
        ...

    def progress(self, what: str, total: int) -> AbstractContextManager[Progress]:
        """Start a piece of work of `total` steps."""
        ...


class Silent:
    """A reporter that says nothing."""

    def say(self, text: str) -> None:
        """Drop the line."""

    def warn(self, text: str) -> None:
        """Drop the line."""

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Drop the table."""

    @contextmanager
    def progress(self, what: str, total: int) -> Generator[Progress, None, None]:
        """Do the work in silence."""
        yield self

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Drop the step."""
