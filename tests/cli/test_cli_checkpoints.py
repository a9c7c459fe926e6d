"""Checkpoints of other programs on the command line: given, exported, trained from, refused."""

from pathlib import Path

import pytest
import torch

import auricle
from auricle.core.config import read_yaml
from auricle.evaluation import read_result

TINY = "cnn6_tiny"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """A tiny Cnn6 of two classes, and the file that names them."""
    folder = tmp_path_factory.mktemp("checkpoint")
    torch.manual_seed(1)
    torch.save({"model": auricle.create_model(TINY, 2).state_dict()}, folder / "foreign.pth")
    (folder / "labels.txt").write_text("quiet\nloud\n")
    return folder / "foreign.pth"


@pytest.fixture
def said(checkpoint) -> tuple[object, ...]:
    """What the file does not say itself."""
    return ("--model", TINY, "--labels", checkpoint.with_name("labels.txt"))


def test_a_foreign_file_predicts_detects_and_is_exported(
    done, checkpoint, said, odd_sounds, tmp_path
):
    sound = odd_sounds / "plain.wav"
    rows = done("predict", checkpoint, sound, *said).out
    assert "quiet" in rows
    assert "loud" in rows
    done("detect", checkpoint, sound, *said)
    done("embed", checkpoint, sound, *said, "--output", tmp_path / "vectors.npz")
    network = tmp_path / "network.onnx"
    done("export", checkpoint, network, *said, "--examples", sound)
    assert done("predict", network, sound).out == rows


def test_a_foreign_file_is_judged(done, refused, checkpoint, said, tone, tmp_path):
    for label, level in (("quiet", 0.01), ("loud", 0.5)):
        for take in range(3):
            tone(tmp_path / "data" / label / f"{take}.wav", level=level, seed=take)
    output = tmp_path / "judged"
    done("evaluate", checkpoint, tmp_path / "data", *said, "--output", output)
    result = read_result(output)
    assert list(result.labels) == ["quiet", "loud"]  # the order of the network's scores
    assert result.metrics["accuracy"].count == 6
    assert f"--model {TINY}" in result.command
    message = refused("evaluate", checkpoint, tmp_path / "data")
    assert "give them with --labels FILE" in message


def test_without_labels_the_way_out_is_said(refused, checkpoint, odd_sounds):
    message = refused("predict", checkpoint, odd_sounds / "plain.wav")
    assert "does not name its 2 classes: give them with --labels FILE" in message


def test_training_starts_from_a_file(done, refused, checkpoint, tone_folder, tmp_path):
    words = ("train", tone_folder, "--pretrained", checkpoint, "--max-steps", 1)
    words = (*words, "--train.batch_size", 8)
    outcome = done(*words, "--output", tmp_path / "run")
    assert "the head is new, for 3 classes" in outcome.err
    assert read_yaml(tmp_path / "run" / "config.yaml")["model"]["name"] == TINY
    message = refused(*words, "--frontend", "logmel_8k", "--output", tmp_path / "other")
    assert "sample_rate is 8000 here and 16000 there" in message
    assert "Leave --frontend out" in message


@pytest.mark.parametrize("command", ["predict", "train", "config"])
def test_a_published_name_one_letter_off(refused, odd_sounds, tone_folder, command):
    words = {
        "predict": ("predict", "panns/cn14", odd_sounds / "plain.wav"),
        "train": ("train", tone_folder, "--pretrained", "panns/cn14"),
        "config": ("config", "--pretrained", "panns/cn14"),
    }[command]
    assert "did you mean 'panns/cnn14'?" in refused(*words)


def test_the_configuration_of_a_published_name_needs_no_file(done):
    text = done("config", "--pretrained", "panns/cnn14_8k").out
    assert "pretrained: panns/cnn14_8k" in text
    assert "sample_rate: 8000" in text
