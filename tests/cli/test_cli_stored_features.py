"""Training on features that were packed: what it gives is what training on the sound gives."""

import csv
import importlib
import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from auricle.artifact.feature_encoder import frontend_features
from auricle.encoders import TINY as TINY_ENCODERS

TINY = ("--model", "small_resnet_tiny", "--train.batch_size", "8")
FEW = (*TINY, "--epochs", 3, "--train.learning_rate", 0.01, "--data.validation_share", 0)
PLAIN = ("--augment.preset", "none")
LOGMEL = ("--features", "logmel_8k", "--dtype", "float32")


@pytest.fixture(scope="module")
def table(tone_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tones with a split for each, beside their folder."""
    path = tmp_path_factory.mktemp("stored") / "tones.csv"
    rows = [
        f"{sound},{sound.parent.name},{'test' if '-1' in sound.name else 'train'}\n"
        for sound in sorted(tone_folder.rglob("*.wav"))
    ]
    path.write_text("path,label,split\n" + "".join(rows))
    return path


@pytest.fixture(scope="module")
def features(table: Path, done: Callable) -> Path:
    """Windows of a second: the tones of 0.8 s have zeros behind them."""
    done("data", "pack", table, table.parent / "features.h5", *LOGMEL, "--length", 1)
    return table.parent / "features.h5"


@pytest.fixture(scope="module")
def run(features: Path, done: Callable) -> Path:
    """A run on the features, without augmentation."""
    done("train", features, *FEW, *PLAIN, "--output", features.parent / "run")
    return features.parent / "run"


def scores(folder: Path) -> tuple[list[str], np.ndarray]:
    """The names of the clips and their scores, sorted by name."""
    with (folder / "scores.csv").open(newline="") as file:
        rows = sorted((Path(row[0]).name, row[3:]) for row in list(csv.reader(file))[1:])
    return [name for name, _ in rows], np.array([row for _, row in rows], float)


def test_features_train_the_network_that_their_sound_trains(
    table: Path, features: Path, run: Path, tmp_path: Path, done: Callable
):
    done("train", table, *FEW, *PLAIN, "--data.clip_s", 1, "--output", tmp_path / "sound")
    ours, theirs = (load_file(at / "model.safetensors") for at in (run, tmp_path / "sound"))
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], rtol=1e-4, atol=1e-5, err_msg=name)
    configs = [json.loads((at / "config.json").read_text()) for at in (run, tmp_path / "sound")]
    assert configs[0]["spec"] == configs[1]["spec"]
    assert configs[0]["frontend"] == configs[1]["frontend"]


def test_the_classifier_gives_on_sound_what_was_measured_on_features(
    table: Path, run: Path, tmp_path: Path, done: Callable
):
    done("evaluate", run, table, "--split", "test", "--output", tmp_path / "out")
    (names, measured), (again, given) = scores(run / "test"), scores(tmp_path / "out")
    assert names == again
    assert len(set(measured[:, 0])) > 1
    np.testing.assert_allclose(given, measured, atol=1e-5)
    done("export", run, tmp_path / "run.onnx")
    done("evaluate", tmp_path / "run.onnx", table, "--split", "test", "--output", tmp_path / "onnx")
    np.testing.assert_allclose(scores(tmp_path / "onnx")[1], measured, atol=1e-4)


def test_float16_moves_scores_by_little(table: Path, tmp_path: Path, done: Callable):
    """By what it loses: the scores of its own run on the sound are near those on the features."""
    pack = tmp_path / "half.h5"
    done("data", "pack", table, pack, "--features", "logmel_8k", "--length", 1)
    done("train", pack, *FEW, *PLAIN, "--output", tmp_path / "run")
    done("evaluate", tmp_path / "run", table, "--split", "test", "--output", tmp_path / "out")
    (_, measured), (_, given) = scores(tmp_path / "run" / "test"), scores(tmp_path / "out")
    np.testing.assert_allclose(given, measured, atol=5e-3)


def test_clips_that_were_cut_are_heard_from_their_start(
    table: Path, tmp_path: Path, done: Callable, refused: Callable
):
    pack = tmp_path / "short.h5"
    done("data", "pack", table, pack, *LOGMEL, "--length", 0.5)
    said = refused("train", pack, *FEW, "--output", tmp_path / "run")
    assert "36 clips" in said
    assert "--data.long_clips start" in said
    start = ("--data.long_clips", "start", "--output", tmp_path / "run")
    done("train", pack, *FEW, *start)
    done("evaluate", tmp_path / "run", table, "--split", "test", "--output", tmp_path / "out")
    (_, measured), (_, given) = scores(tmp_path / "run" / "test"), scores(tmp_path / "out")
    np.testing.assert_allclose(given, measured, atol=1e-3)


def test_augmentations_of_features_work_and_those_of_sound_are_told(
    features: Path, run: Path, tmp_path: Path, done: Callable, refused: Callable
):
    said = done("train", features, *FEW, "--output", tmp_path / "run")
    note = next(line for line in said.err.splitlines() if "augmentations of waveforms" in line)
    assert "left out" in note
    kept = json.loads((tmp_path / "run" / "config.json").read_text())["training"]["config"]
    assert "spec_augment" in kept["augment"]
    assert not any(part in note for part in kept["augment"])
    ours, plain = (load_file(at / "model.safetensors") for at in (tmp_path / "run", run))
    assert any(not np.array_equal(ours[name], plain[name]) for name in ours)
    table = run / "manifest.csv"  # the same clips by another way
    assert "preset none" in refused("train", table, *FEW, "--output", tmp_path / "other")


def test_processes_a_resumed_run_and_folds(features: Path, run: Path, tmp_path: Path, done):
    workers = ("--train.workers", 2, "--train.start_method", "spawn", "--output", tmp_path / "w")
    done("train", features, *FEW, *PLAIN, *workers)
    wanted = (run / "model.safetensors").read_bytes()
    assert (tmp_path / "w" / "model.safetensors").read_bytes() == wanted
    done("train", features, *FEW, *PLAIN, "--output", run, "--resume")
    assert (run / "model.safetensors").read_bytes() == wanted
    folded = done("crossval", features, *FEW, "--folds", 2, "--output", tmp_path / "cv").out
    assert "accuracy" in folded
    assert len(scores(tmp_path / "cv")[0]) == 36


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--frontend", "fbank"), "logmel_8k, and the run asks for fbank"),
        (("--frontend.n_mels", 32), "n_mels 64, and the run asks for 32"),
        (("--data.clip_s", 0.5), "clip_s 1.0"),
        (("--data.eval_clip_s", 2), "eval_clip_s 1.0"),
        (("--data.normalise", "peak"), "normalise none"),
        (("--data.short_clips", "repeat"), "short_clips pad"),
        (("--data.trim_db", 30), "trim_db None"),
        (("--data.channel", 1), "channel mean"),
    ],
)
def test_what_the_pack_does_not_hold(
    features: Path, tmp_path: Path, refused: Callable, options: tuple, said: str
):
    assert said in refused("train", features, *FEW, *options, "--output", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_packs_that_hold_no_windows(
    table: Path, trained: Path, tmp_path: Path, done: Callable, refused: Callable
):
    done("data", "pack", table, tmp_path / "any.h5", *LOGMEL)
    assert "--length" in refused("train", tmp_path / "any.h5", *FEW)
    vectors = ("--features", trained, "--length", 1)
    done("data", "pack", table, tmp_path / "vectors.h5", *vectors)
    assert "embeddings" in refused("train", tmp_path / "vectors.h5", *FEW)
    assert "at most" in refused("data", "pack", table, tmp_path / "x.h5", *LOGMEL, "--length", 1e9)
    rows = tmp_path / "rows.csv"
    first = table.read_text().splitlines()[1].split(",")[0]
    rows.write_text(f"path,label,onset_s,offset_s\n{first},high,0,0.3\n{first},low,0.3,0.6\n")
    done("data", "pack", rows, tmp_path / "rows.h5", *LOGMEL, "--length", 1)
    assert "--unit row" in refused("train", tmp_path / "rows.h5", *FEW)


def test_only_training_takes_features(features: Path, run: Path, refused: Callable):
    for command in (("evaluate", run, features), ("data", "check", features)):
        assert "holds features" in refused(*command)
    assert "holds features" in refused("predict", run, features)


def test_a_pack_whose_words_were_changed(features: Path, tmp_path: Path, refused: Callable):
    for change in (
        {"frames": 3},
        {"chirp": [0.0] * 64},
        {"frontend": {"name": 3}},
        {"window_s": -1},
    ):
        path = tmp_path / f"{next(iter(change))}.h5"
        path.write_bytes(features.read_bytes())
        with h5py.File(path, "r+") as file:
            made = json.loads(file["config"].asstr()[()])
            made["encoder"] |= change
            del file["config"]
            file["config"] = json.dumps(made)
        refused("train", path, *FEW, "--output", tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[[int], Path]:
    """Make a folder with a tiny Wav2Vec 2.0 of random weights, as `save_pretrained` does."""

    def make(seed: int) -> Path:
        transformers = importlib.import_module("transformers")
        described = TINY_ENCODERS["wav2vec2_tiny"].model_dump(exclude={"model_type"})
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**described))
        model.save_pretrained(tmp_path / "encoder")
        transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / "encoder")
        return tmp_path / "encoder"

    return make


def test_a_frozen_encoder_that_was_a_front_end(
    table: Path, checkpoint: Callable, tmp_path: Path, done: Callable, refused: Callable
):
    """Its weights are in the run, which listens to sound; those of another are refused."""
    encoder = ("--features", "wav2vec2_base", "--frontend.checkpoint", checkpoint(7))
    pack = tmp_path / "states.h5"
    done("data", "pack", table, pack, *encoder, "--length", 1, "--dtype", "float32")
    network = (*FEW, "--output", tmp_path / "run")
    done("train", pack, *network)
    done("evaluate", tmp_path / "run", table, "--split", "test", "--output", tmp_path / "out")
    (_, measured), (_, given) = scores(tmp_path / "run" / "test"), scores(tmp_path / "out")
    np.testing.assert_allclose(given, measured, atol=1e-4)
    weights = load_file(tmp_path / "run" / "model.safetensors")
    assert any(name.startswith("frontend.encoder.") for name in weights)
    checkpoint(8)
    assert "weights are others" in refused("train", pack, *FEW, "--output", tmp_path / "b")


def test_the_encoder_pads_to_its_window():
    """What is stored of a short clip is what the front-end makes of it with zeros behind it."""
    from auricle.core.types import Waveform

    encoder = frontend_features({"name": "logmel_8k"}, dtype="<f4", window_s=0.5)
    noise = np.random.default_rng(0).standard_normal(3000).astype(np.float32) / 10
    short, padded = (
        encoder.encode([Waveform(samples, 8000)])[0]
        for samples in (noise, np.pad(noise, (0, 1000)))
    )
    np.testing.assert_array_equal(short, padded)
    assert len(short) == encoder.config["frames"]
