"""What the benchmarks run: the real command line, the sides of a comparison, and the data.

The data comes from the folder that `AURICLE_DATA` names; it holds `data/esc10` and `data/fsdd`.
Every side of a comparison is a fresh process that prints one JSON object as its last line.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from auricle.core.writing import write_csv
from auricle.evaluation import Result, read_result

SIDES = Path(__file__).parent / "sides"
AURICLE = (sys.executable, "-m", "auricle")
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss
NO_VALIDATION = ("--data.validation_share", "0")  # nothing is chosen while training


class Sound(NamedTuple):
    """A clip of ESC-10; clips of one `recording` resemble each other."""

    path: Path
    label: str
    fold: int
    recording: str


def arguments(description: str | None, *, rounds: int | None = None) -> argparse.ArgumentParser:
    """Return a parser with what every benchmark takes; `rounds` is how often each side runs."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument(
        "--results", type=Path, help="folder for the result of a trial (not benchmarks/results)"
    )
    if rounds is not None:
        parser.add_argument("--rounds", type=int, default=rounds, help="how often each side runs")
    return parser


def data_folder(name: str) -> Path:
    """Return the folder of a data set; ends the program where it is not there."""
    folder = Path(os.environ.get("AURICLE_DATA", ""), "data", name)
    if not folder.is_dir():
        raise SystemExit(f"AURICLE_DATA must name a folder that holds data/{name}")
    return folder.resolve()


def esc10_sounds() -> list[Sound]:
    """Return the 400 clips of ESC-10."""
    folder = data_folder("esc10")
    with (folder / "esc10.csv").open(newline="", encoding="utf-8") as file:
        return [
            Sound(folder / row["filename"], row["category"], int(row["fold"]), row["src_file"])
            for row in csv.DictReader(file)
        ]


def training_table(path: Path, sounds: Iterable[Sound]) -> Path:
    """Write a table that trains on all of `sounds` and judges on none."""
    write_csv(path, ["path", "label", "split"], [(s.path, s.label, "train") for s in sounds])
    return path


def environment(threads: int) -> dict[str, str]:
    """Return this process's environment with `threads` processor threads for every library."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(names, str(threads)), "CUDA_VISIBLE_DEVICES": "-1"}


def auricle(*words: str | Path, threads: int = 2) -> None:
    """Run `auricle` with `words`; ends the program where it fails."""
    line = [*AURICLE, *map(str, words)]
    status = subprocess.run(line, env=environment(threads), check=False).returncode
    if status:
        raise SystemExit(f"auricle {' '.join(map(str, words))} ended with status {status}")


def side(
    python: str | Path, script: str, *words: str | Path | int, threads: int = 2
) -> dict[str, Any]:
    """Run one side of a comparison in a fresh process; return what it measured."""
    line = [str(python), str(SIDES / script), *map(str, words)]
    done = subprocess.run(
        line, env=environment(threads), stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def peer_versions(python: str | Path, *packages: str) -> str:
    """Return in words which versions of `packages` another environment holds."""
    ask = "import sys; from importlib.metadata import version as v; print(*map(v, sys.argv[1:]))"
    line = [str(python), "-c", ask, *packages]
    found = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    return ", ".join(map(" ".join, zip(packages, found, strict=True)))


def wall_s(line: Sequence[str | Path], threads: int = 2) -> float:
    """Return the seconds that a fresh process takes from its start to its end."""
    words = [str(word) for word in line]
    start = time.perf_counter()
    subprocess.run(words, env=environment(threads), stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def peak_mb_and_s(line: Sequence[str | Path], threads: int = 2) -> tuple[float, float]:
    """Return the peak resident MB and the seconds of a fresh process; ends the program if it fails.

    What the process says goes to standard error, so that it is seen.
    """
    words = [str(word) for word in line]
    with tempfile.NamedTemporaryFile("r") as measured:
        watched = [sys.executable, "-c", _WATCH, measured.name, *words]
        status = subprocess.run(
            watched, env=environment(threads), stdout=sys.stderr, check=False
        ).returncode
        if status:
            raise SystemExit(f"{' '.join(words)} ended with status {status}")
        peak, seconds = json.load(measured)
    return peak * MAXRSS_BYTES / 1e6, seconds


# The peak of a process begins with that of the one that started it: a small one does so here.
# wait4 gives the usage of this child alone; RUSAGE_CHILDREN that of the largest so far.
_WATCH = """
import json, os, sys, time
start = time.perf_counter()
pid = os.spawnvp(os.P_NOWAIT, sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as file:
    json.dump([usage.ru_maxrss, time.perf_counter() - start], file)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def saved_classifier(folder: Path, *options: str | Path) -> Path:
    """Train one step on 40 clips of ESC-10; return the run folder, which holds `model.onnx`.

    For measurements of speed and memory, which do not depend on how good the weights are.
    """
    table = training_table(folder.with_suffix(".csv"), esc10_sounds()[::10])
    one_step = ("--max-steps", "1", *NO_VALIDATION)
    auricle("train", table, "--output", folder, "--quiet", *one_step, *options)
    auricle("export", folder, folder / "model.onnx")
    return folder


def crossval(data: Path, output: Path, *options: str | Path) -> Result:
    """Cross-validate with the real command; a run that was stopped goes on."""
    started = output.is_dir() and any(output.iterdir())
    resume = ["--resume"] if started and "--force" not in options else []
    auricle("crossval", data, "--output", output, *resume, *options)
    return read_result(output)


def train_minutes(run: Path) -> float:
    """Return the minutes from a run's start (its configuration) to its judgement on test clips.

    A pause between a run that was stopped and the one that went on with it counts.
    """
    started = (run / "config.yaml").stat().st_mtime
    return ((run / "test" / "result.json").stat().st_mtime - started) / 60


def fold_minutes(output: Path) -> list[float]:
    """Return the minutes of every fold of a cross-validation."""
    return [train_minutes(run) for run in sorted(output.glob("fold_*"))]
