"""Likely label errors by confident learning: labels that out-of-sample scores contradict.

A clip counts for a class where its probability reaches the mean probability which the clips
labelled so have there. Counting clips by given label and by the class they count for estimates
how many labels of each class are wrong and what they should be; as many clips are suspected,
those whose probabilities contradict their labels most ("prune by noise rate").

Reference: Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset
Labels", JAIR 70 (2021). The same clips as cleanlab 2.9 finds with its defaults; none of its code.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from auricle.core.errors import DataError
from auricle.core.types import FloatArray, Label
from auricle.data.check.report import Finding
from auricle.data.clips import Clips
from auricle.data.manifest import Manifest
from auricle.data.names import clip_names, paths_within
from auricle.data.wording import listed

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_TOLERANCE = 1e-6
_LEAST_THRESHOLD = 2 * _TOLERANCE
_NEVER = 2.0  # the threshold of a class without clips: no probability reaches it


class Scores(Protocol):
    """Scores of a classifier for clips that it did not train on, as a table of scores holds them.

    `targets` are class indices `(clips,)`, or True and False `(clips, labels)`; `probabilities`
    are `(clips, labels)`.
    """

    @property
    def labels(self) -> Sequence[Label]:
        """The classes, in the order of the columns."""
        ...

    @property
    def paths(self) -> Sequence[str]:
        """The file of every clip."""
        ...

    @property
    def targets(self) -> npt.NDArray[np.int64] | npt.NDArray[np.bool_]:
        """The labels that the clips were given."""
        ...

    @property
    def probabilities(self) -> FloatArray:
        """What the classifier says."""
        ...


def suspect_labels(
    given: npt.NDArray[np.int64] | npt.NDArray[np.bool_], probabilities: npt.ArrayLike
) -> npt.NDArray[np.bool_]:
    """Say which clips are likely to be labelled wrongly.

    `given` are class indices `(clips,)`, or True and False `(clips, classes)` where a clip may
    have any classes: each class is then judged by itself. `probabilities` are `(clips, classes)`.
    Returns True and False in the shape of `given`.
    """
    probability = np.asarray(probabilities, np.float64)
    if given.ndim == 1:
        return _suspects(given.astype(np.int64), probability)
    columns = [
        _suspects(held.astype(np.int64), np.stack([1 - chance, chance], axis=1))
        for held, chance in zip(given.T, probability.T, strict=True)
    ]
    return np.stack(columns, axis=1) if columns else np.zeros(given.shape, np.bool_)


def _suspects(given: Integers, probability: Floats) -> npt.NDArray[np.bool_]:
    wrong = np.zeros(len(given), np.bool_)
    if not len(given):
        return wrong
    excess = _excess(_confident_joint(given, probability))
    for label in range(probability.shape[1]):
        clips = np.flatnonzero(given == label)
        if len(clips) < 2:
            continue  # its last clip is not taken from a class
        for other in np.flatnonzero(excess[label]):
            margin = probability[clips, other] - probability[clips, label]
            wrong[clips[np.argsort(-margin)[: excess[label, other]]]] = True
    # A clip whose own class is the likeliest is no suspect, whatever the counts say.
    own = probability.copy()
    own[np.arange(len(given)), given] += _TOLERANCE
    return wrong & (own.argmax(axis=1) != given)


def _confident_joint(given: Integers, probability: Floats) -> Integers:
    """Count clips by given label (rows) and by the class they count for, scaled to all clips."""
    classes = probability.shape[1]
    counts = np.bincount(given, minlength=classes)
    thresholds = np.full(classes, _NEVER)
    for label in np.flatnonzero(counts):
        thresholds[label] = probability[given == label, label].mean()
    reaches = probability >= np.maximum(thresholds, _LEAST_THRESHOLD) - _TOLERANCE
    several = reaches.sum(axis=1) > 1
    meant = np.where(several, probability.argmax(axis=1), reaches.argmax(axis=1))
    counted = reaches.any(axis=1)
    joint = np.zeros((classes, classes), np.int64)
    np.add.at(joint, (given[counted], meant[counted]), 1)
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1))
    scaled = joint / joint.sum(axis=1, keepdims=True) * counts[:, None]
    return _round_rows(scaled / scaled.sum() * len(given))


def _excess(joint: Integers) -> Integers:
    """Return how many clips of each label (rows) are of each other class; one stays in any case."""
    spared = np.maximum(1 - joint.diagonal(), 0)
    shared_by = np.maximum(np.count_nonzero(joint, axis=1) - 1, 1)
    left = np.maximum(joint - (spared / shared_by)[:, None], 0)
    np.fill_diagonal(left, 0)
    return left.astype(np.int64)


def _round_rows(values: Floats) -> Integers:
    """Round so that every row keeps its sum, rounded; the largest remainders give way first."""
    whole = np.rint(values)
    for row, (exact, rounded) in enumerate(zip(values, whole, strict=True)):
        while (missing := int(round(exact.sum()) - rounded.sum())) != 0:
            order = np.argsort(exact - rounded)
            chosen = order[::-1][:missing] if missing > 0 else order[:-missing]
            rounded[chosen] += np.sign(missing)
        whole[row] = rounded
    return whole.astype(np.int64)


def label_errors(manifest: Manifest, scores: Scores) -> Iterator[Finding]:
    """Yield clips whose labels the scores contradict, the clearest cases first.

    Clips whose labels were changed since the scores were made are passed over. Raises `DataError`
    where the scores are of other clips or are no probabilities.
    """
    if not len(scores.paths):
        raise DataError("the table of scores has no rows")
    rows = _rows_of(manifest, scores.paths)
    if not rows:
        raise DataError(
            f"the table of scores is of other clips: none of its {len(scores.paths):,} paths, such "
            f"as {scores.paths[0]}, is in the data set"
        )
    probability = np.asarray(scores.probabilities, np.float64)
    if odd := np.flatnonzero(~((probability >= 0) & (probability <= 1)).all(axis=1)).tolist():
        raise DataError(
            f"scores must be probabilities from 0 to 1, and those of {scores.paths[odd[0]]} are "
            f"{', '.join(f'{value:g}' for value in probability[odd[0]])}"
        )
    suspects = suspect_labels(scores.targets, probability)
    found: list[tuple[float, Finding]] = []
    for at in np.flatnonzero(suspects if suspects.ndim == 1 else suspects.any(axis=1)).tolist():
        row = rows.get(at)
        given = _labels_at(scores, at)
        if row is None or set(manifest.clips[row].labels) != set(given):
            continue
        doubt, detail = _doubt(scores.labels, suspects[at], scores.targets[at], probability[at])
        path = (manifest.clips[row].path,)
        found.append((doubt, Finding("label_error", "warning", path, detail, (row,))))
    found.sort(key=lambda item: -item[0])
    yield from (finding for _, finding in found)


def _labels_at(scores: Scores, at: int) -> list[Label]:
    held = scores.targets[at]
    places = np.flatnonzero(held).tolist() if held.ndim else [int(held)]
    return [scores.labels[place] for place in places]


def _doubt(
    labels: Sequence[Label],
    suspect: npt.NDArray[np.bool_],
    target: npt.NDArray[np.int64] | npt.NDArray[np.bool_],
    probability: Floats,
) -> tuple[float, str]:
    """Return how clear a case is, from 0 to 1, and say it in words."""
    if not target.ndim:
        own, other = int(target), int(probability.argmax())
        margin = probability[other] - probability[own]
        return float(margin), (
            f"labelled '{labels[own]}' (probability {probability[own]:.2f}), heard as "
            f"'{labels[other]}' ({probability[other]:.2f})"
        )
    against = np.where(target, 1 - probability, probability)
    words = [
        f"labelled '{labels[at]}' (probability {probability[at]:.2f})"
        if target[at]
        else f"not labelled '{labels[at]}' (probability {probability[at]:.2f})"
        for at in np.flatnonzero(suspect).tolist()
    ]
    return float(against[suspect].max()), listed(words)


def _rows_of(manifest: Manifest, paths: Sequence[str]) -> dict[int, int]:
    """Return the row of the manifest for every scored clip that is in it.

    Clips of one file, or of one name where the data set was moved or packed, are taken in their
    order.
    """
    for names, scored in _named(manifest.columns, paths):
        places: dict[str, list[int]] = {name: [] for name in scored}
        for row, name in enumerate(names):
            if name in places:
                places[name].append(row)
        waiting = {name: iter(rows) for name, rows in places.items()}
        found = {at: next(waiting[name], -1) for at, name in enumerate(scored)}
        found = {at: row for at, row in found.items() if row >= 0}
        if found:
            return found
    return {}


def _named(clips: Clips, paths: Sequence[str]) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Yield names of the clips and of the scored files that can be compared, the surest first."""
    yield [os.path.abspath(clip.path) for clip in clips], [os.path.abspath(path) for path in paths]
    names, scored = clip_names(clips), paths_within(paths)
    yield names, scored
    yield [name.rpartition("/")[2] for name in names], [name.rpartition("/")[2] for name in scored]
