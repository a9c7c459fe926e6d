"""Networks for pictures walk the same path: train with SpecAugment, export, predict."""

import csv

import pytest

TRAIN = ("--train.batch_size", "8", "--train.workers", "0", "--epochs", "1")
STANDARD = ("--augment.preset", "standard")  # SpecAugment and all others


def scores(path):
    with path.open(newline="", encoding="utf-8") as file:
        return {(row["path"], row["label"]): float(row["score"]) for row in csv.DictReader(file)}


@pytest.mark.parametrize("model", ["image_resnet_tiny", "image_vit_tiny"])
def test_pictures_from_training_to_the_exported_file(done, tone_folder, tmp_path, model):
    run, exported = tmp_path / "run", tmp_path / "model.onnx"
    outcome = done("train", tone_folder, "--model", model, *TRAIN, *STANDARD, "--output", run)
    assert f"image_8k_64 -> {model}" in outcome.err
    done("export", run, exported)
    sounds = [tone_folder / "low" / f"low-{take}.wav" for take in range(3)]
    for which, output in ((run, tmp_path / "ours.csv"), (exported, tmp_path / "theirs.csv")):
        done("predict", which, *sounds, "--output", output)
    ours, theirs = scores(tmp_path / "ours.csv"), scores(tmp_path / "theirs.csv")
    assert len(ours) == 3 * 3
    assert theirs == pytest.approx(ours, abs=2e-3)


def test_any_network_of_timm_by_name(done, refused, tone_folder, tmp_path):
    picture = ("--frontend.height", "32", "--frontend.width", "32", "--frontend", "image_8k_64")
    common = (tone_folder, "--model", "timm", *TRAIN, *picture)
    done("train", *common, "--model.backbone", "test_efficientnet", "--output", tmp_path / "run")
    line = refused("train", *common, "--model.backbone", "test_eficientnet")
    assert "did you mean 'test_efficientnet'?" in line


def test_a_picture_of_another_width_is_refused_before_training(refused, tone_folder, tmp_path):
    line = refused(
        "train", tone_folder, "--model", "image_vit_tiny", *TRAIN, "--frontend.width", "96",
        "--output", tmp_path / "run",
    )  # fmt: skip
    assert "64 x 64" in line
    assert "--model.width 96" in line
    assert not (tmp_path / "run").exists()
