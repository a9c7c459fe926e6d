"""`auricle data check DATA`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from auricle.cli.datasets import data_config, say_notes
from auricle.cli.files import check_folder, emit
from auricle.cli.flags import NO_DATA_FLAGS, DataFlags
from auricle.cli.outcome import say_next, start_reporter
from auricle.core.errors import ConfigError
from auricle.core.reporting import Reporter
from auricle.core.units import format_duration

if TYPE_CHECKING:
    from auricle.data import CheckReport, Manifest

FINDINGS = 1
SHOWN = 20


@dataclass(frozen=True)
class _Wishes:
    """What is made of a check beside what is shown."""

    scores: Path | None = None
    output: Path | None = None
    html: Path | None = None
    link: bool = False
    cache: Path | None = None
    workers: int | None = None
    fail_on: Literal["error", "warning", "note"] = "note"


NOTHING_MORE = _Wishes()


def check(
    data: Path,
    /,
    *,
    read: DataFlags = NO_DATA_FLAGS,
    scores: Path | None = None,
    output: Path | None = None,
    html: Path | None = None,
    link: bool = False,
    cache: Path | None = None,
    workers: int | None = None,
    fail_on: Literal["error", "warning", "note"] = "note",
    quiet: bool = False,
) -> int:
    """Look for what is wrong with a data set before it costs a training run.

    Ends with status 1 where it finds something.

    Parameters
    ----------
    data
        A folder with one folder per class, or a CSV/TSV table.
    scores
        scores.csv of a cross-validation on this data, or its folder: likely label errors are found
        where clips are heard as another class.
    output
        Write the report as JSON.
    html
        Write the report as a page on which every suspect can be seen and played.
    link
        Let the page play the files where they are, instead of holding their first seconds.
    cache
        File of measurements: a check that was stopped goes on from it, and one of changed data
        decodes only what changed.
    workers
        Clips decoded side by side (default: one per processor).
    fail_on
        What makes the status 1: error, warning (and worse), or note (anything at all).
    quiet
        Say nothing but errors and the result.
    """
    flags = read.dotted()
    wishes = _Wishes(scores, output, html, link, cache, workers, fail_on)
    return check_and_show(data, flags, start_reporter(quiet), wishes)


def check_and_show(
    data: Path, flags: Mapping[str, Any], reporter: Reporter, wishes: _Wishes = NOTHING_MORE
) -> int:
    """Check a data set and print what was found; return the exit status."""
    from auricle.data import check, read_dataset
    from auricle.evaluation import read_scores

    _refuse(wishes)
    scores = None if wishes.scores is None else read_scores(wishes.scores)
    manifest = read_dataset(data, data_config(flags))
    say_notes(manifest, reporter)
    with reporter.progress("checking clips", len(manifest.clips)) as progress:
        report = check(
            manifest,
            workers=wishes.workers,
            scores=scores,
            cache=wishes.cache,
            progress=lambda done, total: progress.advance(),
        )
    _show(report)
    _write(report, manifest, data, wishes)
    return FINDINGS if report.at_least(wishes.fail_on) else 0


def _refuse(wishes: _Wishes) -> None:
    """Refuse what cannot be written, or makes no sense, before any work is done."""
    for path in (wishes.output, wishes.html, wishes.cache):
        if path is not None:
            if path.is_dir():
                raise ConfigError(f"'{path}' is a folder; name a file")
            check_folder(path.parent)
    if wishes.link and wishes.html is None:
        raise ConfigError("--link says how the page plays sounds: name the page with --html FILE")
    if wishes.workers is not None and wishes.workers < 1:
        raise ConfigError(f"--workers must be at least 1, got {wishes.workers}")


def _show(report: "CheckReport") -> None:
    emit(("class", "clips"), list(report.labels.items()), None)
    rates = ", ".join(f"{rate} Hz ({count})" for rate, count in report.sample_rates.items())
    say_next(
        f"{report.clips} clips, {format_duration(report.duration_s)} in all, median "
        f"{format_duration(report.median_s)}; {rates}"
    )
    if report.findings:
        rows = [
            (finding.severity, finding.kind, finding.detail, "\n".join(finding.paths[:3]))
            for finding in report.findings[:SHOWN]
        ]
        emit(("severity", "finding", "detail", "files"), rows, None)
        if len(report.findings) > SHOWN:
            say_next(f"... and {len(report.findings) - SHOWN} more (--output report.json has all)")
    say_next(f"{len(report.problems)} problems, {len(report.findings)} findings")


def _write(report: "CheckReport", manifest: "Manifest", data: Path, wishes: _Wishes) -> None:
    from auricle.core.writing import write_json
    from auricle.report.check_page import write_check_page

    if wishes.output is not None:
        write_json(wishes.output, report.as_dict())
        say_next(f"saved: {wishes.output}")
    if wishes.html is not None:
        title = f"data check: {data.name}"
        sounds = write_check_page(wishes.html, report, manifest, title=title, link=wishes.link)
        say_next(f"saved: {wishes.html} ({sounds} sounds to play)")
