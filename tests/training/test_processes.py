"""Several processes: the same command under torchrun."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from auricle.core.errors import ConfigError
from auricle.data import read_manifest

MISFORTUNES = """
# The second process finds none of its clips in the first epoch; in its third, Ctrl-C reaches it.
import json, os, signal, sys
import auricle
from auricle.core.errors import AudioError
from auricle.training.loader import TrainingClips
from auricle.training.loop import Interrupted

data, output, options = sys.argv[1:]
crop = TrainingClips.crop

def unlucky_crop(self, epoch, index):
    if os.environ["RANK"] == "1" and epoch == 0:
        raise AudioError("gone")
    if os.environ["RANK"] == "1" and epoch == 2:
        signal.raise_signal(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # every clip of the batch comes here
    return crop(self, epoch, index)

TrainingClips.crop = unlucky_crop
try:
    auricle.train(data, epochs=9, output=output, options=json.loads(options))
except Interrupted as error:
    print(f"{error}"[:17] + "\\n", end="", flush=True)
"""


def torchrun(*words: object) -> "subprocess.CompletedProcess[str]":
    """Run in two processes."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc_per_node=2", *map(str, words)),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_two_processes_train_one_run(train_command, tmp_path):
    output = tmp_path / "run"
    done = torchrun("-m", "auricle", *train_command, "--output", output)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("saved: ") == 1
    assert (output / "model.safetensors").is_file()
    assert len(read_manifest(output / "manifest.csv").clips) == 36
    rows = (output / "log.csv").read_text().splitlines()
    # 26 training clips make one step of 2 x 8 an epoch: three epochs, three steps.
    assert [row.split(",")[0] for row in rows[1:]] == ["1", "2", "3"]


def test_what_happens_to_one_process_stops_none(
    tone_folder: Path,
    train_options: dict[str, object],
    train_tones: Callable[..., object],
    tmp_path: Path,
) -> None:
    script, output = tmp_path / "misfortunes.py", tmp_path / "run"
    script.write_text(MISFORTUNES)
    # This network has parameters that never get a gradient.
    model = {"model.name": "cnn14_decision_att_tiny"}
    done = torchrun(script, tone_folder, output, json.dumps({**train_options, **model}))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["stopped at step 3"] * 2
    state = json.loads((output / "checkpoints" / "last" / "state.json").read_text())
    assert state["step"] == 3
    assert state["ema_updates"] == 2  # the first step was left out
    assert len(state["bad"]) == 8
    with pytest.raises(ConfigError, match="started with 2 processes and this is one of 1"):
        train_tones(output, epochs=9, resume=True, model__name="cnn14_decision_att_tiny")
