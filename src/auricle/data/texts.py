"""Columns of text that take little memory: numbered where texts repeat, else one piece of UTF-8.

A column of two million Python strings takes 100 bytes a row before its first letter. Here a text
that repeats costs one to four bytes a row, and one that does not costs its letters and six to
ten bytes. Columns are immutable; what is taken from one shares its letters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import eq
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

IntArray: TypeAlias = npt.NDArray[np.integer[Any]]

MOST_NUMBERED = 1 << 16
"""How many different texts a column may hold before they are kept one by one."""
MOST_REMEMBERED = 1 << 13
"""How many sets of labels are remembered while rows are read or written."""

_ENCODING = ("utf-8", "surrogatepass")  # the name of a file need not be text


@dataclass(frozen=True, eq=False, slots=True)
class Numbered:
    """Texts that repeat: the different ones, and the number of each row's."""

    values: tuple[str, ...]
    codes: IntArray

    def __len__(self) -> int:
        return len(self.codes)

    def block(self, start: int, stop: int) -> list[str]:
        """Return the texts of rows `start` to `stop`."""
        values = self.values
        return [values[code] for code in self.codes[start:stop].tolist()]

    def take(self, rows: Any) -> "Numbered":
        """Return the column with the rows of a mask, of positions or of a slice."""
        return Numbered(self.values, self.codes[rows])

    def factorise(self) -> tuple[IntArray, IntArray]:
        """Number equal texts in the order in which they appear; return numbers and first rows."""
        return first_appearance(self.codes)

    def as_numbered(self) -> "Numbered":
        """Return the column itself."""
        return self

    def filled(self) -> npt.NDArray[np.bool_]:
        """Say of each row whether it holds a text that is not empty."""
        return np.array([bool(value) for value in self.values] or [False])[self.codes]


@dataclass(frozen=True, eq=False, slots=True)
class Text:
    """Texts that differ: where each one begins in a piece of UTF-8, and its size in bytes."""

    letters: bytearray
    starts: IntArray
    sizes: IntArray

    def __len__(self) -> int:
        return len(self.starts)

    def block(self, start: int, stop: int) -> list[str]:
        """Return the texts of rows `start` to `stop`."""
        return [str(piece, *_ENCODING) for piece in self._pieces(start, stop)]

    def take(self, rows: Any) -> "Text":
        """Return the column with the rows of a mask, of positions or of a slice."""
        return Text(self.letters, self.starts[rows], self.sizes[rows])

    def factorise(self) -> tuple[IntArray, IntArray]:
        """Number equal texts in the order in which they appear; return numbers and first rows.

        Rows are sorted by a hash, since a dictionary of them would take more than the column; that
        equal hashes come from equal texts is looked at.
        """
        codes, first = first_appearance(np.fromiter(map(_hash, self._all()), np.int64, len(self)))
        twice = np.ones(len(self), np.bool_)
        twice[first] = False
        again = np.flatnonzero(twice)
        if all(map(eq, self.take(again)._all(), self.take(first[codes[again]])._all())):
            return codes, first
        numbers: dict[bytes, int] = {}
        exact = [numbers.setdefault(piece, len(numbers)) for piece in self._all()]
        return first_appearance(np.array(exact, np.int64))

    def as_numbered(self) -> "Numbered":
        """Return the column with its texts as Python strings: for columns of few different ones."""
        codes, first = self.factorise()
        return numbered(self.take(first).block(0, len(first)), codes)

    def filled(self) -> npt.NDArray[np.bool_]:
        """Say of each row whether it holds a text that is not empty."""
        return self.sizes > 0

    def _pieces(self, start: int, stop: int) -> Iterator[bytearray]:
        letters = self.letters
        starts, sizes = self.starts[start:stop].tolist(), self.sizes[start:stop].tolist()
        return (letters[at : at + size] for at, size in zip(starts, sizes, strict=True))

    def _all(self) -> Iterator[bytes]:
        for start in range(0, len(self), ROWS_AT_ONCE):
            yield from map(bytes, self._pieces(start, start + ROWS_AT_ONCE))

    def __reduce__(self) -> tuple[Any, ...]:
        # What was taken from a long column does not carry the whole of it to another process.
        letters = bytearray(b"".join(self._all()))
        return Text, (letters, starts_of(self.sizes), self.sizes)


Column: TypeAlias = Numbered | Text

ROWS_AT_ONCE = 8192
"""How many rows are Python objects at any time while a column is walked."""

_hash = hash


class ColumnBuilder:
    """Gathers texts block by block; they are numbered for as long as few differ.

    `rows` empty texts stand before the first one that is added.
    """

    def __init__(self, rows: int = 0, *, numbered: bool = True) -> None:
        self._numbers = Numbering()
        self._codes = Growing()
        self._letters: bytearray | None = None if numbered else bytearray()
        self._sizes = Growing()
        if rows:
            self.add([""] * rows)

    def add(self, texts: Sequence[str]) -> None:
        """Append texts."""
        if self._letters is not None:
            self._spell(texts, self._letters)
            return
        self._codes.add(np.fromiter(map(self._numbers.__getitem__, texts), np.int64, len(texts)))
        if len(self._numbers) > MOST_NUMBERED:
            self._letters = self._spell_out()

    def finish(self) -> Column:
        """Return the column. The builder is spent."""
        if self._letters is None:
            return Numbered(tuple(self._numbers), self._codes.finish())
        sizes = self._sizes.finish()
        return Text(self._letters, starts_of(sizes), sizes)

    def _spell(self, texts: Sequence[str], letters: bytearray) -> None:
        pieces = [text.encode(*_ENCODING) for text in texts]
        self._sizes.add(np.fromiter(map(len, pieces), np.int64, len(pieces)))
        letters += b"".join(pieces)

    def _spell_out(self) -> bytearray:
        """Write the numbered texts out one by one."""
        letters = bytearray()
        column = Numbered(tuple(self._numbers), self._codes.finish())
        for start in range(0, len(column), ROWS_AT_ONCE):
            self._spell(column.block(start, start + ROWS_AT_ONCE), letters)
        self._codes, self._numbers = Growing(), Numbering()
        return letters


class Growing:
    """Whole numbers from 0 on that become more at their end, in the smallest type that holds them.

    One piece of memory that grows leaves no holes, as many pieces that are joined would.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._type: np.dtype[Any] = np.dtype(np.uint8)

    def add(self, numbers: IntArray) -> None:
        """Append numbers."""
        needed = np.promote_types(self._type, np.min_scalar_type(int(numbers.max(initial=0))))
        if needed != self._type:
            self._bytes = bytearray(self.finish().astype(needed).tobytes())
            self._type = needed
        self._bytes += numbers.astype(needed).tobytes()

    def finish(self) -> IntArray:
        """Return all numbers so far, in the memory in which they grew."""
        return np.frombuffer(self._bytes, self._type)


class Numbering(dict[str, int]):
    """Numbers texts in the order in which they are asked for."""

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self)
        return number


def numbered(values: Sequence[str], codes: IntArray) -> Numbered:
    """Return a column of few different texts."""
    return Numbered(tuple(values), smallest(codes, len(values)))


def no_texts(rows: int) -> Numbered:
    """Return a column of empty texts."""
    return numbered([""], np.zeros(rows, np.uint8))


def first_appearance(keys: IntArray) -> tuple[IntArray, IntArray]:
    """Number equal keys in the order in which they appear; return numbers and first positions."""
    order = np.argsort(keys, kind="stable").astype(index_type(len(keys)))
    ranked = keys[order]
    fresh = np.ones(len(keys), np.bool_)
    np.not_equal(ranked[1:], ranked[:-1], out=fresh[1:])
    del ranked  # as large as all the rest
    first = order[fresh]  # of each key, in the order of the keys
    rank = np.argsort(first).astype(order.dtype)
    number = np.empty_like(rank)
    number[rank] = np.arange(len(rank), dtype=order.dtype)
    codes = np.empty(len(keys), order.dtype)
    codes[order] = number[np.cumsum(fresh, dtype=order.dtype) - 1]
    return codes, first[rank]


def smallest(numbers: IntArray, end: int | None = None) -> IntArray:
    """Return whole numbers from 0 on in the smallest type that holds them; all are below `end`."""
    most = (int(numbers.max(initial=0)) if end is None else end) or 1
    return numbers.astype(np.min_scalar_type(most), copy=False)


def pairs(numbers: IntArray, others: IntArray) -> IntArray:
    """Number pairs of whole numbers, so that equal pairs have equal numbers."""
    width = int(others.max(initial=0)) + 1
    kind = index_type((int(numbers.max(initial=0)) + 1) * width)
    return numbers.astype(kind) * kind(width) + others.astype(kind)


def starts_of(sizes: IntArray) -> IntArray:
    """Return where pieces of the given sizes begin that lie one after another."""
    total = int(sizes.sum(dtype=np.int64))
    starts = np.zeros(len(sizes), np.uint32 if total < 1 << 32 else np.uint64)
    if len(sizes):
        np.cumsum(sizes[:-1], out=starts[1:], dtype=starts.dtype)
    return starts


def index_type(end: int) -> type[np.int32] | type[np.int64]:
    """Return the smallest type that holds positions below `end`, and differences of them."""
    return np.int32 if end < 1 << 31 else np.int64
