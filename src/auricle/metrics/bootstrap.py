"""Percentile bootstrap over recordings (Efron & Tibshirani 1993, ch. 13; Davison & Hinkley 1997).

Clips cut from one recording resemble each other, so they are not independent trials: where there
are groups, whole groups are drawn with replacement. A resample is a row of weights, how often
each item was drawn, and a statistic turns many rows into as many values at once.

What the interval cannot know: errors that the sample does not hold. When every clip is right,
every resample is, and the interval is [1, 1]. With a single group (or item) every resample is the
sample itself: nothing can be said, and both ends are NaN.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from auricle.core.errors import ConfigError, DataError
from auricle.metrics.weighting import Floats, Values

Statistic: TypeAlias = Callable[[Floats], Values]
"""Weights `(resamples, items)` to values `(resamples,)`; NaN where it is not defined."""

_MOST_WEIGHTS = 500_000  # held at once: 4 MB, which stays in the cache


@dataclass(frozen=True)
class Interval:
    """A figure with its confidence interval.

    `count` items in `groups` groups (None: the items were drawn on their own). A figure or an
    end that is not defined is NaN.
    """

    value: float
    low: float
    high: float
    count: int
    groups: int | None = None


def bootstrap_intervals(
    statistics: Mapping[str, Statistic],
    count: int,
    *,
    groups: Sequence[Hashable] | None = None,
    seed: int,
    resamples: int = 2000,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Return each statistic of `count` items with its interval, all from the same resamples.

    `groups` names the recording of each item. Resamples in which a statistic is not defined (a
    class without a clip) are left out of its interval; without resamples its ends are NaN.
    Raises `DataError`, `ConfigError`.
    """
    if count < 1:
        raise DataError("an interval needs at least one item, got none")
    if groups is not None and len(groups) != count:
        raise DataError(f"there must be one group for each of {count} items, got {len(groups)}")
    if not (0 < level < 1 and resamples >= 0):
        raise ConfigError(
            "an interval needs a level between 0 and 1 and 0 resamples (none is drawn) or more, "
            f"got level {level} and {resamples} resamples"
        )
    index = np.arange(count) if groups is None else _group_index(groups)
    units = int(index.max()) + 1
    once = np.ones((1, count))
    drawn: dict[str, list[npt.ArrayLike]] = {name: [] for name in statistics}
    if units > 1:
        for weights in _resample_weights(index, units, resamples, seed):
            for name, statistic in statistics.items():
                drawn[name].append(statistic(weights))
    return {
        name: Interval(
            float(np.asarray(statistic(once))[0]),
            *_percentiles(drawn[name], level),
            count=count,
            groups=None if groups is None else units,
        )
        for name, statistic in statistics.items()
    }


def bootstrap_interval(
    statistic: Statistic,
    count: int,
    *,
    groups: Sequence[Hashable] | None = None,
    seed: int,
    resamples: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Return one statistic of `count` items with its interval; see `bootstrap_intervals`.

    `bootstrap_interval(lambda w: accuracy(truth, predicted, weights=w), len(truth), seed=0)`.
    """
    named = bootstrap_intervals(
        {"": statistic}, count, groups=groups, seed=seed, resamples=resamples, level=level
    )
    return named[""]


def paired_difference_interval(
    first: Statistic,
    second: Statistic,
    count: int,
    *,
    groups: Sequence[Hashable] | None = None,
    seed: int,
    resamples: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Return `first - second` for two classifiers on the same items, with its interval.

    Both are judged on the same resamples, so that how hard a recording is cancels out. An
    interval without 0 says that they differ.
    """
    return bootstrap_interval(
        lambda weights: first(weights) - second(weights),
        count,
        groups=groups,
        seed=seed,
        resamples=resamples,
        level=level,
    )


def _group_index(groups: Sequence[Hashable]) -> npt.NDArray[np.intp]:
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(group, len(seen)) for group in groups], np.intp)


def _resample_weights(
    index: npt.NDArray[np.intp], units: int, resamples: int, seed: int
) -> Iterator[Floats]:
    rng = np.random.default_rng(seed)
    at_once = max(1, _MOST_WEIGHTS // len(index))
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        drawn = rng.integers(0, units, size=(rows, units)) + units * np.arange(rows)[:, None]
        times = np.bincount(drawn.reshape(-1), minlength=rows * units).reshape(rows, units)
        yield times[:, index].astype(np.float64)


def _percentiles(drawn: Sequence[npt.ArrayLike], level: float) -> tuple[float, float]:
    values = np.concatenate([np.asarray(part, np.float64) for part in drawn] or [np.empty(0)])
    values = values[~np.isnan(values)]
    if not len(values):
        return np.nan, np.nan
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
