"""`auricle data split DATA --output manifest.csv`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from auricle.cli.datasets import data_config, rows_left_out, say_notes, warn_left_out
from auricle.cli.files import check_folder, emit
from auricle.cli.flags import NO_DATA_FLAGS, DataFlags, join_flags
from auricle.cli.outcome import say_next, skip_status, start_reporter
from auricle.core.errors import ConfigError

if TYPE_CHECKING:
    from auricle.data.dividing import Division


def split(
    data: Path,
    /,
    *,
    output: Path,
    test_share: float | None = None,
    validation_share: float | None = None,
    folds: int | None = None,
    by: str | None = None,
    test_fold: str | None = None,
    group: str | None = None,
    seed: int = 0,
    read: DataFlags = NO_DATA_FLAGS,
    force: bool = False,
    strict: bool = False,
    allow_skips: bool = False,
    quiet: bool = False,
) -> int:
    """Divide a data set and write the result as a manifest, which every command takes as DATA.

    Splits and folds that the data set has are kept where no option says otherwise; where there are
    none, a stratified split is drawn. A leak between the parts is refused and named.

    Parameters
    ----------
    data
        Whatever `auricle train` takes.
    output
        Manifest to write: .csv, .tsv, .jsonl or .parquet.
    test_share
        Draw splits anew, with this share of the clips for testing (key data.test_share).
    validation_share
        Share of the training clips that is drawn for validation (key data.validation_share).
    folds
        Make so many folds for cross-validation.
    by
        Column whose values are the splits (train, validation, test), or else the folds (a site, a
        year).
    test_fold
        Fold that is the test part (key data.test_fold).
    group
        Column of what must stay in one part, such as speaker or recording (key data.group).
    seed
        Seed of every draw.
    force
        Replace the output.
    strict
        Stop where a row cannot be used.
    allow_skips
        End with status 0 even if rows were left out.
    quiet
        Say nothing but errors and the result.
    """
    from auricle.data import read_dataset, write_manifest
    from auricle.data.dividing import divide

    _require_one_way({"--test-share": test_share, "--folds": folds, "--by": by})
    if test_share is not None and test_fold is not None:
        raise ConfigError("--test-share draws the test part, --test-fold names it: give one")
    _check_output(output, force=force)
    short = {"test_share": test_share, "validation_share": validation_share}
    short |= {"test_fold": test_fold, "group": group}
    flags = {**read.dotted(), **join_flags({f"data.{key}": short[key] for key in short})}
    config = data_config(flags)
    reporter = start_reporter(quiet)
    manifest = read_dataset(data, config)
    left_out = rows_left_out(manifest, strict=strict)
    anew = "data.test_share" in flags
    division = divide(manifest, config, seed=seed, k=folds, by=by, anew=anew)
    say_notes(division.manifest, reporter)
    write_manifest(output, division.manifest)
    _show(division)
    warn_left_out(left_out, reporter)
    say_next(f"{len(division.manifest.clips):,} clips (seed {seed}): {output}")
    return skip_status(len(left_out), allow_skips)


def _require_one_way(options: dict[str, Any]) -> None:
    given = [name for name, value in options.items() if value is not None]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)} say each how to divide: give one of them")


def _check_output(output: Path, *, force: bool) -> None:
    from auricle.data.manifest_files import check_suffix

    check_suffix(output)
    if output.is_dir():
        raise ConfigError(f"--output {output} is a folder; name a file")
    if output.exists() and not force:
        raise ConfigError(f"--output {output} is there: --force replaces it")
    check_folder(output.parent)


def _show(division: "Division") -> None:
    """Print clips per class and part, and what the parts hold in all."""
    parts = division.parts
    rows = [
        (label, *(counts.get(part, 0) for part in parts), sum(counts.values()))
        for label, counts in division.counts.items()
    ]
    for what, counts in (("clips", division.clips), ("groups", division.groups)):
        if counts:
            of_part = [counts.get(part, 0) for part in parts]
            rows.append((f"all {what}", *of_part, sum(of_part)))
    names = parts if division.what == "splits" else [f"fold {part}" for part in parts]
    emit(("class", *names, "all"), rows, None)
