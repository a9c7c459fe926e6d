"""Statistics of the training features: what is measured, and that a run carries the numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import auricle
from auricle.artifact.parts import build_frontend
from auricle.core.config import read_yaml
from auricle.core.errors import DataError
from auricle.core.reporting import Silent
from auricle.core.types import Clip
from auricle.data import read_manifest
from auricle.data.config import DataConfig
from auricle.training.clips import ClipStore
from auricle.training.loader import TrainingClips
from auricle.training.statistics import measure

RATE = 8000
FBANK = {"name": "fbank", "sample_rate": RATE, "n_mels": 20}
DATASET = {"frontend.name": "fbank", "frontend.n_mels": 20, "frontend.normalise": "dataset_bins"}


def crops_of(paths, length, data=None):
    store = ClipStore([Clip(str(path), ("x",)) for path in paths], RATE, data or DataConfig())
    assert store.prepare(Silent(), shared=False) == []
    return TrainingClips(store, length, seed=0)


def clip_features(crops, length):
    """The features of every clip on its own, `(bins, frames)` of all of them."""
    frontend = build_frontend(FBANK)
    parts = []
    for index in range(len(crops)):
        own = min(length, crops.store.length(index))
        sound = torch.from_numpy(crops[0, index][1][:own])[None]
        parts.append(frontend(sound, torch.tensor([own])).values[0].double().numpy())
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("length", [3000, 9000])
def test_what_is_measured_is_the_mean_of_all_own_frames(tone, tmp_path, length):
    """Clips of 0.5 and 0.9 s, cropped or padded: padding is no part of it."""
    paths = [
        tone(tmp_path / f"{n}.wav", hz=300 + 90 * n, seconds=0.5 + 0.4 * (n % 2), sample_rate=RATE)
        for n in range(19)
    ]
    crops = crops_of(paths, length)
    values = clip_features(crops, length)
    mean, std = measure(build_frontend(FBANK), crops, Silent(), per_bin=True)
    np.testing.assert_allclose(mean, values.mean(axis=1), atol=1e-3)
    np.testing.assert_allclose(std, values.std(axis=1), rtol=1e-3)
    mean, std = measure(build_frontend(FBANK), crops, Silent(), per_bin=False)
    np.testing.assert_allclose(mean, [values.mean()], atol=1e-3)
    np.testing.assert_allclose(std, [values.std()], rtol=1e-3)


def test_a_bin_that_never_changes_is_divided_by_one(tone, tmp_path):
    paths = [tone(tmp_path / f"{n}.wav", sample_rate=RATE) for n in range(3)]
    section = {"name": "fbank", "sample_rate": RATE, "n_mels": 128}  # some filters are empty
    mean, std = measure(build_frontend(section), crops_of(paths, RATE), Silent(), per_bin=True)
    still = np.isclose(mean, np.log(np.finfo(np.float32).eps), rtol=1e-6)
    assert still.any()
    assert (np.array(std)[still] == 1).all()
    assert (np.array(std)[~still] != 1).all()


def test_dither_is_no_part_of_what_is_measured(tone, tmp_path):
    crops = crops_of([tone(tmp_path / "a.wav", sample_rate=RATE)], RATE)
    noisy, plain = (build_frontend({**FBANK, "dither": level}) for level in (0.5, 0.0))
    measured = [measure(part, crops, Silent(), per_bin=True) for part in (noisy, plain)]
    assert measured[0] == measured[1]


def test_without_a_readable_clip_there_is_nothing_to_measure(tone, tmp_path):
    path = tone(tmp_path / "gone.wav", sample_rate=RATE)
    crops = crops_of([path], RATE, DataConfig(cache_mb=0))
    Path(path).unlink()
    with pytest.raises(DataError, match="no features to measure"):
        measure(build_frontend(FBANK), crops, Silent(), per_bin=True)


@pytest.fixture
def options(train_options):
    return {**train_options, **DATASET, "augment.preset": "none"}


def test_a_run_carries_the_statistics_of_its_training_clips(tone_folder, tmp_path, options):
    folder = tmp_path / "run"
    auricle.train(tone_folder, epochs=1, output=folder, options=options)
    frontend = json.loads((folder / "config.json").read_text())["frontend"]
    assert read_yaml(folder / "config.yaml")["frontend"] == frontend
    assert len(frontend["dataset_mean"]) == len(frontend["dataset_std"]) == 20

    clips = read_manifest(folder / "manifest.csv").clips
    training = [clip for clip in clips if clip.split == "train"]
    assert 0 < len(training) < len(clips)
    store = ClipStore(training, frontend["sample_rate"], DataConfig())
    store.prepare(Silent(), shared=False)
    crops = TrainingClips(store, frontend["sample_rate"] // 2, seed=0)
    plain = build_frontend(
        {**frontend, "normalise": "none", "dataset_mean": None, "dataset_std": None}
    )
    mean, std = measure(plain, crops, Silent(), per_bin=True)
    assert (mean, std) == (frontend["dataset_mean"], frontend["dataset_std"])
    again, spread = measure(build_frontend(frontend), crops, Silent(), per_bin=True)
    np.testing.assert_allclose(again, 0, atol=1e-4)
    np.testing.assert_allclose(spread, 1, atol=1e-4)


def test_a_resumed_run_keeps_the_statistics_it_began_with(tone_folder, tmp_path, options):
    folder = tmp_path / "run"
    auricle.train(tone_folder, epochs=1, output=folder, options=options)
    config = (folder / "config.yaml").read_bytes()
    (folder / "config.json").unlink()
    auricle.train(tone_folder, epochs=1, output=folder, options=options, resume=True)
    assert (folder / "config.yaml").read_bytes() == config


def test_given_statistics_are_not_measured(tone_folder, tmp_path, options):
    given = {"frontend.normalise": "dataset", "frontend.dataset_mean": -4.5}
    given["frontend.dataset_std"] = 2.0
    run = auricle.train(
        tone_folder, epochs=1, output=tmp_path / "run", options={**options, **given}
    )
    frontend = json.loads((run.folder / "config.json").read_text())["frontend"]
    assert frontend["dataset_mean"] == [-4.5]
    assert frontend["dataset_std"] == [2.0]
