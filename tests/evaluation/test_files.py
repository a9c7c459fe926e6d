"""Result files: what is written, that it reads back, and that nothing is left half done."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.core.errors import DataError
from auricle.core.writing import WriteError
from auricle.evaluation import (
    Result,
    ScoreTable,
    align_labels,
    evaluate_scores,
    merge_scores,
    read_result,
    read_scores,
    write_result,
    write_scores,
)


@pytest.fixture
def result() -> Result:
    """A result with a class that never occurs, so that it holds figures that are not defined."""
    rng = np.random.default_rng(0)
    return evaluate_scores(
        labels=("path", "Bell, church", "Glocke; groß"),
        targets=rng.integers(0, 2, 30),
        probabilities=rng.dirichlet([1, 1, 1], 30),
        paths=[f"ä {clip}.wav" for clip in range(30)],
        folds=["1", "2", "3"] * 10,
        config={"train": {"epochs": 3}},
        command="auricle crossval data",
        seed=3,
    )


@pytest.fixture
def many_labels() -> Result:
    # Equal scores keep d' finite: an infinite one reads back as NaN.
    return evaluate_scores(
        labels=("a;b", 'c "d"', "e"),
        targets=[[1, 1, 0], [0, 0, 0], [0, 0, 1]],
        probabilities=[[0.9, 0.2, 0.1]] * 3,
        paths=["1.wav", "2.wav", "3.wav"],
        multi_label=True,
        config={},
        command="auricle evaluate run data",
    )


def test_the_layout_of_the_json(result: Result, many_labels: Result, tmp_path: Path) -> None:
    keys = ["metrics", "per_class", "confusion", "labels", "config", "command", "seed"]
    write_result(tmp_path / "one", many_labels)
    tree = json.loads((tmp_path / "one" / "result.json").read_text())
    assert list(tree) == keys
    assert tree["confusion"] is None
    write_result(tmp_path / "all", result)
    tree = json.loads((tmp_path / "all" / "result.json").read_text(encoding="utf-8"))
    assert list(tree) == [*keys, "folds", "mean_over_folds"]
    assert set(tree["metrics"]["accuracy"]) == {"value", "low", "high", "count", "groups"}
    assert tree["metrics"]["accuracy"]["groups"] is None
    assert tree["per_class"]["Glocke; groß"]["recall"] is None
    assert tree["per_class"]["Glocke; groß"]["support"] == 0
    assert tree["folds"][0]["fold"] == "1"
    assert tree["config"] == {"train": {"epochs": 3}}


def test_the_json_holds_no_number_that_other_readers_refuse(tmp_path: Path) -> None:
    # Every positive above every negative: d' is infinite, and one clip has no interval.
    perfect = evaluate_scores(
        labels=("a", "b"),
        targets=[[1, 0], [0, 0]],
        probabilities=[[0.9, 0.1], [0.1, 0.2]],
        paths=["1", "2"],
        groups=["same", "same"],
        multi_label=True,
        config={},
        command="",
    )
    assert perfect.metrics["d_prime"].value == math.inf
    write_result(tmp_path, perfect)

    def refuse(name: str) -> float:
        raise AssertionError(f"{name} is not JSON")

    tree = json.loads((tmp_path / "result.json").read_text(), parse_constant=refuse)
    assert tree["metrics"]["d_prime"]["value"] is None
    assert tree["metrics"]["mean_average_precision"] == {
        "value": 1.0,
        "low": None,
        "high": None,
        "count": 2,
        "groups": 1,
    }


def test_results_read_back(result: Result, many_labels: Result, tmp_path: Path) -> None:
    for index, written in enumerate((result, many_labels)):
        folder = tmp_path / str(index)
        write_result(folder, written)
        read = read_result(folder)
        np.testing.assert_equal(
            read.model_dump(exclude={"scores"}), written.model_dump(exclude={"scores"})
        )
        assert isinstance(next(iter(read.per_class.values()))["support"], int)
        assert read.scores is not None
        assert written.scores is not None
        assert read.scores.paths == written.scores.paths
        np.testing.assert_array_equal(read.scores.targets, written.scores.targets)
        np.testing.assert_array_equal(read.scores.probabilities, written.scores.probabilities)


def test_the_table_of_scores_gives_the_figures_again(result: Result, tmp_path: Path) -> None:
    write_result(tmp_path, result)
    table = read_scores(tmp_path)
    again = evaluate_scores(
        labels=table.labels,
        targets=table.targets,
        probabilities=table.probabilities,
        paths=table.paths,
        folds=table.folds,
        config=result.config,
        command=result.command,
        seed=result.seed,
    )
    np.testing.assert_equal(
        again.model_dump(exclude={"scores"}), result.model_dump(exclude={"scores"})
    )


def test_the_layout_of_the_tables(result: Result, tmp_path: Path) -> None:
    write_result(tmp_path, result)
    with (tmp_path / "scores.csv").open(newline="", encoding="utf-8") as file:
        header, first, *rest = csv.reader(file)
    assert header == ["path", "fold", "label", "path", "Bell, church", "Glocke; groß"]
    assert first[:2] == ["ä 0.wav", "1"]
    assert first[2] in result.labels
    assert len(rest) == 29
    with (tmp_path / "confusion.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["truth", *result.labels]
    assert [[int(cell) for cell in row[1:]] for row in rows] == result.confusion
    assert [row[0] for row in rows] == list(result.labels)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_tables_of_any_labels_and_scores_read_back(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = st.text(st.sampled_from("ab ;,\"\\'é"), min_size=1, max_size=4)
    labels = data.draw(st.lists(text, min_size=1, max_size=4, unique=True))
    clips = data.draw(st.integers(1, 5))
    multi = data.draw(st.booleans())
    number = st.floats(0, 1, width=32)
    rows = st.lists(number, min_size=len(labels), max_size=len(labels))
    held = st.lists(st.booleans(), min_size=len(labels), max_size=len(labels))
    one = st.integers(0, len(labels) - 1)
    table = ScoreTable(
        tuple(labels),
        tuple(data.draw(st.lists(text, min_size=clips, max_size=clips))),
        tuple(data.draw(st.lists(text, min_size=clips, max_size=clips))),
        np.array(data.draw(st.lists(held if multi else one, min_size=clips, max_size=clips))),
        np.array(data.draw(st.lists(rows, min_size=clips, max_size=clips)), np.float32),
    )
    path = tmp_path_factory.mktemp("scores") / "scores.csv"
    write_scores(path, table)
    read = read_scores(path, multi_label=multi)
    assert (read.labels, read.paths, read.folds) == (table.labels, table.paths, table.folds)
    np.testing.assert_array_equal(read.targets, table.targets)
    np.testing.assert_array_equal(read.probabilities, table.probabilities)


def test_folds_are_merged(result: Result) -> None:
    table = result.scores
    assert table is not None
    parts = [
        ScoreTable(
            table.labels,
            table.paths[chosen],
            table.folds[chosen],
            table.targets[chosen],
            table.probabilities[chosen],
        )
        for chosen in (slice(0, 7), slice(7, 30))
    ]
    merged = merge_scores(parts)
    assert merged.paths == table.paths
    assert merged.folds == table.folds
    np.testing.assert_array_equal(merged.targets, table.targets)
    np.testing.assert_array_equal(merged.probabilities, table.probabilities)
    other = ScoreTable(("x",), ("p",), ("",), np.array([0]), np.ones((1, 1), np.float32))
    with pytest.raises(DataError, match="labels are the same"):
        merge_scores([table, other])
    with pytest.raises(DataError, match="at least one table"):
        merge_scores([])


def test_labels_are_aligned_to_those_of_the_classifier() -> None:
    one = align_labels(["b", "a"], [["a"], ["b"], ["a"]], multi_label=False)
    assert one.tolist() == [1, 0, 1]
    many = align_labels(["b", "a"], [["a", "b"], [], ["a"]], multi_label=True)
    assert many.tolist() == [[True, True], [False, False], [False, True]]


def test_labels_that_do_not_fit_are_named() -> None:
    with pytest.raises(DataError, match=r"'x' \(2 clips\), 'y' \(1 clips\).*it knows 'a'"):
        align_labels(["a"], [["x"], ["a"], ["y", "x"]], multi_label=True)
    with pytest.raises(DataError, match="clip 2 has 2"):
        align_labels(["a", "b"], [["a"], ["a", "b"]], multi_label=False)
    with pytest.raises(DataError, match="clip 1 has 0"):
        align_labels(["a", "b"], [[]], multi_label=False)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"metrics": {}}', "\x00\xff"])
def test_files_that_are_no_result_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match="not the result of an evaluation"):
        read_result(tmp_path)


def test_a_missing_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_result(tmp_path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "cannot be read"),
        ("name,fold,label,a\n", "must begin with the columns path,fold,label, got name,fold"),
        ("path,fold,label,a\nx,1,a,high\n", "1 numbers in every row"),
        ("path,fold,label,a,b\nx,1,a,0.5\n", "2 numbers in every row"),
        ("path,fold,label,a\nx,1,b,0.5\n", r"'b' \(1 clips\)"),
    ],
)
def test_tables_that_are_not_of_scores_are_refused(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text(text)
    with pytest.raises(DataError, match=problem):
        read_scores(tmp_path)


def test_a_failed_write_leaves_no_result(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_result(tmp_path, result)
    before = (tmp_path / "result.json").read_bytes()
    changed = result.model_copy(update={"seed": 99})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WriteError, match="No space left"):
        write_result(tmp_path, changed)
    with pytest.raises(WriteError, match="No space left"):
        write_result(tmp_path / "new", changed)
    assert (tmp_path / "result.json").read_bytes() == before
    assert sorted(file.name for file in tmp_path.rglob("*.*")) == [
        "confusion.csv",
        "result.json",
        "scores.csv",
    ]
