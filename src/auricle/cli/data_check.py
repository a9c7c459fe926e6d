"""`auricle data check DATA`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auricle.cli.files import emit
from auricle.cli.flags import dotted_flags
from auricle.cli.outcome import say_next, start_reporter
from auricle.core.reporting import Reporter
from auricle.core.units import format_duration

FINDINGS = 1
SHOWN = 20


def check(
    data: Path,
    /,
    *,
    audio_root: str | None = None,
    output: Path | None = None,
    quiet: bool = False,
) -> int:
    """Look for what is wrong with a data set before it costs a training run.

    Ends with status 1 where it finds something.

    Parameters
    ----------
    data
        A folder with one folder per class, or a CSV/TSV table.
    audio_root
        Folder that relative paths of a table start from (key data.audio_root).
    output
        Write the report as JSON.
    quiet
        Say nothing but errors and the result.
    """
    flags = dotted_flags()
    if audio_root is not None:
        flags["data.audio_root"] = audio_root
    return check_and_show(data, flags, start_reporter(quiet), output)


def check_and_show(
    data: Path, flags: Mapping[str, Any], reporter: Reporter, output: Path | None = None
) -> int:
    """Check a data set and print what was found; return the exit status."""
    from auricle.api import data_section
    from auricle.core.config import validate
    from auricle.core.writing import write_json
    from auricle.data import DataConfig, check, read_dataset

    config = validate(DataConfig, data_section(flags), prefix="data")
    manifest = read_dataset(data, config)
    for note in manifest.notes:
        reporter.say(f"data: {note}")
    with reporter.progress("checking clips", len(manifest.clips)) as progress:
        report = check(manifest, progress=lambda done, total: progress.advance())
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
    if output is not None:
        write_json(output, report.as_dict())
        say_next(f"saved: {output}")
    return FINDINGS if report.findings else 0
