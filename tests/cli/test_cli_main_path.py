"""The main job through the commands: train, evaluate, export, predict, detect, embed, crossval."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import yaml

from auricle.core.config import read_yaml

TINY = ("--model", "small_resnet_tiny", "--train.batch_size", "8", "--train.workers", "0")
LABELS = ("high", "low", "noisy low")


def read(path: Path) -> list[dict[str, object]]:
    """Read rows of any form that is written, numbers as numbers."""
    if path.suffix == ".parquet":
        return pyarrow.parquet.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        return [{key: number(value) for key, value in row.items()} for row in rows]


def number(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def probabilities(path: Path) -> dict[tuple[str, str], float]:
    return {(str(row["path"]), str(row["label"])): float(str(row["score"])) for row in read(path)}


def test_training_tells_what_it_does_and_what_to_do_next(done, tone_folder, tmp_path):
    run = tmp_path / "run"
    outcome = done("train", tone_folder, *TINY, "--epochs", 4, "--output", run)
    for part in (
        f"given: auricle train {tone_folder}",
        f"config: {run / 'config.yaml'}",
        "clips per class",
        "logmel_8k -> small_resnet_tiny",
        "parameters",
        "multiply-adds",
        "steps to go, about",
        "epoch 4/4",
    ):
        assert part in outcome.err
    figure, saved, following = outcome.out.splitlines()
    assert figure.startswith("test: accuracy 0.")
    assert "95 % interval" in figure
    assert saved == f"saved: {run}"
    assert following == f"next: auricle predict {run} FILES"


def test_evaluation_gives_the_trainers_figure(done, trained, tone_folder, tmp_path):
    for model in (trained, trained / "model.onnx"):
        outcome = done(
            "evaluate", model, tone_folder, "--split", "test", "--output", tmp_path / model.name
        )
        assert "test clips of the run's own manifest" in outcome.err
        for name in ("result.json", "confusion.csv", "confusion.png", "scores.csv"):
            assert (tmp_path / model.name / name).stat().st_size
        ours = json.loads((trained / "test" / "result.json").read_text())
        theirs = json.loads((tmp_path / model.name / "result.json").read_text())
        assert theirs["metrics"] == ours["metrics"]
        assert theirs["confusion"] == ours["confusion"]
        assert theirs["labels"] == list(LABELS)
        header = (tmp_path / model.name / "scores.csv").read_text().splitlines()[0]
        assert header == "path,fold,label,high,low,noisy low"


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_predictions_in_every_form(done, trained, odd_sounds, tmp_path, suffix):
    output = tmp_path / "new folder" / f"out{suffix}"
    outcome = done("predict", trained, odd_sounds, "--top-k", 2, "--output", output)
    files = sorted(str(path) for path in odd_sounds.iterdir())
    assert outcome.out == f"{2 * len(files)} rows: {output}\n"
    rows = read(output)
    assert [list(row) for row in rows] == [["path", "rank", "label", "score"]] * len(rows)
    assert [row["path"] for row in rows[::2]] == files
    assert [row["rank"] for row in rows] == [1, 2] * len(files)
    scores = np.array([row["score"] for row in rows]).reshape(-1, 2)
    assert (scores[:, 0] >= scores[:, 1]).all()
    assert {row["label"] for row in rows} <= set(LABELS)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_events_in_every_form(done, trained, odd_sounds, tmp_path, suffix):
    output = tmp_path / f"out{suffix}"
    done("detect", trained, odd_sounds / "plain.wav", "--threshold", 0, "--output", output)
    rows = read(output)
    assert [list(row) for row in rows] == [
        ["filename", "onset", "offset", "event_label", "score"]
    ] * len(LABELS)
    assert {row["event_label"] for row in rows} == set(LABELS)
    assert {(row["onset"], row["offset"]) for row in rows} == {(0.0, 1.0)}


def test_limits_of_events_are_obeyed(done, trained, odd_sounds, tmp_path):
    words = ("detect", trained, odd_sounds / "plain.wav", "--output", tmp_path / "o.csv")
    done(*words, "--threshold", 1)
    assert read(tmp_path / "o.csv") == []
    done(*words, "--threshold", 0, "--min-length-s", 2)
    assert read(tmp_path / "o.csv") == []


def test_embeddings_in_every_form(done, trained, odd_sounds, tmp_path):
    sounds = [odd_sounds / "plain.wav", odd_sounds / "silence.wav"]
    tables = {}
    for suffix in (".npz", ".csv", ".tsv", ".jsonl", ".parquet"):
        output = tmp_path / f"out{suffix}"
        outcome = done("embed", trained, *sounds, "--output", output)
        assert f"windows of 2 files: {output}" in outcome.out
        if suffix == ".npz":
            with np.load(output) as arrays:
                tables[suffix] = arrays["embedding"]
                assert set(arrays["path"]) == {str(path) for path in sounds}
        else:
            rows = read(output)
            assert list(rows[0]) == ["path", *(f"d{column}" for column in range(8))]
            tables[suffix] = np.array([list(row.values())[1:] for row in rows], np.float32)
    for table in tables.values():
        np.testing.assert_array_equal(table, tables[".npz"])


def test_a_longer_file_is_heard_in_windows_that_overlap(done, trained, tone, tmp_path):
    tone(tmp_path / "long.wav", seconds=5.0)
    done("embed", trained, tmp_path / "long.wav", "--output", tmp_path / "o.csv")
    assert len(read(tmp_path / "o.csv")) == 9  # windows of 1 s, half a second apart
    words = ("embed", trained, tmp_path / "long.wav", "--hop-s", 1)
    done(*words, "--output", tmp_path / "o.csv")
    assert len(read(tmp_path / "o.csv")) == 5


def test_a_batch_never_changes_an_answer(done, trained, odd_sounds, tone_folder, tmp_path):
    for size in (1, 3, 16):
        words = ("predict", trained, odd_sounds, tone_folder, "--batch-size", size)
        done(*words, "--output", tmp_path / f"{size}.csv")
    one = probabilities(tmp_path / "1.csv")
    for size in (3, 16):
        assert probabilities(tmp_path / f"{size}.csv") == pytest.approx(one, abs=1e-6)


@pytest.fixture
def at_many_rates(tone, tmp_path) -> Path:
    for rate in (8000, 16000, 22050, 44100, 48000):
        tone(tmp_path / "rates" / f"{rate}.wav", hz=900, seconds=2.3, sample_rate=rate)
        tone(tmp_path / "rates" / f"{rate}.flac", hz=300, seconds=0.3, sample_rate=rate)
    return tmp_path / "rates"


def test_the_same_answers_in_a_fresh_process_and_without_torch(
    done, run_cli, run_without_torch, trained, at_many_rates, tmp_path
):
    """From any sample rate: 1e-6 for the same file, 1e-4 between the folder and its ONNX file."""

    def words(model: Path, name: str) -> tuple[object, ...]:
        return ("predict", model, at_many_rates, "--quiet", "--output", tmp_path / f"{name}.csv")

    done(*words(trained, "here"))
    for outcome in (
        run_cli(*words(trained, "fresh")),
        run_without_torch(*words(trained, "folder without torch")),
        run_without_torch(*words(trained / "model.onnx", "onnx without torch")),
    ):
        assert outcome.returncode == 0, outcome.stderr
    ours = probabilities(tmp_path / "here.csv")
    assert len(ours) == 10 * len(LABELS)
    assert probabilities(tmp_path / "fresh.csv") == pytest.approx(ours, abs=1e-6)
    theirs = probabilities(tmp_path / "onnx without torch.csv")
    assert theirs == pytest.approx(ours, abs=1e-4)
    assert probabilities(tmp_path / "folder without torch.csv") == theirs


def test_without_torch_the_missing_extra_is_named(
    run_without_torch, message_of, copied, odd_sounds, tone_folder, tmp_path
):
    (copied / "model.onnx").unlink()
    message = message_of(run_without_torch("predict", copied, odd_sounds))
    assert "holds no model.onnx" in message
    assert "pip install 'auricle[train]'" in message
    for words in (
        ("train", tone_folder, *TINY),
        ("crossval", tone_folder, *TINY),
        ("export", copied, tmp_path / "o.onnx"),
        ("models",),
        ("config",),
        ("demo", "--data", tone_folder, "--output", tmp_path / "demo"),
    ):
        message = message_of(run_without_torch(*words))
        assert "pip install 'auricle[train]'" in message, words


def test_crossval_judges_every_clip_once(done, tone_folder, tmp_path):
    folder = tmp_path / "folds"
    outcome = done("crossval", tone_folder, *TINY, "--epochs", 1, "--folds", 2, "--output", folder)
    assert "accuracy" in outcome.out
    rows = read(folder / "scores.csv")
    assert list(rows[0]) == ["path", "fold", "label", *LABELS]
    assert sorted(str(row["path"]) for row in rows) == sorted(
        str(path) for path in tone_folder.glob("*/*.wav")
    )
    for fold in (1, 2):
        ours = {row["path"] for row in rows if row["fold"] == fold}
        theirs = {row["path"] for row in read(folder / f"fold_{fold}" / "test" / "scores.csv")}
        assert ours == theirs
        assert len(ours) == 18
    result = json.loads((folder / "result.json").read_text())
    assert result["metrics"]["accuracy"]["count"] == 36
    assert [fold["count"] for fold in result["folds"]] == [18, 18]
    assert (folder / "confusion.png").stat().st_size
    # Every fold is a classifier of its own.
    done("predict", folder / "fold_1", next(tone_folder.glob("low/*.wav")))


def test_crossval_says_that_the_datas_own_folds_count(done, tone_folder, tmp_path):
    table = tmp_path / "clips.csv"
    sounds = sorted(tone_folder.glob("*/*.wav"))
    rows = [f"{path},{path.parent.name},{at % 2}" for at, path in enumerate(sounds)]
    table.write_text("\n".join(["path,label,fold", *rows]))
    outcome = done("crossval", table, *TINY, "--epochs", 1, "--output", tmp_path / "folds")
    assert "the data set has 2 folds of its own, which are taken in place of 5" in outcome.err


def test_config_reads_back_unchanged(done, tmp_path):
    words = ("--model", "cnn6_tiny", "--train.learning_rate", "1e-5", "--augment.preset", "speech")
    text = done("config", *words, "--seed", 7, "--data.label", "Art: ä").out
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    assert done("config", "--config", file).out == text
    tree = yaml.safe_load(text)
    assert list(tree) == ["data", "frontend", "augment", "model", "train"]
    assert tree["train"]["learning_rate"] == 1e-5
    assert tree["model"]["name"] == "cnn6_tiny"
    assert tree["frontend"]["name"]
    assert tree["data"]["label"] == "Art: ä"


def test_the_config_of_a_run_reads_back_unchanged(done, trained):
    text = done("config", "--config", trained / "config.yaml").out
    kept = (trained / "config.yaml").read_text()
    assert text.startswith(kept)
    # What follows are the augmentations that are off, as comments.
    assert yaml.safe_load(text) == yaml.safe_load(kept)


def test_flags_win_over_variables_and_variables_over_the_file(done, tmp_path, monkeypatch):
    file = tmp_path / "config.yaml"
    file.write_text("train: {epochs: 3, seed: 3, batch_size: 3}")
    monkeypatch.setenv("AURICLE_TRAIN__EPOCHS", "4")
    monkeypatch.setenv("AURICLE_TRAIN__SEED", "4")
    train = yaml.safe_load(done("config", "--config", file, "--seed", 5).out)["train"]
    assert (train["epochs"], train["seed"], train["batch_size"]) == (4, 5, 3)


def test_a_variable_reaches_the_run(done, tone_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("AURICLE_TRAIN__EPOCHS", "1")
    done("train", tone_folder, *TINY, "--output", tmp_path / "run")
    assert read_yaml(tmp_path / "run" / "config.yaml")["train"]["epochs"] == 1


def test_the_default_output_is_the_first_free_name(done, tone_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("train", tone_folder, *TINY, "--max-steps", 1, "--quiet")
    name = f"runs/{tone_folder.name}-small_resnet_tiny"
    assert f"saved: {name}-1" in done(*words).out
    assert f"saved: {name}-2" in done(*words).out


def test_quiet_says_the_result_alone(done, trained, tone_folder, odd_sounds, tmp_path):
    sound = odd_sounds / "plain.wav"
    for words in (
        ("train", tone_folder, *TINY, "--max-steps", 1, "--output", tmp_path / "run"),
        ("predict", trained, sound),
        ("detect", trained, sound),
        ("embed", trained, sound, "--output", tmp_path / "o.csv"),
        ("evaluate", trained, tone_folder),
        ("data", "check", tone_folder),
    ):
        outcome = done(*words, "--quiet")
        assert outcome.err == ""
        assert outcome.out
