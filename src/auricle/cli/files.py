"""What the commands that run a classifier over files share."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from cyclopts import Parameter

from auricle.cli.outcome import say_next, skip_status, start_reporter
from auricle.core.errors import AudioError, AuricleError, ConfigError
from auricle.core.reporting import Reporter

if TYPE_CHECKING:
    from auricle.evaluation import Result
    from auricle.runtime import Predictor

T = TypeVar("T")


@Parameter(name="*")
@dataclass(frozen=True)
class CheckpointFlags:
    """What the checkpoint of another program does not say itself.

    Parameters
    ----------
    network
        Network that a checkpoint file is of, where it cannot be told (see `auricle models`).
    labels
        Text file with the classes of a checkpoint that does not name them, one a line.
    """

    network: Annotated[str | None, Parameter(name="--model")] = None
    labels: Path | None = None


AS_IT_SAYS = CheckpointFlags()


@Parameter(name="*")
@dataclass(frozen=True)
class ScoreFlags:
    """How a classifier scores files, and what becomes of bad ones.

    Parameters
    ----------
    batch_size
        Windows scored at once; it never changes a result.
    device
        auto, cpu, cuda or mps.
    strict
        Stop at the first file that cannot be read.
    allow_skips
        End with status 0 even if files were skipped.
    allow_truncated
        Use files that are cut short, as far as they go.
    quiet
        Say nothing but errors and the result.
    """

    batch_size: int = 16
    device: str = "auto"
    strict: bool = False
    allow_skips: bool = False
    allow_truncated: bool = False
    quiet: bool = False


@Parameter(name="*")
@dataclass(frozen=True)
class HearFlags(ScoreFlags):
    """How a classifier is run over files of any length.

    Parameters
    ----------
    hop_s
        Seconds between the windows of a longer file (default: the classifier's own).
    precision
        fp32, bf16 (about twice as fast where the processor computes in it), or auto.
    """

    hop_s: float | None = None
    precision: Literal["fp32", "bf16", "auto"] = "fp32"

    def start(
        self, model: Path, files: Sequence[str], checkpoint: CheckpointFlags = AS_IT_SAYS
    ) -> "Hearing":
        """Find the files and load the classifier. Raises `ConfigError`, `ArtifactError`."""
        from auricle.audio import find_audio

        if not files:
            raise ConfigError("name at least one sound file, folder or glob after the classifier")
        return self.start_over(model, find_audio(files), checkpoint)

    def start_over(
        self, model: Path, paths: list[Path], checkpoint: CheckpointFlags = AS_IT_SAYS
    ) -> "Hearing":
        """Load the classifier for files that are known. Raises as `start` does."""
        from auricle.api import load

        reporter = start_reporter(self.quiet)
        classifier = load(
            model,
            device=self.device,
            batch_size=self.batch_size,
            hop_s=self.hop_s,
            allow_truncated=self.allow_truncated,
            precision=self.precision,
            model=checkpoint.network,
            labels=checkpoint.labels,
            reporter=reporter,
        )
        return Hearing(classifier, paths, reporter, Skips(reporter, len(paths), strict=self.strict))


AS_IT_IS = HearFlags()
AS_IT_SCORES = ScoreFlags()


@dataclass(frozen=True)
class Hearing:
    """A classifier, the files that it is run over, and those that turned out bad."""

    classifier: "Predictor"
    paths: list[Path]
    reporter: Reporter
    skips: "Skips"

    def progress(self, what: str, items: Iterable[T]) -> Iterator[T]:
        """Yield what comes of each file and show how far that is."""
        with self.reporter.progress(what, len(self.paths)) as progress:
            for item in items:
                progress.advance()
                yield item


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
    from auricle.report.console import make_table, result_console

    result_console().print(make_table("", header, rows))


def show_result(result: "Result", folder: Path | None) -> None:
    """Print metrics with intervals, the table per class and where the files are."""
    from auricle.evaluation import interval, worst_confusion
    from auricle.report.console import make_table, result_console

    console = result_console()
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
