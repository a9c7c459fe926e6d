"""`auricle predict MODEL FILES`."""

from pathlib import Path

from auricle.cli.files import Skips, check_output, emit, find_files, open_classifier, with_progress
from auricle.cli.outcome import start_reporter


def predict(
    model: Path,
    /,
    *files: str,
    top_k: int = 3,
    output: Path | None = None,
    batch_size: int = 16,
    hop_s: float | None = None,
    device: str = "auto",
    strict: bool = False,
    allow_skips: bool = False,
    allow_truncated: bool = False,
    quiet: bool = False,
) -> int:
    """Say what is heard in sound files.

    Parameters
    ----------
    model
        Run folder, artifact folder or .onnx file.
    files
        Sound files, folders, globs.
    top_k
        How many labels per file.
    output
        Write rows path,rank,label,score to a .csv, .tsv, .jsonl or .parquet file.
    batch_size
        Windows scored at once; it never changes a result.
    hop_s
        Seconds between the windows of a longer file (default: the classifier's own).
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
        model,
        device,
        batch_size=batch_size,
        hop_s=hop_s,
        allow_truncated=allow_truncated,
    )
    skips = Skips(reporter, len(paths), strict=strict)
    predictions = classifier.predict_many(paths, top_k=top_k, on_error=skips.add)
    rows = [
        (prediction.path, rank, label, score)
        for prediction in with_progress(reporter, "predicting", predictions, len(paths))
        for rank, (label, score) in enumerate(
            zip(prediction.labels, prediction.scores, strict=True), start=1
        )
    ]
    status = skips.status(allow_skips)
    emit(("path", "rank", "label", "score"), rows, output)
    return status
