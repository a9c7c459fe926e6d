"""`auricle data pack` as people run it: on real clips, killed, with bad files, and trained from."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from auricle.audio import load
from auricle.data import DataConfig, open_pack, read_dataset

pytest.importorskip("h5py")

TINY = ("--model", "small_resnet_tiny", "--train.batch_size", "8", "--train.workers", "0")


@pytest.fixture(scope="module")
def packed(tone_folder: Path, tmp_path_factory: pytest.TempPathFactory, done: Callable) -> Path:
    """The tones, with a split for each, as a table, an HDF5 file and shards."""
    folder = tmp_path_factory.mktemp("packed")
    rows = [
        f"{path},{path.parent.name},{'test' if '-1' in path.name else 'train'}\n"
        for path in sorted(tone_folder.rglob("*.wav"))
    ]
    (folder / "tones.csv").write_text("path,label,split\n" + "".join(rows))
    done("data", "pack", folder / "tones.csv", folder / "tones.h5")
    done("data", "pack", folder / "tones.csv", folder / "shards", "--shard-clips", 10)
    return folder


@pytest.mark.parametrize("name", ["tones.h5", "shards"])
def test_training_from_a_pack_is_training_from_the_files(
    packed: Path, tmp_path: Path, done: Callable, name: str
):
    """What was 16 bit comes back bit for bit, so the same clips give the same weights."""
    common = (*TINY, "--max-steps", 2, "--data.cache_mb", 0, "--data.validation_share", 0)
    done("train", packed / name, *common, "--output", tmp_path / "a")
    done("train", packed / "tones.csv", *common, "--output", tmp_path / "b")
    weights = [(tmp_path / run / "model.safetensors").read_bytes() for run in "ab"]
    assert weights[0] == weights[1]
    judged = done("evaluate", tmp_path / "a", packed / name, "--split", "test").out
    assert "accuracy" in judged


def test_loader_processes_read_packs(packed: Path, tmp_path: Path, done: Callable):
    for method in ("fork", "spawn"):
        options = ("--train.workers", 2, "--train.start_method", method, "--data.cache_mb", 0)
        output = ("--output", tmp_path / method, "--max-steps", 2)
        done("train", packed / "tones.h5", *TINY[:-2], *options, *output)
    weights = {(tmp_path / run / "model.safetensors").read_bytes() for run in ("fork", "spawn")}
    assert len(weights) == 1


def test_the_sounds_of_a_pack_are_named_one_by_one(packed: Path, trained: Path, done: Callable):
    one = done("predict", trained, f"{packed / 'tones.h5'}::high/high-0.wav").out
    assert "high/high-0.wav" in one
    every = done("predict", trained, packed / "shards" / "shard-000000.tar", "--top-k", 1).out
    assert every.count(".flac") == 10


def test_a_pack_of_real_clips(esc10: Path, tmp_path: Path, done: Callable):
    said = done("data", "pack", esc10, tmp_path / "esc.h5", "--limit", 40, "--sample-rate", 16000)
    assert "40 clips at 16000 Hz" in said.out
    pack = open_pack(tmp_path / "esc.h5")
    assert len(pack.labels) == 10
    assert (pack.targets.sum(0) == 4).all()
    files = {Path(clip.path).name: clip for clip in read_dataset(esc10, DataConfig()).clips}
    for clip in read_dataset(tmp_path / "esc.h5", DataConfig()).clips:
        source = files[Path(clip.path).name]
        assert (clip.labels, clip.fold) == (source.labels, source.fold)
        wanted = load(source.path, 16000).samples.clip(-1, 1)
        assert np.abs(load(clip.path).samples - wanted).max() <= 1 / 32768


def test_bad_clips_are_told_and_counted(
    bad_sounds: Path, odd_sounds: Path, tmp_path: Path, cli: Callable, refused: Callable
):
    shutil.copytree(bad_sounds, tmp_path / "data" / "bad")
    shutil.copytree(odd_sounds, tmp_path / "data" / "odd")
    outcome = cli("data", "pack", tmp_path / "data", tmp_path / "a.h5")
    assert outcome.status == 1
    bad = sorted(path.name for path in bad_sounds.iterdir())
    assert all(name in outcome.err for name in bad)
    assert f"clips left out: {len(bad)}" in outcome.err
    assert len(open_pack(tmp_path / "a.h5")) == len(list(odd_sounds.iterdir()))
    output = tmp_path / "b.h5"
    assert cli("data", "pack", tmp_path / "data", output, "--allow-skips").status == 0
    assert "none of the" in refused(
        "data", "pack", tmp_path / "data", tmp_path / "c.h5", "--data.classes", bad_only(tmp_path)
    )


def bad_only(folder: Path) -> Path:
    path = folder / "classes.txt"
    path.write_text("bad\n")
    return path


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("out.zip",), "name a file"),
        (("out.h5", "--limit", "0"), "--limit"),
        (("out.h5", "--workers", "-1"), "--workers"),
        (("out.h5", "--length", "-3"), "length_s"),
        (("out.h5", "--sample-rate", "0"), "sample_rate"),
        (("out.h5", "--features", "fbnk"), "did you mean 'fbank"),
        (("out", "--features", "fbank"), "HDF5"),
        (("out.h5", "--frontend.n_mels", "40"), "--features"),
        (("out.h5", "--unit", "rows"), "row"),
        (("taken/out.h5",), "taken"),
    ],
)
def test_mistakes(
    tone_folder: Path,
    tmp_path: Path,
    refused: Callable,
    options: tuple[str, ...],
    said: str,
):
    (tmp_path / "taken").touch()
    assert said in refused("data", "pack", tone_folder, tmp_path / options[0], *options[1:])
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_features_of_a_front_end_and_of_a_classifier(
    tone_folder: Path, trained: Path, tmp_path: Path, done: Callable, refused: Callable
):
    fbank = ("--features", "fbank", "--frontend.n_mels", 40, "--dtype", "float32")
    done("data", "pack", tone_folder, tmp_path / "f.h5", *fbank)
    pack = open_pack(tmp_path / "f.h5")
    assert pack.values.dtype == np.float32
    assert pack.clip(0).shape[1] == 40
    assert "holds features" in refused("data", "check", tmp_path / "f.h5")
    done("data", "pack", tone_folder, tmp_path / "e.h5", "--features", trained)
    from auricle import load as load_classifier

    vectors = open_pack(tmp_path / "e.h5")
    first = read_dataset(tone_folder, DataConfig()).clips[0]
    wanted = load_classifier(trained).embed(first.path)
    np.testing.assert_allclose(vectors.clip(0), wanted, rtol=2e-3, atol=2e-3)


def test_a_killed_pack_goes_on(tone_folder: Path, tmp_path: Path, done: Callable):
    """Killed for good as soon as a chunk is there; the next run finishes it."""
    output = tmp_path / "out.h5"
    line = [sys.executable, "-m", "auricle", "data", "pack", tone_folder, output, "--workers", "1"]
    running = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    work = tmp_path / ".out.h5.packing"
    deadline = time.monotonic() + 60
    while not list(work.glob("chunk-*")) and running.poll() is None:
        assert time.monotonic() < deadline
        os.sched_yield()
    running.send_signal(signal.SIGKILL)
    running.wait()
    if not output.exists():  # else it was faster than the signal
        assert work.exists()
        done(*line[3:])
    assert not work.exists()
    done("data", "pack", tone_folder, tmp_path / "unbroken.h5")
    broken, unbroken = open_pack(output), open_pack(tmp_path / "unbroken.h5")
    np.testing.assert_array_equal(broken.values, unbroken.values)
    np.testing.assert_array_equal(broken.hashes, unbroken.hashes)


def test_help_says_what_it_does_without_torch(run_without_torch: Callable):
    outcome = run_without_torch("data", "pack", "--help")
    assert outcome.returncode == 0
    assert "HDF5" in outcome.stdout


def test_packing_needs_no_torch(tone_folder: Path, tmp_path: Path, run_without_torch: Callable):
    outcome = run_without_torch("data", "pack", tone_folder, tmp_path / "out.h5")
    assert outcome.returncode == 0, outcome.stderr
    outcome = run_without_torch(
        "data", "pack", tone_folder, tmp_path / "f.h5", "--features", "fbank"
    )
    assert outcome.returncode == 2
    assert "auricle[train]" in outcome.stderr
