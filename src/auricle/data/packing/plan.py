"""What a pack will hold: which sounds, under which names, and which rows belong to each."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from auricle.audio.members import member_as_file
from auricle.core.config import Config
from auricle.core.types import Clip
from auricle.data.manifest import Manifest
from auricle.data.texts import numbered

Stretch = tuple[float, float | None]
"""Onset and end in seconds; None: the end of the file."""


class PackOptions(Config):
    """How sound is packed. All of it stands in the pack."""

    sample_rate: int | None = Field(
        default=None, gt=0, description="rate of the packed sound, Hz (None: the first clip's)"
    )
    length_s: float | None = Field(
        default=None, gt=0, description="length of every clip in seconds (None: as they are)"
    )
    unit: Literal["file", "row"] = Field(
        default="file",
        description="what becomes a clip: each file once, whole, with the times of its rows; or "
        "the stretch of each row",
    )
    peaks: Literal["clip", "scale"] = Field(
        default="clip",
        description="samples beyond full scale: clip them, or scale the whole clip down",
    )
    channel: Literal["mean"] | int = "mean"
    allow_truncated: bool = False
    shard_mb: float = Field(default=256, gt=0, description="size of a WebDataset shard, MB")
    shard_clips: int | None = Field(
        default=None, gt=0, description="most clips of a WebDataset shard"
    )


@dataclass(frozen=True, eq=False)
class Plan:
    """The clips of a pack, in their order.

    `names`, `paths` and `stretches` (None: whole files) are those of the clips; `rows` are the
    numbers of the manifest's rows sorted by clip, those of clip `i` from `firsts[i]` up to
    `firsts[i + 1]`.
    """

    manifest: Manifest
    names: list[str]
    paths: list[str]
    stretches: list[Stretch] | None
    rows: npt.NDArray[np.int64]
    firsts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    def rows_of(self, index: int) -> Iterator[Clip]:
        """Yield the manifest's rows of a clip, their times counted from its own start."""
        for row in self.rows[self.firsts[index] : self.firsts[index + 1]]:
            yield self._row(self.manifest.clips[int(row)])

    def walk(self, indices: Iterable[int]) -> Iterator[list[Clip]]:
        """Yield the rows of each clip of `indices`, which ascend, as `rows_of` does."""
        if not np.array_equal(self.rows, np.arange(len(self.rows))):
            yield from (list(self.rows_of(index)) for index in indices)
            return
        rows, at = (
            iter(self.manifest.clips),
            0,
        )  # in order they are made much faster than one by one
        for index in indices:
            first, end = int(self.firsts[index]), int(self.firsts[index + 1])
            yield [self._row(row) for row in islice(rows, first - at, end - at)]
            at = end

    def _row(self, clip: Clip) -> Clip:
        return clip if self.stretches is None else _from_start(clip)

    def stretch(self, index: int) -> Stretch:
        """Return the stretch of its file that a clip is."""
        return (0.0, None) if self.stretches is None else self.stretches[index]

    def fingerprint(self, *settings: Any) -> str:
        """Return a hash of the clips, their rows and `settings`: the job is the same if it is."""
        digest = hashlib.blake2b(repr(settings).encode(), digest_size=16)
        for clip in self.manifest.clips:
            digest.update(repr(clip).encode("utf-8", "backslashreplace"))
        digest.update(repr((self.manifest.labels, self.manifest.multi_label)).encode())
        return digest.hexdigest()


def make_plan(manifest: Manifest, unit: Literal["file", "row"]) -> Plan:
    """Gather the rows of a manifest into the clips of a pack, in the order of their first rows."""
    numbers: dict[str, int] = {}
    paths: list[str] = []
    stretches: list[Stretch] = []
    of_row = np.empty(len(manifest.clips), dtype=np.int64)
    for row, clip in enumerate(manifest.clips):
        key = os.path.normpath(clip.path)
        if unit == "row" and (clip.onset_s or clip.offset_s is not None):
            end = "" if clip.offset_s is None else clip.offset_s
            key = f"{key}@{clip.onset_s}-{end}"
        number = of_row[row] = numbers.setdefault(key, len(numbers))
        if number == len(paths):
            paths.append(clip.path)
            stretches.append((clip.onset_s, clip.offset_s))
    firsts = np.zeros(len(paths) + 1, dtype=np.int64)
    np.cumsum(np.bincount(of_row, minlength=len(paths)), out=firsts[1:])
    return Plan(
        manifest=manifest,
        names=_short_names(list(numbers)),
        paths=paths,
        stretches=stretches if unit == "row" else None,
        rows=np.argsort(of_row, kind="stable"),
        firsts=firsts,
    )


def grouped_by_file(manifest: Manifest) -> Manifest:
    """Return the manifest with files as groups, where stretches would lose what joins them.

    A split is drawn over files where no group is declared. Stretches that become sounds of their
    own are files no more, and those of one recording would stand on both sides of it. What has
    splits, folds or groups is left as it is, as are files of one row each.
    """
    clips = manifest.columns
    files, first = clips.paths.factorise()
    declared = any(column.filled().any() for column in (clips.splits, clips.folds, clips.groups))
    if declared or len(first) == len(clips):
        return manifest
    names = _short_names(
        [os.path.normpath(path) for path in clips.paths.take(first).block(0, len(first))]
    )
    grouped = clips.having(groups=numbered(names, files))
    return replace(manifest, clips=grouped, group_declared=True).noting(
        "the stretches of one file are a group: they stay on one side of a split"
    )


def first_clips(manifest: Manifest, count: int) -> Manifest:
    """Return a small copy of a manifest: `count` files with all their rows.

    Labels take turns, and within a label its splits and folds, each with its first files, so that
    even a small copy holds some of all; rows keep their order.
    """
    kinds: dict[str, tuple[object, object]] = {}
    for clip in manifest.clips:
        kinds.setdefault(clip.path, (clip.labels, (clip.split, clip.fold)))
    turns: Counter[object] = Counter()
    in_turn: list[tuple[int, str]] = []
    for path, kind in kinds.items():
        in_turn.append((turns[kind], path))
        turns[kind] += 1
    ranked: list[tuple[int, str]] = []
    for _, path in sorted(in_turn, key=itemgetter(0)):
        labels = kinds[path][0]
        ranked.append((turns[labels], path))
        turns[labels] += 1
    kept = {path for _, path in sorted(ranked, key=itemgetter(0))[:count]}
    return Manifest.of(
        (clip for clip in manifest.clips if clip.path in kept),
        labels=manifest.labels,
        multi_label=manifest.multi_label,
        notes=(*manifest.notes, f"{len(kept):,} of {len(kinds):,} files were taken"),
        group_declared=manifest.group_declared,
        missing=manifest.missing,
        rejected=manifest.rejected,
    )


def row_record(clip: Clip, cut_s: float | None) -> dict[str, Any] | None:
    """Return a row as plain values for JSON; None where it lies past the cut (s; None: no cut)."""
    offset_s = clip.offset_s
    if cut_s is not None:
        if clip.onset_s >= cut_s:
            return None
        offset_s = None if offset_s is None else min(offset_s, cut_s)
    record: dict[str, Any] = {"labels": list(clip.labels)}
    if clip.onset_s:
        record["onset_s"] = clip.onset_s
    if offset_s is not None:
        record["offset_s"] = offset_s
    for name in ("split", "fold", "group"):
        if (value := getattr(clip, name)) is not None:
            record[name] = value
    if clip.extra:
        record["extra"] = dict(clip.extra)
    return record


def clip_of_record(path: str, record: dict[str, Any]) -> Clip:
    """Return the row that `row_record` wrote. Raises `ValueError` and `TypeError` for others."""
    labels = record.get("labels", [])
    extra = record.get("extra", {})
    if not isinstance(labels, list) or not isinstance(extra, dict):
        raise TypeError("labels must be a list and extra an object")
    offset_s = record.get("offset_s")

    def text(name: str) -> str | None:
        return None if record.get(name) is None else str(record[name])

    return Clip(
        path=path,
        labels=tuple(str(label) for label in labels),
        onset_s=float(record.get("onset_s", 0.0)),
        offset_s=None if offset_s is None else float(offset_s),
        split=text("split"),
        fold=text("fold"),
        group=text("group"),
        extra={str(key): str(value) for key, value in extra.items()},
    )


def _from_start(clip: Clip) -> Clip:
    return Clip(
        path=clip.path,
        labels=clip.labels,
        split=clip.split,
        fold=clip.fold,
        group=clip.group,
        extra=clip.extra,
    )


def _short_names(keys: list[str]) -> list[str]:
    """Return what differs between paths, with `/` between folders on every system."""
    keys = [member_as_file(key) for key in keys]
    folders = {os.path.dirname(key) for key in keys}
    try:
        common = os.path.commonpath(folders) if folders else ""
    except ValueError:  # on two drives, or absolute and not
        common = ""
    cut = len(common.rstrip(os.sep)) + 1 if common else 0
    return [key[cut:].replace(os.sep, "/") for key in keys]
