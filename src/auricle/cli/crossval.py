"""`auricle crossval DATA`."""

from pathlib import Path

from auricle.cli.files import check_folder, show_result
from auricle.cli.flags import NO_TRAIN_FLAGS, TrainFlags
from auricle.cli.outcome import is_main_process, say_next, skip_status, start_reporter


def crossval(
    data: Path,
    /,
    *,
    folds: int = 5,
    output: Path | None = None,
    run: TrainFlags = NO_TRAIN_FLAGS,
) -> int:
    """Train and test once per fold; one honest figure over all clips.

    Parameters
    ----------
    data
        A folder with one folder per class, or a CSV/TSV table.
    folds
        How many folds to make where the data names none.
    output
        Folder for fold_N/, scores.csv and result.json (default: runs/<data>-<model>-crossval-<n>).
    """
    from auricle.api import crossval_run, draw_picture

    check_folder(output)
    done = crossval_run(
        data,
        flags=run.dotted(),
        config=run.config,
        folds=folds,
        output=output,
        resume=run.resume,
        force=run.force,
        reporter=start_reporter(run.quiet),
    )
    if not is_main_process():
        return 0
    draw_picture(done.folder)
    show_result(done.result, done.folder)
    say_next(f"next: auricle train {data}, then auricle export")
    return skip_status(len(done.bad), run.allow_skips)
