"""`auricle data convert SRC OUT`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from auricle.cli.datasets import data_config, rows_left_out, say_notes, warn_left_out
from auricle.cli.files import check_folder
from auricle.cli.flags import NO_DATA_FLAGS, DataFlags
from auricle.cli.outcome import say_next, skip_status, start_reporter
from auricle.core.errors import ConfigError


def convert(
    source: Path,
    output: Path,
    /,
    *,
    to: str | None = None,
    source_format: Annotated[str | None, Parameter(name="--from")] = None,
    weak: bool = False,
    duration_s: Annotated[float | None, Parameter(name=("--duration", "--duration-s"))] = None,
    read: DataFlags = NO_DATA_FLAGS,
    force: bool = False,
    strict: bool = False,
    allow_skips: bool = False,
    quiet: bool = False,
) -> int:
    """Turn labels of one format into another; a data set becomes a table.

    Formats with times: tsv (DESED), csv, audioset_strong, raven, audacity, jams. Without: weak
    (DESED), audioset. manifest is a table that every command takes. raven, audacity and jams are a
    folder with a file per recording.

    Parameters
    ----------
    source
        A label file, a folder of label files, or whatever `auricle train` takes.
    output
        File or folder to write.
    to
        Format of the output (default: by its suffix).
    source_format
        Format of the source (default: found by looking).
    weak
        Drop the times: each file once, with all its labels.
    duration_s
        Length of every file in seconds, where labels without times are to become events.
    force
        Replace the output.
    strict
        Stop where a row cannot be used.
    allow_skips
        End with status 0 even if rows were left out.
    quiet
        Say nothing but errors and the result.
    """
    from auricle.data.convert import check_output, convert_labels, read_any_labels, target_of

    if duration_s is not None and not 0 < duration_s < float("inf"):
        raise ConfigError(f"--duration must be above 0 seconds, got {duration_s}")
    config = data_config(read.dotted())
    reporter = start_reporter(quiet)
    labels = read_any_labels(source, config, source_format)
    target = target_of(output, to, names=labels.names)
    check_output(output, source, target, force=force)
    check_folder(output.parent)
    say_notes(labels.manifest, reporter)
    left_out = rows_left_out(labels.manifest, strict=strict)
    notes = convert_labels(labels, output, target, weak=weak, duration_s=duration_s)
    for note in notes:
        reporter.warn(note)
    warn_left_out(left_out, reporter)
    say_next(f"{len(labels.manifest.clips):,} rows read; saved as {target}: {output}")
    return skip_status(len(left_out), allow_skips)
