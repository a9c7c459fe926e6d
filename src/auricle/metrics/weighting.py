"""Weighted items: what lets one formula serve a sample and its resamples.

Every metric takes `weights` `(..., items)`, how often each item counts, and returns one value
for each of the leading positions. Without weights each item counts once.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from auricle.core.errors import DataError

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.integer[Any]]

Values: TypeAlias = np.float64 | Floats
"""A number, or an array of one number for each row of `weights`."""


def item_weights(weights: npt.ArrayLike | None, items: int) -> Floats:
    """Return `weights` `(..., items)` as float64, ones where None. Raises `DataError`."""
    if items == 0:
        raise DataError("a metric needs at least one item, got none")
    if weights is None:
        return np.ones(items)
    array = np.asarray(weights, np.float64)
    if array.shape[-1:] != (items,):
        raise DataError(f"weights must have the shape (..., {items}), got {array.shape}")
    return array


def sum_by_class(weights: Floats, index: Ints, classes: int) -> Floats:
    """Sum `weights` `(..., items)` by each item's class `index`; returns `(..., classes)`."""
    order = np.argsort(index, kind="stable")
    present, starts = np.unique(index[order], return_index=True)
    sums = np.zeros((*weights.shape[:-1], classes))
    sums[..., present] = np.add.reduceat(weights[..., order], starts, axis=-1)
    return sums


def ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Floats:
    """Divide; NaN where the denominator is 0, which says that the figure is not defined."""
    top, bottom = np.broadcast_arrays(
        np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    )
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)


def mean_of_defined(values: Floats) -> Values:
    """Average over the last axis without its NaN entries; NaN where nothing is left."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1))[()]
