"""Splits and folds: as the data set has them, else drawn (see `auricle.data.drawing`).

All of it works on columns: a part is a number per clip, so that millions of clips are split
within the memory that they already take.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from auricle.core.errors import DataError, nearest
from auricle.data.clips import Clips
from auricle.data.config import DataConfig
from auricle.data.drawing import draw_part, gather, spread
from auricle.data.manifest import SPLITS, Manifest
from auricle.data.texts import IntArray, Numbered, first_appearance, numbered, pairs
from auricle.data.wording import listed, plural

TRAIN, VALIDATION, TEST = range(3)
_FIFTH = 0.2


def apply_splits(manifest: Manifest, config: DataConfig, seed: int) -> Manifest:
    """Give every clip its split: train, validation or test.

    From a column or folders where the data set says so; else, where there are folds,
    `test_fold` (default: the last) is the test part; else a stratified fifth is drawn. The
    validation part, where not given, is `validation_fold` or a tenth drawn from the training
    part only. Raises `DataError` where a declared group, or one and the same clip, would stand
    on two sides, and for folds that do not exist.
    """
    clips = manifest.columns
    has_split, has_fold = bool(clips.splits.filled().any()), bool(clips.folds.filled().any())
    asked = config.test_fold is not None or config.validation_fold is not None
    if not has_fold:
        for key in ("test_fold", "validation_fold"):
            if (value := getattr(config, key)) is not None:
                raise DataError(
                    f"--data.{key} {value}: the data set has no folds. Name the column of folds "
                    "with --data.fold COLUMN"
                )
    notes: list[str] = []
    if has_fold and (asked or not has_split):
        parts = _from_folds(manifest, config, notes)
    elif has_split:
        parts = _given(clips, has_fold, notes)
    else:
        parts = numbered(SPLITS, np.full(len(clips), TRAIN))
        if config.test_share > 0:
            parts = _draw(clips, parts, TEST, config.test_share, seed)
            how = "fifth was" if config.test_share == _FIFTH else f"{config.test_share:.0%} were"
            notes.append(
                f"the data set has no splits: a stratified {how} drawn as the test part (seed "
                f"{seed})"
            )
    _refuse_leaks(clips, parts)
    share = config.validation_share
    sizes = _sizes(parts)
    if not sizes[VALIDATION] and sizes[TRAIN] and share > 0:
        parts = _draw(clips, parts, VALIDATION, share, seed)
        notes.append(f"{share:.0%} of the training clips were drawn for validation (seed {seed})")
    result = replace(manifest, clips=clips.having(splits=parts))
    return result.noting(*notes, *_gaps(result), *_shared_files(result.columns, parts))


def folds(
    manifest: Manifest, config: DataConfig, seed: int, k: int = 5
) -> tuple[Manifest, tuple[str, ...]]:
    """Return the manifest with a fold on every clip, and the folds' names in order.

    The folds are those of the data set, else `k` stratified and grouped ones that are made
    here. For each name, `apply_splits` with `test_fold=name` gives that fold's splits. Raises
    `DataError` where a declared group stands in two folds, or where there are too few units.
    """
    clips = manifest.columns
    if clips.folds.filled().any():
        names = fold_names(manifest)
        if len(names) < 2:
            raise DataError(
                f"cross-validation needs two folds, and the only one is '{''.join(names)}'"
            )
        _refuse_leaks(clips, clips.folds.as_numbered(), "folds")
        return manifest, names
    units = gather(clips)
    _require_units(k, len(units), "group" if manifest.group_declared else "file")
    names = tuple(str(number) for number in range(1, k + 1))
    places = spread(units, [1 / k] * k, seed, "folds")
    grouped = " that keep groups whole" if manifest.group_declared else ""
    note = f"the data set has no folds: {k} stratified ones{grouped} were made (seed {seed})"
    made = clips.having(folds=numbered(names, places[units.of_row]))
    return replace(manifest, clips=made).noting(note), names


def _require_units(k: int, units: int, noun: str) -> None:
    """Raise where `k` folds are no folds, or more than there are files or groups to fill them."""
    if k < 2:
        raise DataError(f"--folds {k}: cross-validation needs at least 2 folds")
    if units < k:
        remedy = f"take at most --folds {units}" if units > 1 else "cross-validation needs two"
        raise DataError(
            f"--folds {k}: each fold needs a {noun} of its own, and the data set has "
            f"{plural(units, noun)}; {remedy}"
        )


def fold_names(manifest: Manifest) -> tuple[str, ...]:
    """Return the names of the folds, numbers by value before words."""
    return tuple(sorted(present(manifest.columns.folds.as_numbered()), key=_natural))


def present(column: Numbered) -> list[str]:
    """Return the texts that rows of a column have, the empty one left out."""
    counts = np.bincount(column.codes, minlength=len(column.values))
    return [column.values[at] for at in np.flatnonzero(counts).tolist() if column.values[at]]


def _natural(name: str) -> tuple[bool, int, str]:
    return (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)


def _from_folds(manifest: Manifest, config: DataConfig, notes: list[str]) -> Numbered:
    names = fold_names(manifest)
    if len(names) < 2:
        raise DataError(
            f"all clips are in one fold, '{''.join(names)}': there is nothing left to train on. "
            "--data.fold none ignores the folds"
        )
    test = _fold(config.test_fold, "test_fold", names)
    if test is None:
        test = names[-1]
        notes.append(
            f"fold {test} of {', '.join(names)} is the test part; --data.test_fold N takes another"
        )
    validation = _fold(config.validation_fold, "validation_fold", names)
    if validation == test:
        raise DataError(f"fold {test} cannot be both the test and the validation part")
    if validation is not None and len(names) == 2:
        raise DataError("two folds leave nothing to train on once one of them is validation")
    of_fold = {test: TEST, validation: VALIDATION}
    column = manifest.columns.folds.as_numbered()
    parts = np.array([of_fold.get(name, TRAIN) for name in column.values])
    return numbered(SPLITS, parts[column.codes])


def _fold(wanted: str | int | None, key: str, names: Sequence[str]) -> str | None:
    if wanted is None or str(wanted) in names:
        return None if wanted is None else str(wanted)
    guess = nearest(str(wanted), names)
    hint = f" Did you mean {guess}?" if guess else ""
    raise DataError(
        f"--data.{key} {wanted}: there is no such fold; the folds are {listed(names, 20)}.{hint}"
    )


def _given(clips: Clips, has_fold: bool, notes: list[str]) -> Numbered:
    if has_fold:
        notes.append(
            "the data set has splits and folds: the splits were taken; --data.test_fold N takes "
            "the folds"
        )
    bare = np.flatnonzero(~clips.splits.filled())
    if len(bare):
        raise DataError(
            f"{plural(len(bare), 'clip')} of {len(clips):,} are in no split, such as "
            f"{clips[int(bare[0])].path}"
        )
    column = clips.splits.as_numbered()
    # Ours come first, under their own numbers; a split by another name keeps it.
    names = [*SPLITS, *(name for name in column.values if name not in SPLITS)]
    return numbered(names, np.array([names.index(name) for name in column.values])[column.codes])


def _sizes(parts: Numbered) -> list[int]:
    return np.bincount(parts.codes, minlength=len(parts.values)).tolist()


def _gaps(manifest: Manifest) -> list[str]:
    """Write notes on parts and classes that came out empty."""
    notes = [
        f"the {split} part is empty"
        for split, size in manifest.split_sizes().items()
        if not size and manifest.clips
    ]
    counts = manifest.counts()
    unseen = [label for label, by in counts.items() if by and not by.get("train")]
    if unseen and manifest.split_sizes()["train"]:
        notes.append(f"classes without a training clip cannot be learnt: {listed(unseen)}")
    single = [label for label, by in counts.items() if sum(by.values()) == 1]
    if single:
        notes.append(
            f"classes with a single clip, which can be trained but not judged: {listed(single)}"
        )
    return notes


def _refuse_leaks(clips: Clips, parts: Numbered, what: str = "splits") -> None:
    """Raise where a declared group, or one and the same stretch of sound, is in two parts."""
    groups, first = clips.groups.factorise()
    leaks = {
        "clip": first_leak(*place_numbers(clips), parts.codes),
        "group": first_leak(groups, first, parts.codes, clips.groups.filled()),
    }
    found = [(leak, kind) for kind, leak in leaks.items() if leak is not None]
    if not found:
        return
    (at, other), kind = min(found, key=lambda one: one[0][0])
    name = clips.paths.block(at, at + 1)[0]
    remedy = "Take one of the rows out of the table"
    if kind == "group":
        name = clips.groups.block(at, at + 1)[0]
        remedy = "Mend the table, or give up the group with --data.group none"
    sides = [parts.values[parts.codes[row]] for row in (other, at)]
    raise DataError(
        f"the {kind} '{name}' is in two {what}, '{sides[0]}' and '{sides[1]}', so that a figure "
        f"measured there would be too good. {remedy}"
    )


def _shared_files(clips: Clips, parts: Numbered) -> list[str]:
    """Write a note where stretches of one file, of groups of their own, came to stand apart."""
    leak = first_leak(*clips.paths.factorise(), parts.codes)
    if leak is None:
        return []
    sides = [parts.values[parts.codes[row]] for row in reversed(leak)]
    return [
        f"the file '{clips.paths.block(leak[0], leak[0] + 1)[0]}' has clips in '{sides[0]}' and in "
        f"'{sides[1]}': one recording on both sides makes a figure too good. A group that holds "
        "whole files (--data.group COLUMN) keeps it together"
    ]


def first_leak(
    owners: IntArray,
    first: IntArray,
    parts: IntArray,
    counted: npt.NDArray[np.bool_] | None = None,
) -> tuple[int, int] | None:
    """Return the first row whose owner began in another part, and the row where it began.

    `owners` are numbers and `first` the row where each appears; rows not `counted` are passed over.
    """
    elsewhere = parts[first[owners]] != parts
    if counted is not None:
        elsewhere &= counted
    at = int(elsewhere.argmax()) if len(elsewhere) else 0
    return (at, int(first[owners[at]])) if elsewhere.any() else None


def place_numbers(clips: Clips) -> tuple[IntArray, IntArray]:
    """Number the stretches of files in the order in which they appear, and say where they do."""
    places, first = clips.paths.factorise()
    if len(first) == len(places):
        return places, first
    for times in (clips.onsets_s, clips.offsets_s):
        numbers = np.unique(times, return_inverse=True)[1]
        places, first = first_appearance(pairs(places, numbers))
    return places, first


def _draw(clips: Clips, parts: Numbered, part: int, share: float, seed: int) -> Numbered:
    """Return the parts with a share of the training clips moved to another part."""
    chosen = np.flatnonzero(parts.codes == TRAIN)
    everything = len(chosen) == len(clips)  # a slice takes no memory
    drawn = draw_part(clips, slice(None) if everything else chosen, share, seed, SPLITS[part])
    codes = parts.codes.copy()
    codes[chosen[drawn]] = part
    return Numbered(parts.values, codes)
