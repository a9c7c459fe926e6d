"""What the readers of label files share: from rows of labels and a folder of sounds to a manifest.

The sounds are listed once, folder by folder: a table may have a hundred rows for each of them.
"""

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, takewhile
from pathlib import Path

import numpy as np

from auricle.audio import AUDIO_SUFFIXES
from auricle.core.types import Clip, Label
from auricle.data.config import NO_COLUMN, DataConfig
from auricle.data.labels import labels_over, read_label_names
from auricle.data.manifest import COLUMNS, Manifest
from auricle.data.readers.base import About
from auricle.data.readers.rows import Gatherer
from auricle.data.wording import listed, plural
from auricle.events import Faults

Candidates = Callable[[Clip], Sequence[str]]
"""What the sound of a row may be called, with or without a suffix, the likeliest first."""


def as_named(clip: Clip) -> tuple[str, ...]:
    """Return the name that the label file gives."""
    return (clip.path,)


class SoundIndex:
    """The sounds below a folder, found by the names that label files give them.

    A name is that of a sound with or without its folders and its suffix. Of several sounds that
    fit, the one in the folder of the name is taken, as recorders in many places give the same
    names; else the one that has most folders in common with it; else the first by path.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ambiguous: list[str] = []
        # The first sound of each name and each stem; others of the same one are few.
        self._by_name: dict[str, str] = {}
        self._by_stem: dict[str, str] = {}
        self._others: dict[str, list[str]] = {}
        self._places: Counter[tuple[str, str]] = Counter()
        for path in sorted(_sounds(root)):
            folder, name = os.path.split(path)
            name = _whole(name)
            stem, suffix = os.path.splitext(name)
            for index, key in ((self._by_name, name), (self._by_stem, stem)):
                if index.setdefault(key, path) != path:
                    self._others.setdefault(key, []).append(path)
            self._places[folder, suffix] += 1

    def __len__(self) -> int:
        return self._places.total()

    def find(self, name: str) -> str | None:
        """Return the sound that `name` stands for, None where there is none."""
        name = _whole(name.replace("\\", "/"))
        if "/" in name:
            path = os.path.normpath(os.path.join(self.root, name))
            if os.path.isfile(path):
                return path
        base = os.path.basename(name)
        keys = [(self._by_name, base), (self._by_stem, base)]
        if _is_sound(base):  # copies are often re-encoded
            keys.append((self._by_stem, os.path.splitext(base)[0]))
        for index, key in keys:
            if key in index:
                return self._nearest(name, [index[key], *self._others.get(key, ())])
        return None

    def _nearest(self, name: str, paths: list[str]) -> str:
        """Choose among sounds that fit; where the folders do not say which, `name` is noted."""
        if len(paths) == 1:
            return paths[0]
        folder = os.path.normpath(os.path.join(self.root, os.path.dirname(name)))

        def nearness(path: str) -> tuple[bool, int]:
            pairs = zip(reversed(_folders(name)), reversed(_folders(path)), strict=False)
            alike = takewhile(lambda pair: pair[0] == pair[1], pairs)
            return os.path.dirname(path) == folder, sum(1 for _ in alike)

        found = [nearness(path) for path in paths]
        if found.count(max(found)) > 1:
            self.ambiguous.append(name)
        return paths[found.index(max(found))]

    def expected(self, name: str) -> str:
        """Return the path at which the sound `name`, which is not there, would be looked for."""
        folder, suffix = self._places.most_common(1)[0][0] if self._places else ("", "")
        if not _is_sound(name):
            name += suffix
        path = os.path.normpath(os.path.join(self.root, name))
        if not self._places or os.path.dirname(path) in {place for place, _ in self._places}:
            return path
        return os.path.join(self.root, folder, os.path.basename(name))


def _sounds(root: Path) -> Iterator[str]:
    """Walk the sounds below a folder; links are followed, and each folder is read once."""
    seen: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if _is_sound(name) and not name.startswith("."):
                yield os.path.join(folder, name)


def _folders(path: str) -> list[str]:
    return os.path.dirname(path).split("/")


def _is_sound(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES


def _whole(name: str) -> str:
    # Archives made on a Mac have letters with accents in pieces.
    return name if name.isascii() else unicodedata.normalize("NFC", name)


class LabelGatherer:
    """Turns the rows of label files into the clips of a manifest.

    An event becomes a clip with times, and a recording without events one without labels. What
    cannot be used is kept: `faults` go to the reading of the label files.
    """

    def __init__(self, about: About, config: DataConfig) -> None:
        self._gather = Gatherer(about, config)
        self._config = config
        self.faults = Faults(rejected=self._gather.rejected)
        self._indices: list[SoundIndex] = []

    def clips(
        self,
        rows: Iterable[Clip],
        sounds: SoundIndex,
        *,
        candidates: Candidates = as_named,
        split: str | None = None,
        group: Callable[[str], str] | None = None,
        names: dict[str, Label] | None = None,
    ) -> Iterator[Clip]:
        """Find the sound of each row; `names` renames labels, `group` makes one of a row's name."""
        split = split if self._gather.keeps_split else None
        group = None if self._config.group == NO_COLUMN else group
        self._indices.append(sounds)
        found: dict[str, str | None] = {}
        hits: Counter[int] = Counter()
        absent: list[Sequence[str]] = []
        names = names or {}
        for row in rows:
            if row.path not in found:
                called = candidates(row)
                paths = ((at, sounds.find(name)) for at, name in enumerate(called))
                at, path = next(((at, path) for at, path in paths if path), (0, None))
                found[row.path] = path
                if path is None:
                    absent.append(called)
                else:
                    hits[at] += 1
            path = found[row.path]
            if path is None:
                continue
            if row.offset_s is not None and row.offset_s <= row.onset_s:
                self.faults.reject(row.path, f"an event has no length (at {row.onset_s} s)")
                continue
            yield replace(
                row,
                path=path,
                labels=tuple(dict.fromkeys(names.get(label, label) for label in row.labels)),
                split=split,
                group=None if group is None else group(row.path),
            )
        usual = hits.most_common(1)[0][0] if hits else 0
        self._gather.missing += [sounds.expected(called[usual]) for called in absent]

    def manifest(
        self,
        clips: Iterable[Clip],
        path: Path,
        *,
        labels: Sequence[Label] | None = None,
        grouped: bool = False,
        notes: Sequence[str] = (),
    ) -> Manifest:
        """Walk the clips and return the manifest, several labels a recording.

        Raises `DataError` where not one clip can be used.
        """
        manifest = self._gather.manifest(
            map(kept_apart, clips),
            path,
            labels=labels,
            multi_label=True,
            grouped=grouped,
            notes=notes,
        )
        labelled = manifest.columns.labels.sizes > 0
        together = int(np.count_nonzero(labels_over(manifest.columns, labelled) > 1))
        if together and len(manifest.labels) > 1:
            manifest = manifest.noting(
                f"{plural(together, 'event')} sound together with others: each is a clip with its "
                "own labels alone; auricle data targets has all of a file, frame by frame"
            )
        names = map(os.path.basename, self.faults.others)
        others = [name for name in names if not _is_sound(name)]
        if others:
            manifest = manifest.noting(
                f"{plural(len(others), 'file')} of another kind left out: {listed(others)}"
            )
        twice = list(dict.fromkeys(chain(*(index.ambiguous for index in self._indices))))
        if twice:
            manifest = manifest.noting(
                f"{plural(len(twice), 'name')} fit several sounds, of which the first by path was "
                f"taken: {listed(twice)}"
            )
        return manifest


def kept_apart(clip: Clip) -> Clip:
    """Rename extra columns of a label file that a manifest has for something else."""
    if clip.extra.keys().isdisjoint(COLUMNS):
        return clip
    extra = {f"{k}_" if k in COLUMNS else k: cell for k, cell in clip.extra.items()}
    return replace(clip, extra=extra)


def names_beside(folder: Path, tables: Sequence[str]) -> tuple[dict[str, Label], Path | None]:
    """Return a map from ids to names out of the first of `tables` in `folder`, and its path."""
    for name in tables:
        if (folder / name).is_file():
            return read_label_names(folder / name), folder / name
    return {}, None
