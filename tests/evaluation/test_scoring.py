"""Scores against the truth, as a whole: figures, folds, groups and mistakes."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as reference

from auricle.core.errors import ConfigError, DataError
from auricle.evaluation import Result, evaluate_scores, worst_confusion

LABELS = ("dog", "rain", "sea_waves")
Make = Callable[..., Result]


@pytest.fixture
def single() -> Make:
    """Judge 60 clips of three classes, three of a recording."""

    def make(**changes: Any) -> Result:
        rng = np.random.default_rng(0)
        targets = rng.integers(0, 3, 60)
        probabilities = rng.dirichlet([1, 1, 1], 60)
        probabilities[np.arange(60), targets] += 0.4
        given: dict[str, Any] = {
            "labels": LABELS,
            "targets": targets,
            "probabilities": probabilities / probabilities.sum(axis=1, keepdims=True),
            "paths": [f"{clip}.wav" for clip in range(60)],
            "groups": [f"recording {clip // 3}" for clip in range(60)],
            "config": {"model": {"name": "tiny"}},
            "command": "auricle evaluate run data",
        }
        return evaluate_scores(**{**given, **changes})

    return make


@pytest.fixture
def multi() -> Make:
    """Judge 50 clips of four labels, of which none has the last."""

    def make(**changes: Any) -> Result:
        rng = np.random.default_rng(1)
        targets = (rng.random((50, 4)) < [0.2, 0.5, 0.9, 0.0]).astype(int)
        given: dict[str, Any] = {
            "labels": ("a", "b", "c", "never"),
            "targets": targets,
            "probabilities": np.clip(rng.random((50, 4)) * 0.7 + 0.3 * targets, 0, 1),
            "paths": [f"{clip}.wav" for clip in range(50)],
            "multi_label": True,
            "config": {},
            "command": "auricle evaluate run data",
        }
        return evaluate_scores(**{**given, **changes})

    return make


def test_figures_of_one_class_a_clip(single: Make) -> None:
    result = single(seed=7)
    assert result.scores is not None
    truth, predicted = result.scores.targets, result.scores.probabilities.argmax(axis=1)
    assert list(result.metrics) == ["accuracy", "balanced_accuracy", "macro_f1"]
    accuracy = result.metrics["accuracy"]
    assert accuracy.value == pytest.approx(reference.accuracy_score(truth, predicted))
    assert (accuracy.count, accuracy.groups) == (60, 20)
    assert accuracy.low < accuracy.value < accuracy.high
    assert result.confusion == reference.confusion_matrix(truth, predicted).tolist()
    report = reference.classification_report(
        truth, predicted, target_names=LABELS, output_dict=True
    )
    for label in LABELS:
        assert result.per_class[label] == pytest.approx(
            {
                "precision": report[label]["precision"],
                "recall": report[label]["recall"],
                "f1": report[label]["f1-score"],
                "support": report[label]["support"],
            }
        )
    assert (result.main_metric, result.main_value) == ("accuracy", accuracy.value)
    assert (result.seed, result.folds, result.mean_over_folds) == (7, None, None)


def test_a_clip_without_a_group_stands_for_itself(single: Make) -> None:
    groups = ["one"] * 20 + [None] * 20 + [""] * 20
    assert single(groups=groups).metrics["accuracy"].groups == 41
    assert single(groups=None).metrics["accuracy"].groups is None


def test_the_seed_decides_the_interval(single: Make) -> None:
    assert single(seed=1).metrics == single(seed=1).metrics
    assert single(seed=1).metrics != single(seed=2).metrics


def test_without_resamples_there_is_no_interval(single: Make) -> None:
    figure = single(resamples=0).metrics["accuracy"]
    assert figure.value == single().metrics["accuracy"].value
    assert math.isnan(figure.low)
    assert math.isnan(figure.high)


def test_folds_have_figures_of_their_own_and_a_mean(single: Make) -> None:
    folds = ["1"] * 10 + ["2"] * 50
    result = single(folds=folds)
    assert result.scores is not None
    right = result.scores.probabilities.argmax(axis=1) == result.scores.targets
    assert result.folds is not None
    assert [(fold.fold, fold.count) for fold in result.folds] == [("1", 10), ("2", 50)]
    first, second = (fold.metrics["accuracy"] for fold in result.folds)
    assert (first, second) == pytest.approx((right[:10].mean(), right[10:].mean()))
    assert result.mean_over_folds is not None
    assert result.mean_over_folds["accuracy"] == pytest.approx((first + second) / 2)
    # The pooled figure counts every clip once, so it differs from the mean of unequal folds.
    assert result.metrics["accuracy"].value == pytest.approx(right.mean())


def test_one_fold_is_no_cross_validation(single: Make) -> None:
    result = single(folds=["5"] * 60)
    assert result.folds is None
    assert result.scores is not None
    assert set(result.scores.folds) == {"5"}


def test_many_classes_have_a_top_5_accuracy() -> None:
    probabilities = np.tile(np.linspace(1, 0, 12), (4, 1))
    result = evaluate_scores(
        labels=[f"class {index}" for index in range(12)],
        targets=[0, 4, 5, 11],
        probabilities=probabilities,
        paths=list("abcd"),
        config={},
        command="",
    )
    assert result.metrics["accuracy"].value == 0.25
    assert result.metrics["top_5_accuracy"].value == 0.5


def test_figures_of_many_labels(multi: Make) -> None:
    result = multi(thresholds={"b": 0.6})
    assert result.scores is not None
    truth, scores = result.scores.targets, result.scores.probabilities
    decisions = scores >= np.float32([0.5, 0.6, 0.5, 0.5])
    assert list(result.metrics) == [
        "mean_average_precision",
        "roc_auc",
        "macro_f1",
        "micro_f1",
        "d_prime",
    ]
    assert result.metrics["mean_average_precision"].value == pytest.approx(
        np.mean([reference.average_precision_score(truth[:, i], scores[:, i]) for i in range(3)])
    )
    assert result.metrics["micro_f1"].value == pytest.approx(
        reference.f1_score(truth, decisions, average="micro")
    )
    area, distance = result.metrics["roc_auc"], result.metrics["d_prime"]
    assert area.low < area.value < area.high
    assert distance.low < distance.value < distance.high
    assert result.confusion is None
    assert worst_confusion(result) is None
    assert result.per_class["b"]["recall"] == pytest.approx(
        reference.recall_score(truth[:, 1], decisions[:, 1])
    )
    assert result.per_class["a"]["roc_auc"] == pytest.approx(
        reference.roc_auc_score(truth[:, 0], scores[:, 0])
    )
    never = result.per_class["never"]
    assert never["support"] == 0
    assert math.isnan(never["average_precision"])
    assert math.isnan(never["recall"])


def test_folds_of_many_labels(multi: Make) -> None:
    result = multi(folds=["x", "y"] * 25)
    assert result.mean_over_folds is not None
    assert result.mean_over_folds.keys() == result.metrics.keys()


def test_worst_confusion_is_the_most_frequent_mistake() -> None:
    targets = [0] * 4 + [1] * 40 + [2] * 10
    predicted = [0] * 4 + [2] * 5 + [0] * 1 + [1] * 34 + [1] * 4 + [2] * 6
    result = evaluate_scores(
        labels=LABELS,
        targets=targets,
        probabilities=np.eye(3)[predicted],
        paths=[""] * 54,
        config={},
        command="",
    )
    assert str(worst_confusion(result)) == "rain taken for sea_waves 5 times of 40"
    perfect = evaluate_scores(
        labels=LABELS,
        targets=targets,
        probabilities=np.eye(3)[targets],
        paths=[""] * 54,
        config={},
        command="",
    )
    assert worst_confusion(perfect) is None
    assert (perfect.metrics["accuracy"].low, perfect.metrics["accuracy"].high) == (1, 1)


def test_of_equal_counts_the_rarer_class_is_worst() -> None:
    result = evaluate_scores(
        labels=LABELS,
        targets=[0, 0, 0, 1, 1],
        probabilities=np.eye(3)[[0, 0, 1, 1, 2]],
        paths=list("abcde"),
        config={},
        command="",
    )
    assert str(worst_confusion(result)) == "rain taken for sea_waves 1 time of 2"


def test_mistakes_are_named(single: Make, multi: Make) -> None:
    scores = np.full((60, 3), 1 / 3)
    scores[4, 1] = math.nan
    with pytest.raises(DataError, match=r"those of 1 clips are not, the first is 4\.wav"):
        single(probabilities=scores)
    with pytest.raises(DataError, match=r"\(60 clips, 3 labels\), got \(60, 2\)"):
        single(probabilities=scores[:, :2])
    with pytest.raises(DataError, match=r"class indices .* got the shape \(60, 3\)"):
        single(targets=np.zeros((60, 3)))
    with pytest.raises(DataError, match=r"0 and 1 \(50, 4\), got the shape \(50,\)"):
        multi(targets=np.zeros(50))
    with pytest.raises(DataError, match="between 0 and 2, got 0 to 3"):
        single(targets=np.arange(60) % 4)
    with pytest.raises(DataError, match="one fold for each of 60 clips, got 1"):
        single(folds=["1"])
    with pytest.raises(DataError, match="one group for each of 60 items, got 1"):
        single(groups=["1"])
    with pytest.raises(ConfigError, match=r"'c1'"):
        multi(thresholds={"c1": 0.5})
    with pytest.raises(DataError, match="at least one clip"):
        single(paths=[], targets=[], probabilities=np.zeros((0, 3)), groups=None)
