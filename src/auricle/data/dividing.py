"""A data set divided anew: by shares, by folds or by a column, and no leak between the parts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from auricle.core.errors import DataError, nearest
from auricle.core.types import Label
from auricle.data.clips import Clips
from auricle.data.config import DataConfig
from auricle.data.manifest import SPLITS, Manifest
from auricle.data.readers.folder import SPLIT_NAMES
from auricle.data.splits import apply_splits, first_leak, fold_names, folds
from auricle.data.texts import Column, Numbered, first_appearance, no_texts, numbered, pairs
from auricle.data.wording import listed, plural


@dataclass(frozen=True)
class Division:
    """A divided data set: what its parts are called in all, and in order; what they hold.

    `counts` are clips by label and part; `clips` and `groups` (empty where none is declared) are
    counts by part.
    """

    manifest: Manifest
    what: str
    parts: tuple[str, ...]
    counts: Mapping[Label, Mapping[str, int]]
    clips: Mapping[str, int]
    groups: Mapping[str, int]


def divide(
    manifest: Manifest,
    config: DataConfig,
    *,
    seed: int,
    k: int | None = None,
    by: str | None = None,
    anew: bool = False,
) -> Division:
    """Give every clip its split, its fold or both.

    With `k`, so many folds are made, and with `by` the values of a column are the folds, or the
    splits where all of them are names of splits; `test_fold` and `validation_fold` of `config`
    then also make splits of the folds. `anew` draws splits by the shares of `config` whatever
    splits and folds the data set has. With none of these: as `apply_splits` does. Raises
    `DataError` where a group, a clip or a file would stand in two parts, and names it.
    """
    asked = config.test_fold is not None or config.validation_fold is not None
    if by is None and k is None:
        drawn = (
            _drawn_anew(manifest, config, seed) if anew else apply_splits(manifest, config, seed)
        )
        return _checked(drawn, "splits")
    if by is not None:
        manifest = _by_column(manifest, config, by)
    else:
        manifest, _ = folds(_without(manifest, "splits", "folds"), config, seed, k or 0)
    if not manifest.columns.folds.filled().any():
        return _checked(apply_splits(manifest, config, seed), "splits")
    divided = _checked(folds(manifest, config, seed)[0], "folds")
    return _checked(apply_splits(manifest, config, seed), "splits") if asked else divided


def _drawn_anew(manifest: Manifest, config: DataConfig, seed: int) -> Manifest:
    """Draw splits, and keep the folds for those who want them."""
    own = manifest.columns.folds
    drawn = apply_splits(_without(manifest, "splits", "folds"), config, seed)
    return replace(drawn, clips=drawn.columns.having(folds=own))


def _without(manifest: Manifest, *names: str) -> Manifest:
    """Return the manifest without its own splits or folds, and say so where it has any."""
    clips = manifest.columns
    there = [name for name in names if getattr(clips, name).filled().any()]
    if not there:
        return manifest
    empty = no_texts(len(clips))
    bare = clips.having(
        splits=empty if "splits" in there else None, folds=empty if "folds" in there else None
    )
    note = f"the {' and '.join(there)} that the data set has were set aside"
    return replace(manifest, clips=bare).noting(note)


def _by_column(manifest: Manifest, config: DataConfig, by: str) -> Manifest:
    """Return the manifest with the values of a column as its splits, or else as its folds."""
    clips = manifest.columns
    column = _column(clips, config, by)
    bare = np.flatnonzero(~column.filled())
    if len(bare):
        raise DataError(
            f"--by {by}: {plural(len(bare), 'clip')} of {len(clips):,} have no value in that "
            f"column, such as {clips[int(bare[0])].path}"
        )
    few = column.as_numbered()
    ours = [SPLIT_NAMES.get(value.lower(), "") for value in few.values]
    if all(ours[code] for code in np.unique(few.codes).tolist()):
        splits = numbered(
            SPLITS, np.array([SPLITS.index(our or "train") for our in ours])[few.codes]
        )
        divided = clips.having(splits=splits, folds=no_texts(len(clips)))
        return replace(manifest, clips=divided).noting(f"the column '{by}' says the splits")
    manifest = _without(manifest, "splits")
    divided = manifest.columns.having(folds=column)
    return replace(manifest, clips=divided).noting(f"each value of the column '{by}' is a fold")


def _column(clips: Clips, config: DataConfig, by: str) -> Column:
    """Find a column by the name that it has in the data set, also where a reader took it."""
    ours = {"split": clips.splits, "fold": clips.folds, "group": clips.groups}
    # A reader adds a low line to a column that is called as one of ours and means another thing.
    if f"{by}_" in clips.extra:
        return clips.extra[f"{by}_"]
    taken = {getattr(config, key) or key: column for key, column in ours.items()}
    known: dict[str, Column] = {**ours, **taken, **clips.extra}
    if by in known and known[by].filled().any():
        return known[by]
    names = sorted(name for name, column in known.items() if column.filled().any())
    guess = nearest(by, names)
    hint = f" Did you mean '{guess}'?" if guess else ""
    raise DataError(
        f"--by {by}: the data set has no such column; it has {listed(names, 12) or 'none'}.{hint}"
    )


def _checked(manifest: Manifest, what: str) -> Division:
    """Count what the parts hold. Raises `DataError` where a file stands in two of them.

    That no group and no clip does was looked at when the parts were made.
    """
    clips = manifest.columns
    column = (clips.splits if what == "splits" else clips.folds).as_numbered()
    leak = first_leak(*clips.paths.factorise(), column.codes)
    if leak is not None:
        sides = [column.values[column.codes[row]] for row in reversed(leak)]
        raise DataError(
            f"the file '{clips[leak[0]].path}' is in two {what}, '{sides[0]}' and '{sides[1]}', so "
            "that a figure measured there would be too good. Its rows must all be in one part: "
            "mend the column, or declare a group that holds the whole file with --group COLUMN"
        )
    names = SPLITS if what == "splits" else fold_names(manifest)
    sizes = dict(zip(column.values, np.bincount(column.codes).tolist(), strict=False))
    parts = tuple(name for name in names if sizes.get(name))
    by_part = replace(manifest, clips=clips.having(splits=column))
    return Division(manifest, what, parts, by_part.counts(), sizes, _groups(clips, column))


def _groups(clips: Clips, parts: Numbered) -> dict[str, int]:
    """Count the groups of each part."""
    rows = np.flatnonzero(clips.groups.filled())
    if not len(rows):
        return {}
    codes = parts.codes[rows]
    _, first = first_appearance(pairs(clips.groups.take(rows).factorise()[0], codes))
    return dict(zip(parts.values, np.bincount(codes[first]).tolist(), strict=False))
