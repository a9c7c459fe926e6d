"""WebDataset shards: tar archives in which the files of one clip share a basename.

The format: https://github.com/webdataset/webdataset ("The WebDataset Format"): what stands before
the first dot of a file's name is the key of a sample, the files of a sample stand together, and
the suffix says what each is: `.cls` the number or name of the class, `.json` an object, `.txt` a
text. Shards of `auricle data pack` say all that a manifest does; those of other people say a label
by `.cls`, by a field of `.json` (`--data.label NAME` chooses it), or by a `.txt` of one short line.
"""

import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from auricle.audio import AUDIO_SUFFIXES
from auricle.audio.members import join_member
from auricle.core.errors import DataError
from auricle.core.types import Clip, Label
from auricle.data.config import DataConfig
from auricle.data.manifest import Manifest
from auricle.data.names import PACKED_NAME
from auricle.data.packing.plan import clip_of_record
from auricle.data.packing.shards import INDEX
from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.folder import SPLIT_NAMES, class_folders, entries
from auricle.data.readers.pack import packed_manifest, refuse_audio_root, without_columns
from auricle.data.readers.rows import Gatherer
from auricle.data.wording import listed, plural

_LABEL_FIELDS = ("labels", "label", "class", "category", "tags", "tag")
_CLASS_LISTS = ("labels.txt", "classes.txt")
_BESIDE = (".cls", ".json", ".txt")
_LONGEST_BYTES = 1 << 20
_LONGEST_LABEL = 200
_NAME = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)")
_SPLIT = re.compile(r"([a-z]+)[-_.]", re.IGNORECASE)


class WebDatasetReader:
    """A folder of tar shards, or one tar file."""

    about = About(
        "a folder of WebDataset shards (.tar), or one of them; labels by .cls, .json or .txt",
    )

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether `path` is a tar file, or a folder of them without tables or sounds."""
        if path.is_file():
            return path.suffix.lower() == ".tar"
        if not path.is_dir() or not _shards(path):
            return False
        if (path / INDEX).is_file():
            return True
        tables = (entry.suffix.lower() in (".csv", ".tsv", ".parquet") for entry in entries(path))
        return not any(tables) and not class_folders(path)

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read what stands beside the sounds of every shard. Raises `DataError`."""
        refuse_audio_root(config, path)
        shards = _shards(path) if path.is_dir() else [path]
        if not shards:
            raise DataError(f"{path} holds no shard (.tar); the reader 'webdataset' needs one")
        index = _Index.of(path)
        if index is None:
            return _Foreign(path, shards, config).manifest()
        clips = _own_clips(shards, index.sounds)
        manifest = packed_manifest(clips, path, config, index.packed, index.labels)
        absent = sorted(set(index.sounds) - {shard.name for shard in shards})
        if not path.is_dir() or not absent:
            return manifest
        note = f"{plural(len(absent), 'shard')} missing: {listed(absent)}"
        return replace(manifest, missing=tuple(str(path / name) for name in absent)).noting(note)


def _shards(folder: Path) -> list[Path]:
    return sorted(path for path in entries(folder) if path.suffix.lower() == ".tar")


@dataclass(frozen=True)
class _Index:
    """What a pack of ours says of itself; `sounds` counts those of each shard, by its name."""

    packed: dict[str, Any]
    labels: tuple[Label, ...]
    sounds: dict[str, int]

    @classmethod
    def of(cls, path: Path) -> "_Index | None":
        """Read the index beside shards; None for other people's. Raises `DataError`."""
        index = (path if path.is_dir() else path.parent) / INDEX
        try:
            said = json.loads(index.read_text(encoding="utf-8"))
            packed = said.get("auricle") if isinstance(said, dict) else None
            if not isinstance(packed, dict):
                return None
            sounds = {str(one["url"]): int(one["nsamples"]) for one in said["shardlist"]}
            return cls(packed, tuple(map(str, packed["labels"])), sounds)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DataError(f"index {index} cannot be read: {error}") from None


def _samples(shard: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield the name of each sound in a shard and, by suffix, the small files beside it.

    Raises `DataError` for an archive that is compressed, damaged or cut short.
    """
    try:
        with tarfile.open(shard, "r:") as archive:
            key, sound, beside = "", "", dict[str, bytes]()
            while (entry := archive.next()) is not None:
                archive.members = []  # pyright: ignore[reportAttributeAccessIssue]
                match = _NAME.fullmatch(entry.name)
                if not entry.isreg() or match is None:
                    continue
                if match[1] != key:
                    if sound:
                        yield sound, beside
                    key, sound, beside = match[1], "", {}
                suffix = os.path.splitext(entry.name)[1].lower()
                if suffix in AUDIO_SUFFIXES:
                    sound = entry.name
                elif suffix in _BESIDE and entry.size <= _LONGEST_BYTES:
                    file = archive.extractfile(entry)
                    beside[suffix] = b"" if file is None else file.read()
            if sound:
                yield sound, beside
            if not _has_ended(archive):
                raise tarfile.ReadError("it breaks off, or is damaged, in the middle")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(
            f"{shard} is not an uncompressed tar archive, or was cut short ({error}); get it again"
        ) from None


def _has_ended(archive: tarfile.TarFile) -> bool:
    """Say whether zeros or the end of the file follow: tarfile takes any bad header for the end."""
    assert archive.fileobj is not None
    archive.fileobj.seek(archive.offset)
    return not archive.fileobj.read(tarfile.BLOCKSIZE).strip(b"\0")


def _rows_of_ours(path: str, said: Mapping[str, Any]) -> Iterator[Clip]:
    for row in said["rows"]:
        clip = clip_of_record(path, row)
        clip.extra.setdefault(PACKED_NAME, str(said["name"]))  # the first of several packings
        yield clip


def _own_clips(shards: list[Path], sounds: Mapping[str, int]) -> Iterator[Clip]:
    for shard in shards:
        found = 0
        for sound, beside in _samples(shard):
            found += 1
            try:
                yield from _rows_of_ours(join_member(shard, sound), json.loads(beside[".json"]))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise DataError(f"{shard} is damaged: what it says of {sound}: {error}") from None
        if found != sounds.get(shard.name, found):
            raise DataError(
                f"{shard} was cut short or changed: it holds {plural(found, 'sound')}, and "
                f"{sounds[shard.name]:,} were packed; get it again"
            )


class _Foreign:
    """Shards that somebody else made."""

    def __init__(self, path: Path, shards: list[Path], config: DataConfig) -> None:
        self.path = path
        self.shards = shards
        self.config = config
        self.classes = _class_list(path if path.is_dir() else path.parent)
        self.gather = Gatherer(WebDatasetReader.about, config)
        self.several = config.label_separator is not None

    def manifest(self) -> Manifest:
        """Return what the shards say."""
        splits = {shard: _split_of(shard) for shard in self.shards}
        if len(set(splits.values())) < 2:
            splits = dict.fromkeys(self.shards)
        clips = list(self._clips(splits))
        return self.gather.manifest(
            iter(clips),
            self.path,
            labels=self._order({label for clip in clips for label in clip.labels}),
            multi_label=self.several,
            grouped=any(clip.group is not None for clip in clips),
            notes=[
                f"shards were read as splits by the first word of their names: {listed(found)}"
                for found in [sorted({split for split in splits.values() if split})]
                if found
            ],
        )

    def _order(self, labels: set[Label]) -> list[Label]:
        """Return the classes: those of the list as it has them, numbers by their size."""
        if labels and labels <= set(self.classes):
            return list(dict.fromkeys(self.classes))
        return sorted(labels, key=int) if all(map(str.isdecimal, labels)) else sorted(labels)

    def _clips(self, splits: dict[Path, str | None]) -> Iterator[Clip]:
        for shard, split in splits.items():
            for sound, beside in _samples(shard):
                path = join_member(shard, sound)
                try:
                    yield from self._rows(path, beside, split)
                except (ValueError, TypeError) as error:
                    self.gather.rejected.append(f"{path}: {error}")

    def _rows(self, path: str, beside: dict[str, bytes], split: str | None) -> Iterator[Clip]:
        """Yield the rows of a sample. Raises `ValueError` where what is there is no label."""
        fields = _fields(beside)
        own = fields.get("rows")
        if isinstance(own, list) and all(isinstance(row, dict) for row in own):
            for clip in _rows_of_ours(path, {"name": "", **fields}):  # of ours, without its index
                self.several = self.several or len(clip.labels) != 1
                yield without_columns(clip, self.config)
            return
        labels = self._labels(fields, beside)
        if not labels and not self.several:
            raise ValueError(f"no label: {self._wanted()}")
        yield self._clip(path, labels, fields, split)

    def _clip(
        self, path: str, labels: tuple[Label, ...], fields: dict[str, Any], split: str | None
    ) -> Clip:
        said = {
            name: str(value)
            for name, value in fields.items()
            if isinstance(value, (str, int, float)) and value != ""
        }
        named = SPLIT_NAMES.get(said.get(self.config.split or "split", "").lower(), split)
        clip = Clip(
            path=path,
            labels=labels,
            split=named,
            fold=said.get(self.config.fold or "fold"),
            group=said.get(self.config.group or "group"),
            extra={name: value for name, value in said.items() if name not in _LABEL_FIELDS},
        )
        return without_columns(clip, self.config)

    def _labels(self, fields: dict[str, Any], beside: dict[str, bytes]) -> tuple[Label, ...]:
        """Return the labels of a sample. Raises `ValueError` where what is there is no label."""
        wanted = (self.config.label,) if self.config.label else _LABEL_FIELDS
        field = next((name for name in wanted if name in fields), None)
        if self.config.label is None and ".cls" in beside:
            return (self._named(_text(beside[".cls"])),)
        if field is not None:
            return self._of_field(field, fields[field])
        if self.config.label is None and ".txt" in beside:
            text = _text(beside[".txt"])
            if len(text) > _LONGEST_LABEL or "\n" in text:
                raise ValueError(f"its .txt is a text of {len(text)} letters, not a label")
            return self._split_up(text)
        return ()

    def _of_field(self, name: str, value: Any) -> tuple[Label, ...]:
        if isinstance(value, str):
            return self._split_up(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return (self._named(str(value)),)
        if isinstance(value, list) and all(isinstance(item, (str, int)) for item in value):
            labels = tuple(dict.fromkeys(self._named(str(item)) for item in value))
            self.several = self.several or len(labels) != 1
            return labels
        raise ValueError(f"its field '{name}' is no label: {json.dumps(value)[:80]}")

    def _split_up(self, text: str) -> tuple[Label, ...]:
        separator = self.config.label_separator
        parts = [text] if separator is None else text.split(separator)
        return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))

    def _named(self, text: str) -> Label:
        if not text.isdecimal() or not self.classes:
            return text
        if int(text) >= len(self.classes):
            raise ValueError(f"class {text} is past the list of {len(self.classes)} classes")
        return self.classes[int(text)]

    def _wanted(self) -> str:
        if self.config.label is not None:
            return f"its .json has no field '{self.config.label}'"
        return "it has no .cls, no .txt, and no field 'label' in its .json (--data.label NAME)"


def _split_of(shard: Path) -> str | None:
    match = _SPLIT.match(shard.name)
    return None if match is None else SPLIT_NAMES.get(match[1].lower())


def _class_list(folder: Path) -> tuple[Label, ...]:
    """Return the names of numbered classes, from a list that stands beside the shards."""
    for name in _CLASS_LISTS:
        try:
            lines = (folder / name).read_text(encoding="utf-8-sig").splitlines()
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{folder / name} cannot be read: {error}") from None
        return tuple(line.strip() for line in lines if line.strip())
    return ()


def _fields(beside: dict[str, bytes]) -> dict[str, Any]:
    if ".json" not in beside:
        return {}
    try:
        fields = json.loads(beside[".json"])
    except (ValueError, RecursionError):
        raise ValueError("its .json is no JSON") from None
    return fields if isinstance(fields, dict) else {}


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise ValueError("its label is no UTF-8 text") from None


READERS.add("webdataset", WebDatasetReader())
