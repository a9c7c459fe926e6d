"""Data sets that cannot be trained on, or only in part."""

import csv
import shutil
from pathlib import Path

import pytest

from auricle.data import read_manifest
from auricle.evaluation import read_scores

TINY = ("--model", "small_resnet_tiny", "--train.batch_size", "8", "--max-steps", "1")


@pytest.fixture
def trains(cli, tmp_path):
    """Take one step on a data set and return the outcome; the run is in `tmp_path/run`."""
    return lambda data, *more: cli("train", data, *TINY, "--output", tmp_path / "run", *more)


@pytest.fixture
def untrainable(message_of, trains, tmp_path):
    """Train on a data set that must be refused before a run folder is made."""

    def run(data: Path, *more: object) -> str:
        message = message_of(trains(data, *more))
        assert not (tmp_path / "run").exists()
        return message

    return run


def test_an_empty_folder(untrainable, tmp_path):
    (tmp_path / "data").mkdir()
    assert "no sound found" in untrainable(tmp_path / "data")
    (tmp_path / "data" / "class without clips").mkdir()
    assert "no sound found" in untrainable(tmp_path / "data")


def test_a_path_that_does_not_exist_names_the_nearest(untrainable, tmp_path):
    (tmp_path / "sounds").mkdir()
    message = untrainable(tmp_path / "suonds")
    assert f"data set not found: {tmp_path / 'suonds'}" in message
    assert f"did you mean '{tmp_path / 'sounds'}'?" in message


def test_a_file_that_is_no_data_set(untrainable, tone_folder):
    assert "is no data set" in untrainable(next(tone_folder.glob("low/*.wav")))


def test_a_folder_with_one_class(untrainable, tmp_path, tone):
    for take in range(3):
        tone(tmp_path / "data" / "only" / f"{take}.wav", seed=take)
    message = untrainable(tmp_path / "data")
    assert "at least 2 classes" in message
    assert "only one: 'only'" in message


def test_a_class_with_one_clip_is_trained_on_and_pointed_out(
    cli, trains, tone_folder, tmp_path, tone
):
    data = Path(shutil.copytree(tone_folder, tmp_path / "data"))
    tone(data / "rare" / "single.wav", hz=5000)
    outcome = trains(data)
    assert outcome.status == 0, outcome.err
    manifest = read_manifest(tmp_path / "run" / "manifest.csv")
    assert {clip.split for clip in manifest.clips if clip.labels == ("rare",)} == {"train"}
    checked = cli("data", "check", data)
    assert checked.status == 1
    assert "the class 'rare' has one clip" in checked.out


def test_two_clips_are_too_few_for_a_figure_but_not_an_error(trains, tmp_path, tone):
    for label in ("a", "b"):
        tone(tmp_path / "data" / label / "0.wav", hz=500 if label == "a" else 2000)
    outcome = trains(tmp_path / "data")
    assert outcome.status == 0, outcome.err
    assert "nan" not in outcome.out


TABLES = {
    "path,colour\na.wav,red\n": "has no column for the label: it has 'path', 'colour'",
    "sound of,label\na.wav,red\n": "has no column for the path",
    "path,lable\na.wav,red\n": "perhaps --data.label lable",
    "path,label\nno.wav,a\nno2.wav,b\n": "none of the 2 files",
    "path,label\n": "no rows",
    "": "is empty",
    "a.wav,red\n": "its first row must name the columns",
    "path,path,label\na.wav,a.wav,red\n": "two columns called 'path'",
}


@pytest.mark.parametrize("text", TABLES)
def test_a_table_that_cannot_be_read(untrainable, tmp_path, text):
    table = tmp_path / "labels.csv"
    table.write_text(text)
    assert TABLES[text] in untrainable(table)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data.label", "lbael"], "Did you mean 'label'?"),
        (["--data.fold", "flod"], "Did you mean 'fold'?"),
        (["--audio-root", "nowhere"], "--audio-root nowhere"),
        (["--data.reader", "tabel"], "did you mean 'table'?"),
        (["--data.test_fold", "9"], "9"),
    ],
)
def test_options_that_a_table_does_not_bear(untrainable, tone_folder, tmp_path, options, words):
    table = tmp_path / "labels.csv"
    files = sorted(tone_folder.glob("*/*.wav"))
    rows = [f"{file},{file.parent.name},{number % 3}" for number, file in enumerate(files)]
    table.write_text("\n".join(["path,label,fold", *rows]))
    assert words in untrainable(table, *options)


def test_files_that_are_no_sound_end_a_run(message_of, trains, tmp_path):
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "data" / label / f"{number}.wav").write_text("text")
    message = message_of(trains(tmp_path / "data"))
    assert "6 of 6 clips cannot be used" in message
    assert "is not a sound file" in message


@pytest.fixture
def with_a_bad_clip(tone_folder, bad_sounds, tmp_path) -> Path:
    data = Path(shutil.copytree(tone_folder, tmp_path / "data"))
    shutil.copy(bad_sounds / "cut.ogg", data / "low" / "cut.ogg")
    return data


def test_one_bad_clip_is_left_out_and_counted(trains, with_a_bad_clip, tmp_path):
    outcome = trains(with_a_bad_clip, "--quiet")
    assert outcome.status == 1
    assert "clips were left out" in outcome.err
    assert "low/cut.ogg is cut short" in outcome.err
    assert (tmp_path / "run" / "model.safetensors").is_file()
    assert trains(with_a_bad_clip, "--force", "--allow-skips").status == 0
    outcome = trains(with_a_bad_clip, "--force", "--data.allow_truncated", "true")
    assert outcome.status == 0
    assert "left out" not in outcome.err


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_bad_clip_that_shows_only_when_it_is_read_is_left_out(
    cli, tone_folder, bad_sounds, tmp_path, split
):
    """Where the clips do not fit the memory, only their headers are read beforehand."""
    rows = [f"{bad_sounds / 'cut.ogg'},low,{split}"]
    for path in sorted(tone_folder.glob("*/*.wav")):
        take = int(path.stem.rsplit("-", 1)[1])
        rows.append(f"{path},{path.parent.name},{('test', 'validation', 'train')[min(take, 2)]}")
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["path,label,split", *rows]))
    words = ("--model", "small_resnet_tiny", "--train.batch_size", "8", "--epochs", "1")
    outcome = cli("train", table, *words, "--data.cache_mb", 0, "--output", tmp_path / "run")
    assert outcome.status == 1, outcome.err
    assert outcome.err.count("cut.ogg is cut short") == 1
    assert len(read_scores(tmp_path / "run" / "test").paths) == 3


def test_more_bad_clips_than_allowed_end_a_run(message_of, trains, with_a_bad_clip):
    message = message_of(trains(with_a_bad_clip, "--train.max_bad_fraction", 0))
    assert "1 of 37 clips cannot be used (allowed: 0%, --train.max_bad_fraction)" in message
    assert "cut.ogg" in message


def test_labels_of_which_the_classifier_knows_nothing(refused, trained, tmp_path, tone):
    for label in ("cat", "dog"):
        tone(tmp_path / label / "0.wav")
    message = refused("evaluate", trained, tmp_path)
    assert "does not know these labels of the data: 'cat'" in message


def test_a_split_that_is_not_there(refused, trained, tone_folder):
    message = refused("evaluate", trained, tone_folder, "--split", "tset")
    assert "unknown split 'tset'; did you mean 'test'?" in message


@pytest.mark.parametrize("folds", ["1", "99", "two"])
def test_folds_that_cannot_be_made(refused, tone_folder, tmp_path, folds):
    message = refused(
        "crossval", tone_folder, *TINY, "--folds", folds, "--output", tmp_path / "folds"
    )
    assert "folds" in message
    assert not (tmp_path / "folds").exists()


def test_odd_names_train_and_are_judged(cli, trains, tone_folder, tmp_path):
    """Names with blanks, line ends, commas and markup."""
    data = tmp_path / "data set"
    for folder in tone_folder.iterdir():
        shutil.copytree(folder, data / f"[b]{folder.name}[b] ä")
    files = sorted(data.glob("*/*-0.wav"))
    files[0].rename(files[0].with_name("new\nline, with comma.wav"))
    files[1].rename(files[1].with_name(" blanks .wav"))
    outcome = trains(data)
    assert outcome.status == 0, outcome.err
    clips = read_manifest(tmp_path / "run" / "manifest.csv").clips
    assert {clip.path for clip in clips} == {str(path) for path in data.glob("*/*.wav")}
    outcome = cli("evaluate", tmp_path / "run", data, "--output", tmp_path / "result")
    assert outcome.status == 0, outcome.err
    assert "[b]low[b] ä" in outcome.out
    assert len(read_scores(tmp_path / "result").paths) == 7


def test_a_name_that_is_not_text_is_left_out_and_told(trains, tone_folder, tmp_path):
    data = Path(shutil.copytree(tone_folder, tmp_path / "data"))
    path = next(data.glob("low/*.wav"))
    try:
        path.rename(path.with_name("no text \udcff.wav"))
    except OSError:
        pytest.skip("this file system takes names of text only")
    outcome = trains(data, "--quiet")
    assert outcome.status == 1
    assert r"no text \udcff.wav': the file's name is not valid UTF-8" in outcome.err


def test_data_check_ends_with_what_it_found(cli, tone_folder, with_a_bad_clip, tmp_path):
    good = cli("data", "check", tone_folder)
    assert good.status == 0, good.out
    bad = cli("data", "check", with_a_bad_clip, "--output", tmp_path / "report.json")
    assert bad.status == 1
    assert "cut short" in bad.out
    assert "truncated" in (tmp_path / "report.json").read_text()


def test_data_check_of_what_is_no_data_set(refused, tmp_path):
    assert "data set not found" in refused("data", "check", tmp_path / "nowhere")
    assert "no sound found" in refused("data", "check", tmp_path)
    (tmp_path / "x.csv").write_text("path,foo\na.wav,b\n")
    assert "no column for the label" in refused("data", "check", tmp_path / "x.csv")


def test_the_demo_refuses_data_that_is_not_there(refused, tmp_path):
    assert "there is no such file or folder" in refused("demo", "--data", tmp_path / "nowhere")


def test_a_table_with_a_mark_and_blanks_trains(trains, tone_folder, tmp_path):
    """A table as a spreadsheet saves it: byte-order mark, semicolons, blanks."""
    table = tmp_path / "labels.csv"
    with table.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["Datei", "Klasse"])
        for path in sorted(tone_folder.glob("*/*.wav")):
            writer.writerow([f" {path.relative_to(tone_folder)} ", f"{path.parent.name} "])
    options = ("--data.path", "Datei", "--data.label", "Klasse", "--audio-root", tone_folder)
    outcome = trains(table, *options)
    assert outcome.status == 0, outcome.err
