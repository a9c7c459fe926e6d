"""What is written: in the form that was asked for, whole or not at all, over nothing of others."""

import contextlib
import json
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import auricle.training.loop
from auricle.core.config import read_yaml

TINY = ("--model", "small_resnet_tiny", "--train.batch_size", "8", "--epochs", "1")


@contextlib.contextmanager
def full_disk(room_bytes: int) -> Iterator[None]:
    """Let the system refuse to make any file of this process longer than this."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def disk_full_at_the_second_checkpoint(monkeypatch) -> dict[str, bytes]:
    """Fill the disk just before the second checkpoint; return the first one's files."""
    first: dict[str, bytes] = {}
    save = auricle.training.loop.save

    def save_on_a_filling_disk(job, position):
        with full_disk(9999) if first else contextlib.nullcontext():
            save(job, position)
        first.update(files_of(job.folder / "checkpoints" / "last"))

    monkeypatch.setattr(auricle.training.loop, "save", save_on_a_filling_disk)
    return first


def test_a_full_disk_leaves_the_old_checkpoint(
    cli,
    message_of,
    done,
    tone_folder,
    odd_sounds,
    tmp_path,
    monkeypatch,
    disk_full_at_the_second_checkpoint,
):
    run = tmp_path / "run"
    words = ("train", tone_folder, *TINY, "--train.save_every", "1s", "--output", run)
    message = message_of(cli(*words))
    assert "cannot write" in message
    assert "File too large" in message
    last = run / "checkpoints" / "last"
    assert files_of(last) == disk_full_at_the_second_checkpoint
    assert [path.name for path in last.parent.iterdir()] == ["last"]
    assert not (run / "model.safetensors").exists()
    # The old checkpoint is a classifier, and the run goes on from it once there is room.
    done("predict", last, odd_sounds / "plain.wav")
    monkeypatch.undo()
    outcome = done(*words, "--resume")
    assert "resuming from step 1" in outcome.err
    assert (run / "model.safetensors").is_file()


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_full_disk_leaves_the_old_predictions(
    cli, message_of, trained, odd_sounds, tmp_path, suffix
):
    output = tmp_path / f"out{suffix}"
    output.write_text("old")
    with full_disk(100):
        outcome = cli("predict", trained, odd_sounds, "--output", output)
    assert f"cannot write {output}" in message_of(outcome)
    assert files_of(tmp_path) == {output.name: b"old"}


def test_a_full_disk_leaves_the_old_export(cli, message_of, trained, tmp_path):
    output = tmp_path / "model.onnx"
    output.write_text("old")
    with full_disk(9999):
        outcome = cli("export", trained, output)
    assert f"cannot write {output}" in message_of(outcome)
    assert files_of(tmp_path) == {output.name: b"old"}


def test_a_full_disk_leaves_the_old_result(cli, message_of, trained, tone_folder, tmp_path):
    done_before = ("evaluate", trained, tone_folder, "--output", tmp_path)
    assert cli(*done_before).status == 0
    before = files_of(tmp_path)
    with full_disk(10):
        outcome = cli(*done_before)
    assert "cannot write" in message_of(outcome)
    assert files_of(tmp_path) == before


def test_an_output_that_is_not_empty_is_kept(refused, tone_folder, copied, tmp_path):
    before = files_of(copied)
    for command in ("train", "crossval"):
        message = refused(command, tone_folder, *TINY, "--output", copied)
        assert "is not empty: use --resume" in message
        assert "--force" in message
    assert files_of(copied) == before


def test_resume_and_force_exclude_each_other(refused, tone_folder, copied):
    before = files_of(copied)
    message = refused("train", tone_folder, *TINY, "--output", copied, "--resume", "--force")
    assert "give one of them" in message
    assert files_of(copied) == before


def test_resume_with_other_options_shows_the_difference(refused, tone_folder, copied):
    message = refused("train", tone_folder, *TINY, "--output", copied, "--resume")
    assert "- epochs: 2; + epochs: 1" in message


def test_force_replaces_the_run_and_nothing_else(done, tone_folder, copied):
    (copied / "notes.txt").write_text("mine")
    (copied / "recordings").mkdir()
    (copied / "recordings" / "a.wav").write_text("mine")
    (copied / "checkpoints" / "last" / "stale").write_text("old")
    done("train", tone_folder, *TINY, "--output", copied, "--force")
    files = files_of(copied)
    assert files["notes.txt"] == files["recordings/a.wav"] == b"mine"
    assert "checkpoints/last/stale" not in files
    assert "model.onnx" not in files  # the old run's, which the new weights do not match
    assert read_yaml(copied / "config.yaml")["train"]["epochs"] == 1


@pytest.mark.parametrize("name", ["README.md", "test/dog/bark.wav", "config.yaml"])
@pytest.mark.parametrize("option", ["--force", "--resume"])
def test_a_folder_of_someone_elses_is_never_written_over(
    refused, tone_folder, tmp_path, name, option
):
    """Such as the folder of the data set itself, given by mistake."""
    path = tmp_path / "theirs" / name
    path.parent.mkdir(parents=True)
    path.write_text("a: 1")
    message = refused("train", tone_folder, *TINY, "--output", tmp_path / "theirs", option)
    assert f"would replace its '{name.partition('/')[0]}'" in message
    assert files_of(tmp_path / "theirs") == {name: b"a: 1"}


@pytest.fixture(params=["file", "below a file", "no permission"])
def unwritable(request, tmp_path, monkeypatch) -> Path:
    """A folder that cannot be made or written into."""
    if request.param == "no permission":
        # The superuser, who runs tests in containers, is refused nothing.
        monkeypatch.setattr("auricle.cli.files.os.access", lambda *_: False)
        return tmp_path / "new"
    (tmp_path / "file").write_text("mine")
    return tmp_path / "file" / ("new" if request.param == "below a file" else "")


@pytest.fixture
def outputs(trained, tone_folder, odd_sounds) -> dict[str, Callable[[Path], tuple[object, ...]]]:
    """The words of every command that writes, given a folder to write into."""
    sound = odd_sounds / "plain.wav"
    return {
        "train": lambda at: ("train", tone_folder, *TINY, "--output", at),
        "crossval": lambda at: ("crossval", tone_folder, *TINY, "--output", at),
        "evaluate": lambda at: ("evaluate", trained, tone_folder, "--output", at),
        "export": lambda at: ("export", trained, at / "model.onnx"),
        "predict": lambda at: ("predict", trained, sound, "--output", at / "o.csv"),
        "detect": lambda at: ("detect", trained, sound, "--output", at / "o.csv"),
        "embed": lambda at: ("embed", trained, sound, "--output", at / "o.npz"),
    }


@pytest.mark.parametrize(
    "command", ["train", "crossval", "evaluate", "export", "predict", "detect", "embed"]
)
def test_an_output_that_cannot_be_written_is_told_before_the_work(
    refused, outputs, unwritable, command, monkeypatch
):
    def work(*_: object, **__: object) -> None:
        pytest.fail("the work was begun")

    for place in ("train_run", "crossval_run", "evaluate_run", "export_checked", "load"):
        monkeypatch.setattr(f"auricle.api.{place}", work)
    message = refused(*outputs[command](unwritable))
    assert "is a file, not a folder" in message or "no permission" in message


def test_an_output_that_is_a_folder(refused, trained, odd_sounds, tmp_path):
    (tmp_path / "o.csv").mkdir()
    message = refused("predict", trained, odd_sounds, "--output", tmp_path / "o.csv")
    assert "is a folder; name a file" in message


@pytest.mark.parametrize("command", ["detect", "embed"])
def test_a_suffix_that_cannot_be_written(refused, trained, odd_sounds, tmp_path, command):
    message = refused(command, trained, odd_sounds, "--output", tmp_path / "x.xls")
    assert ".csv, .tsv, .jsonl, .parquet" in message
    assert (".npz" in message) == (command == "embed")


def test_crossval_goes_on_with_the_fold_that_was_stopped(done, cli, tone_folder, tmp_path):
    folder = tmp_path / "folds"
    words = ("crossval", tone_folder, *TINY, "--folds", 2, "--output", folder)
    done(*words)
    result = json.loads((folder / "result.json").read_text())
    for name in ("config.json", "model.safetensors", "test/scores.csv", "test/result.json"):
        (folder / "fold_2" / name).unlink()  # as if it had been stopped in its second fold
    (folder / "result.json").unlink()
    finished = {path: path.stat().st_mtime_ns for path in (folder / "fold_1").rglob("*")}
    outcome = done(*words, "--resume")
    assert "fold 1: finished before" in outcome.err
    assert {path: path.stat().st_mtime_ns for path in (folder / "fold_1").rglob("*")} == finished
    assert (folder / "fold_2" / "model.safetensors").is_file()
    assert json.loads((folder / "result.json").read_text()) == result
    other = cli(*words, "--resume", "--seed", 3)
    assert other.status == 2
    assert "seed" in other.err


def test_a_finished_fold_remembers_what_it_left_out(done, cli, tone_folder, bad_sounds, tmp_path):
    data = Path(shutil.copytree(tone_folder, tmp_path / "data"))
    shutil.copy(bad_sounds / "text.wav", data / "low" / "text.wav")
    words = ("crossval", data, *TINY, "--folds", 2, "--output", tmp_path / "folds", "--quiet")
    assert cli(*words).status == 1
    assert cli(*words, "--resume").status == 1
    assert cli(*words, "--resume", "--allow-skips").status == 0
