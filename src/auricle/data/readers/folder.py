"""A folder per class, with folders per split above them where the data set has any."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from auricle.audio import AUDIO_SUFFIXES
from auricle.core.errors import DataError
from auricle.core.types import Clip
from auricle.data.clips import ClipsBuilder
from auricle.data.config import DataConfig
from auricle.data.manifest import Manifest
from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.rows import refuse_columns
from auricle.data.wording import case_twins, listed, plural

_TABLES = (".csv", ".tsv")

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
"""What splits are called in data sets, in lower case, and what we call them."""


@dataclass
class _Found:
    """Sounds under a folder, and what was passed over on the way."""

    clips: ClipsBuilder = field(default_factory=ClipsBuilder)
    rejected: list[str] = field(default_factory=list)
    other: Counter[str] = field(default_factory=Counter)


class FolderReader:
    """One folder per class; folders train/, val/ and test/ may stand above the class folders."""

    about = About("one folder per class; train/, val/ and test/ may stand above the class folders")

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether `path` is a folder."""
        return path.is_dir()

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read the class folders under `path`; a class may have folders of its own inside."""
        if not path.is_dir():
            raise DataError(f"{path} is not a folder; the reader 'folder' needs one")
        refuse_columns(config, "class folders have no columns")
        if config.audio_root is not None:
            raise DataError(
                f"--audio-root {config.audio_root}: class folders are read where they lie. Give "
                "that folder as DATA, or leave the option out"
            )
        tops = [top for top in sorted(entries(path)) if top.is_dir()]
        splits = _split_folders(tops)
        notes = []
        if splits:
            found = _Found()
            for top, split in splits.items():
                for label in sorted(entries(top)):
                    if label.is_dir():
                        _collect(label, split, found)
            notes.append(
                f"the folders {listed(top.name for top in splits)} were read as splits, the "
                "folders inside them as classes"
            )
            strangers = [top.name for top in tops if top not in splits and _has_sound(top)]
            if strangers:
                notes.append(f"folders beside the splits were left out: {listed(strangers)}")
        else:
            found = _Found()
            for top in tops:
                _collect(top, None, found)
        if not found.clips.rows:
            raise _nothing(path, found)
        tables = [top.name for top in sorted(entries(path)) if top.suffix.lower() in _TABLES]
        if tables:
            notes.append(
                f"{listed(tables)} beside the class folders not read; --data.reader table reads a "
                "table, or says why it cannot"
            )
        loose = sum(is_sound(entry) for entry in entries(path))
        if loose:
            notes.append(f"{plural(loose, 'sound')} outside the class folders left out")
        return _manifest(found, notes, tops, splits)


def _manifest(
    found: _Found, notes: list[str], tops: list[Path], splits: dict[Path, str]
) -> Manifest:
    clips = found.clips.finish()
    labels = clips.labels.present()
    if not splits:
        empty = [top.name for top in tops if top.name.strip() not in labels]
        if empty:
            notes.append(f"folders without sounds left out: {listed(empty)}")
    if found.other:
        kinds = listed(kind or "no suffix" for kind, _ in found.other.most_common())
        notes.append(
            f"{plural(sum(found.other.values()), 'file')} of another kind left out ({kinds})"
        )
    if found.rejected:
        notes.append(f"{plural(len(found.rejected), 'sound')} left out: {listed(found.rejected)}")
    return Manifest(
        clips=clips,
        labels=labels,
        notes=(*notes, *case_twins(labels)),
        rejected=tuple(found.rejected),
    )


def class_folders(path: Path) -> list[str]:
    """Return the names of the folders at `path` that hold sounds, at any depth."""
    return [top.name for top in sorted(entries(path)) if top.is_dir() and _has_sound(top)]


def _split_folders(tops: list[Path]) -> dict[Path, str]:
    """Return the folders that are splits, or nothing.

    They are where `train/` holds class folders and either another split stands beside it or
    nothing else does: a class called "train" beside "bus" and "car" stays a class.
    """
    named = {top: SPLIT_NAMES[top.name.lower()] for top in tops if top.name.lower() in SPLIT_NAMES}
    train = [top for top, split in named.items() if split == "train"]
    holds_classes = any(
        label.is_dir() and _has_sound(label) for top in train for label in entries(top)
    )
    if not holds_classes:
        return {}
    alone = all(top in train or not _has_sound(top) for top in tops)
    return named if len(set(named.values())) > 1 or alone else {}


def _collect(folder: Path, split: str | None, found: _Found) -> None:
    for path in _files(folder):
        if not is_sound(path):
            found.other[path.suffix.lower()] += 1
            continue
        try:
            str(path).encode("utf-8")
        except UnicodeEncodeError:
            found.rejected.append(f"{str(path)!a}: the file's name is not valid UTF-8: rename it")
            continue
        found.clips.append(Clip(path=str(path), labels=(folder.name.strip(),), split=split))


def _files(folder: Path) -> Iterator[Path]:
    """Walk the files under `folder` in a fixed order, through links but no folder twice."""
    seen = {os.path.realpath(above) for above in (folder, *folder.parents)}

    def walk(here: Path) -> Iterator[Path]:
        for entry in sorted(entries(here)):
            if entry.is_dir():
                real = os.path.realpath(entry)
                if real not in seen:
                    seen.add(real)
                    yield from walk(entry)
            elif entry.is_file():
                yield entry

    return walk(folder)


def entries(folder: Path) -> list[Path]:
    """List what is in `folder`, hidden things and the litter of archives left out."""
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise DataError(f"folder {folder} cannot be read: {error.strerror or error}") from None
    return [
        entry for entry in entries if not entry.name.startswith(".") and entry.name != "__MACOSX"
    ]


def is_sound(path: Path) -> bool:
    """Say whether `path` is a file that is named like a sound."""
    return path.suffix.lower() in AUDIO_SUFFIXES and path.is_file()


def _has_sound(folder: Path) -> bool:
    return any(is_sound(path) for path in _files(folder))


def _nothing(path: Path, found: _Found) -> DataError:
    loose = sum(is_sound(entry) for entry in entries(path))
    if loose:
        return DataError(
            f"{path} holds {plural(loose, 'sound')} but no class folders: put the sounds of each "
            "class into a folder that has the name of the class, or give a table (path,label)"
        )
    if found.other:
        return DataError(
            f"no sound found in {path}: it holds {plural(sum(found.other.values()), 'file')} of "
            f"other kinds ({listed(kind or 'no suffix' for kind in found.other)})"
        )
    return DataError(
        f"no sound found in {path}: a data set is a folder of class folders with sounds in them, "
        "or a table (path,label)"
    )


READERS.add("folder", FolderReader())
