"""Several processes: the same command under torchrun."""

import os
import subprocess
import sys

from auricle.data import read_manifest


def test_two_processes_train_one_run(train_command, tmp_path):
    output = tmp_path / "run"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc_per_node=2",
            "-m",
            "auricle",
            *train_command,
            "--output",
            str(output),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("saved: ") == 1
    assert (output / "model.safetensors").is_file()
    assert len(read_manifest(output / "manifest.csv").clips) == 36
    rows = (output / "log.csv").read_text().splitlines()
    # 26 training clips make one step of 2 x 8 an epoch: three epochs, three steps.
    assert [row.split(",")[0] for row in rows[1:]] == ["1", "2", "3"]
