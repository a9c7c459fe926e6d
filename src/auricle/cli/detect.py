"""`auricle detect MODEL FILES`."""

from pathlib import Path

from auricle.cli.files import Skips, check_output, emit, find_files, open_classifier, with_progress
from auricle.cli.outcome import start_reporter


def detect(
    model: Path,
    /,
    *files: str,
    threshold: float | None = None,
    min_gap_s: float | None = None,
    min_length_s: float | None = None,
    hop_s: float | None = None,
    output: Path | None = None,
    batch_size: int = 16,
    device: str = "auto",
    strict: bool = False,
    allow_skips: bool = False,
    allow_truncated: bool = False,
    quiet: bool = False,
) -> int:
    """Say when what is heard: events with onset and offset in seconds.

    Parameters
    ----------
    model
        Run folder, artifact folder or .onnx file.
    files
        Sound files, folders, globs.
    threshold
        Probability at which a label counts as present (default: the classifier's own).
    min_gap_s
        Shorter silences between two events of a label are filled.
    min_length_s
        Events that are not longer are dropped.
    hop_s
        Seconds between windows (default: the classifier's own).
    output
        Write rows filename,onset,offset,event_label,score to .csv, .tsv, .jsonl or .parquet.
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
    reporter = start_reporter(quiet)
    check_output(output)
    paths = find_files(files)
    classifier = open_classifier(
        model, device, batch_size=batch_size, hop_s=hop_s, allow_truncated=allow_truncated
    )
    if not classifier.has_frame_scores:
        reporter.say(
            "this network has no frame scores: events come from the scores of its windows "
            f"({classifier.spec.window_s:g} s long, {classifier.spec.hop_s:g} s apart)"
        )
    skips = Skips(reporter, len(paths), strict=strict)
    found = classifier.detect_many(
        paths,
        thresholds=threshold,
        min_gap_s=min_gap_s,
        min_length_s=min_length_s,
        on_error=skips.add,
    )
    rows = [
        (event.filename, event.onset_s, event.offset_s, event.label, event.score)
        for _, events in with_progress(reporter, "detecting", found, len(paths))
        for event in events
    ]
    status = skips.status(allow_skips)
    emit(("filename", "onset", "offset", "event_label", "score"), rows, output)
    return status
