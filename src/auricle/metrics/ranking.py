"""Metrics of scores, without a threshold: average precision, ROC AUC and d'.

Equal scores are one step of the curve, as in scikit-learn: the order in which items happen to
stand never changes a figure. A class without positives (or, for ROC AUC, without negatives) has
no figure (NaN) and is left out of the averages, where counting it as 0 would punish a
classifier for what the test set lacks.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from auricle.core.errors import DataError
from auricle.metrics.weighting import Floats, Values, item_weights, mean_of_defined, ratio


def average_precision(
    targets: npt.ArrayLike, scores: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> Floats:
    """Return the average precision of each class, shape `(..., classes)`.

    `targets` (0 or 1) and `scores` are `(items, classes)`. The sum of precisions at each distinct
    score, weighted with the recall gained there; no interpolation.
    """
    curves = _curves(targets, scores, weights)
    return np.stack([_average_precision(curve) for curve in curves], axis=-1)


def roc_auc(
    targets: npt.ArrayLike, scores: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> Floats:
    """Return the area under each class's ROC curve, shape `(..., classes)`.

    It is the chance that a positive item scores above a negative one, ties counting half.
    """
    curves = _curves(targets, scores, weights)
    return np.stack([_roc_auc(curve) for curve in curves], axis=-1)


def mean_average_precision(
    targets: npt.ArrayLike, scores: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> Values:
    """Return mAP: average precision averaged over the classes that have positives."""
    return mean_of_defined(average_precision(targets, scores, weights=weights))


def mean_roc_auc(
    targets: npt.ArrayLike, scores: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> Values:
    """Return ROC AUC averaged over the classes that have positives and negatives."""
    return mean_of_defined(roc_auc(targets, scores, weights=weights))


def d_prime(area: float) -> float:
    """Return d' of an area under the ROC curve: `sqrt(2)` times its normal quantile.

    The distance in standard deviations between two normal distributions of equal width whose
    ROC curve has this area. 0.5 gives 0, 1 gives infinity, NaN gives NaN.
    """
    if math.isnan(area):
        return math.nan
    if not 0 <= area <= 1:
        raise DataError(f"an area under a ROC curve lies between 0 and 1, got {area}")
    if area in (0, 1):
        return math.copysign(math.inf, area - 0.5)
    return math.sqrt(2) * NormalDist().inv_cdf(area)


@dataclass(frozen=True, eq=False)
class _Curve:
    """One class at each distinct score that a positive has, best first: arrays `(..., steps)`.

    `hits` positives at or above the score, `taken` items at or above it, `passed` items above
    it; `total` `(...)` all items. Steps without positives add nothing to either figure, and
    leaving them out makes a thousand resamples cheap.
    """

    hits: Floats
    taken: Floats
    passed: Floats
    total: Floats

    @property
    def gained(self) -> Floats:
        return np.diff(self.hits, axis=-1, prepend=0)

    @property
    def positives(self) -> Floats:
        return self.gained.sum(axis=-1)


def _curves(
    targets: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None
) -> list[_Curve]:
    true, values = np.asarray(targets, np.bool_), np.asarray(scores)
    if true.ndim != 2 or true.shape != values.shape:
        raise DataError(
            "targets and scores must both have the shape (items, classes), "
            f"got {true.shape} and {values.shape}"
        )
    if np.isnan(values).any():
        raise DataError("scores must be numbers, got NaN")
    weighted = item_weights(weights, len(true))
    return [_curve(true[:, i], values[:, i], weighted) for i in range(true.shape[1])]


def _curve(
    true: npt.NDArray[np.bool_], values: npt.NDArray[np.floating], weights: Floats
) -> _Curve:
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    lasts = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    firsts = np.append(0, lasts[:-1] + 1)
    positions = np.flatnonzero(true[order])
    steps = np.searchsorted(lasts, positions)
    used = np.unique(steps)
    last_positive = np.searchsorted(steps, used, side="right") - 1
    taken = np.cumsum(weights[..., order], axis=-1)
    return _Curve(
        hits=np.cumsum(weights[..., order[positions]], axis=-1)[..., last_positive],
        taken=taken[..., lasts[used]],
        passed=np.where(firsts[used] > 0, taken[..., firsts[used] - 1], 0),
        total=taken[..., -1],
    )


def _average_precision(curve: _Curve) -> Floats:
    # A step that takes nothing (weight 0) gains nothing; its precision does not matter.
    precision = curve.hits / np.where(curve.taken > 0, curve.taken, 1)
    return ratio((curve.gained * precision).sum(axis=-1), curve.positives)


def _roc_auc(curve: _Curve) -> Floats:
    negatives = curve.total - curve.positives
    above = curve.passed - (curve.hits - curve.gained)
    not_below = curve.taken - curve.hits
    beaten = negatives[..., None] - (above + not_below) / 2
    return ratio((curve.gained * beaten).sum(axis=-1), curve.positives * negatives)
