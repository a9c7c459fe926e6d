"""The bootstrap: coverage, groups, pairs and degenerate samples."""

import math

import numpy as np
import pytest

from auricle.core.errors import ConfigError, DataError
from auricle.metrics import (
    Interval,
    Statistic,
    accuracy,
    bootstrap_interval,
    bootstrap_intervals,
    mean_average_precision,
    paired_difference_interval,
)


def share(right: np.ndarray) -> Statistic:
    return lambda weights: weights @ right / weights.sum(axis=-1)


def recordings(rng: np.random.Generator, count: int, clips: int) -> np.ndarray:
    """Clips right or wrong; recordings are hard or easy, so clips of one resemble each other."""
    ease = rng.choice([0.5, 1.0], count)
    return (rng.random((count, clips)) < ease[:, None]).reshape(-1).astype(float)


TRUE_SHARE = 0.75


def coverage(*, grouped: bool, trials: int = 300) -> float:
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(40), 6).tolist()
    hits = 0
    for trial in range(trials):
        interval = bootstrap_interval(
            share(recordings(rng, 40, 6)),
            len(groups),
            groups=groups if grouped else None,
            seed=trial,
            resamples=400,
        )
        hits += interval.low <= TRUE_SHARE <= interval.high
    return hits / trials


def test_intervals_over_recordings_hold_the_truth_as_often_as_they_say() -> None:
    # 95 % with a standard error of 1.3 % over 300 trials; a percentile bootstrap of 40 units
    # is known to be a little narrow.
    assert 0.90 <= coverage(grouped=True) <= 0.98


def test_intervals_over_clips_of_recordings_would_be_too_narrow() -> None:
    assert coverage(grouped=False) < 0.88


def test_the_interval_of_independent_items_is_the_normal_one() -> None:
    right = np.repeat([1.0, 0.0], [360, 40])
    interval = bootstrap_interval(share(right), 400, seed=0, resamples=20_000)
    half_width = 1.96 * math.sqrt(0.9 * 0.1 / 400)
    assert interval.value == 0.9
    assert interval.low == pytest.approx(0.9 - half_width, abs=0.003)
    assert interval.high == pytest.approx(0.9 + half_width, abs=0.003)
    narrow = bootstrap_interval(share(right), 400, seed=0, level=0.5)
    assert narrow.high - narrow.low == pytest.approx(0.674 / 1.96 * 2 * half_width, abs=0.004)


def test_groups_keep_their_clips_together() -> None:
    # Two recordings, one right and one wrong: only 0, 1/2 and 1 can be drawn.
    seen: set[float] = set()

    def statistic(weights: np.ndarray) -> np.ndarray:
        values = share(np.repeat([1.0, 0.0], 5))(weights)
        seen.update(np.asarray(values).tolist())
        return values

    groups = ["a"] * 5 + ["b"] * 5
    interval = bootstrap_interval(statistic, 10, groups=groups, seed=0)
    assert seen == {0.0, 0.5, 1.0}
    assert interval == Interval(0.5, 0.0, 1.0, count=10, groups=2)


def test_the_seed_decides_and_chunks_do_not() -> None:
    right = np.random.default_rng(0).integers(0, 2, 900).astype(float)
    one = bootstrap_interval(share(right), 900, seed=1)
    assert one == bootstrap_interval(share(right), 900, seed=1)
    assert one != bootstrap_interval(share(right), 900, seed=2)
    sizes: list[int] = []

    def counting(weights: np.ndarray) -> np.ndarray:
        sizes.append(len(weights))
        return weights.sum(axis=-1)

    total = bootstrap_interval(counting, 900, seed=1)
    assert sum(sizes) == 2000 + 1
    assert len(sizes) > 2, "900 items must come in chunks, or this tests nothing"
    assert (total.low, total.high) == (900, 900), "every resample draws as many items as there are"


def test_pairs_cancel_what_is_hard_for_both() -> None:
    rng = np.random.default_rng(3)
    second = recordings(rng, 60, 5)
    first = second.copy()
    first[np.flatnonzero(second == 0)[:12]] = 1  # better on twelve clips, worse on none
    groups = np.repeat(np.arange(60), 5).tolist()
    paired = paired_difference_interval(share(first), share(second), 300, groups=groups, seed=0)
    alone = bootstrap_interval(share(first), 300, groups=groups, seed=0)
    assert paired.value == pytest.approx(12 / 300)
    assert paired.low > 0
    assert paired.high - paired.low < 0.6 * (alone.high - alone.low)
    same = paired_difference_interval(share(second), share(second), 300, groups=groups, seed=0)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_all_right_gives_one_to_one() -> None:
    truth = np.arange(20) % 3
    interval = bootstrap_interval(lambda w: accuracy(truth, truth, weights=w), 20, seed=0)
    assert interval == Interval(1.0, 1.0, 1.0, count=20)


@pytest.mark.parametrize(("count", "groups"), [(1, None), (6, ["one"] * 6)])
def test_one_recording_says_nothing_about_others(count: int, groups: list[str] | None) -> None:
    interval = bootstrap_interval(share(np.ones(count)), count, groups=groups, seed=0)
    assert interval.value == 1
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_resamples_without_a_figure_are_left_out() -> None:
    # One positive among ten: a third of the resamples hold none.
    targets = np.zeros((10, 1))
    targets[3] = 1
    scores = np.linspace(0, 1, 10)[:, None]
    interval = bootstrap_interval(
        lambda weights: mean_average_precision(targets, scores, weights=weights), 10, seed=0
    )
    assert interval.value == pytest.approx(1 / 7)
    assert 0 < interval.low < interval.value < interval.high <= 1
    nothing = bootstrap_interval(
        lambda weights: mean_average_precision(np.zeros((10, 1)), scores, weights=weights),
        10,
        seed=0,
    )
    assert all(math.isnan(end) for end in (nothing.value, nothing.low, nothing.high))


def test_statistics_share_their_resamples() -> None:
    right = np.random.default_rng(0).integers(0, 2, 50).astype(float)
    both = bootstrap_intervals({"right": share(right), "wrong": share(1 - right)}, 50, seed=4)
    assert both["right"].low == pytest.approx(1 - both["wrong"].high)


def test_mistakes_are_named() -> None:
    statistic = share(np.ones(3))
    with pytest.raises(DataError, match="one group for each of 3 items, got 2"):
        bootstrap_interval(statistic, 3, groups=["a", "b"], seed=0)
    with pytest.raises(DataError, match="at least one item"):
        bootstrap_interval(statistic, 0, seed=0)
    with pytest.raises(ConfigError, match="level 95"):
        bootstrap_interval(statistic, 3, seed=0, level=95)
