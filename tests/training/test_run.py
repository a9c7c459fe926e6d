"""A run end to end, in one process: what it leaves, and that its figures are the deployed ones."""

import json

import numpy as np
import pytest

import auricle
from auricle.core.config import read_yaml
from auricle.core.errors import ConfigError
from auricle.data import read_manifest
from auricle.evaluation import read_result


def test_a_run_folder_is_complete(train_tones, tmp_path):
    run = train_tones(tmp_path / "run")
    names = {path.name for path in run.folder.iterdir()}
    assert {
        "config.json",
        "config.yaml",
        "manifest.csv",
        "log.csv",
        "model.safetensors",
        "README.md",
        "checkpoints",
        "test",
    } <= names
    config = json.loads((run.folder / "config.json").read_text())
    assert list(config) == ["format_version", "spec", "frontend", "model", "training"]
    splits = {clip.split for clip in read_manifest(run.folder / "manifest.csv").clips}
    assert splits == {"train", "validation", "test"}
    assert "accuracy" in (run.folder / "README.md").read_text()
    assert read_yaml(run.folder / "config.yaml")["train"]["epochs"] == 3
    assert (run.folder / "checkpoints" / "best" / "config.json").is_file()


def test_tones_are_told_apart(train_tones, tmp_path):
    run = train_tones(tmp_path / "run", epochs=25, train__save_every="25e", augment__preset="none")
    assert run.judged_on == "test"
    assert run.result.metrics["accuracy"].value >= 0.8


def test_the_trainers_figure_is_the_deployed_files_figure(train_tones, tone_folder, tmp_path):
    run = train_tones(tmp_path / "run")
    auricle.export(run.folder, run.folder / "model.onnx")
    ours = read_result(run.folder / "test").scores
    for model in (run.folder, run.folder / "model.onnx"):
        auricle.evaluate(model, tone_folder, split="test", output=tmp_path / "evaluation")
        theirs = read_result(tmp_path / "evaluation").scores
        assert ours.paths == theirs.paths
        tolerance = 1e-6 if model == run.folder else 1e-4
        np.testing.assert_allclose(ours.probabilities, theirs.probabilities, atol=tolerance)


def test_a_network_that_compares_clips_refuses_one_at_a_time(train_tones, tmp_path):
    with pytest.raises(ConfigError, match=r"train\.batch_size must be at least 2, got 1"):
        train_tones(tmp_path / "run", model__name="ecapa_tdnn_tiny", train__batch_size=1)
    train_tones(tmp_path / "other", train__batch_size=1, train__max_steps=2)


def test_a_network_with_probabilities_trains_too(train_tones, tmp_path):
    import auricle.models

    names = [n for n in auricle.models.MODELS if auricle.models.MODELS[n].tiny]
    assert len(names) >= 3
    run = train_tones(tmp_path / "run", model__name="cnn14_decision_att_tiny")
    assert auricle.load(run.folder).spec.activation == "none"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_both_precisions_train_and_answer_in_fp32(train_tones, tmp_path, precision, tone_folder):
    run = train_tones(tmp_path / precision, train__precision=precision)
    prediction = auricle.load(run.folder).predict(next(tone_folder.glob("low/*.wav")))
    assert sum(prediction.scores) == pytest.approx(1, abs=1e-5)


def test_best_on_validation_is_what_is_kept_when_asked(train_tones, tmp_path):
    run = train_tones(tmp_path / "run", train__select="best", train__eval_every="1s")
    best = (run.folder / "checkpoints" / "best" / "model.safetensors").read_bytes()
    assert (run.folder / "model.safetensors").read_bytes() == best


def test_without_validation_every_training_clip_is_trained_on(train_tones, tmp_path):
    run = train_tones(tmp_path / "run", data__validation_share=0)
    splits = [clip.split for clip in read_manifest(run.folder / "manifest.csv").clips]
    assert splits.count("validation") == 0
    assert splits.count("train") + splits.count("test") == 36


def test_several_labels_in_a_cell_train_a_multi_label_classifier(tone_folder, tmp_path):
    rows = ["path,label"]
    for path in sorted(tone_folder.glob("*/*.wav")):
        extra = ";tone" if path.stem.endswith(("1", "2", "3")) else ""
        rows.append(f"{path},{path.parent.name}{extra}")
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(rows))
    run = auricle.train(
        table,
        model="small_resnet_tiny",
        epochs=1,
        output=tmp_path / "run",
        options={"data.label_separator": ";", "train.batch_size": 8, "data.clip_s": 0.5},
    )
    assert auricle.load(run.folder).spec.activation == "sigmoid"
    assert next(iter(run.result.metrics)) == "mean_average_precision"


def test_an_output_that_is_not_empty_is_refused(train_tones, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("keep me")
    with pytest.raises(ConfigError, match="not empty"):
        train_tones(tmp_path / "run")
    assert (tmp_path / "run" / "mine.txt").read_text() == "keep me"
