"""`auricle evaluate MODEL DATA`."""

from pathlib import Path

from auricle.cli.files import (
    AS_IT_SAYS,
    AS_IT_SCORES,
    CheckpointFlags,
    ScoreFlags,
    check_folder,
    show_result,
)
from auricle.cli.flags import NO_DATA_FLAGS, DataFlags
from auricle.cli.outcome import skip_status, start_reporter


def evaluate(
    model: Path,
    data: Path,
    /,
    *,
    split: str | None = None,
    output: Path | None = None,
    abstain_below: float | None = None,
    read: DataFlags = NO_DATA_FLAGS,
    checkpoint: CheckpointFlags = AS_IT_SAYS,
    how: ScoreFlags = AS_IT_SCORES,
) -> int:
    """Judge a classifier on labelled clips: metrics with 95 % intervals.

    Parameters
    ----------
    model
        Run folder, artifact folder, .onnx file or published checkpoint.
    data
        A folder with one folder per class, or a CSV/TSV table.
    split
        train, validation or test of the run's own manifest (default: its test clips, else all
        clips that are new to it).
    output
        Folder for result.json, confusion.csv, confusion.png and scores.csv.
    abstain_below
        Say too how many clips have a label of at least this probability, and how many of them
        are right.
    """
    from auricle.api import evaluate_run

    check_folder(output)
    flags = read.dotted()
    if how.allow_truncated:
        flags["data.allow_truncated"] = True
    evaluated = evaluate_run(
        model,
        data,
        split=split,
        output=output,
        flags=flags,
        device=how.device,
        batch_size=how.batch_size,
        strict=how.strict,
        abstain_below=abstain_below,
        network=checkpoint.network,
        labels=checkpoint.labels,
        reporter=start_reporter(how.quiet),
    )
    show_result(evaluated.result, output)
    return skip_status(evaluated.skipped, how.allow_skips)
