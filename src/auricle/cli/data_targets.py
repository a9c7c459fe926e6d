"""`auricle data targets DATA OUT`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from auricle.cli.datasets import data_config, rows_left_out, say_notes, warn_left_out
from auricle.cli.files import check_folder
from auricle.cli.flags import NO_DATA_FLAGS, DataFlags
from auricle.cli.outcome import say_next, skip_status, start_reporter
from auricle.core.errors import AudioError, ConfigError, DataError, SoundsMissing
from auricle.core.reporting import Reporter

if TYPE_CHECKING:
    from auricle.data import Manifest
    from auricle.data.targets import FrameGrid, LabelledFiles, Written

SAMPLE_RATE = 32_000
HOP_S = 0.01
CLIP_S = 10.0
AXES = {"weak": "files, classes", "strong": "files, frames, classes"}


def targets(
    data: Path,
    output: Path,
    /,
    *,
    clip_s: float = CLIP_S,
    sample_rate: int | None = None,
    hop_s: float | None = None,
    hop_samples: int | None = None,
    frontend: str | None = None,
    only: Literal["weak", "strong"] | None = None,
    without_audio: bool = False,
    read: DataFlags = NO_DATA_FLAGS,
    force: bool = False,
    allow_skips: bool = False,
    quiet: bool = False,
) -> int:
    """Write the labels of a data set as arrays, for frameworks of one's own.

    The folder gets weak.npy (files, classes) and strong.npy (files, frames, classes), both uint8,
    files.csv and labels.csv (the order of rows and columns) and targets.json. Frame k lasts from k
    to k + 1 hops; an event marks every frame that it overlaps.

    Parameters
    ----------
    data
        Whatever `auricle train` takes.
    output
        Folder to write.
    clip_s
        Seconds of each file that count: events are cut there, later ones left out.
    sample_rate
        Rate of the sound that the frames are counted in, Hz (default: 32000).
    hop_s
        Seconds from frame to frame (default: 0.01).
    hop_samples
        The same in samples.
    frontend
        Take rate, hop and the number of frames from this front-end (see `auricle config`).
    only
        Write weak or strong targets only (default: both, or weak ones where no label has times).
    without_audio
        Read a label file alone: its sounds need not be there.
    force
        Replace the targets in the folder.
    allow_skips
        End with status 0 even if rows or files were left out.
    quiet
        Say nothing but errors and the result.
    """
    from auricle.data.targets import KINDS, check_targets_folder, write_targets

    grid = choose_grid(clip_s, sample_rate, hop_s, hop_samples, frontend)
    check_folder(output.parent)
    check_targets_folder(output, force=force)
    reporter = start_reporter(quiet)
    manifest = read_labelled(data, read.dotted(), reporter, without_audio=without_audio)
    rows = _gather(manifest, reporter, durations=not without_audio and only != "weak")
    kinds = (only,) if only else KINDS
    if only is None and not rows.timed:
        kinds = KINDS[:1]
        reporter.say("no label has times: --only strong writes frames all the same")
    with reporter.progress("writing targets", len(rows.files) * len(kinds)) as progress:
        written = write_targets(
            output, rows, grid, kinds=kinds, force=force, progress=progress.advance
        )
    _tell(written, rows, grid, reporter)
    say_next(f"saved: {output}")
    left_out = rows_left_out(manifest)
    warn_left_out(left_out, reporter, "files and rows")
    return skip_status(len(left_out), allow_skips)


def choose_grid(
    clip_s: float,
    sample_rate: int | None,
    hop_s: float | None,
    hop_samples: int | None,
    frontend: str | None,
) -> "FrameGrid":
    """Return the frames that the options ask for. Raises `ConfigError`, `MissingExtra`."""
    from auricle.data.targets import FrameGrid

    given = {"sample-rate": sample_rate, "hop-s": hop_s, "hop-samples": hop_samples}
    named = [f"--{name}" for name, value in given.items() if value is not None]
    if frontend is not None:
        if named:
            raise ConfigError(f"--frontend says the rate and the hop: leave {named[0]} out")
        return _grid_of(frontend, clip_s)
    if hop_s is not None and hop_samples is not None:
        raise ConfigError("--hop-s and --hop-samples say the same: give one of them")
    rate = SAMPLE_RATE if sample_rate is None else sample_rate
    if hop_samples is None:
        return FrameGrid.covering(clip_s, HOP_S if hop_s is None else hop_s, rate)
    if hop_samples < 1:
        raise ConfigError(f"--hop-samples must be at least 1, got {hop_samples}")
    return FrameGrid.covering(clip_s, hop_samples / max(1, rate), rate)


def _grid_of(frontend: str, clip_s: float) -> "FrameGrid":
    from auricle.api import require_torch
    from auricle.data.targets import FrameGrid

    require_torch("a front-end")
    from auricle.artifact.parts import build_frontend

    built = build_frontend({"name": frontend})
    if built.frame_period_s is None:
        raise ConfigError(f"--frontend {frontend} makes pictures, which have no frames in time")
    grid = FrameGrid.covering(clip_s, built.frame_period_s, built.sample_rate)
    return replace(grid, frames=built.frame_count(grid.clip_samples))


def read_labelled(
    data: Path, flags: Mapping[str, Any], reporter: Reporter, *, without_audio: bool
) -> "Manifest":
    """Read the clips of a data set, or the rows of a label file alone, and tell the choices."""
    from auricle.data import read_dataset
    from auricle.data.unheard import read_unheard

    config = data_config(flags)
    try:
        manifest = (read_unheard if without_audio else read_dataset)(data, config)
    except SoundsMissing as error:
        raise DataError(f"{error}, or read the labels alone with --without-audio") from None
    say_notes(manifest, reporter)
    return manifest


def _gather(manifest: "Manifest", reporter: Reporter, *, durations: bool) -> "LabelledFiles":
    from auricle import audio
    from auricle.data.targets import gather_labels

    def duration_s(path: str) -> float | None:
        try:
            return audio.probe(path).duration_s
        except AudioError as error:
            reporter.warn(f"its labels count to the end of the clip: {error}")
            return None

    measure: Callable[[str], float | None] | None = duration_s if durations else None
    return gather_labels(manifest.clips, manifest.labels, duration_s=measure)


def _tell(written: "Written", rows: "LabelledFiles", grid: "FrameGrid", reporter: Reporter) -> None:
    """Say what was written, and what of the labels is not in it."""
    from auricle.data.wording import plural

    for kind, shape in written.shapes.items():
        sizes = " x ".join(f"{size:,}" for size in shape)
        say_next(f"{kind}.npy: {sizes} ({AXES[kind]})")
    say_next(
        f"{plural(written.stretches, 'label')} of {plural(len(rows.files), 'file')}; "
        f"{grid.frames:,} frames of {grid.hop_samples:,} samples at {grid.sample_rate:,} Hz in "
        f"{grid.clip_s:g} s"
    )
    if written.cut:
        cut = plural(written.cut, "event")
        reporter.say(f"cut at the end of the clip ({grid.clip_s:g} s): {cut}")
    if written.late:
        reporter.warn(
            f"left out, since they begin after the clip's {grid.clip_s:g} s: "
            f"{plural(written.late, 'event')}; --clip-s takes in more"
        )
