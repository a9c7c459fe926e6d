"""What the commands that run a classifier over files share."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from auricle.cli.outcome import say_next, skip_status
from auricle.core.errors import AudioError, AuricleError, ConfigError
from auricle.core.reporting import Reporter

if TYPE_CHECKING:
    from auricle.evaluation import Result
    from auricle.runtime import Predictor

T = TypeVar("T")


def open_classifier(
    model: Path,
    device: str,
    *,
    batch_size: int = 16,
    hop_s: float | None = None,
    allow_truncated: bool = False,
) -> "Predictor":
    """Load a classifier with the command line's settings on top of its own."""
    from auricle.api import load

    return load(
        model, device=device, batch_size=batch_size, hop_s=hop_s, allow_truncated=allow_truncated
    )


def find_files(files: Sequence[str]) -> list[Path]:
    """Return the sound files that the words on the command line mean."""
    from auricle.audio import find_audio

    if not files:
        raise ConfigError("name at least one sound file, folder or glob after the classifier")
    return find_audio(files)


class Skips:
    """Files, `total` in all, that could not be used: told at once, counted at the end."""

    def __init__(self, reporter: Reporter, total: int, *, strict: bool) -> None:
        self.reporter = reporter
        self.total = total
        self.strict = strict or total == 1
        self.count = 0
        self.last: AuricleError | None = None

    def add(self, source: object, error: AuricleError) -> None:
        """Report a bad file. With `strict`, or where it is the only one, it is raised."""
        if self.strict:
            raise error
        self.count += 1
        self.last = error
        name = "" if str(source) in str(error) else f" {source}"
        self.reporter.warn(f"skipped{name}: {error}")

    def status(self, allow_skips: bool) -> int:
        """Return the exit status. Raises `AudioError` when every file was bad."""
        if self.count and self.count == self.total:
            raise AudioError(f"none of the {self.total} files can be used; the last: {self.last}")
        if self.count:
            self.reporter.warn(f"{self.count} of {self.total} files were skipped")
        return skip_status(self.count, allow_skips)


def with_progress(reporter: Reporter, what: str, items: Iterable[T], total: int) -> Iterator[T]:
    """Yield `items` and show how far they are."""
    with reporter.progress(what, total) as progress:
        for item in items:
            progress.advance()
            yield item


def check_output(output: Path | None, *also: str) -> None:
    """Refuse an output that cannot be written before any work is done.

    `also` are suffixes that the command writes itself.
    """
    if output is None:
        return
    if output.suffix.lower() not in also:
        from auricle.data import table_writer

        try:
            table_writer(output)
        except ConfigError as error:
            raise ConfigError(", ".join([str(error), *also])) from None
    if output.is_dir():
        raise ConfigError(f"output '{output}' is a folder; name a file")
    check_folder(output.parent)


def check_folder(folder: Path | None) -> None:
    """Refuse a folder that cannot be made or written into before any work is done."""
    if folder is None:
        return
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        raise ConfigError(f"output: {there} is a file, not a folder")
    if not os.access(there, os.W_OK):
        raise ConfigError(f"output: there is no permission to write into {there}")


def emit(header: Sequence[str], rows: Sequence[Sequence[Any]], output: Path | None) -> None:
    """Write rows to `output` (by suffix), or as a table to standard output."""
    if output is not None:
        from auricle.data import write_table

        write_table(output, header, rows)
        say_next(f"{len(rows)} rows: {output}")
        return
    from rich.console import Console

    from auricle.report.console import make_table

    Console(highlight=False).print(make_table("", header, rows))


def show_result(result: "Result", folder: Path | None) -> None:
    """Print metrics with intervals, the table per class and where the files are."""
    from rich.console import Console

    from auricle.evaluation import interval, worst_confusion
    from auricle.report.console import make_table

    console = Console(highlight=False)
    rows = [
        [
            name,
            metric.value,
            interval(metric),
            metric.count,
            metric.groups or "",
        ]
        for name, metric in result.metrics.items()
    ]
    header = ["metric", "value", "95 % interval", "clips", "groups"]
    console.print(make_table("", header, rows))
    if result.per_class:
        keys = list(next(iter(result.per_class.values())))
        per_class = [[label, *row.values()] for label, row in result.per_class.items()]
        console.print(make_table("", ["class", *keys], per_class))
    worst = worst_confusion(result)
    if worst:
        say_next(f"worst confusion: {worst}")
    if folder is not None:
        say_next(f"saved: {folder / 'result.json'}")
