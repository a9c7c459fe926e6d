"""`auricle data mix EVENTS OUT`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from auricle.cli.datasets import data_config, rows_left_out, say_notes, warn_left_out
from auricle.cli.files import check_folder, emit
from auricle.cli.flags import join_flags
from auricle.cli.outcome import say_next, skip_status, start_reporter
from auricle.core.errors import ConfigError, DataError, nearest
from auricle.core.reporting import Reporter

if TYPE_CHECKING:
    from auricle.data import DataConfig, Manifest
    from auricle.data.soundscapes import MixConfig, MixReport, Source

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)"
_RANGE = re.compile(rf"({_NUMBER})(?:-({_NUMBER}))?")
_SHOWN_BAD = 5

Range = Annotated[str, Parameter(allow_leading_hyphen=True)]


@Parameter(name="*")
@dataclass(frozen=True)
class SoundscapeFlags:
    """What soundscapes are like.

    Parameters
    ----------
    colour
        Noise where there are no background sounds.
    length
        Seconds of each.
    events_per_clip
        How many events each has.
    snr
        Ratio of an event to the background while it sounds, dB.
    pitch
        Semitones by which an event is raised, by resampling: -2-2.
    max_overlap
        Most events that sound at once (default: as many as come together).
    max_event
        Longer events are cut to a stretch of so many seconds.
    background_db
        Level of the background, dB relative to full scale.
    trim_db
        What is so many dB below an event's loudest 10 ms is cut from its ends.
    sample_rate
        Sample rate of the soundscapes, Hz.
    seed
        Seed of every draw.
    """

    colour: Literal["white", "pink", "brown"] = "pink"
    length: float = 10.0
    events_per_clip: Range = "1-5"
    snr: Range = "0-20"
    pitch: Range = "0"
    max_overlap: int | None = None
    max_event: float | None = None
    background_db: Annotated[float, Parameter(allow_leading_hyphen=True)] = -35.0
    trim_db: float = 40.0
    sample_rate: int = 16000
    seed: int = 0

    def config(self, data: "DataConfig") -> "MixConfig":
        """Return the configuration, with what `data` says of files. Raises `ConfigError`."""
        from auricle.core.config import validate
        from auricle.data.soundscapes import MixConfig

        few, many = _range("events-per-clip", self.events_per_clip)
        snr_low, snr_high = _range("snr", self.snr)
        pitch_low, pitch_high = _range("pitch", self.pitch)
        return validate(
            MixConfig,
            {
                "length_s": self.length, "sample_rate": self.sample_rate,
                "min_events": few, "max_events": many,
                "min_snr_db": snr_low, "max_snr_db": snr_high,
                "min_pitch": pitch_low, "max_pitch": pitch_high,
                "max_overlap": self.max_overlap, "max_event_s": self.max_event,
                "background_db": self.background_db, "colour": self.colour,
                "trim_db": self.trim_db, "seed": self.seed,
                "channel": data.channel, "allow_truncated": data.allow_truncated,
            },
        )  # fmt: skip


AS_IT_COMES = SoundscapeFlags()


def mix(
    events: Path,
    output: Path,
    /,
    *,
    background: Path | None = None,
    background_labels: str | None = None,
    count: int = 100,
    soundscape: SoundscapeFlags = AS_IT_COMES,
    format: Literal["flac", "wav"] = "flac",
    split: str | None = None,
    workers: int | None = None,
    audio_root: str | None = None,
    resume: bool = False,
    force: bool = False,
    strict: bool = False,
    allow_skips: bool = False,
    quiet: bool = False,
) -> int:
    """Make soundscapes: labelled sounds placed into backgrounds, with exact strong labels.

    The folder OUT gets audio/, labels.tsv (filename, onset, offset, event_label) and
    soundscapes.jsonl, a record of every draw. The same seed gives the same files. Ranges are
    LOW-HIGH or one number.

    Parameters
    ----------
    events
        A data set with one label a clip: a folder per class, a table, or any that a reader knows.
    output
        Folder for the soundscapes.
    background
        Folder of background sounds (default: noise of --colour).
    background_labels
        Labels of EVENTS that are backgrounds and no events, with commas: rain,sea_waves.
    count
        How many soundscapes.
    format
        flac or wav, 16 bit.
    split
        Take the clips of one part only: train, validation or test, as training would draw them.
    workers
        Soundscapes made at once (default: one per processor); it never changes a result.
    audio_root
        Folder that relative paths of a table start from (key data.audio_root).
    resume
        Go on with an unfinished mix in OUT, or make more where --count has grown.
    force
        Make the mix in OUT anew.
    strict
        Stop at the first sound that cannot be used.
    allow_skips
        End with status 0 even if sounds had to be left out.
    quiet
        Say nothing but errors and the result.
    """
    from auricle.data.soundscapes import Mixer, mix_folder

    _require_some("count", count)
    if workers is not None:
        _require_some("workers", workers)
    if background is not None and background_labels is not None:
        raise ConfigError("give --background or --background-labels, not both")
    data = data_config(join_flags({"data.audio_root": audio_root}))
    config = soundscape.config(data)
    check_folder(output)
    reporter = start_reporter(quiet)
    manifest = _read(events, data, split, reporter)
    gone = rows_left_out(manifest, strict=strict)
    sources, grounds = _sources(manifest, background, background_labels, split, reporter)
    mixer = Mixer(sources, grounds, config)
    with reporter.progress("mixing", count) as progress:
        report = mix_folder(
            output, mixer, count, suffix=format, workers=workers, resume=resume, force=force,
            strict=strict, progress=progress.advance,
        )  # fmt: skip
    warn_left_out(gone, reporter)
    return skip_status(len(gone) + _show(report, output, reporter), allow_skips)


def _require_some(option: str, number: int) -> None:
    if number < 1:
        raise ConfigError(f"--{option} must be at least 1, got {number}")


def _range(option: str, text: str) -> tuple[float, float]:
    """Read `LOW-HIGH`, or one number for both; either may be negative."""
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"--{option} must be a number or LOW-HIGH, as 1-5 or -2-2, got '{text}'")
    low = float(match[1])
    high = low if match[2] is None else float(match[2])
    if low > high:
        raise ConfigError(f"--{option}: the lower end comes first, got '{text}'")
    return low, high


def _read(events: Path, config: "DataConfig", split: str | None, reporter: Reporter) -> "Manifest":
    """Read the data set; with `split`, the part that training with its default seed has."""
    from auricle.data import SPLITS, apply_splits, read_dataset

    if split is not None and split not in SPLITS:
        guess = nearest(split, SPLITS)
        hint = f"did you mean '{guess}'?" if guess else f"it is one of {', '.join(SPLITS)}"
        raise ConfigError(f"--split '{split}': {hint}")
    manifest = read_dataset(events, config)
    if split is not None:
        # Not the seed of the mix: two mixes with seeds of their own must agree on the parts.
        manifest = apply_splits(manifest, config, seed=0).of_split(split)
        if not len(manifest.clips):
            raise DataError(f"--split {split}: that part of the data set has no clip")
    say_notes(manifest, reporter)
    return manifest


def _sources(
    manifest: "Manifest",
    folder: Path | None,
    labels: str | None,
    split: str | None,
    reporter: Reporter,
) -> "tuple[list[Source], list[Source]]":
    """Part the clips into events and backgrounds. Raises `ConfigError`."""
    from auricle.audio import find_audio
    from auricle.data.soundscapes import Source, sources_of

    sources, others = sources_of(manifest.clips)
    if others:
        reporter.say(f"data: {others} clips have no label or several, and are not placed")
    if folder is not None:
        if not folder.is_dir():
            raise ConfigError(f"--background must be a folder of sound files, got '{folder}'")
        if split is not None:
            reporter.say("--background is not split: take another folder for another part")
        return sources, [Source(str(path), "") for path in find_audio([folder])]
    names = _names(labels, manifest.labels)
    return (
        [source for source in sources if source.label not in names],
        [source for source in sources if source.label in names],
    )


def _names(text: str | None, labels: Sequence[str]) -> set[str]:
    names = {name.strip() for name in (text or "").split(",")} - {""}
    for name in sorted(names - set(labels)):
        guess = nearest(name, labels)
        hint = f"did you mean '{guess}'?" if guess else f"labels: {', '.join(labels[:20])}"
        raise ConfigError(f"--background-labels '{name}' is no label of the data set; {hint}")
    return names


def _show(report: "MixReport", output: Path, reporter: Reporter) -> int:
    """Print what was made; return how many sounds were left out."""
    from auricle.data.wording import plural

    rows = [
        (label, events, round(report.seconds[label], 1))
        for label, events in sorted(report.events.items())
    ]
    emit(("event", "count", "seconds"), rows, None)
    if report.unplaced:
        reporter.say(
            f"{plural(report.unplaced, 'event')} found no room among the others (--max-overlap)"
        )
    for reason in list(report.bad.values())[:_SHOWN_BAD]:
        reporter.warn(f"left out: {reason}")
    if report.bad:
        sounds = plural(len(report.bad), "sound")
        reporter.warn(f"{sounds} could not be used; others were taken")
    events = plural(report.events.total(), "event")
    say_next(f"{plural(report.soundscapes, 'soundscape')}, {events}: {output / 'labels.tsv'}")
    return len(report.bad)
