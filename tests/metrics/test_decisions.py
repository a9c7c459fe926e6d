"""Metrics of decisions, against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as reference

from auricle.core.errors import DataError
from auricle.metrics import (
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    count_classes,
    count_labels,
    macro_f1,
    top_k_accuracy,
)

SEEDS = range(60)


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray, int, np.ndarray]:
    """Truth and predictions in which some classes are missing on either side, and weights."""
    rng = np.random.default_rng(seed)
    classes, items = int(rng.integers(1, 9)), int(rng.integers(1, 40))
    truth = rng.choice(rng.integers(0, classes, 3), items)
    predicted = np.where(rng.random(items) < 0.6, truth, rng.integers(0, classes, items))
    weights = rng.integers(0, 4, items).astype(float)
    weights[0] = 1
    return truth, predicted, classes, weights


@pytest.mark.parametrize("seed", SEEDS)
def test_of_one_class_a_clip_equals_scikit_learn(seed: int) -> None:
    truth, predicted, classes, weights = random_case(seed)
    labels = list(range(classes))
    for how in (None, weights):
        kept = slice(None) if how is None else how > 0
        options = {} if how is None else {"sample_weight": how[kept]}
        true, guess = truth[kept], predicted[kept]
        assert accuracy(truth, predicted, weights=how) == pytest.approx(
            reference.accuracy_score(true, guess, **options), abs=1e-12
        )
        present = sorted(set(true))
        assert balanced_accuracy(truth, predicted, weights=how) == pytest.approx(
            reference.recall_score(true, guess, labels=present, average="macro", **options)
        )
        assert macro_f1(truth, predicted, weights=how) == pytest.approx(
            reference.f1_score(true, guess, average="macro", zero_division=np.nan, **options)
        )
        counts = count_classes(truth, predicted, classes, weights=how)
        expected = reference.precision_recall_fscore_support(
            true, guess, labels=labels, zero_division=np.nan, **options
        )
        for got, want in zip(
            (counts.precision, counts.recall, counts.f1, counts.true), expected, strict=True
        ):
            np.testing.assert_allclose(got, want, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_confusion_matrix_equals_scikit_learn(seed: int) -> None:
    truth, predicted, classes, _ = random_case(seed)
    classes = max(classes, 2)  # scikit-learn warns about a matrix of one class
    expected = reference.confusion_matrix(truth, predicted, labels=list(range(classes)))
    np.testing.assert_array_equal(confusion_matrix(truth, predicted, classes), expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_of_many_labels_equals_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    items, classes = int(rng.integers(1, 30)), int(rng.integers(2, 7))
    rates = rng.choice([0, 0.2, 0.7], classes)
    targets = rng.random((items, classes)) < rates
    decisions = rng.random((items, classes)) < rng.choice([0, 0.5], classes)
    for weights in (None, rng.integers(1, 4, items).astype(float)):
        counts = count_labels(targets, decisions, weights=weights)
        for average, got in (("macro", counts.macro_f1), ("micro", counts.micro_f1)):
            if not (targets | decisions).any():
                assert np.isnan(got)
                continue
            expected = reference.f1_score(
                targets,
                decisions,
                average=average,
                zero_division=np.nan,
                sample_weight=weights,
            )
            assert got == pytest.approx(expected)
        np.testing.assert_allclose(
            counts.recall,
            reference.recall_score(
                targets, decisions, average=None, zero_division=np.nan, sample_weight=weights
            ),
        )


@pytest.mark.parametrize("seed", range(20))
def test_top_k_equals_scikit_learn_where_no_scores_are_equal(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.permutation(30 * 6).reshape(30, 6) / 180
    truth, weights = rng.integers(0, 6, 30), rng.integers(0, 3, 30).astype(float)
    for k in (1, 2, 5):
        expected = reference.top_k_accuracy_score(
            truth, scores, k=k, labels=range(6), sample_weight=weights
        )
        assert top_k_accuracy(truth, scores, k, weights=weights) == pytest.approx(expected)


def test_top_1_is_the_accuracy_where_scores_are_equal() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 3, (200, 5))
    truth = rng.integers(0, 5, 200)
    assert top_k_accuracy(truth, scores, 1) == accuracy(truth, scores.argmax(axis=1))
    assert top_k_accuracy(truth, scores, 5) == 1


def test_rows_of_weights_give_one_value_each() -> None:
    truth, predicted, classes, _ = random_case(3)
    rows = np.random.default_rng(0).integers(1, 4, (2, 5, len(truth)))
    for metric in (accuracy, balanced_accuracy, macro_f1):
        values = metric(truth, predicted, weights=rows)
        assert np.shape(values) == (2, 5)
        # A weight of three is the same as the item three times over.
        repeats = rows[1, 2]
        np.testing.assert_allclose(
            values[1, 2], metric(truth.repeat(repeats), predicted.repeat(repeats))
        )
    assert count_classes(truth, predicted, classes, weights=rows).f1.shape == (2, 5, classes)


def test_an_absent_class_does_not_lower_an_average() -> None:
    # Three classes known, one in the test set, and that one right.
    assert balanced_accuracy([2, 2], [2, 2]) == 1
    assert macro_f1([2, 2], [2, 2]) == 1
    figures = count_classes([2, 2], [2, 2], 4)
    np.testing.assert_array_equal(figures.recall, [np.nan, np.nan, 1, np.nan])


def test_a_class_that_is_only_predicted_counts_against_macro_f1() -> None:
    assert macro_f1([0, 0], [0, 1]) == pytest.approx((2 / 3 + 0) / 2)


def test_mistakes_are_named() -> None:
    with pytest.raises(DataError, match=r"same shape .* got \(2,\) and \(3,\)"):
        accuracy([0, 1], [0, 1, 1])
    with pytest.raises(DataError, match="between 0 and 1, got 0 to 2"):
        confusion_matrix([0, 2], [0, 1], 2)
    with pytest.raises(DataError, match="between 0 and 1, got -1 to 1"):
        count_classes([0, -1], [0, 1], 2)
    with pytest.raises(DataError, match="at least one item"):
        accuracy([], [])
    with pytest.raises(DataError, match=r"weights .* \(\.\.\., 2\), got \(3,\)"):
        accuracy([0, 1], [0, 1], weights=[1, 1, 1])
    with pytest.raises(DataError, match=r"\(items, classes\), got \(2,\) and \(2,\)"):
        count_labels([0, 1], [0, 1])
    with pytest.raises(DataError, match="top-k"):
        top_k_accuracy([0, 1], [0.5, 0.5], 1)
