"""Splits and folds: stratified, grouped, and the same on every machine.

A split is drawn over units: a declared group, or else a file, so that two stretches of one
recording never stand on two sides. Units are placed one by one, those with the rarest label
first and large ones before small ones, each where it lowers the chi-square distance between the
parts' label counts and their shares most. This is iterative stratification (Sechidis,
Tsoumakas and Vlahavas, "On the Stratification of Multi-Label Data", ECML PKDD 2011) taken from
clips to groups of clips.

Ties and order come from a hash of seed and name, never from the order of the files, the
operating system or where on the disk the data set lies.
"""

import hashlib
import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from auricle.core.errors import DataError, nearest
from auricle.core.types import Clip, Label
from auricle.data.config import DataConfig
from auricle.data.manifest import Manifest, unit_of
from auricle.data.wording import listed, plural

TEST_SHARE = 0.2


@dataclass(frozen=True)
class _Unit:
    """Clips that stay together: their positions, and how many there are of each label."""

    name: str
    clips: tuple[int, ...]
    labels: Mapping[Label, int]


def apply_splits(manifest: Manifest, config: DataConfig, seed: int) -> Manifest:
    """Give every clip its split: train, validation or test.

    From a column or folders where the data set says so; else, where there are folds,
    `test_fold` (default: the last) is the test part; else a stratified fifth is drawn. The
    validation part, where not given, is `validation_fold` or a tenth drawn from the training
    part only. Raises `DataError` where a declared group, or one and the same clip, would stand
    on two sides, and for folds that do not exist.
    """
    has_split = any(clip.split for clip in manifest.clips)
    has_fold = any(clip.fold for clip in manifest.clips)
    asked = config.test_fold is not None or config.validation_fold is not None
    by_fold = has_fold and (asked or not has_split)
    if not has_fold:
        for key in ("test_fold", "validation_fold"):
            if (value := getattr(config, key)) is not None:
                raise DataError(
                    f"--data.{key} {value}: the data set has no folds. Name the column of folds "
                    "with --data.fold COLUMN"
                )
    notes: list[str] = []
    if by_fold:
        splits = _from_folds(manifest, config, notes)
    elif has_split:
        splits = _given(manifest, has_fold, notes)
    else:
        splits = ["train"] * len(manifest.clips)
        _draw(manifest, splits, "test", TEST_SHARE, seed)
        notes.append(
            f"the data set has no splits: a stratified fifth was drawn as the test part (seed "
            f"{seed})"
        )
    _refuse_leaks(manifest, splits)
    share = config.validation_share
    if "validation" not in splits and "train" in splits and share > 0:
        _draw(manifest, splits, "validation", share, seed)
        notes.append(f"{share:.0%} of the training clips were drawn for validation (seed {seed})")
    clips = tuple(
        replace(clip, split=split) for clip, split in zip(manifest.clips, splits, strict=True)
    )
    result = replace(manifest, clips=clips)
    return result.noting(*notes, *_gaps(result))


def folds(
    manifest: Manifest, config: DataConfig, seed: int, k: int = 5
) -> tuple[Manifest, tuple[str, ...]]:
    """Return the manifest with a fold on every clip, and the folds' names in order.

    The folds are those of the data set, else `k` stratified and grouped ones that are made
    here. For each name, `apply_splits` with `test_fold=name` gives that fold's splits. Raises
    `DataError` where a declared group stands in two folds, or where there are too few units.
    """
    if any(clip.fold for clip in manifest.clips):
        names = fold_names(manifest)
        if len(names) < 2:
            raise DataError(
                f"cross-validation needs two folds, and the only one is '{''.join(names)}'"
            )
        _refuse_leaks(manifest, [clip.fold or "" for clip in manifest.clips], "folds")
        return manifest, names
    units = _units(manifest)
    _require_units(k, len(units), "group" if manifest.group_declared else "file")
    names = tuple(str(number) for number in range(1, k + 1))
    places = _spread(units, dict.fromkeys(names, 1 / k), seed, "folds")
    clips = list(manifest.clips)
    for unit, name in zip(units, places, strict=True):
        for at in unit.clips:
            clips[at] = replace(clips[at], fold=name)
    grouped = " that keep groups whole" if manifest.group_declared else ""
    note = f"the data set has no folds: {k} stratified ones{grouped} were made (seed {seed})"
    return replace(manifest, clips=tuple(clips)).noting(note), names


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
    names = {clip.fold for clip in manifest.clips if clip.fold}
    return tuple(sorted(names, key=_natural))


def _natural(name: str) -> tuple[bool, int, str]:
    return (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)


def _from_folds(manifest: Manifest, config: DataConfig, notes: list[str]) -> list[str]:
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
    parts = {test: "test", validation: "validation"}
    return [parts.get(clip.fold or "", "train") for clip in manifest.clips]


def _fold(wanted: str | int | None, key: str, names: Sequence[str]) -> str | None:
    if wanted is None or str(wanted) in names:
        return None if wanted is None else str(wanted)
    guess = nearest(str(wanted), names)
    hint = f" Did you mean {guess}?" if guess else ""
    raise DataError(
        f"--data.{key} {wanted}: there is no such fold; the folds are {listed(names, 20)}.{hint}"
    )


def _given(manifest: Manifest, has_fold: bool, notes: list[str]) -> list[str]:
    if has_fold:
        notes.append(
            "the data set has splits and folds: the splits were taken; --data.test_fold N takes "
            "the folds"
        )
    bare = sum(clip.split is None for clip in manifest.clips)
    if bare:
        raise DataError(
            f"{plural(bare, 'clip')} of {len(manifest.clips):,} are in no split, such as "
            f"{next(clip.path for clip in manifest.clips if clip.split is None)}"
        )
    return [clip.split or "" for clip in manifest.clips]


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


def _refuse_leaks(manifest: Manifest, parts: Sequence[str], what: str = "splits") -> None:
    """Raise where a declared group, or one and the same stretch of sound, is in two parts."""
    seen: dict[tuple[object, ...], str] = {}
    for clip, part in zip(manifest.clips, parts, strict=True):
        keys: list[tuple[object, ...]] = [("clip", clip.path, clip.onset_s, clip.offset_s)]
        if clip.group is not None:
            keys.append(("group", clip.group))
        for key in keys:
            other = seen.setdefault(key, part)
            if other == part:
                continue
            kind, name = key[0], key[1]
            remedy = (
                "Mend the table, or give up the group with --data.group none"
                if kind == "group"
                else "Take one of the rows out of the table"
            )
            raise DataError(
                f"the {kind} '{name}' is in two {what}, '{other}' and '{part}', so that a figure "
                f"measured there would be too good. {remedy}"
            )


def _draw(manifest: Manifest, splits: list[str], name: str, share: float, seed: int) -> None:
    """Move a share of the training clips in `splits` to the part `name`, in place."""
    units = _units(manifest, [at for at, split in enumerate(splits) if split == "train"])
    places = _spread(units, {"train": 1 - share, name: share}, seed, name)
    _keep_classes(units, places)
    if name not in places:
        _give_one(units, places, name, seed)
    for unit, place in zip(units, places, strict=True):
        for at in unit.clips:
            splits[at] = place


def _keep_classes(units: Sequence[_Unit], places: list[str]) -> None:
    """Bring every class that lost all its training clips back, by its smallest unit."""
    held = {
        label
        for unit, at in zip(units, places, strict=True)
        if at == "train"
        for label in unit.labels
    }
    for label in sorted({label for unit in units for label in unit.labels} - held):
        if label in held:
            continue  # came back together with another
        of_label = [at for at, unit in enumerate(units) if label in unit.labels]
        smallest = min(of_label, key=lambda at: len(units[at].clips))
        places[smallest] = "train"
        held |= set(units[smallest].labels)


def _give_one(units: Sequence[_Unit], places: list[str], name: str, seed: int) -> None:
    """Fill an empty part with the smallest unit that takes no class away from training.

    A few large groups (five speakers and a tenth of the clips) would leave it empty otherwise.
    """
    holders = Counter(label for unit in units for label in unit.labels)
    spare = [
        at for at, unit in enumerate(units) if all(holders[label] > 1 for label in unit.labels)
    ]
    if spare:
        at = min(spare, key=lambda at: (len(units[at].clips), _hash(seed, name, units[at].name)))
        places[at] = name


def _units(manifest: Manifest, chosen: Sequence[int] | None = None) -> list[_Unit]:
    """Gather clips into units, in the order of the units' names."""
    clips = manifest.clips
    members: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at in range(len(clips)) if chosen is None else chosen:
        members[unit_of(clips[at])].append(at)
    root = _common_folder(clips)
    units = [
        _Unit(
            name=f"{kind}\0{_portable(name, root) if kind == 'file' else name}",
            clips=tuple(held),
            # A clip without any label counts as one of a class of its own.
            labels=Counter(label for at in held for label in clips[at].labels or ("",)),
        )
        for (kind, name), held in members.items()
    ]
    return sorted(units, key=lambda unit: unit.name)


def _common_folder(clips: Sequence[Clip]) -> str:
    folders = {os.path.dirname(os.path.abspath(clip.path)) for clip in clips}
    try:
        return os.path.commonpath(folders) if folders else ""
    except ValueError:
        return ""  # several drives: names then begin with the drive


def _portable(path: str, root: str) -> str:
    """Name a file the same on every machine: from the data set's folder, slashes, NFC."""
    path = os.path.abspath(path)
    inside = os.path.relpath(path, root) if root else path
    return unicodedata.normalize("NFC", inside.replace(os.sep, "/"))


def _spread(
    units: Sequence[_Unit], shares: Mapping[str, float], seed: int, purpose: str
) -> list[str]:
    """Return the part of each unit, so that every part has its share of clips and labels."""
    totals: Counter[Label] = Counter()
    for unit in units:
        totals.update(unit.labels)
    everything = sum(totals.values())
    counts = {part: Counter[Label]() for part in shares}
    sizes = dict.fromkeys(shares, 0)
    drawn = {label: _hash(seed, purpose, label) for label in totals}

    def turn(at: int) -> tuple[int, str, int, str]:
        unit = units[at]
        rarest = min(unit.labels, key=lambda label: (totals[label], label))
        drawn_unit = _hash(seed, purpose, unit.name)
        return (totals[rarest], drawn[rarest], -len(unit.clips), drawn_unit)

    def cost(part: str, unit: _Unit) -> float:
        """Return the growth of the chi-square distance if `unit` goes to `part`."""
        share = shares[part]
        grown = sum(
            _growth(counts[part][label], number, share * totals[label])
            for label, number in unit.labels.items()
        )
        size = sum(unit.labels.values())
        # The whole weighs as much as all labels together: rounding errors of many small
        # classes must not add up.
        return grown + len(totals) * _growth(sizes[part], size, share * everything)

    places = [""] * len(units)
    for at in sorted(range(len(units)), key=turn):
        unit = units[at]
        # Rounded, so that what is equal on paper is equal here; the first part wins a tie.
        part = min(shares, key=lambda name: round(cost(name, unit), 9))
        places[at] = part
        counts[part].update(unit.labels)
        sizes[part] += sum(unit.labels.values())
    return places


def _growth(count: int, more: int, wanted: float) -> float:
    return ((count + more - wanted) ** 2 - (count - wanted) ** 2) / wanted


def _hash(seed: int, purpose: str, name: str) -> str:
    return hashlib.sha256(f"{seed}\0{purpose}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()
