"""Recordings with a label file each, as annotation programs leave them.

The label files may lie beside the sounds or in folders of their own below DATA; a recording is
found by the name inside its label file, else by the name of the file. A recording without a label
file is not read, since nobody may have listened to it; one with an empty label file is an example
of silence.
"""

import os
from collections import deque
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

_PEEKED, _PEEKED_IN_ALL = 1000, 20_000
"""Entries of a folder, and of all below it, that are looked at to tell what it is."""


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
        """Say whether a label file is at `path`, or among the first entries below it."""
        if config.table is not None:
            return False
        if path.is_file():
            return self._is_one(path)
        return any(self._is_one(file) for file in islice(_peek(path), _PEEKED_IN_ALL))

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
        recording = path.with_suffix("")
        if self._sound_beside and not any(
            recording.with_name(recording.name + suffix).is_file()
            for suffix in ("", *AUDIO_SUFFIXES)
        ):
            return False
        try:  # an empty file may be anything
            return path.stat().st_size > 0 and FORMATS[self._form].claims(path)
        except (DataError, OSError):
            return False


def _peek(folder: Path) -> Iterator[Path]:
    """Walk some of what is below a folder, the nearest first; links are not followed."""
    folders = deque([folder])
    while folders:
        for path, is_folder in _some_entries(folders.popleft()):
            yield path
            if is_folder:
                folders.append(path)


def _some_entries(folder: Path) -> list[tuple[Path, bool]]:
    try:
        with os.scandir(folder) as entries:
            some = islice(entries, _PEEKED)
            return sorted((Path(entry.path), entry.is_dir(follow_symlinks=False)) for entry in some)
    except OSError:
        return []  # the reader that reads the folder says why it cannot be read
