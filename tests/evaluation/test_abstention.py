"""Coverage, and accuracy when answering."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.core.errors import ConfigError
from auricle.evaluation import Result, evaluate_scores


def judged(probabilities: Any, targets: Any, limit: float | None, **fields: Any) -> Result:
    clips, classes = np.shape(probabilities)
    return evaluate_scores(
        labels=[f"class {index}" for index in range(classes)],
        targets=targets,
        probabilities=probabilities,
        paths=[f"{clip}.wav" for clip in range(clips)],
        abstain_below=limit,
        config={},
        command="",
        **fields,
    )


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.4, 0.5, 0.7]))
def test_coverage_and_accuracy_are_counts(seed: int, limit: float) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(3), 25).astype(np.float32)
    truth = rng.integers(0, 3, 25)
    figures = judged(scores, truth, limit, resamples=0).metrics
    sure = [row for row in range(25) if max(scores[row]) >= np.float32(limit)]
    right = [row for row in sure if int(np.argmax(scores[row])) == truth[row]]
    assert figures["coverage"].value == pytest.approx(len(sure) / 25)
    wanted = len(right) / len(sure) if sure else math.nan
    assert figures["accuracy_when_answering"].value == pytest.approx(wanted, nan_ok=True)
    if limit == 0:
        assert figures["accuracy_when_answering"].value == figures["accuracy"].value


def test_they_have_intervals_and_are_asked_for() -> None:
    scores = [[0.9, 0.1], [0.4, 0.6], [0.8, 0.2], [0.45, 0.55]] * 10
    truth = [0, 1, 1, 0] * 10
    figures = judged(scores, truth, 0.7).metrics
    coverage = figures["coverage"]
    assert coverage.low < coverage.value == 0.5 < coverage.high
    assert "coverage" not in judged(scores, truth, None).metrics


def test_a_classifier_that_never_answers_has_no_accuracy() -> None:
    figures = judged([[0.6, 0.4]] * 4, [0, 1, 0, 1], 1.0).metrics
    assert figures["coverage"].value == 0
    assert math.isnan(figures["accuracy_when_answering"].value)


@pytest.mark.parametrize(
    ("limit", "fields", "words"),
    [
        (1.5, {"targets": [0]}, "must be a probability"),
        (math.nan, {"targets": [0]}, "must be a probability"),
        (0.5, {"targets": [[1, 0]], "multi_label": True}, "one label each"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(limit: float, fields: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        judged([[0.6, 0.4]], limit=limit, **fields)
