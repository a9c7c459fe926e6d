"""--classes, --label-names, --background and --abstain-below through the commands."""

import csv
import json

import pytest

from auricle.core.config import read_yaml

TINY = ("--model", "small_resnet_tiny", "--train.batch_size", "8", "--epochs", "1")


@pytest.fixture(scope="module")
def listings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("listings")
    (folder / "classes.txt").write_text("noisy low\nhigh\n")
    (folder / "names.csv").write_text("id,label\nhigh,Pfeifen\nlow,Brummen\n")
    return folder


@pytest.fixture(scope="module")
def kept(listings, tone_folder, tmp_path_factory, done):
    """A run on two of three classes, one of which means none of these."""
    folder = tmp_path_factory.mktemp("kept") / "run"
    how = ("--classes", listings / "classes.txt", "--background", "noisy low")
    done("train", tone_folder, *TINY, *how, "--output", folder)
    return folder


def spec_of(folder) -> dict:
    return json.loads((folder / "config.json").read_text())["spec"]


def test_a_run_has_the_classes_of_the_list_in_their_order(kept, listings):
    spec = spec_of(kept)
    assert spec["labels"] == ["noisy low", "high"]
    assert spec["background"] == "noisy low"
    assert read_yaml(kept / "config.yaml")["data"]["classes"] == str(listings / "classes.txt")


def test_evaluation_reads_the_data_as_the_run_did(kept, tone_folder, done, tmp_path):
    done("evaluate", kept, tone_folder, "--split", "test", "--output", tmp_path / "judged")
    result = json.loads((tmp_path / "judged" / "result.json").read_text())
    assert result["labels"] == ["noisy low", "high"]
    assert "coverage" not in result["metrics"]


def test_a_run_whose_list_of_classes_is_gone_can_be_judged(
    kept, listings, tone, tone_folder, tmp_path, done, refused
):
    for label, hz in (("high", 3000), ("low", 300)):
        tone(tmp_path / "data" / label / "new.wav", hz=hz, seconds=0.8, seed=950)
    away = (listings / "classes.txt").rename(tmp_path / "away.txt")
    try:
        outcome = done("evaluate", kept, tone_folder)
        assert "is not here and left out" in outcome.err
        assert "judging on 5 test clips of the run's own manifest" in outcome.err
        assert "does not know these labels" in refused("evaluate", kept, tmp_path / "data")
        done("evaluate", kept, tmp_path / "data", "--classes", away)
    finally:
        away.rename(listings / "classes.txt")


def test_data_without_the_background_can_be_judged(kept, tone, tmp_path, done, refused):
    for at in range(4):
        tone(tmp_path / "data" / "high" / f"{at}.wav", hz=3000, seconds=0.8, seed=900 + at)
    done("evaluate", kept, tmp_path / "data")
    message = refused("evaluate", kept, tmp_path / "data", "--background", "hgih")
    assert "--data.background hgih: the data has no such label; did you mean 'high'?" in message


def test_evaluation_tells_coverage(trained, tone_folder, done, refused, tmp_path):
    how = ("--split", "test", "--abstain-below", 0.5, "--output", tmp_path / "judged")
    outcome = done("evaluate", trained, tone_folder, *how)
    assert "accuracy_when_answering" in outcome.out
    result = json.loads((tmp_path / "judged" / "result.json").read_text())
    with (tmp_path / "judged" / "scores.csv").open() as file:
        best = [max(map(float, list(row.values())[3:])) for row in csv.DictReader(file)]
    expected = sum(score >= 0.5 for score in best) / len(best)
    assert result["metrics"]["coverage"]["value"] == pytest.approx(expected)
    assert "--abstain-below 0.5" in result["command"]
    assert "0 to 1" in refused("evaluate", trained, tone_folder, "--abstain-below", 1.5)


def test_names_for_ids(listings, tone_folder, tmp_path, done, refused):
    how = ("--label-names", listings / "names.csv")
    done("train", tone_folder, *TINY, *how, "--output", tmp_path / "run")
    assert spec_of(tmp_path / "run")["labels"] == ["Brummen", "Pfeifen", "noisy low"]
    for key in ("classes", "label-names"):
        missing = tmp_path / "none.txt"
        assert "cannot be read" in refused("train", tone_folder, *TINY, f"--{key}", missing)


def test_short_and_dotted_spellings_must_agree(listings, tone_folder, refused):
    how = ("--classes", "a.txt", "--data.classes", "b.txt")
    for command in (("train", tone_folder), ("crossval", tone_folder)):
        assert "disagree" in refused(*command, *how)


def test_abstaining_predictions_are_rows_like_others(trained, tone_folder, done, tmp_path):
    file = next((tone_folder / "high").iterdir())
    out = tmp_path / "said.csv"
    done("predict", trained, file, "--abstain-below", 1, "--output", out)
    with out.open() as table:
        rows = list(csv.DictReader(table))
    assert [(row["rank"], row["label"]) for row in rows] == [("1", "none of these")]
    done("predict", trained, file, "--output", out)
    with out.open() as table:
        plain = list(csv.DictReader(table))
    assert rows[0]["score"] == plain[0]["score"]
    done("predict", trained, file, "--abstain-below", 0, "--output", tmp_path / "all.csv")
    assert (tmp_path / "all.csv").read_text() == out.read_text()


def test_the_background_is_the_word_for_an_abstention_and_no_event(kept, tone, done, tmp_path):
    file = tone(tmp_path / "a.wav", hz=900, seconds=0.8)
    assert "noisy low" in done("predict", kept, file, "--abstain-below", 1).out
    out = tmp_path / "events.csv"
    done("detect", kept, file, "--threshold", 0, "--output", out)
    with out.open() as table:
        assert [row["event_label"] for row in csv.DictReader(table)] == ["high"]


@pytest.mark.parametrize("limit", ["-0.1", "2", "nan"])
def test_a_limit_that_is_no_probability_is_refused(trained, tone_folder, refused, limit: str):
    file = next((tone_folder / "high").iterdir())
    assert "0 to 1" in refused("predict", trained, file, f"--abstain-below={limit}")


def test_multi_label_background_clips_are_examples_of_none(tone_folder, tmp_path, done):
    table = tmp_path / "clips.csv"
    clips = sorted(tone_folder.rglob("*.wav"))
    rows = [f"{clip},{clip.parent.name.replace(' ', ';')}\n" for clip in clips]
    table.write_text("path,label\n" + "".join(rows))
    how = ("--data.label_separator", ";", "--background", "high", "--output", tmp_path / "run")
    outcome = done("train", table, *TINY, *how)
    assert "12 clips labelled 'high' are examples of none of the classes" in outcome.err
    spec = spec_of(tmp_path / "run")
    assert (spec["labels"], spec["background"]) == (["low", "noisy"], "high")
    with (tmp_path / "run" / "manifest.csv").open() as file:
        held = {row["labels"] for row in csv.DictReader(file)}
    assert held == {"", "low", "noisy|low"}
