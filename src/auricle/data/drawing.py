"""The draw behind splits and folds: stratified, grouped, and the same on every machine.

A split is drawn over units: a declared group, or else a file, so that two stretches of one
recording never stand on two sides. Units are placed one by one, those with the rarest label
first and large ones before small ones, each where it lowers the chi-square distance between the
parts' label counts and their shares most. This is iterative stratification (Sechidis,
Tsoumakas and Vlahavas, "On the Stratification of Multi-Label Data", ECML PKDD 2011) taken from
clips to groups of clips.

Ties and order come from a hash of seed and name, never from the order of the files, the
operating system or where on the disk the data set lies. Time grows with n log n, and units are
numbers in arrays, not objects: two million clips take about a hundred bytes each while they are
drawn.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auricle.core.types import Label
from auricle.data.clips import Clips, LabelColumn
from auricle.data.names import PACKED_NAME, common_folder, names
from auricle.data.texts import ROWS_AT_ONCE, Column, IntArray, first_appearance, pairs, smallest

_NO_LABEL: Label = ""
"""A clip without any label counts as one of a class of its own."""
_EXACT = 1e-9
"""Costs are compared when rounded to this, so that what is equal on paper is equal here."""
_HASH_SHOWN = 8  # bytes of a hash that order units; where those are equal, the rest decides


def draw_part(
    clips: Clips, chosen: IntArray | slice, share: float, seed: int, purpose: str
) -> npt.NDArray[np.bool_]:
    """Draw a share of the clips at `chosen` positions; return a mask over `chosen`.

    No class loses all its clips to the part drawn, and where a few large groups would leave it
    empty, the smallest that takes no class away goes there. `purpose` makes two draws of one
    seed independent.
    """
    units = gather(clips, chosen)
    places = spread(units, (1 - share, share), seed, purpose)
    _keep_classes(units, places)
    if not places.any():
        _give_one(units, places, seed, purpose)
    return places[units.of_row] > 0


@dataclass(frozen=True, eq=False)
class Units:
    """Clips that stay together.

    `of_row` is the unit of each clip and `sizes` the clips of each unit. What labels unit `u` has
    is in `labels` (numbers in `label_names`) from `starts[u]` to `starts[u + 1]`, and how many of
    its clips have each in `counts`. A unit is called by its group in `groups`, else by its name in
    `packed`, else by its file in `paths`, seen from `root`, the folder of all files.
    """

    of_row: IntArray
    sizes: IntArray
    starts: IntArray
    labels: IntArray
    counts: IntArray
    label_names: tuple[Label, ...]
    groups: Column
    paths: Column
    packed: Column | None
    root: str

    def __len__(self) -> int:
        return len(self.sizes)

    def names(self, units: IntArray | slice = slice(None)) -> Iterator[str]:
        """Return the names of some units, the same on every machine."""
        groups = self.groups.take(units)
        packed = None if self.packed is None else self.packed.take(units)
        files = names(self.paths.take(units), packed, self.root)
        for start in range(0, len(groups), ROWS_AT_ONCE):
            for group in groups.block(start, start + ROWS_AT_ONCE):
                file = next(files)
                yield f"group\0{group}" if group else f"file\0{file}"


def gather(clips: Clips, chosen: IntArray | slice = slice(None)) -> Units:
    """Gather the clips at `chosen` positions into units, in the order of appearance."""
    groups, paths = clips.groups.take(chosen), clips.paths.take(chosen)
    grouped = groups.filled()
    if not grouped.any():
        of_row, first = paths.factorise()
    elif grouped.all():
        of_row, first = groups.factorise()
    else:
        key = groups.factorise()[0].astype(np.int64)
        key[~grouped] = len(key) + paths.take(~grouped).factorise()[0].astype(np.int64)
        of_row, first = first_appearance(key)
    packed = clips.extra.get(PACKED_NAME)
    starts, labels, counts, label_names = _labels_of_units(
        clips.labels.take(chosen), of_row, len(first)
    )
    return Units(
        of_row=of_row,
        sizes=np.bincount(of_row, minlength=len(first)),
        starts=starts,
        labels=labels,
        counts=counts,
        label_names=label_names,
        groups=groups.take(first),
        paths=paths.take(first),
        packed=None if packed is None else packed.take(chosen).take(first),
        root=common_folder(clips.paths),
    )


def _labels_of_units(
    column: LabelColumn, of_row: IntArray, units: int
) -> tuple[IntArray, IntArray, IntArray, tuple[Label, ...]]:
    """Count the labels of each unit, in the order in which they appear in it."""
    rows, codes = column.flat()
    names = column.names
    bare = np.flatnonzero(column.sizes == 0)
    if len(bare):
        names = names if _NO_LABEL in names else (*names, _NO_LABEL)
        codes = np.concatenate([codes, np.full(len(bare), names.index(_NO_LABEL))])
        order = np.argsort(np.concatenate([rows, bare]), kind="stable")
        rows, codes = np.concatenate([rows, bare])[order], codes[order]
    present = np.bincount(codes, minlength=len(names)) > 0
    labels = smallest(np.cumsum(present) - 1)[codes]
    owners = of_row[rows]
    del rows, codes  # there may be many labels a clip
    names = tuple(name for name, there in zip(names, present.tolist(), strict=True) if there)
    # Which entries repeat: labels of a unit that another of its clips has too.
    entry, first = first_appearance(pairs(owners, labels))
    counts = smallest(np.bincount(entry))
    del entry
    owners, labels = owners[first], labels[first]
    order = np.argsort(owners, kind="stable")
    starts = np.zeros(units + 1, np.int64)
    np.cumsum(np.bincount(owners, minlength=units), out=starts[1:])
    return starts, labels[order], counts[order], names


def spread(units: Units, shares: Sequence[float], seed: int, purpose: str) -> IntArray:
    """Return the part of each unit, so that every part has its share of clips and labels."""
    totals = _totals(units)
    order = _turns(units, totals, seed, purpose)
    places = np.zeros(len(units), np.int32)
    placing = _Placing(totals, shares)
    for start in range(0, len(order), ROWS_AT_ONCE):
        some = order[start : start + ROWS_AT_ONCE]
        begins, ends = units.starts[some].tolist(), units.starts[some + 1].tolist()
        places[some] = [
            placing.place(units.labels[begin:end].tolist(), units.counts[begin:end].tolist())
            for begin, end in zip(begins, ends, strict=True)
        ]
    return places


class _Placing:
    """What each part holds so far, and where the next unit goes."""

    def __init__(self, totals: Sequence[int], shares: Sequence[float]) -> None:
        everything = sum(totals)
        # The whole weighs as much as all labels together: rounding errors of many small classes
        # must not add up.
        self.weight = len(totals)
        self.wanted = [[share * total for total in totals] for share in shares]
        self.wanted_in_all = [share * everything for share in shares]
        self.held = [[0] * len(totals) for _ in shares]
        self.held_in_all = [0] * len(shares)

    def place(self, labels: Sequence[int], counts: Sequence[int]) -> int:
        """Put a unit where the chi-square distance grows least; the first part wins a tie."""
        size = sum(counts)
        best, least = 0, math.inf
        for part, (held, wanted) in enumerate(zip(self.held, self.wanted, strict=True)):
            cost = self.weight * _growth(self.held_in_all[part], size, self.wanted_in_all[part])
            for label, count in zip(labels, counts, strict=True):
                cost += _growth(held[label], count, wanted[label])
            # Rounding is slow, and only matters where two costs are close.
            if cost < least - 2 * _EXACT or (
                cost < least + 2 * _EXACT and round(cost, 9) < round(least, 9)
            ):
                best, least = part, cost
        held = self.held[best]
        for label, count in zip(labels, counts, strict=True):
            held[label] += count
        self.held_in_all[best] += size
        return best


def _growth(count: int, more: int, wanted: float) -> float:
    """Return how much `(count - wanted)² / wanted` grows when `count` grows by `more`."""
    return more * (2 * (count - wanted) + more) / wanted


def _totals(units: Units) -> list[int]:
    """Return how many clips of all units have each label."""
    totals = np.bincount(units.labels, units.counts, minlength=len(units.label_names))
    return [round(total) for total in totals.tolist()]


def _turns(units: Units, totals: Sequence[int], seed: int, purpose: str) -> IntArray:
    """Return the units in the order in which they are placed."""
    numbers = range(len(totals))
    by_name = sorted(numbers, key=lambda at: (totals[at], units.label_names[at]))
    drawn = sorted(numbers, key=lambda at: (totals[at], draw(seed, purpose, units.label_names[at])))
    rank = np.empty(len(totals), np.int64)
    rank[by_name] = numbers
    rarest = np.array(by_name, np.int64)[np.minimum.reduceat(rank[units.labels], units.starts[:-1])]
    rank[drawn] = numbers
    turn = smallest(rank[rarest])
    heads = (draw(seed, purpose, name)[:_HASH_SHOWN] for name in units.names())
    hashes = np.fromiter((int.from_bytes(head) for head in heads), np.uint64, len(units))
    order = np.lexsort((hashes, -units.sizes, turn))
    _break_ties(units, order, (turn, units.sizes, hashes), seed, purpose)
    return order


def _break_ties(
    units: Units, order: IntArray, keys: Sequence[IntArray], seed: int, purpose: str
) -> None:
    """Order units whose hashes begin alike by the rest of them, in place."""
    alike = np.ones(max(len(order) - 1, 0), np.bool_)
    for key in keys:
        alike &= key[order[1:]] == key[order[:-1]]
    edges = np.diff(np.concatenate([[False], alike, [False]]).astype(np.int8))
    for begin, end in zip(np.flatnonzero(edges > 0), np.flatnonzero(edges < 0), strict=True):
        some = np.sort(order[begin : end + 1])
        full = [draw(seed, purpose, name) for name in units.names(some)]
        order[begin : end + 1] = some[sorted(range(len(some)), key=full.__getitem__)]


def _keep_classes(units: Units, places: IntArray) -> None:
    """Bring every class that lost all its training clips back, by its smallest unit."""
    owners = np.repeat(np.arange(len(units), dtype=np.int32), np.diff(units.starts))
    held = np.bincount(units.labels[places[owners] == 0], minlength=len(units.label_names)) > 0
    of_lost = np.flatnonzero(~held[units.labels])
    owners, labels = owners[of_lost], units.labels[of_lost]
    for label in sorted(np.flatnonzero(~held).tolist(), key=units.label_names.__getitem__):
        if held[label]:
            continue  # came back together with another
        smallest = _first_smallest(units, owners[labels == label])
        places[smallest] = 0
        held[units.labels[units.starts[smallest] : units.starts[smallest + 1]]] = True


def _first_smallest(units: Units, some: IntArray) -> int:
    """Return the smallest of some units, the first by name of several."""
    some = some[units.sizes[some] == units.sizes[some].min()]
    names = list(units.names(some))
    return int(some[min(range(len(some)), key=names.__getitem__)])


def _give_one(units: Units, places: IntArray, seed: int, purpose: str) -> None:
    """Fill an empty part with the smallest unit that takes no class away from training.

    A few large groups (five speakers and a tenth of the clips) would leave it empty otherwise.
    """
    holders = np.bincount(units.labels, minlength=len(units.label_names))
    spare = np.flatnonzero(np.minimum.reduceat(holders[units.labels], units.starts[:-1]) > 1)
    if len(spare):
        spare = spare[units.sizes[spare] == units.sizes[spare].min()]
        drawn = [draw(seed, purpose, name) for name in units.names(spare)]
        places[spare[min(range(len(spare)), key=drawn.__getitem__)]] = 1


def draw(seed: int, purpose: str, name: str) -> bytes:
    """Return the hash that stands for chance."""
    text = f"{seed}\0{purpose}\0{name}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
