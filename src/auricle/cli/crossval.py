"""`auricle crossval DATA`."""

from pathlib import Path

from auricle.cli.files import check_folder, show_result
from auricle.cli.flags import NO_FLAGS, RunFlags
from auricle.cli.outcome import is_main_process, say_next, skip_status, start_reporter


def crossval(
    data: Path,
    /,
    *,
    run: RunFlags = NO_FLAGS,
    folds: int = 5,
    output: Path | None = None,
    resume: bool = False,
    force: bool = False,
    strict: bool = False,
    allow_skips: bool = False,
    quiet: bool = False,
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
    resume
        Go on where a stopped cross-validation was; finished folds are kept.
    force
        Replace the runs in --output.
    strict
        Stop where a clip cannot be used, before training.
    allow_skips
        End with status 0 even if clips had to be left out.
    quiet
        Say nothing but errors and the result.
    """
    from auricle.api import crossval_run, draw_picture

    check_folder(output)
    done = crossval_run(
        data,
        flags={**run.dotted(), **({"train.max_bad_fraction": 0} if strict else {})},
        config=run.config,
        folds=folds,
        output=output,
        resume=resume,
        force=force,
        reporter=start_reporter(quiet),
    )
    if not is_main_process():
        return 0
    draw_picture(done.folder)
    show_result(done.result, done.folder)
    say_next(f"next: auricle train {data}, then auricle export")
    return skip_status(len(done.bad), allow_skips)
