"""Labels from one format into another: `auricle data convert`.

Everything goes through a manifest: what the formats can say fits into its rows, and rows keep
their order. What a target cannot say is refused, or left out by the user's word (`weak`).
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np

from auricle import audio
from auricle.core.errors import AudioError, ConfigError, DataError, unknown_name
from auricle.core.types import Clip, Label
from auricle.data.config import DataConfig
from auricle.data.manifest import Manifest
from auricle.data.manifest_files import MANIFEST_SUFFIXES, is_manifest, write_manifest
from auricle.data.readers import read_dataset
from auricle.data.readers.labelled import SoundIndex
from auricle.data.unheard import read_unheard
from auricle.data.wording import listed, plural
from auricle.events import FORMATS, find_format, write_labels
from auricle.events.formats.base import RecordingFormat, number
from auricle.events.formats.weak_tables import SEGMENT_COLUMNS

MANIFEST = "manifest"
"""The target that is no label format: a table that `auricle train` reads."""

_DURATION = "duration"


@dataclass(frozen=True)
class Labels:
    """Labels to convert: `root` is the folder that their sounds lie in, if anywhere.

    `names`: the paths are names as a label file gives them, not yet paths of files.
    """

    manifest: Manifest
    root: Path
    names: bool


def read_any_labels(path: str | Path, config: DataConfig, form: str | None = None) -> Labels:
    """Read a label file, a folder of them, a manifest, or any data set with its sounds.

    `form` is a name of `FORMATS`; without it, what looks like labels alone is read as that, unless
    `data.reader` names a reader. Raises `DataError`, and `UnknownName` for an unknown form.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    root = folder if config.audio_root is None else Path(config.audio_root)
    if form is not None and form not in FORMATS:
        raise unknown_name("label format", form, FORMATS)
    alone = form is not None or (config.reader == "auto" and _is_labels(path))
    if alone:
        return Labels(read_unheard(path, config, form), root, names=True)
    if path.is_file() and is_manifest(path):
        return Labels(read_unheard(path, config), root, names=False)
    return Labels(read_dataset(path, config), root, names=False)


def _is_labels(path: Path) -> bool:
    if not path.exists() or (path.is_file() and is_manifest(path)):
        return False
    try:
        find_format(path)
    except DataError:
        return False
    return True


def target_of(output: Path, to: str | None, *, names: bool) -> str:
    """Return the target that `--to` or the suffix of the output means.

    `names`: the labels come out of a label file. Raises `ConfigError`, `UnknownName`.
    """
    suffix = output.suffix.lower()
    if to is None:
        by_suffix = {".tsv": "tsv", ".csv": "csv"} if names else {}
        to = by_suffix.get(suffix, MANIFEST if suffix in MANIFEST_SUFFIXES else None)
        if to is None:
            raise ConfigError(
                f"output '{output}': say the format with --to: {', '.join((*FORMATS, MANIFEST))}"
            )
    if to == MANIFEST:
        if suffix not in MANIFEST_SUFFIXES:
            raise ConfigError(
                f"output '{output}': a manifest ends in {', '.join(MANIFEST_SUFFIXES)}"
            )
    elif to not in FORMATS:
        raise unknown_name("label format", to, (*FORMATS, MANIFEST))
    return to


def check_output(output: Path, source: Path, to: str, *, force: bool) -> None:
    """Refuse an output that would destroy something, before any work is done.

    Raises `ConfigError` for one that exists without `force`, that is or holds the source, and for
    a folder that holds other things than label files of the format.
    """
    if not output.exists():
        return
    here, there = output.resolve(), source.resolve()
    if there == here or here in there.parents:
        raise ConfigError(f"output '{output}' is what is read, or holds it: name another")
    if not force:
        raise ConfigError(f"output '{output}' exists: name another, or replace it with --force")
    kind = None if to == MANIFEST else FORMATS[to]
    if not isinstance(kind, RecordingFormat):
        if output.is_dir():
            raise ConfigError(f"output '{output}' is a folder, and this format is one file")
        return
    if not output.is_dir():
        raise ConfigError(f"output '{output}' is a file, and this format is a folder of files")
    for folder, _, names in os.walk(output):
        other = next((name for name in names if kind.recording_of(name) is None), None)
        if other is not None:
            raise ConfigError(
                f"output '{output}' holds files that are no labels ({Path(folder, other)}), which "
                "--force would delete: name another folder"
            )


def convert_labels(
    labels: Labels,
    output: Path,
    to: str,
    *,
    weak: bool = False,
    duration_s: float | None = None,
) -> list[str]:
    """Write labels to `output`; return notes about what the target does not hold.

    `weak` drops the times and writes the labels of each file once. Labels without times become
    events from the start to the end of the file where the target needs times: `duration_s` says
    how long each file is, else the label file or the sound itself. Raises `DataError` for what the
    target cannot say, and `WriteError`.
    """
    manifest = labels.manifest
    if weak:
        manifest = replace(manifest, clips=tuple(_without_times(manifest)))
    if to == MANIFEST:
        write_manifest(output, _with_paths(manifest, labels) if labels.names else manifest)
        return []
    kind = FORMATS[to]
    clips = manifest.columns
    labelled = clips.labels.sizes > 0
    timed = ~np.isnan(clips.offsets_s) | (clips.onsets_s > 0)
    bare = timed & ~labelled
    if bool(bare.any()):
        manifest = replace(manifest, clips=tuple(_without_bare_stretches(manifest)))
        clips = manifest.columns
    if not kind.strong and bool((labelled & timed).any()):
        raise DataError(
            f"labels with times do not fit into '{to}', which says what is in a file and not "
            "when: --weak drops the times"
        )
    columns = [name for name in clips.extra if kind.holds is None or name in kind.holds]
    fill = _durations(labels, duration_s)
    write_labels(output, _rows(manifest, labels, fill, weak=kind.weak), to, extra=columns)
    notes: list[str] = []
    if bool(bare.any()):
        rows = plural(int(np.count_nonzero(bare)), "stretch", "stretches")
        notes.append(f"'{to}' cannot say that nothing is in part of a file: {rows} not written")
    dropped = [name for name in clips.extra if name not in columns]
    dropped += _own_columns(manifest)
    if dropped:
        notes.append(f"'{to}' does not hold these columns, which were left out: {listed(dropped)}")
    return notes


def _own_columns(manifest: Manifest) -> list[str]:
    clips = manifest.columns
    columns = {"split": clips.splits, "fold": clips.folds, "group": clips.groups}
    return [name for name, column in columns.items() if bool(column.filled().any())]


def _rows(
    manifest: Manifest, labels: Labels, length_s: Callable[[Clip], float], *, weak: bool
) -> Iterator[Clip]:
    """Walk the rows as the target takes them: names for paths, times where they are wanted.

    `weak`: it can say what is in a file without saying when; from 3 s on is a time, too.
    """
    root = os.path.abspath(labels.root)
    for clip in manifest.clips:
        name = clip.path if labels.names else _name(clip.path, root)
        offset_s = clip.offset_s
        if offset_s is None and clip.labels and (clip.onset_s > 0 or not weak):
            offset_s = length_s(clip)
            if offset_s <= clip.onset_s:
                raise DataError(
                    f"'{clip.labels[0]}' in {name} begins at {clip.onset_s:g} s, and the file ends "
                    f"at {offset_s:g} s"
                )
        yield replace(clip, path=name, offset_s=offset_s)


def _name(path: str, root: str) -> str:
    """Return a path relative to the folder of the sounds where it lies in it."""
    try:
        return PurePath(os.path.abspath(path)).relative_to(root).as_posix()
    except ValueError:
        return path


def _with_paths(manifest: Manifest, labels: Labels) -> Manifest:
    """Return the labels with paths: of the sounds where they are there, else where they may be."""
    sounds = SoundIndex(labels.root)

    def path(name: str) -> str:
        return (sounds.find(name) if len(sounds) else None) or os.path.join(labels.root, name)

    clips = (replace(clip, path=path(clip.path)) for clip in manifest.clips)
    return Manifest.of(clips, labels=manifest.labels, multi_label=manifest.multi_label)


def _without_bare_stretches(manifest: Manifest) -> Iterator[Clip]:
    """Walk the rows but for stretches without a label; a file that has no other stays, empty."""
    kept = {clip.path for clip in manifest.clips if clip.labels or not _is_stretch(clip)}
    for clip in manifest.clips:
        if clip.labels or not _is_stretch(clip):
            yield clip
        elif clip.path not in kept:
            kept.add(clip.path)
            yield replace(clip, onset_s=0.0, offset_s=None)


def _is_stretch(clip: Clip) -> bool:
    return clip.onset_s > 0 or clip.offset_s is not None


def _without_times(manifest: Manifest) -> Iterator[Clip]:
    """Walk the files in the order of their first row, each with all labels of its rows."""
    files: dict[str, tuple[Clip, dict[Label, None]]] = {}
    for clip in manifest.clips:
        if clip.path not in files:
            # What stands beside an event is not true of the file.
            extra = clip.extra if clip.offset_s is None else {}
            files[clip.path] = (replace(clip, onset_s=0.0, offset_s=None, extra=extra), {})
        files[clip.path][1].update(dict.fromkeys(clip.labels))
    for clip, found in files.values():
        yield replace(clip, labels=tuple(found))


def _durations(labels: Labels, duration_s: float | None) -> Callable[[Clip], float]:
    """Return what says how long the file of a row is, in seconds."""
    known: dict[str, float] = {}

    def measure(clip: Clip) -> float:
        if duration_s is not None:
            return duration_s
        said = number(clip.extra.get(_DURATION, ""))
        start, end = (number(clip.extra.get(name, "")) for name in SEGMENT_COLUMNS)
        for length_s in (said, end - start):
            if length_s > 0:  # NaN is not
                return length_s
        if clip.path not in known:
            known[clip.path] = _heard(clip.path, labels)
        return known[clip.path]

    return measure


def _heard(path: str, labels: Labels) -> float:
    where = os.path.join(labels.root, path) if labels.names else path
    try:
        length_s = audio.probe(where).duration_s
    except AudioError:
        length_s = None
    if length_s is None:
        raise DataError(
            f"the labels of {path} have no times, and this format needs them: say how long every "
            "file is with --duration SECONDS, or where the sounds are with --audio-root DIR"
        )
    return length_s
