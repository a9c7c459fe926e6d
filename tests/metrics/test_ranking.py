"""Metrics of scores, against scikit-learn."""

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from auricle.core.errors import DataError
from auricle.metrics import (
    average_precision,
    d_prime,
    mean_average_precision,
    mean_roc_auc,
    roc_auc,
)


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets, scores with many ties, and weights of 0 to 3."""
    rng = np.random.default_rng(seed)
    items, classes = int(rng.integers(2, 50)), int(rng.integers(1, 6))
    targets = rng.random((items, classes)) < rng.choice([0, 0.1, 0.5, 1], classes)
    levels = int(rng.choice([2, 5, 1000]))
    scores = np.round(rng.random((items, classes)) + 0.5 * targets, 3) * levels // 1 / levels
    weights = rng.integers(0, 4, items).astype(float)
    return targets, scores, weights


@pytest.mark.parametrize("seed", range(120))
def test_equals_scikit_learn(seed: int) -> None:
    targets, scores, weights = random_case(seed)
    for how in (None, weights):
        weight = np.ones(len(targets)) if how is None else how
        precision = average_precision(targets, scores, weights=how)
        area = roc_auc(targets, scores, weights=how)
        for i in range(targets.shape[1]):
            true, score = targets[:, i], scores[:, i]
            positives, negatives = weight[true].sum(), weight[~true].sum()
            if positives == 0:
                assert math.isnan(precision[i])
            else:
                expected = reference.average_precision_score(true, score, sample_weight=weight)
                assert precision[i] == pytest.approx(expected, abs=1e-12)
            if positives == 0 or negatives == 0:
                assert math.isnan(area[i])
            else:
                expected = reference.roc_auc_score(true, score, sample_weight=weight)
                assert area[i] == pytest.approx(expected, abs=1e-12)


def test_rows_of_weights_are_resamples() -> None:
    targets, scores, _ = random_case(11)
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 3, (7, len(targets)))
    for metric in (average_precision, roc_auc):
        values = metric(targets, scores, weights=rows)
        assert values.shape == (7, targets.shape[1])
        for row, value in zip(rows, values, strict=True):
            alone = metric(targets.repeat(row, axis=0), scores.repeat(row, axis=0))
            np.testing.assert_allclose(value, alone, atol=1e-12)


def test_the_order_of_equal_scores_does_not_matter() -> None:
    targets = np.array([1, 0, 0, 1, 0, 1, 0, 0])[:, None]
    scores = np.array([2, 2, 2, 2, 1, 1, 1, 1])[:, None]
    for metric in (average_precision, roc_auc):
        np.testing.assert_allclose(
            metric(targets, scores), metric(targets[::-1], scores[::-1]), atol=1e-15
        )


def test_averages_leave_classes_without_positives_out() -> None:
    # One of three classes occurs and is ranked perfectly: 1.0, not 0.333.
    targets = np.array([[1, 0, 0], [0, 0, 0]])
    scores = np.array([[0.9, 0.3, 0.2], [0.1, 0.4, 0.1]])
    assert mean_average_precision(targets, scores) == 1
    assert mean_roc_auc(targets, scores) == 1
    assert math.isnan(mean_average_precision(np.zeros((2, 2)), np.ones((2, 2))))


@pytest.mark.parametrize("distance", [0.0, 0.5, 1.5, 2.8])
def test_d_prime_finds_the_distance_of_two_normal_distributions(distance: float) -> None:
    rng = np.random.default_rng(1)
    targets = np.repeat([0, 1], 40_000)[:, None]
    scores = rng.standard_normal((80_000, 1)) + distance * targets
    assert d_prime(float(roc_auc(targets, scores)[0])) == pytest.approx(distance, abs=0.03)


def test_d_prime_at_the_ends() -> None:
    assert d_prime(0.5) == 0
    assert d_prime(1.0) == math.inf
    assert d_prime(0.0) == -math.inf
    assert math.isnan(d_prime(math.nan))
    with pytest.raises(DataError, match="between 0 and 1"):
        d_prime(1.5)


def test_mistakes_are_named() -> None:
    with pytest.raises(DataError, match="NaN"):
        average_precision([[1]], [[math.nan]])
    with pytest.raises(DataError, match=r"got \(2, 1\) and \(1, 2\)"):
        roc_auc([[1], [0]], [[0.1, 0.2]])
    with pytest.raises(DataError, match="at least one item"):
        roc_auc(np.zeros((0, 2)), np.zeros((0, 2)))
