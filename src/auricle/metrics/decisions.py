"""Metrics of decisions: which class a clip was given, or which labels.

Definitions are those of scikit-learn. A class that is neither in the truth nor among the
predictions is left out of an average, never counted as 0; a precision without predictions and
a recall without clips are not defined (NaN) and shown as such (`zero_division=nan`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auricle.core.errors import DataError
from auricle.metrics.weighting import (
    Floats,
    Ints,
    Values,
    item_weights,
    mean_of_defined,
    ratio,
    sum_by_class,
)


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """How often each class was right, true and predicted: arrays of shape `(..., classes)`."""

    right: Floats
    true: Floats
    predicted: Floats

    @property
    def precision(self) -> Floats:
        """Right among predicted; NaN for a class that was never predicted."""
        return ratio(self.right, self.predicted)

    @property
    def recall(self) -> Floats:
        """Right among true; NaN for a class that never occurs."""
        return ratio(self.right, self.true)

    @property
    def f1(self) -> Floats:
        """Harmonic mean of both; 0 without a hit, NaN for a class that is in neither."""
        return ratio(2 * self.right, self.true + self.predicted)

    @property
    def balanced_accuracy(self) -> Values:
        """Recall averaged over the classes that occur in the truth."""
        return mean_of_defined(self.recall)

    @property
    def macro_f1(self) -> Values:
        """F1 averaged over the classes that occur in the truth or in the predictions."""
        return mean_of_defined(self.f1)

    @property
    def micro_f1(self) -> Values:
        """F1 of all decisions together; NaN when nothing is true nor predicted."""
        decided = self.true.sum(axis=-1) + self.predicted.sum(axis=-1)
        return ratio(2 * self.right.sum(axis=-1), decided)[()]


def confusion_matrix(
    truth: npt.ArrayLike, predicted: npt.ArrayLike, classes: int
) -> npt.NDArray[np.int64]:
    """Count the pairs of class indices; rows are the truth, columns the predictions."""
    true, guess = _class_indices(truth, predicted)
    _check_range(np.concatenate([true, guess]), classes)
    pairs = np.bincount(true * classes + guess, minlength=classes * classes)
    return pairs.reshape(classes, classes).astype(np.int64)


def count_classes(
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
    classes: int,
    *,
    weights: npt.ArrayLike | None = None,
) -> ClassCounts:
    """Count by class where every clip has one class; both arrays `(items,)` of class indices."""
    true, guess = _class_indices(truth, predicted)
    _check_range(np.concatenate([true, guess]), classes)
    weighted = item_weights(weights, len(true))
    return ClassCounts(
        right=sum_by_class(weighted * (true == guess), true, classes),
        true=sum_by_class(weighted, true, classes),
        predicted=sum_by_class(weighted, guess, classes),
    )


def count_labels(
    targets: npt.ArrayLike, decisions: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> ClassCounts:
    """Count by class where a clip may have any labels; both `(items, classes)` of 0 and 1."""
    true, guess = np.asarray(targets, np.bool_), np.asarray(decisions, np.bool_)
    if true.ndim != 2 or true.shape != guess.shape:
        raise DataError(
            "targets and decisions must both have the shape (items, classes), "
            f"got {true.shape} and {guess.shape}"
        )
    weighted = item_weights(weights, len(true))
    return ClassCounts(
        right=weighted @ (true & guess).astype(np.float64),
        true=weighted @ true.astype(np.float64),
        predicted=weighted @ guess.astype(np.float64),
    )


def accuracy(
    truth: npt.ArrayLike, predicted: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> Values:
    """Return the share of items `(items,)` whose class is right."""
    true, guess = _class_indices(truth, predicted)
    weighted = item_weights(weights, len(true))
    return ratio(weighted @ (true == guess), weighted.sum(axis=-1))[()]


def balanced_accuracy(
    truth: npt.ArrayLike, predicted: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> Values:
    """Return the recall averaged over the classes that occur in the truth."""
    return _counts_of_present(truth, predicted, weights).balanced_accuracy


def macro_f1(
    truth: npt.ArrayLike, predicted: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> Values:
    """Return F1 averaged over the classes that occur in the truth or in the predictions."""
    return _counts_of_present(truth, predicted, weights).macro_f1


def top_k_accuracy(
    truth: npt.ArrayLike, scores: npt.ArrayLike, k: int, *, weights: npt.ArrayLike | None = None
) -> Values:
    """Return the share of items whose class is among the `k` best of `scores` `(items, classes)`.

    Of equal scores the class that comes first ranks first, as in `argmax`, so that `k=1` is the
    accuracy.
    """
    true, values = np.asarray(truth), np.asarray(scores)
    if values.ndim != 2 or true.shape != values.shape[:1]:
        raise DataError(
            "top-k needs one class index for each row of scores (items, classes), "
            f"got {true.shape} and {values.shape}"
        )
    _check_range(true, values.shape[1])
    own = np.take_along_axis(values, true[:, None], axis=1)
    earlier = np.arange(values.shape[1]) < true[:, None]
    rank = ((values > own) | ((values == own) & earlier)).sum(axis=1)
    weighted = item_weights(weights, len(true))
    return ratio(weighted @ (rank < k), weighted.sum(axis=-1))[()]


def _class_indices(truth: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[Ints, Ints]:
    true, guess = np.asarray(truth), np.asarray(predicted)
    if true.ndim != 1 or true.shape != guess.shape:
        raise DataError(
            "truth and predictions must be class indices of the same shape (items,), "
            f"got {true.shape} and {guess.shape}"
        )
    return true, guess


def _check_range(index: Ints, classes: int) -> None:
    if len(index) and not (index.min() >= 0 and index.max() < classes):
        raise DataError(
            f"class indices must lie between 0 and {classes - 1}, "
            f"got {index.min()} to {index.max()}"
        )


def _counts_of_present(
    truth: npt.ArrayLike, predicted: npt.ArrayLike, weights: npt.ArrayLike | None
) -> ClassCounts:
    true, guess = _class_indices(truth, predicted)
    classes = int(max(true.max(initial=0), guess.max(initial=0))) + 1
    return count_classes(true, guess, classes, weights=weights)
