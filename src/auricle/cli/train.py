"""`auricle train DATA`."""

from pathlib import Path

from auricle.cli.files import check_folder
from auricle.cli.flags import NO_FLAGS, RunFlags
from auricle.cli.outcome import say_next, skip_status, start_reporter


def train(
    data: Path,
    /,
    *,
    run: RunFlags = NO_FLAGS,
    output: Path | None = None,
    resume: bool = False,
    force: bool = False,
    strict: bool = False,
    allow_skips: bool = False,
    quiet: bool = False,
) -> int:
    """Train a classifier on a folder of sounds or a table of labels.

    Parameters
    ----------
    data
        A folder with one folder per class, or a CSV/TSV table (path,label[,fold][,split][,group]).
    output
        Run folder to write (default: runs/<data>-<model>-<n>).
    resume
        Go on from the last checkpoint in --output; without one, start afresh.
    force
        Replace the run in --output.
    strict
        Stop where a clip cannot be used, before training.
    allow_skips
        End with status 0 even if clips had to be left out.
    quiet
        Say nothing but errors and the result.
    """
    from auricle.api import train_run
    from auricle.evaluation import figure_sentence

    check_folder(output)
    trained = train_run(
        data,
        flags={**run.dotted(), **({"train.max_bad_fraction": 0} if strict else {})},
        config=run.config,
        output=output,
        resume=resume,
        force=force,
        reporter=start_reporter(quiet),
    )
    if trained.result is not None:
        say_next(f"{trained.judged_on}: {figure_sentence(trained.result)}")
    say_next(f"saved: {trained.folder}")
    say_next(f"next: auricle predict {trained.folder} FILES")
    return skip_status(len(trained.bad), allow_skips)
