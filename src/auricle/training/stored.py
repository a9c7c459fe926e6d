"""Training on features that `auricle data pack --features` stored in place of sound.

Every clip of such a pack is one window of its `--length`, a shorter one with zeros behind it before
the front-end heard it, as the classifier puts them: so what is measured on the stored features is
what the classifier gives on the sound. What cannot keep that promise is refused.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field

from auricle.artifact.classifier import Classifier
from auricle.artifact.feature_encoder import probe
from auricle.artifact.parts import resolve_frontend
from auricle.audio.members import join_member, split_member
from auricle.audio.members.h5 import open_pack
from auricle.augment import AUGMENTATIONS
from auricle.augment.section import resolved_section
from auricle.core.config import Config, validate
from auricle.core.errors import ConfigError, DataError
from auricle.core.reporting import Reporter
from auricle.core.types import Clip, FloatArray
from auricle.core.units import seconds_to_samples
from auricle.data import Manifest, PackOptions, read_dataset
from auricle.data.clips import Clips
from auricle.data.config import DataConfig
from auricle.data.readers.pack import is_feature_pack, pack_config, read_feature_pack
from auricle.data.wording import plural
from auricle.tensors import Features
from auricle.training.clips import BadClip
from auricle.training.config import RunConfig
from auricle.training.setup import resolve_parts

_CLOSE = 1e-3  # of the largest mean: what may differ between processors


class StoredFeatures(Config):
    """How the features of a pack were made."""

    path: str
    frontend: dict[str, Any]
    window_s: float = Field(gt=0, description="seconds of every clip")
    frames: int = Field(ge=1, description="frames of every clip")
    heard_frames: int = Field(ge=0, description="how many of them the front-end calls sound")
    chirp: list[float] = Field(description="what it makes of a chirp (feature_encoder.probe)")
    options: PackOptions
    cut: int = Field(ge=0, description="clips that were longer")


def open_stored(path: str | Path) -> StoredFeatures:
    """Read what a pack of features says of itself. Raises `DataError` for one not to train on."""
    pack = open_pack(path)
    made = pack_config(pack)
    encoder, options = made.get("encoder"), made.get("options")
    if not isinstance(encoder, dict):
        raise DataError(f"{path} is a damaged pack: it does not say how its features were made")
    if "frontend" not in encoder:
        raise DataError(
            f"{path} holds embeddings of a classifier, not features of a front-end: a network "
            "cannot be trained on them. Pack with --features of a front-end, as fbank"
        )
    if "window_s" not in encoder:
        raise DataError(
            f"{path} holds clips of any length, and a classifier hears windows of one: pack again "
            "with --length"
        )
    known = {"path": pack.path, "options": options, "cut": made.get("cut")}
    try:
        stored = validate(StoredFeatures, {**encoder, **known}, "features")
        stored = stored.model_copy(update={"frontend": resolve_frontend(stored.frontend)})
    except ConfigError as error:
        raise DataError(f"{path} is a damaged pack: {error}") from None
    whole = bool((pack.lengths == stored.frames).all())
    if not whole or pack.values.shape[1] != len(stored.chirp):
        raise DataError(
            f"{path} holds clips that are no windows of {stored.window_s:g} s: pack again with "
            "'auricle data pack --features --length'"
        )
    return stored


def configure_and_read(config: RunConfig, data: str | Path) -> tuple[RunConfig, Manifest]:
    """Spell out the parts of a run on `data` (`resolve_parts`), and read the clips of it.

    On a pack of features, what is not given is as the pack was made: front-end, lengths, channel;
    augmentations of waveforms are left out, with a note.
    """
    if not is_feature_pack(data):
        config = resolve_parts(config)
        return config, read_dataset(data, config.data)
    config, notes = _as_stored(config, open_stored(data))
    config = resolve_parts(config)
    return config, read_feature_pack(data, config.data).noting(*notes)


def _as_stored(config: RunConfig, stored: StoredFeatures) -> tuple[RunConfig, tuple[str, ...]]:
    frontend, length_s = config.frontend, stored.window_s
    if frontend.get("name", stored.frontend["name"]) == stored.frontend["name"]:
        frontend = {**stored.frontend, **frontend}
    made = {"clip_s": length_s, "eval_clip_s": length_s, **_of_sound(stored)}
    section = config.data.model_dump(exclude_unset=True)
    section |= {key: value for key, value in made.items() if section.get(key) is None}
    augment = resolved_section(config.augment)
    left_out = _of_waveforms(augment)
    notes = [f"features of {stored.frontend['name']}, windows of {length_s:g} s"]
    if left_out:
        notes.append(f"augmentations of waveforms are left out: {', '.join(left_out)}")
    kept = {name: part for name, part in augment.items() if name not in left_out}
    update = {"data": validate(DataConfig, section, "data"), "frontend": frontend, "augment": kept}
    return config.model_copy(update=update), tuple(notes)


def _of_sound(stored: StoredFeatures) -> dict[str, Any]:
    options = stored.options
    return {"channel": options.channel, "allow_truncated": options.allow_truncated}


def _of_waveforms(augment: Mapping[str, Any]) -> list[str]:
    """Return the parts of a resolved section that need the sound."""
    parts = [name for name in augment if name != "preset"]
    return [name for name in parts if AUGMENTATIONS[name].domain == "waveform"]


class FeatureStore:
    """The stored features of a list of clips, read where they lie; a `ClipStore` for training.

    Raises `DataError` for clips of another pack, and for rows that are stretches of clips.
    """

    cached_mb = 0.0

    def __init__(self, clips: Sequence[Clip], stored: StoredFeatures, data: DataConfig) -> None:
        self.clips = Clips.of(clips)
        self.stored = stored
        self.data = data
        pack = open_pack(stored.path)
        self.sample_rate = pack.sample_rate
        self.window_samples = seconds_to_samples(stored.window_s, pack.sample_rate)
        self._numbers = [self._number(clip) for clip in self.clips]

    def __len__(self) -> int:
        return len(self._numbers)

    def prepare(
        self, reporter: Reporter, *, shared: bool, budget_mb: float | None = None
    ) -> list[BadClip]:
        """Do nothing: whatever is in a pack could be read. See `ClipStore.prepare`."""
        return []

    def part(self, index: int) -> tuple[int, int]:
        """Return where a clip begins and ends, in frames."""
        return 0, self.stored.frames

    def stretch(self, index: int, start: int, length: int) -> FloatArray:
        """Return `length` frames of a clip from frame `start` on: `(length, bins)`."""
        values = open_pack(self.stored.path).clip(self._numbers[index])
        return values[start : start + length].astype(np.float32)

    def features(self, first: int, count: int) -> Features:
        """Return the features of up to `count` clips from clip `first` on."""
        indices = range(first, min(len(self), first + count))
        clips = [self.stretch(index, 0, self.stored.frames) for index in indices]
        return as_features(clips, self.stored.heard_frames)

    def _number(self, clip: Clip) -> int:
        here, path = join_member(self.stored.path, ""), clip.path
        inside = path.startswith(here)
        found = open_pack(self.stored.path).find(path.removeprefix(here)) if inside else None
        if found is None:
            raise DataError(f"{clip.path} is not among the features of {self.stored.path}")
        if clip.onset_s or clip.offset_s is not None:
            raise DataError(
                f"{clip.path}: this row is a stretch of a clip, and features are stored of whole "
                "ones: pack again with --unit row"
            )
        return found


def stored_behind(clips: Sequence[Clip]) -> StoredFeatures | None:
    """Return the features that a list of clips is of; None for sounds."""
    inside = split_member(clips[0].path) if len(clips) else None
    if inside is None or not is_feature_pack(inside[0]):
        return None
    return open_stored(inside[0])


def as_features(clips: Sequence[FloatArray], heard_frames: int) -> Features:
    """Stack clips `(frames, bins)` into features `(batch, bins, frames)`."""
    values = torch.from_numpy(np.stack(clips)).transpose(1, 2).contiguous()
    return Features(values, torch.full((len(clips),), heard_frames))


def require_as_stored(stored: StoredFeatures, config: RunConfig) -> None:
    """Raise `ConfigError` where a classifier of this configuration hears other features."""
    data, path = config.data, stored.path
    wanted = config.frontend
    if differing := [
        key for key in {**wanted, **stored.frontend} if wanted.get(key) != stored.frontend.get(key)
    ]:
        key = "name" if "name" in differing else differing[0]
        raise ConfigError(
            f"the features of {path} were made with frontend.{key} {stored.frontend.get(key)}, "
            f"and the run asks for {wanted.get(key)}: leave it out, or pack again"
        )
    window_s = stored.window_s
    rules = {
        "clip_s": (data.clip_s, window_s),
        "eval_clip_s": (data.eval_clip_s, window_s),
        "channel": (data.channel, _of_sound(stored)["channel"]),
        "normalise": (data.normalise, "none"),
        "short_clips": (data.short_clips, "pad"),
        "trim_db": (data.trim_db, None),
        "min_clip_s": (data.min_clip_s, None),
        "max_clip_s": (data.max_clip_s, None),
    }
    for key, (value, made) in rules.items():
        if value != made:
            raise ConfigError(
                f"the features of {path} were made with data.{key} {made}, and the run asks for "
                f"{value}: leave it out, or train on the sound"
            )
    if parts := _of_waveforms(config.augment):
        raise ConfigError(
            f"augmentations of waveforms ({', '.join(parts)}) need the sound, and {path} holds "
            f"features: train on {path} itself, which leaves them out, or give "
            "--augment.preset none"
        )
    if stored.cut and data.long_clips != "start":
        raise ConfigError(
            f"{plural(stored.cut, 'clip')} of {path} had more than {window_s:g} s and lost the "
            f"rest, which the classifier would hear (data.long_clips {data.long_clips}): give "
            "--data.long_clips start, or pack with a longer --length"
        )


def require_fit(stored: StoredFeatures, classifier: Classifier) -> None:
    """Raise `ConfigError` for a classifier that would make other features of the sound."""
    rate = classifier.frontend.sample_rate
    window = seconds_to_samples(stored.window_s, rate)
    if classifier.shortest_samples > window:
        raise ConfigError(
            f"this network needs {classifier.shortest_samples / rate:.3g} s of sound, and the "
            f"windows of {stored.path} are {stored.window_s:g} s: pack with a longer --length"
        )
    wanted, made = stored.chirp, probe(classifier.frontend, window)["chirp"]
    close = _CLOSE * max(map(abs, made), default=0.0)
    if len(wanted) != len(made) or not np.allclose(wanted, made, rtol=0.0, atol=close):
        raise ConfigError(
            f"the front-end does not make the features of {stored.path}: its weights are others "
            "(another checkpoint, or those of --pretrained). Pack again, or train on the sound"
        )
