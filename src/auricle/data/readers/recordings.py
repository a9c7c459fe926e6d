"""Recordings with a label file each, as annotation programs leave them.

The label files may lie beside the sounds or in folders of their own below DATA; a recording is
found by the name inside its label file, else by the name of the file. A recording without a label
file is not read, since nobody may have listened to it; one with an empty label file is an example
of silence.
"""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from auricle.audio import AUDIO_SUFFIXES
from auricle.core.errors import DataError
from auricle.data.config import DataConfig
from auricle.data.manifest import Manifest
from auricle.data.readers.base import About
from auricle.data.readers.labelled import LabelGatherer, SoundIndex
from auricle.data.readers.rows import audio_base, refuse_columns
from auricle.data.wording import plural
from auricle.events import FORMATS, read_labels

_PEEKED = 1000
"""Entries of a folder that are looked at to tell what it is."""


class RecordingsReader:
    """A folder of recordings with label files of the format `form`.

    `endings` are those of files that leave no doubt; where a file's own lines must be looked at, it
    counts only with a sound of the same name beside it (`sound_beside`).
    """

    def __init__(
        self, form: str, about: About, endings: tuple[str, ...], *, sound_beside: bool = False
    ) -> None:
        self.about = about
        self._form = form
        self._endings = endings
        self._sound_beside = sound_beside

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether a label file is at `path`, or in a folder directly below it."""
        if config.table is not None:
            return False
        if path.is_file():
            return self._is_one(path)
        return any(self._is_one(file) for file in _peek(path))

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read every label file below the folder."""
        refuse_columns(config, "label files say themselves what is in them", allowed=("label",))
        sounds = SoundIndex(audio_base(config, path if path.is_dir() else path.parent))
        gather = LabelGatherer(self.about, config)
        rows = read_labels(path, self._form, faults=gather.faults, label_column=config.label)
        manifest = gather.manifest(gather.clips(rows, sounds), path)
        used = len({clip.path for clip in manifest.clips})
        unlabelled = len(sounds) - used
        if unlabelled > 0:
            return manifest.noting(f"{plural(unlabelled, 'sound')} without a label file left out")
        return manifest

    def _is_one(self, path: Path) -> bool:
        if not path.name.casefold().endswith(self._endings):
            return False
        try:
            if not FORMATS[self._form].claims(path):
                return False
        except DataError:
            return False
        recording = path.with_suffix("")
        return not self._sound_beside or any(
            recording.with_name(recording.name + suffix).is_file()
            for suffix in ("", *AUDIO_SUFFIXES)
        )


def _peek(folder: Path) -> Iterator[Path]:
    """Walk some of the entries of a folder and of the folders directly below it."""
    here = _some_entries(folder)
    below = [path for path, is_folder in here if is_folder]
    for entries in (here, *map(_some_entries, below)):
        yield from (path for path, is_folder in entries if not is_folder)


def _some_entries(folder: Path) -> list[tuple[Path, bool]]:
    try:
        with os.scandir(folder) as entries:
            some = islice(entries, _PEEKED)
            return sorted((Path(entry.path), entry.is_dir()) for entry in some)
    except OSError:
        return []  # the reader that reads the folder says why it cannot be read
