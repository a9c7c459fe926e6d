"""`Clips`: the rows of a manifest as typed columns, for millions of them.

A `Clip` object with its strings takes about half a kilobyte. `Clips` is a sequence that makes
them when they are asked for, out of columns of 60 to 200 bytes a row; what is cut, filtered or
split shares the letters of the whole.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from auricle.core.types import Clip, Label
from auricle.data.texts import (
    MOST_REMEMBERED,
    ROWS_AT_ONCE,
    Column,
    ColumnBuilder,
    Growing,
    IntArray,
    Numbering,
    index_type,
    starts_of,
)

Seconds = npt.NDArray[np.float64]
Rows = npt.NDArray[np.bool_] | IntArray | slice
"""A mask, positions or a slice."""


@dataclass(frozen=True, eq=False, slots=True)
class LabelColumn:
    """The labels of each row: their numbers in `names`, from `starts` on, `sizes` of them."""

    names: tuple[Label, ...]
    codes: IntArray
    starts: IntArray
    sizes: IntArray

    def __len__(self) -> int:
        return len(self.starts)

    def block(self, start: int, stop: int) -> list[tuple[Label, ...]]:
        """Return the labels of rows `start` to `stop`."""
        rows = self.take(slice(start, stop))
        labels = iter([self.names[code] for code in rows.flat_codes().tolist()])
        return [tuple(islice(labels, size)) for size in rows.sizes.tolist()]

    def take(self, rows: Rows) -> "LabelColumn":
        """Return the column with some of its rows."""
        return LabelColumn(self.names, self.codes, self.starts[rows], self.sizes[rows])

    def flat(self) -> tuple[IntArray, IntArray]:
        """Return row and label number of each label, in the order of the rows."""
        return np.repeat(np.arange(len(self), dtype=np.int32), self.sizes), self.flat_codes()

    def flat_codes(self) -> IntArray:
        """Return the number of each label, in the order of the rows."""
        ends = np.cumsum(self.sizes, dtype=index_type(len(self.codes)))
        # How far a row's labels lie from where they would if rows lay one after another.
        shifts = self.starts.astype(ends.dtype) - (ends - self.sizes)
        if not len(shifts) or np.all(shifts == shifts[0]):
            return self.codes[shifts[0] : shifts[0] + ends[-1]] if len(ends) else self.codes[:0]
        at = np.repeat(shifts, self.sizes)
        at += np.arange(len(at), dtype=at.dtype)
        return self.codes[at]

    def present(self) -> tuple[Label, ...]:
        """Return the labels that occur, sorted."""
        found = np.bincount(self.flat_codes(), minlength=len(self.names)) > 0
        return tuple(sorted(self.names[at] for at in np.flatnonzero(found)))

    def __reduce__(self) -> tuple[Any, ...]:
        # What was taken from a long column does not carry the whole of it to another process.
        return LabelColumn, (self.names, self.flat_codes(), starts_of(self.sizes), self.sizes)


@dataclass(frozen=True, eq=False, slots=True)
class Clips(Sequence[Clip]):
    """An immutable sequence of clips, held as columns.

    Every row has every extra column (`""` where its clip had none), and an empty split, fold or
    group is none. Times are float64 seconds; an offset of NaN is the end of the file.
    """

    paths: Column
    labels: LabelColumn
    onsets_s: Seconds
    offsets_s: Seconds
    splits: Column
    folds: Column
    groups: Column
    extra: dict[str, Column] = field(default_factory=dict[str, Column])

    @classmethod
    def of(cls, clips: Iterable[Clip]) -> "Clips":
        """Gather clips, which may come one by one; `Clips` are returned as they are."""
        if isinstance(clips, Clips):
            return clips
        builder = ClipsBuilder()
        builder.add_clips(clips)
        return builder.finish()

    def select(self, rows: Rows) -> "Clips":
        """Return the clips of a mask, of positions or of a slice."""
        return Clips(
            paths=self.paths.take(rows),
            labels=self.labels.take(rows),
            onsets_s=self.onsets_s[rows],
            offsets_s=self.offsets_s[rows],
            splits=self.splits.take(rows),
            folds=self.folds.take(rows),
            groups=self.groups.take(rows),
            extra={name: column.take(rows) for name, column in self.extra.items()},
        )

    def having(
        self,
        *,
        splits: Column | None = None,
        folds: Column | None = None,
        groups: Column | None = None,
        labels: LabelColumn | None = None,
    ) -> "Clips":
        """Return the clips with other columns; they must be as long."""
        given = {"splits": splits, "folds": folds, "groups": groups, "labels": labels}
        changed = {name: column for name, column in given.items() if column is not None}
        for name, column in changed.items():
            if len(column) != len(self):
                raise ValueError(f"{len(self)} clips cannot have {len(column)} {name}")
        return replace(self, **changed)

    def blocks(self) -> Iterator["Block"]:
        """Walk the columns block by block, as Python values."""
        for start in range(0, len(self), ROWS_AT_ONCE):
            yield self._block(start, start + ROWS_AT_ONCE)

    def _block(self, start: int, stop: int) -> "Block":
        return Block(
            paths=self.paths.block(start, stop),
            labels=self.labels.block(start, stop),
            onsets_s=self.onsets_s[start:stop],
            offsets_s=self.offsets_s[start:stop],
            splits=self.splits.block(start, stop),
            folds=self.folds.block(start, stop),
            groups=self.groups.block(start, stop),
            extra={name: column.block(start, stop) for name, column in self.extra.items()},
        )

    def __len__(self) -> int:
        return len(self.onsets_s)

    @overload
    def __getitem__(self, index: int) -> Clip: ...
    @overload
    def __getitem__(self, index: slice) -> "Clips": ...
    def __getitem__(self, index: int | slice) -> "Clip | Clips":
        if isinstance(index, slice):
            return self.select(index)
        at = range(len(self))[index]
        return next(self._block(at, at + 1).clips())

    def __iter__(self) -> Iterator[Clip]:
        return chain.from_iterable(block.clips() for block in self.blocks())

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Sequence) or isinstance(other, (str, bytes)):
            return NotImplemented
        others: Sequence[Any] = other
        return len(self) == len(others) and all(
            mine == theirs for mine, theirs in zip(self, others, strict=True)
        )

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # as a clip, which holds a dictionary

    def __repr__(self) -> str:
        first = [repr(clip) for clip in self[:2]]
        return f"<{len(self):,} clips: {', '.join(first)}{', ...' if len(self) > 2 else ''}>"


class Block(NamedTuple):
    """Some rows of `Clips` as Python values: a list, or an array of seconds, per column."""

    paths: Sequence[str]
    labels: Sequence[tuple[Label, ...]]
    onsets_s: Seconds
    offsets_s: Seconds
    splits: Sequence[str]
    folds: Sequence[str]
    groups: Sequence[str]
    extra: dict[str, Sequence[str]]

    def offsets(self) -> list[float | None]:
        """Return the offsets with None for the end of the file."""
        # NaN is the one number that differs from itself.
        return [None if time != time else time for time in self.offsets_s.tolist()]  # noqa: PLR0124

    def extras(self) -> Iterator[dict[str, str]]:
        """Return the extra columns row by row."""
        if not self.extra:
            return ({} for _ in self.paths)
        names = list(self.extra)
        cells = zip(*self.extra.values(), strict=True)
        return (dict(zip(names, row, strict=True)) for row in cells)

    def clips(self) -> Iterator[Clip]:
        """Return the rows as clips."""
        return map(
            Clip,
            self.paths,
            self.labels,
            self.onsets_s.tolist(),
            self.offsets(),
            map(_none_if_empty, self.splits),
            map(_none_if_empty, self.folds),
            map(_none_if_empty, self.groups),
            self.extras(),
        )


def _none_if_empty(text: str) -> str | None:
    return text or None


class ClipsBuilder:
    """Gathers rows into columns, block by block."""

    def __init__(self) -> None:
        self.rows = 0
        self._waiting: list[Clip] = []
        self._paths = ColumnBuilder(numbered=False)
        self._labels = LabelBuilder()
        self._onsets_s, self._offsets_s = bytearray(), bytearray()
        self._ours = [ColumnBuilder() for _ in range(3)]
        self._extra: dict[str, ColumnBuilder] = {}

    def append(self, clip: Clip) -> None:
        """Append one clip."""
        self._waiting.append(clip)
        self.rows += 1
        if len(self._waiting) == ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        self.rows -= len(waiting)
        self.add_clips(waiting)

    def add_clips(self, clips: Iterable[Clip]) -> None:
        """Append clips, which may come one by one."""
        rest = iter(clips)
        while rows := list(islice(rest, ROWS_AT_ONCE)):
            names = dict.fromkeys(chain.from_iterable(clip.extra for clip in rows))
            offsets = (np.nan if clip.offset_s is None else clip.offset_s for clip in rows)
            self.add(
                Block(
                    paths=[clip.path for clip in rows],
                    labels=[clip.labels for clip in rows],
                    onsets_s=np.fromiter((clip.onset_s for clip in rows), np.float64, len(rows)),
                    offsets_s=np.fromiter(offsets, np.float64, len(rows)),
                    splits=[clip.split or "" for clip in rows],
                    folds=[clip.fold or "" for clip in rows],
                    groups=[clip.group or "" for clip in rows],
                    extra={name: [clip.extra.get(name, "") for clip in rows] for name in names},
                )
            )

    def add(self, block: Block) -> None:
        """Append a block of columns of equal length."""
        rows = len(block.paths)
        self._paths.add(block.paths)
        self._labels.add(block.labels)
        self._onsets_s += block.onsets_s.tobytes()
        self._offsets_s += block.offsets_s.tobytes()
        ours = (block.splits, block.folds, block.groups)
        for builder, texts in zip(self._ours, ours, strict=True):
            builder.add(texts)
        for name in block.extra:
            if name not in self._extra:
                self._extra[name] = ColumnBuilder(self.rows)
        for name, builder in self._extra.items():
            builder.add(block.extra.get(name) or [""] * rows)
        self.rows += rows

    def finish(self) -> Clips:
        """Return the clips. The builder is spent."""
        self._flush()
        splits, folds, groups = (builder.finish() for builder in self._ours)
        return Clips(
            paths=self._paths.finish(),
            labels=self._labels.finish(),
            onsets_s=np.frombuffer(self._onsets_s, np.float64),
            offsets_s=np.frombuffer(self._offsets_s, np.float64),
            splits=splits,
            folds=folds,
            groups=groups,
            extra={name: builder.finish() for name, builder in self._extra.items()},
        )


class LabelBuilder:
    """Gathers the labels of rows; rows with the same labels are common, so they are remembered."""

    def __init__(self) -> None:
        self._names = Numbering()
        self._known: dict[tuple[Label, ...], tuple[int, ...]] = {}
        self._codes, self._sizes = Growing(), Growing()

    def add(self, rows: Sequence[tuple[Label, ...]]) -> None:
        """Append the labels of some rows."""
        if len(self._known) > MOST_REMEMBERED:
            self._known.clear()
        known, numbers = self._known, self._names
        for labels in rows:
            if labels not in known:
                known[labels] = tuple([numbers[label] for label in labels])
        coded = [known[labels] for labels in rows]
        sizes = np.fromiter(map(len, coded), np.int64, len(coded))
        codes = np.fromiter(chain.from_iterable(coded), np.int64, int(sizes.sum()))
        self._codes.add(codes)
        self._sizes.add(sizes)

    def finish(self) -> LabelColumn:
        """Return the column. The builder is spent."""
        codes, sizes = self._codes.finish(), self._sizes.finish()
        return LabelColumn(tuple(self._names), codes, starts_of(sizes), sizes)
