"""`auricle evaluate MODEL DATA`."""

from pathlib import Path

from auricle.cli.files import check_folder, show_result
from auricle.cli.flags import dotted_flags
from auricle.cli.outcome import skip_status, start_reporter


def evaluate(
    model: Path,
    data: Path,
    /,
    *,
    split: str | None = None,
    output: Path | None = None,
    audio_root: str | None = None,
    batch_size: int = 16,
    device: str = "auto",
    strict: bool = False,
    allow_skips: bool = False,
    allow_truncated: bool = False,
    quiet: bool = False,
) -> int:
    """Judge a classifier on labelled clips: metrics with 95 % intervals.

    Parameters
    ----------
    model
        Run folder, artifact folder or .onnx file.
    data
        A folder with one folder per class, or a CSV/TSV table.
    split
        train, validation or test of the run's own manifest (default: its test clips, else all
        clips that are new to it).
    output
        Folder for result.json, confusion.csv, confusion.png and scores.csv.
    audio_root
        Folder that relative paths of a table start from (key data.audio_root).
    batch_size
        Windows scored at once; it never changes a result.
    device
        auto, cpu, cuda or mps.
    strict
        Stop at the first clip that cannot be read.
    allow_skips
        End with status 0 even if clips were skipped.
    allow_truncated
        Use files that are cut short, as far as they go (key data.allow_truncated).
    quiet
        Say nothing but errors and the result.
    """
    from auricle.api import evaluate_run

    check_folder(output)
    flags = dotted_flags()
    if audio_root is not None:
        flags["data.audio_root"] = audio_root
    if allow_truncated:
        flags["data.allow_truncated"] = True
    evaluated = evaluate_run(
        model,
        data,
        split=split,
        output=output,
        flags=flags,
        device=device,
        batch_size=batch_size,
        strict=strict,
        reporter=start_reporter(quiet),
    )
    show_result(evaluated.result, output)
    return skip_status(evaluated.skipped, allow_skips)
