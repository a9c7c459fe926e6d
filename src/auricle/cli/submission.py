"""`auricle predict MODEL --submission sample_submission.csv`."""

from pathlib import Path

from auricle.cli.files import CheckpointFlags, HearFlags, emit
from auricle.core.errors import ConfigError


def submit(
    model: Path,
    sample: Path,
    *,
    root: Path | None,
    output: Path | None,
    abstain_below: float | None,
    checkpoint: CheckpointFlags,
    how: HearFlags,
) -> int:
    """Fill in a sample submission; return the exit status.

    A row whose sound cannot be used keeps what the sample says there, and is told.
    """
    from auricle.data import open_submission

    if output is not None and output.resolve() == sample.resolve():
        raise ConfigError(f"output '{output}' is the sample submission itself: name another file")
    submission = open_submission(sample, root)
    sounds = [Path(path) for path in dict.fromkeys(submission.sounds)]
    hearing = how.start_over(model, sounds, checkpoint)
    labels = hearing.classifier.labels
    whole = bool(submission.classes(labels))
    if whole and abstain_below is not None:
        raise ConfigError(
            f"--abstain-below: {sample.name} asks for the probability of each class, and none of "
            "them can be left out"
        )
    predictions = hearing.classifier.predict_many(
        hearing.paths,
        top_k=None if whole else 1,
        abstain_below=abstain_below,
        on_error=hearing.skips.add,
    )
    answers = {
        prediction.path: prediction
        for prediction in hearing.progress("predicting", predictions)
        if prediction.path is not None
    }
    status = hearing.skips.status(how.allow_skips)
    if hearing.skips.count:
        hearing.reporter.warn(f"their rows are left as {sample.name} has them")
    emit(submission.header, list(submission.filled(labels, answers)), output)
    return status
