"""Confident learning: the same clips as cleanlab, and what it says about them."""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pytest

from auricle.core.errors import DataError
from auricle.core.types import Clip
from auricle.data.label_errors import label_errors, suspect_labels
from auricle.data.names import PACKED_NAME


@dataclass
class Table:
    """Scores as a table of them holds."""

    labels: tuple[str, ...]
    paths: tuple[str, ...]
    targets: np.ndarray
    probabilities: np.ndarray


@pytest.fixture(scope="module")
def cleanlab():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import cleanlab.filter
        import cleanlab.multilabel_classification.filter

        yield cleanlab


def draw(seed: int, clips: int, classes: int, noise: float, sharpness: float):
    """Return noisy labels, the true ones, and what a fair classifier would say."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, clips)
    true[:classes] = np.arange(classes)
    wrong = rng.random(clips) < noise
    given = np.where(wrong, rng.integers(0, classes, clips), true)
    logits = rng.normal(0, 1, (clips, classes))
    logits[np.arange(clips), true] += sharpness
    logits += rng.normal(0, 0.7, classes)  # some classes are heard more readily
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return given, true, probability


@pytest.mark.parametrize("seed", range(12))
def test_the_same_suspects_as_cleanlab(cleanlab, seed: int):
    rng = np.random.default_rng(seed)
    clips, classes = int(rng.integers(20, 400)), int(rng.integers(2, 12))
    given, _, probability = draw(seed, clips, classes, rng.uniform(0, 0.4), rng.uniform(0.5, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = cleanlab.filter.find_label_issues(given, probability, n_jobs=1)
    np.testing.assert_array_equal(suspect_labels(given, probability), expected)


@pytest.mark.parametrize("missing", [0, 2])
def test_classes_that_nobody_has_and_classes_with_one_clip(cleanlab, missing: int):
    given, _, probability = draw(5, 120, 4, 0.2, 2.0)
    given[given == missing] = 1
    given[0] = missing if missing == 2 else 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = cleanlab.filter.find_label_issues(given, probability, n_jobs=1)
    np.testing.assert_array_equal(suspect_labels(given, probability), expected)


@pytest.mark.parametrize("seed", range(4))
def test_several_labels_a_clip_are_judged_class_by_class(cleanlab, seed: int):
    rng = np.random.default_rng(seed)
    truth = rng.random((150, 5)) < 0.3
    given = truth ^ (rng.random(truth.shape) < 0.1)
    probability = 1 / (1 + np.exp(-(4.0 * truth - 2 + rng.normal(0, 1, truth.shape))))
    listed = [np.flatnonzero(row).tolist() for row in given]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = cleanlab.multilabel_classification.filter.find_multilabel_issues_per_class(
            listed, probability, n_jobs=1
        )
    np.testing.assert_array_equal(suspect_labels(given, probability), expected)


def test_planted_errors_are_found():
    given, true, probability = draw(1, 1000, 5, 0.1, 6.0)
    suspects = suspect_labels(given, probability)
    planted = given != true
    assert suspects[planted].mean() > 0.9
    assert planted[suspects].mean() > 0.9


def test_clean_labels_give_no_suspect():
    given, _, probability = draw(2, 500, 4, 0.0, 8.0)
    assert not suspect_labels(given, probability).any()
    assert not suspect_labels(np.zeros(0, np.int64), np.zeros((0, 3))).any()


def test_findings_name_the_label_heard_and_come_clearest_first(make_manifest):
    given, _, probability = draw(3, 200, 3, 0.1, 5.0)
    labels = ("cat", "dog", "rain")
    paths = tuple(f"/data/{at}.wav" for at in range(200))
    clips = [Clip(path, (labels[at],)) for path, at in zip(paths, given, strict=True)]
    table = Table(labels, paths, given, probability)
    found = list(label_errors(make_manifest(clips), table))
    suspects = np.flatnonzero(suspect_labels(given, probability))
    assert {one.rows for one in found} == {(int(at),) for at in suspects}
    margins = probability.max(axis=1) - probability[np.arange(200), given]
    assert [margins[one.rows[0]] for one in found] == sorted(margins[suspects], reverse=True)
    first = found[0].rows[0]
    assert f"labelled '{labels[given[first]]}'" in found[0].detail
    assert f"heard as '{labels[probability[first].argmax()]}'" in found[0].detail


def test_a_label_that_was_mended_since_is_passed_over(make_manifest):
    given, true, probability = draw(3, 200, 3, 0.1, 5.0)
    labels = ("cat", "dog", "rain")
    paths = tuple(f"{at}.wav" for at in range(200))
    clips = [Clip(f"/moved/{path}", (labels[at],)) for path, at in zip(paths, true, strict=True)]
    found = list(label_errors(make_manifest(clips), Table(labels, paths, given, probability)))
    assert not [one for one in found if given[one.rows[0]] != true[one.rows[0]]]


@pytest.mark.parametrize("packed", [False, True])
def test_scores_of_the_files_fit_their_pack(make_manifest, packed: bool):
    """Names repeat from class to class here, and the pack is in another order."""
    given, _, probability = draw(3, 200, 3, 0.1, 5.0)
    labels = ("cat", "dog", "rain")
    names = [f"{labels[at]}/{(given[:row] == at).sum()}.wav" for row, at in enumerate(given)]
    table = Table(labels, [f"/data/{name}" for name in names], given, probability)
    clips = [Clip(f"/data/{name}", (name.partition("/")[0],)) for name in names]
    order = np.random.default_rng(0).permutation(len(clips))
    if packed:
        other = [Clip(f"x.tar::{at}.flac", clips[at].labels) for at in order]
        other = [
            replace(one, extra={PACKED_NAME: names[at]})
            for one, at in zip(other, order, strict=True)
        ]
    else:
        other = [replace(clips[at], path=f"/else/pack.h5::{names[at]}") for at in order]
    wanted = {names[one.rows[0]] for one in label_errors(make_manifest(clips), table)}
    found = {names[order[one.rows[0]]] for one in label_errors(make_manifest(other), table)}
    assert found == wanted


@pytest.mark.parametrize("value", [np.nan, -0.1, 7.0, np.inf])
def test_scores_that_are_no_probabilities_are_refused(make_manifest, value: float):
    scores = np.array([[0.5, 0.5], [0.5, value]])
    table = Table(("a", "b"), ("1.wav", "2.wav"), np.array([0, 1]), scores)
    clips = [Clip("1.wav", ("a",)), Clip("2.wav", ("b",))]
    with pytest.raises(DataError, match=rf"probabilities.*those of 2\.wav are 0\.5, {value:g}"):
        list(label_errors(make_manifest(clips), table))


def test_scores_of_other_clips_are_refused(make_manifest):
    table = Table(("a", "b"), ("/x/1.wav",), np.array([0]), np.array([[0.5, 0.5]]))
    with pytest.raises(DataError, match="of other clips"):
        list(label_errors(make_manifest([Clip("/y/2.wav", ("a",))]), table))
