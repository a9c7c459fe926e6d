"""`auricle predict MODEL FILES`."""

from pathlib import Path

from auricle.cli.files import AS_IT_IS, AS_IT_SAYS, CheckpointFlags, HearFlags, check_output, emit


def predict(
    model: Path,
    /,
    *files: str,
    top_k: int = 3,
    abstain_below: float | None = None,
    output: Path | None = None,
    checkpoint: CheckpointFlags = AS_IT_SAYS,
    how: HearFlags = AS_IT_IS,
) -> int:
    """Say what is heard in sound files.

    Parameters
    ----------
    model
        Run folder, artifact folder, .onnx file or published checkpoint (panns/cnn14, a file).
    files
        Sound files, folders, globs.
    top_k
        How many labels per file.
    abstain_below
        Answer "none of these" where no label has at least this probability.
    output
        Write rows path,rank,label,score to a .csv, .tsv, .jsonl or .parquet file.
    """
    check_output(output)
    hearing = how.start(model, files, checkpoint)
    predictions = hearing.classifier.predict_many(
        hearing.paths, top_k=top_k, abstain_below=abstain_below, on_error=hearing.skips.add
    )
    rows = [
        (prediction.path, rank, label, score)
        for prediction in hearing.progress("predicting", predictions)
        for rank, (label, score) in enumerate(
            zip(prediction.labels, prediction.scores, strict=True), start=1
        )
    ]
    status = hearing.skips.status(how.allow_skips)
    emit(("path", "rank", "label", "score"), rows, output)
    return status
