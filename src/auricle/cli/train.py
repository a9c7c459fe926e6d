"""`auricle train DATA`."""

from pathlib import Path

from auricle.cli.files import check_folder
from auricle.cli.flags import NO_TRAIN_FLAGS, TrainFlags
from auricle.cli.outcome import say_next, skip_status, start_reporter


def train(
    data: Path,
    /,
    *,
    output: Path | None = None,
    run: TrainFlags = NO_TRAIN_FLAGS,
) -> int:
    """Train a classifier on a folder of sounds or a table of labels.

    Parameters
    ----------
    data
        A folder with one folder per class, or a CSV/TSV table (path,label[,fold][,split][,group]).
    output
        Run folder to write (default: runs/<data>-<model>-<n>).
    """
    from auricle.api import train_run
    from auricle.evaluation import figure_sentence

    check_folder(output)
    trained = train_run(
        data,
        flags=run.dotted(),
        config=run.config,
        output=output,
        resume=run.resume,
        force=run.force,
        reporter=start_reporter(run.quiet),
    )
    if trained.result is not None:
        say_next(f"{trained.judged_on}: {figure_sentence(trained.result)}")
    say_next(f"saved: {trained.folder}")
    say_next(f"next: auricle predict {trained.folder} FILES")
    return skip_status(len(trained.bad), run.allow_skips)
