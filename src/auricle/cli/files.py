"""What the commands that run a classifier over files share."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from auricle.cli.outcome import say_next, skip_status
from auricle.core.errors import AuricleError
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


class Skips:
    """Files that could not be used: told at once, counted at the end."""

    def __init__(self, reporter: Reporter, *, strict: bool) -> None:
        self.reporter = reporter
        self.strict = strict
        self.count = 0
        self.last: AuricleError | None = None

    def add(self, source: object, error: AuricleError) -> None:
        """Report a bad file. With `strict` it is raised."""
        if self.strict:
            raise error
        self.count += 1
        self.last = error
        self.reporter.say(f"skipped {source}: {error}")

    def status(self, total: int, allow_skips: bool) -> int:
        """Return the exit status. Raises the error when every file was bad."""
        if self.last is not None and self.count == total:
            raise self.last
        if self.count:
            self.reporter.say(f"{self.count} of {total} files were skipped")
        return skip_status(self.count, allow_skips)


def with_progress(reporter: Reporter, what: str, items: Iterable[T], total: int) -> Iterator[T]:
    """Yield `items` and show how far they are."""
    with reporter.progress(what, total) as progress:
        for item in items:
            progress.advance()
            yield item


def check_output(output: Path | None) -> None:
    """Refuse a suffix that cannot be written before any work is done."""
    if output is not None:
        from auricle.data import table_writer

        table_writer(output)


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
