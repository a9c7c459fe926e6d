"""`auricle predict MODEL FILES`."""

from collections.abc import Sequence
from pathlib import Path

from auricle.cli.files import AS_IT_IS, AS_IT_SAYS, CheckpointFlags, HearFlags, check_output, emit
from auricle.core.errors import ConfigError


def predict(
    model: Path,
    /,
    *files: str,
    top_k: int = 3,
    abstain_below: float | None = None,
    output: Path | None = None,
    submission: Path | None = None,
    audio_root: Path | None = None,
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
    submission
        Fill in this sample submission (an id, then a label or a column per class) instead: FILES
        may then name the folder of the sounds.
    audio_root
        Folder of the sounds that --submission asks about (default: beside it).
    """
    check_output(output)
    if submission is not None:
        from auricle.cli.submission import submit

        return submit(
            model,
            submission,
            root=sounds_folder(files, audio_root),
            output=output,
            abstain_below=abstain_below,
            checkpoint=checkpoint,
            how=how,
        )
    if audio_root is not None:
        raise ConfigError("--audio-root goes with --submission; name sound files by their paths")
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


def sounds_folder(files: Sequence[str], audio_root: Path | None) -> Path | None:
    """Return the one folder that a submission's sounds are said to lie in; None: beside it."""
    folders = [Path(name) for name in files] + ([] if audio_root is None else [audio_root])
    if len(folders) > 1:
        raise ConfigError(
            "--submission takes one folder of sounds, and the table says which of them are meant"
        )
    return folders[0] if folders else None
