"""A killed run goes on where it stopped and ends with the same bits."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from auricle.core.errors import ConfigError, DataError


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(str(run / "model.safetensors"))


def assert_same_bits(one: Path, other: Path) -> None:
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


@pytest.fixture
def unbroken(train_tones, tmp_path) -> Path:
    return train_tones(tmp_path / "unbroken").folder


def kill_after_step(command: list[str], output: Path, step: int) -> None:
    """Start the run in a process of its own and kill it once a checkpoint has `step` steps."""
    state = output / "checkpoints" / "last" / "state.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "auricle", *command, "--output", str(output)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 300
    try:
        while process.poll() is None and time.monotonic() < deadline:
            if state.is_file() and f'"step": {step},' in state.read_text(encoding="utf-8"):
                break
            os.sched_yield()
    except FileNotFoundError:
        pass  # the checkpoint was being replaced at that very moment
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_within_an_epoch_it_ends_with_the_same_bits(
    train_command, train_tones, unbroken, tmp_path, workers
):
    output = tmp_path / "killed"
    command = [*train_command, "--train.workers", str(workers)]
    kill_after_step(command, output, step=4)  # three steps an epoch: in the second
    assert not (output / "model.safetensors").exists()
    train_tones(output, resume=True, train__workers=workers)
    assert_same_bits(unbroken, output)
    steps = [row.split(",")[0] for row in (output / "log.csv").read_text().splitlines()[1:]]
    assert steps == sorted(set(steps), key=int)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(train_tones, unbroken, tmp_path):
    assert_same_bits(unbroken, train_tones(tmp_path / "again").folder)
    other = weights(train_tones(tmp_path / "other", train__seed=1).folder)
    assert any(not torch.equal(value, other[name]) for name, value in weights(unbroken).items())


def test_resume_before_the_first_checkpoint_starts_afresh(train_tones, unbroken, tmp_path):
    assert_same_bits(unbroken, train_tones(tmp_path / "fresh", resume=True).folder)


def test_resume_of_a_finished_run_changes_nothing(train_tones, unbroken):
    before = weights(unbroken)
    train_tones(unbroken, resume=True)
    after = weights(unbroken)
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_resume_with_another_config_shows_the_difference(train_tones, unbroken):
    with pytest.raises(ConfigError, match=r"- learning_rate: 0\.01; \+ learning_rate: 0\.02"):
        train_tones(unbroken, resume=True, train__learning_rate=0.02)


def test_resume_with_other_clips_is_refused(train_tones, tone_folder, tmp_path, tone):
    run = train_tones(tmp_path / "run").folder
    extra = tone_folder / "high" / "extra.wav"
    tone(extra, seconds=0.8)
    try:
        with pytest.raises(DataError, match="36 clips then, 37 now"):
            train_tones(run, resume=True)
    finally:
        extra.unlink()


def test_a_checkpoint_is_an_artifact_of_its_own(train_tones, tmp_path, tone_folder):
    import auricle

    run = train_tones(tmp_path / "run").folder
    clip = next(tone_folder.glob("high/*.wav"))
    ours = auricle.load(run).predict(clip)
    theirs = auricle.load(run / "checkpoints" / "last").predict(clip)
    assert ours.scores == theirs.scores
