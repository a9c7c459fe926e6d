"""`auricle data cut SRC OUT`."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import Parameter

from auricle.cli.datasets import data_config, rows_left_out, say_notes, warn_left_out
from auricle.cli.files import check_folder, emit
from auricle.cli.flags import join_flags
from auricle.cli.outcome import say_next, skip_status, start_reporter
from auricle.core.errors import ConfigError
from auricle.core.reporting import Reporter
from auricle.core.types import Clip

if TYPE_CHECKING:
    from auricle.data import CutOptions, CutResult, DataConfig, Manifest

NO_LABEL = "(no label)"


@Parameter(name="*")
@dataclass(frozen=True)
class CutFlags:
    """How recordings are cut, and what the clips are.

    Parameters
    ----------
    length
        Seconds of a window.
    hop
        Seconds from one window to the next (default: the length).
    margin
        Seconds to keep on both sides of an event.
    min_share
        Share of an event, or of the window where that is shorter, that must lie inside to count.
    ends
        The sound behind the last whole window: moved back to end with the recording (shift), left
        out (drop), or a shorter clip (keep).
    background
        Label for clips in which no event sounds.
    background_count
        Most of them per recording (default: as many as it has clips with events, at least 1).
    background_length
        Seconds of them, where there is one clip per event (default: the median clip).
    keep_empty
        Keep windows without events as clips without a label.
    strong
        Write a row per event, with its times in the clip, in place of a row per clip.
    layout
        A folder per class, or one flat folder (auto: folders where no clip has two labels).
    format
        Of the clips: flac, wav, or ogg (Vorbis).
    bits
        Bits of a sample in FLAC and WAV.
    sample_rate
        Of the clips, Hz (default: the recording's).
    """

    length: float | None = None
    hop: float | None = None
    margin: float = 0.0
    min_share: float = 0.5
    ends: Literal["shift", "drop", "keep"] = "shift"
    background: str | None = None
    background_count: int | None = None
    background_length: float | None = None
    keep_empty: bool = False
    strong: bool = False
    layout: Literal["auto", "folders", "flat"] = "auto"
    format: Literal["flac", "wav", "ogg"] = "flac"
    bits: Literal[16, 24] = 16
    sample_rate: int | None = None

    def options(self) -> "CutOptions":
        """Return them as the data room has them. Raises `ConfigError`."""
        from auricle.data import CutOptions

        return CutOptions(
            length_s=self.length,
            hop_s=self.hop,
            margin_s=self.margin,
            min_share=self.min_share,
            ends=self.ends,
            background=self.background,
            background_count=self.background_count,
            background_length_s=self.background_length,
            keep_empty=self.keep_empty,
            strong=self.strong,
            layout=self.layout,
            form=self.format,
            bits=self.bits,
            sample_rate=self.sample_rate,
        )


EVENT_BY_EVENT = CutFlags()


def cut(
    source: Path,
    output: Path,
    /,
    *,
    labels: Path | None = None,
    how: CutFlags = EVENT_BY_EVENT,
    audio_root: str | None = None,
    workers: int | None = None,
    strict: bool = False,
    allow_skips: bool = False,
    quiet: bool = False,
) -> int:
    """Cut long recordings with labels into clips.

    With --length into windows, else into one clip per event. A run that was stopped goes on where
    it was when the same command is given again. Ends with status 1 where recordings or events
    had to be left out.

    Parameters
    ----------
    source
        Recordings with labels in any format that a reader knows (Raven, Audacity, JAMS, TSV...),
        or one sound file.
    output
        New folder for the clips and their table, manifest.csv.
    labels
        Label file of the sound file SOURCE.
    audio_root
        Folder that relative paths of a table start from (key data.audio_root).
    workers
        Recordings read side by side (default: one per processor).
    strict
        Stop where a recording or a row of its labels cannot be used.
    allow_skips
        End with status 0 even if recordings or events were left out.
    quiet
        Say nothing but errors and the result.
    """
    from auricle.data import cut

    if workers is not None and workers < 1:
        raise ConfigError(f"--workers must be at least 1, got {workers}")
    options = how.options()
    check_folder(output)
    reporter = start_reporter(quiet)
    flags = join_flags({"data.audio_root": audio_root})
    manifest, config = _read(source, labels, flags, reporter)
    left_out = rows_left_out(manifest, strict=strict)
    result = cut(
        manifest, output, options, config, workers=workers, strict=strict, reporter=reporter
    )
    left_out += result.rejected
    _tell(result, output)
    warn_left_out(left_out, reporter, "recordings and events")
    return skip_status(len(left_out), allow_skips)


def _read(
    source: Path, labels: Path | None, flags: dict[str, Any], reporter: Reporter
) -> "tuple[Manifest, DataConfig]":
    """Read the events of the recordings; one sound file may have a label file, or none."""
    from auricle.audio import AUDIO_SUFFIXES
    from auricle.data import Manifest, read_dataset
    from auricle.events import Faults, read_labels

    config = data_config(flags)
    if source.suffix.lower() in AUDIO_SUFFIXES and source.is_file():
        if labels is None:
            return Manifest.of([Clip(str(source))]), config
        faults = Faults()
        rows = read_labels(labels, faults=faults, label_column=config.label)
        clips = [replace(row, path=str(source)) for row in rows]
        return Manifest.of(clips or [Clip(str(source))], rejected=faults.rejected), config
    if labels is not None:
        raise ConfigError(f"--labels is for one sound file, and {source} is none")
    manifest = read_dataset(source, config)
    say_notes(manifest, reporter)
    return manifest, config


def _tell(result: "CutResult", output: Path) -> None:
    counts = Counter(label for clip in result.manifest.clips for label in clip.labels or ("",))
    rows = [(label or NO_LABEL, count) for label, count in sorted(counts.items())]
    emit(("class", "rows" if result.clips < counts.total() else "clips"), rows, None)
    there = f", {result.there:,} of them there before" if result.there else ""
    where = "a folder per class" if result.layout == "folders" else "one folder"
    say_next(f"{result.clips:,} clips in {where}{there}: {output}")
    say_next(f"saved: {output / 'manifest.csv'}")
