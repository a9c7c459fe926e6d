"""Rows of a table that name the same stretch of sound again."""

from typing import Any

import numpy as np

from auricle.data.clips import Clips, LabelColumn
from auricle.data.splits import place_numbers
from auricle.data.texts import IntArray, first_appearance, pairs, smallest, starts_of


def without_repeats(clips: Clips) -> tuple[Clips, int]:
    """Leave out rows that say what an earlier one said, extra columns apart; count them."""
    keys, first = _keys(clips)
    again = np.flatnonzero(np.bincount(keys, minlength=len(first))[keys] > 1)
    seen: set[tuple[Any, ...]] = set()
    keep = np.ones(len(clips), np.bool_)
    for row, key, clip in zip(again, keys[again].tolist(), clips.select(again), strict=True):
        said = (key, frozenset(clip.labels))
        keep[row] = said not in seen
        seen.add(said)
    return (clips, 0) if keep.all() else (clips.select(keep), int(np.count_nonzero(~keep)))


def merged(clips: Clips) -> tuple[Clips, int]:
    """Join rows of the same stretch into the first of them, with the labels of all.

    Return the rest and how many rows added no label.
    """
    keys, first = _keys(clips)
    if len(first) == len(clips):
        return clips, 0
    rows, codes = clips.labels.flat()
    owners = keys[rows]
    _, fresh = first_appearance(pairs(owners, codes))
    told = np.zeros(len(clips), np.bool_)  # rows that say something new
    told[first] = told[rows[fresh]] = True
    owners, codes = owners[fresh], codes[fresh]
    sizes = smallest(np.bincount(owners, minlength=len(first)))
    order = np.argsort(owners, kind="stable")
    labels = LabelColumn(clips.labels.names, codes[order], starts_of(sizes), sizes)
    return clips.select(first).having(labels=labels), int(np.count_nonzero(~told))


def contradictions(clips: Clips) -> list[tuple[int, int]]:
    """Return the rows whose labels are not those of the first row of their stretch, and that row.

    Every clip has one label at most.
    """
    places, first = place_numbers(clips)
    if len(first) == len(clips):
        return []
    rows, codes = clips.labels.flat()
    label = np.full(len(clips), -1, np.int64)
    label[rows] = codes
    other = np.flatnonzero(label != label[first[places]])
    return list(zip(other.tolist(), first[places[other]].tolist(), strict=True))


def _keys(clips: Clips) -> tuple[IntArray, IntArray]:
    """Number rows of the same stretch, split, fold and group; say where each number begins."""
    keys, first = place_numbers(clips)
    if len(first) < len(keys):
        for column in (clips.splits, clips.folds, clips.groups):
            keys, first = first_appearance(pairs(keys, column.factorise()[0]))
    return keys, first
