"""The public API: what it loads, judges and writes down."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

import auricle
from auricle.api import command_line, evaluate_run, export_checked
from auricle.core.config import parse_value
from auricle.core.errors import ArtifactError, ConfigError, DataError
from auricle.evaluation import read_result

OPTIONS = {
    "train.batch_size": 8,
    "train.precision": "fp32",
    "train.threads": 1,
    "data.clip_s": 0.5,
    "augment.preset": "none",
}


@pytest.fixture(scope="module")
def run(tone_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("api") / "run"
    auricle.train(tone_folder, model="small_resnet_tiny", epochs=2, output=output, options=OPTIONS)
    auricle.export(output, output / "model.onnx")
    return output


def scores(output: Path) -> dict[str, np.ndarray]:
    table = read_result(output).scores
    return {
        Path(path).name: row for path, row in zip(table.paths, table.probabilities, strict=True)
    }


def test_a_moved_data_set_keeps_its_test_clips(run, tone_folder, tmp_path):
    there = auricle.evaluate(run, tone_folder, output=tmp_path / "there")
    shutil.copytree(tone_folder, tmp_path / "moved")
    moved = auricle.evaluate(run, tmp_path / "moved", output=tmp_path / "elsewhere")
    assert moved.metrics == there.metrics
    for name, row in scores(tmp_path / "there").items():
        np.testing.assert_array_equal(row, scores(tmp_path / "elsewhere")[name])


@pytest.mark.parametrize("model", ["model.onnx", "checkpoints/best", "checkpoints/last"])
def test_what_lies_in_a_run_folder_is_judged_on_the_runs_test_clips(run, tone_folder, model):
    evaluated = evaluate_run(run / model, tone_folder)
    assert evaluated.why.endswith("test clips of the run's own manifest")
    assert evaluated.result.metrics["accuracy"].count == 7


def test_a_stray_file_cannot_tell_and_says_so(run, tone_folder, tmp_path):
    (tmp_path / "manifest.csv").write_text("path,label\n")
    shutil.copy(run / "model.onnx", tmp_path / "model.onnx")
    evaluated = evaluate_run(tmp_path / "model.onnx", tone_folder)
    assert "cannot be told" in evaluated.why
    with pytest.raises(DataError, match="neither the classifier nor the data set"):
        evaluate_run(tmp_path / "model.onnx", tone_folder, split="test")


def test_the_channel_of_the_data_is_the_channel_that_is_judged(run, tone_folder, tmp_path):
    for path in tone_folder.glob("*/*.wav"):
        sound, rate = soundfile.read(path, dtype="float32")
        stereo = np.stack([np.random.default_rng(0).normal(0, 0.5, len(sound)), sound], 1)
        target = tmp_path / "stereo" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(target, stereo.astype(np.float32), rate, subtype="FLOAT")
    auricle.evaluate(run, tone_folder, output=tmp_path / "mono")
    auricle.evaluate(
        run, tmp_path / "stereo", output=tmp_path / "second", options={"data.channel": 1}
    )
    for name, row in scores(tmp_path / "mono").items():
        np.testing.assert_allclose(row, scores(tmp_path / "second")[name], atol=1e-3)


def test_missing_files_are_counted(run, tone_folder, tmp_path):
    rows = [f"{path},{path.parent.name}" for path in sorted(tone_folder.glob("*/*.wav"))]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["path,label", *rows, f"{tmp_path}/gone.wav,high"]))
    assert evaluate_run(run, table).skipped == 1
    with pytest.raises(DataError, match=r"gone\.wav"):
        evaluate_run(run, table, strict=True)


def test_the_stored_command_says_everything_that_was_asked():
    options = {"split": "test", "data.label": "a b", "train.epochs": 3, "x": None, "strict": True}
    words = command_line("evaluate", ["my run", "data"], options)
    expected = (
        "auricle evaluate 'my run' data --split test --data.label 'a b' --train.epochs 3 --strict"
    )
    assert words == expected


def test_an_evaluation_keeps_the_command_that_makes_it(run, tone_folder):
    result = auricle.evaluate(run, tone_folder, split="validation")
    assert f"auricle evaluate {run} {tone_folder} --split validation" in result.command


@pytest.mark.parametrize("text", ["|", "-", "~", "no", "01", "1e-3", "a: b", "", "yes"])
def test_a_flags_text_stays_text(text):
    assert parse_value(text) == text


def test_lists_and_the_three_words_are_read():
    assert parse_value("[1, 2]") == [1, 2]
    assert parse_value("{a: 1}") == {"a": 1}
    assert [parse_value(word) for word in ("true", "false", "null")] == [True, False, None]


def test_an_unreadable_clip_of_the_run_does_not_stop_an_export(run, tmp_path):
    manifest = (run / "manifest.csv").read_text()
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    (copy / "manifest.csv").write_text(manifest.replace(".wav", ".gone"))
    assert export_checked(copy, tmp_path / "m.onnx").clips == 0


@pytest.mark.parametrize("classes", [0, 5])
def test_create_model_gives_a_plain_network(classes):
    import torch

    from auricle.tensors import Features

    network = auricle.create_model("small_resnet_tiny", classes, options={"dropout": 0.1})
    output = network(Features(torch.zeros(2, 64, 50), torch.full((2,), 50)))
    assert output.embedding.shape == (2, network.embedding_dim)
    assert (output.scores is None) if classes == 0 else (output.scores.shape == (2, 5))


def test_create_model_refuses_nonsense():
    with pytest.raises(ConfigError, match="classes"):
        auricle.create_model("small_resnet", -1)
    with pytest.raises(ConfigError, match="small_resnet"):
        auricle.create_model("smal_resnet", 3)


def test_a_checkpoint_of_another_program_is_not_run(tmp_path):
    (tmp_path / "model.pth").write_bytes(b"\x80\x04.")
    with pytest.raises(ArtifactError, match="nothing in it was executed"):
        auricle.load(tmp_path / "model.pth")
