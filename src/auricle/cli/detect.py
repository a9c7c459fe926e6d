"""`auricle detect MODEL FILES`."""

from pathlib import Path

from auricle.cli.files import AS_IT_IS, AS_IT_SAYS, CheckpointFlags, HearFlags, check_output, emit


def detect(
    model: Path,
    /,
    *files: str,
    threshold: float | None = None,
    min_gap_s: float | None = None,
    min_length_s: float | None = None,
    output: Path | None = None,
    checkpoint: CheckpointFlags = AS_IT_SAYS,
    how: HearFlags = AS_IT_IS,
) -> int:
    """Say when what is heard: events with onset and offset in seconds.

    Parameters
    ----------
    model
        Run folder, artifact folder, .onnx file or published checkpoint (panns/cnn14, a file).
    files
        Sound files, folders, globs.
    threshold
        Probability at which a label counts as present (default: the classifier's own).
    min_gap_s
        Shorter silences between two events of a label are filled.
    min_length_s
        Events that are not longer are dropped.
    output
        Write rows filename,onset,offset,event_label,score to .csv, .tsv, .jsonl or .parquet.
    """
    check_output(output)
    hearing = how.start(model, files, checkpoint)
    classifier = hearing.classifier
    if not classifier.has_frame_scores:
        hearing.reporter.say(
            "this network has no frame scores: events come from the scores of its windows "
            f"({classifier.spec.window_s:g} s long, {classifier.spec.hop_s:g} s apart)"
        )
    found = classifier.detect_many(
        hearing.paths,
        thresholds=threshold,
        min_gap_s=min_gap_s,
        min_length_s=min_length_s,
        on_error=hearing.skips.add,
    )
    rows = [
        (event.filename, event.onset_s, event.offset_s, event.label, event.score)
        for _, events in hearing.progress("detecting", found)
        for event in events
    ]
    status = hearing.skips.status(how.allow_skips)
    emit(("filename", "onset", "offset", "event_label", "score"), rows, output)
    return status
