"""The HDF5 files that `auricle data pack` writes; the manifest is in them."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from auricle.audio.members import join_member
from auricle.audio.members.h5 import SUFFIXES, Pack, is_pack, open_pack
from auricle.core.errors import DataError
from auricle.core.types import Clip, Label
from auricle.data.config import NO_COLUMN, DataConfig
from auricle.data.labels import choose_labels
from auricle.data.manifest import Manifest
from auricle.data.packing.plan import clip_of_record
from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.rows import Gatherer, refuse_columns
from auricle.data.wording import plural


class PackReader:
    """One HDF5 file with sounds, labels, splits, folds and groups."""

    about = About("an HDF5 file written by 'auricle data pack'")

    def __init__(self, kind: str = "waveforms") -> None:
        self.kind = kind

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether `path` has the name of HDF5; reading it says what is wrong with it."""
        return path.suffix.lower() in SUFFIXES and path.is_file()

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read the rows in the pack; their sounds are its members. Raises `DataError`."""
        refuse_columns(config, "a pack says itself what its rows are")
        refuse_audio_root(config, path)
        if path.is_dir():
            raise DataError(f"{path} is a folder; the reader 'pack' needs an HDF5 file")
        pack = open_pack(path)
        if pack.kind != self.kind:
            raise DataError(
                f"{path} holds {pack.kind}, not sound: 'auricle train' and 'crossval' take them, "
                "auricle.data.open_pack reads them; for all else pack again without --features"
            )
        return packed_manifest(_clips(pack, path), path, config, pack_config(pack), pack.labels)


def is_feature_pack(path: str | Path) -> bool:
    """Say whether a file is a pack of features. Raises `DataError` for a pack that is damaged."""
    return is_pack(path) and open_pack(path).kind == "features"


def read_feature_pack(path: str | Path, config: DataConfig) -> Manifest:
    """Read the rows of a pack of features, as `read_dataset` reads those of sound."""
    return choose_labels(PackReader("features").read(Path(path), config), config)


def packed_manifest(
    clips: Iterator[Clip],
    path: Path,
    config: DataConfig,
    packed: dict[str, Any],
    labels: Sequence[Label],
) -> Manifest:
    """Return the manifest of a pack that was made as `packed` says."""
    known = set(labels)
    gather = Gatherer(About(""), config)

    def checked() -> Iterator[Clip]:
        for clip in clips:
            if strange := [label for label in clip.labels if label not in known]:
                raise DataError(f"{path} is damaged: '{strange[0]}' is none of its classes")
            yield without_columns(clip, config)

    multi_label = packed.get("multi_label") is True
    manifest = gather.manifest(
        checked(),
        path,
        labels=labels,
        multi_label=multi_label,
        grouped=packed.get("group_declared") is True,
    )
    made = packed.get("options")
    options = made if isinstance(made, dict) else {}
    length = options.get("length_s")
    return manifest.noting(
        f"{plural(len(manifest.clips), 'row')} of a pack, {options.get('sample_rate')} Hz"
        + ("" if length is None else f", clips of {length} s")
    )


def without_columns(clip: Clip, config: DataConfig) -> Clip:
    """Return a clip without the split, fold or group that the options leave out."""
    dropped = {
        name: None for name in ("split", "fold", "group") if getattr(config, name) == NO_COLUMN
    }
    if not dropped:
        return clip
    return Clip(
        path=clip.path,
        labels=clip.labels,
        onset_s=clip.onset_s,
        offset_s=clip.offset_s,
        split=dropped.get("split", clip.split),
        fold=dropped.get("fold", clip.fold),
        group=dropped.get("group", clip.group),
        extra=clip.extra,
    )


def refuse_audio_root(config: DataConfig, path: Path) -> None:
    """Refuse a folder of sounds where they are inside. Raises `DataError`."""
    if config.audio_root is not None:
        raise DataError(
            f"--audio-root {config.audio_root}: the sounds are inside {path}. Leave the option out"
        )


def pack_config(pack: Pack) -> dict[str, Any]:
    """Return how a pack was made. Raises `DataError`."""
    try:
        config = json.loads(pack.config_text())
    except (ValueError, OSError) as error:
        raise DataError(f"{pack.path} is a damaged pack: its config is no JSON ({error})") from None
    return config if isinstance(config, dict) else {}


def _clips(pack: Pack, path: Path) -> Iterator[Clip]:
    for row, text in enumerate(pack.texts("manifest")):
        try:
            record = json.loads(text)
            number = int(record["clip"])
            if not 0 <= number < len(pack):
                raise IndexError(f"there is no clip {number}")
            yield clip_of_record(join_member(path, pack.name(number)), record)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise DataError(
                f"{path} is a damaged pack: row {row} of its manifest: {error}"
            ) from None


READERS.add("pack", PackReader())
