"""Which clips a classifier may be judged on: none that it was trained or chosen on."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auricle.core.config import merge, validate
from auricle.core.errors import ArtifactError, DataError
from auricle.core.types import Clip
from auricle.data import Manifest, apply_splits, read_dataset, read_manifest
from auricle.data.clips import Clips
from auricle.data.config import DataConfig
from auricle.data.names import clip_names
from auricle.runtime.spec import parse_artifact_config

COLUMN_KEYS = ("table", "path", "label", "label_separator", "split", "fold", "group", "audio_root")
"""Keys of the section `data` that say how a table is read."""

FILE_KEYS = ("classes", "label_names")
"""Keys of the section `data` that name files of the user's, which need not travel with a run."""

CANNOT_BE_TOLD = "whether the classifier was trained on them cannot be told"


@dataclass(frozen=True)
class Origin:
    """Where a classifier comes from: its run's manifest, how it read its data, its seed."""

    manifest: Path | None
    data: Mapping[str, Any]
    seed: int


@dataclass(frozen=True)
class Selection:
    """The clips to judge on, and a sentence that says which they are."""

    clips: Sequence[Clip]
    why: str


def origin_of(model: Path, training: Mapping[str, Any]) -> Origin:
    """Find the run that `model` (a folder or an ONNX file) was made by.

    `training` is that section of its configuration. A folder around it counts as its run only
    where it says the same.
    """
    config = training.get("config", {})
    data, seed = config.get("data", {}), config.get("train", {}).get("seed", 0)
    candidates = [model, model.parent, model.parent.parent] if model.is_dir() else [model.parent]
    for folder in candidates:
        manifest = folder / "manifest.csv"
        if manifest.is_file() and _is_run_of(folder, model, training):
            return Origin(manifest, data, seed)
    return Origin(None, data, seed)


def _is_run_of(folder: Path, model: Path, training: Mapping[str, Any]) -> bool:
    if folder == model:
        return True
    if model.parent == folder / "checkpoints":
        return True
    config = folder / "config.json"
    try:
        return parse_artifact_config(config.read_text("utf-8"), str(config)).training == training
    except (OSError, UnicodeDecodeError, ArtifactError):
        return False


def read_like_the_run(
    path: str | Path, origin: Origin, given: Mapping[str, Any]
) -> tuple[Manifest, DataConfig]:
    """Read data as the run read its own, with the `given` keys of the section `data` on top.

    What the run knew of its table's columns is left out where this data set has none of them, and
    a list of its classes or names where it is no longer there. Raises `DataError`, `ConfigError`.
    """
    lost = {key: name for key in FILE_KEYS if (name := _lost(key, origin, given)) is not None}
    known = {key: value for key, value in origin.data.items() if key not in lost}
    notes = [
        f"--data.{key} {name} of the run is not here and left out; give it where it matters"
        for key, name in lost.items()
    ]
    config = validate(DataConfig, merge(known, given), prefix="data")
    lenient = "background" not in given  # that of the run need not be among these data
    try:
        return read_dataset(path, config, lenient=lenient).noting(*notes), config
    except DataError:
        rest = {key: value for key, value in known.items() if key not in COLUMN_KEYS}
        if len(rest) == len(known):
            raise
    plain = validate(DataConfig, merge(rest, given), prefix="data")
    return read_dataset(path, plain, lenient=lenient).noting(*notes), plain


def _lost(key: str, origin: Origin, given: Mapping[str, Any]) -> str | None:
    """Return the file that a key of the run names, where it is not there and no other is given."""
    name = origin.data.get(key)
    return None if key in given or name is None or Path(name).is_file() else name


def select_clips(
    manifest: Manifest, run_manifest: Path | None, split: str | None, data: DataConfig
) -> Selection:
    """Choose clips so that none counts that the classifier was trained on.

    `run_manifest` is the `manifest.csv` of the run that is judged, None where there is none.
    Clips that the run knows have the split that it gave them, also where the data set has moved;
    others are new to it. `split=None` takes the test clips of the run, else all clips that are
    new to it: of files and declared groups that it has not heard. Raises `DataError`.
    """
    if run_manifest is None:
        return _of_the_data(manifest, split, data)
    run = read_manifest(run_manifest).clips
    known = _matched(run, manifest.clips)
    for wanted in (split,) if split else ("test",):
        chosen = tuple(clip for clip in manifest.clips if known.get(_place(clip)) == wanted)
        if chosen or split:
            total = sum(clip.split == wanted for clip in run)
            of = f"{len(chosen)}" if len(chosen) == total else f"{len(chosen)} of the {total}"
            return Selection(_some(chosen), f"{of} {wanted} clips of the run's own manifest")
    heard = {place[0] for place in known}
    groups = {clip.group for clip in run if clip.group}
    new = tuple(
        clip
        for clip in manifest.clips
        if _place(clip)[0] not in heard and (clip.group is None or clip.group not in groups)
    )
    why = f"{len(new)} clips that are new to the run"
    if left_out := len(manifest.clips) - len(new):
        why += f"; {left_out} of files or groups that it has heard are left out"
    names = {os.path.basename(clip.path) for clip in run}
    if same := sum(os.path.basename(clip.path) in names for clip in new):
        why += f"; {same} have the name of a clip of the run: {CANNOT_BE_TOLD}"
    return Selection(_some(new), why)


def _of_the_data(manifest: Manifest, split: str | None, data: DataConfig) -> Selection:
    if split is None:
        return Selection(
            manifest.clips, f"all {len(manifest.clips)} clips (no manifest: {CANNOT_BE_TOLD})"
        )
    if not any(clip.split or clip.fold for clip in manifest.clips):
        raise DataError(
            f"--split {split}: neither the classifier nor the data set says which clips those "
            "are. Give the run folder, or data with a split, or leave --split out"
        )
    clips = apply_splits(manifest, data, seed=0).of_split(split).clips
    return Selection(
        _some(clips), f"{len(clips)} {split} clips as the data set has them ({CANNOT_BE_TOLD})"
    )


def _some(clips: Sequence[Clip]) -> Sequence[Clip]:
    if not clips:
        raise DataError(
            "there is no clip to judge on: the classifier has seen every clip of the data, or the "
            "split is empty; give other data or --split train|validation|test"
        )
    return clips


Place = tuple[str, float, float | None]


def _matched(run: Sequence[Clip], clips: Sequence[Clip]) -> dict[Place, str | None]:
    """Return the split of each place of `clips` that the run knows.

    Files are the same where their paths are, or, if the data set has moved or one of the two is a
    pack of the other, where their paths within it are.
    """
    known = {_place(clip): clip.split for clip in run}
    files = {place[0] for place in known}
    if any(_place(clip)[0] in files for clip in clips[:1000]):
        return known
    names = clip_names(Clips.of(clips))
    inside = {name: _place(clip)[0] for name, clip in zip(names, clips, strict=True)}
    moved: dict[Place, str | None] = {}
    for name, clip in zip(clip_names(Clips.of(run)), run, strict=True):
        path = inside.get(name)
        if path is not None:
            moved[(path, clip.onset_s, clip.offset_s)] = clip.split
    return moved


def _place(clip: Clip) -> Place:
    return os.path.realpath(clip.path), clip.onset_s, clip.offset_s
