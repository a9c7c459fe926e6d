"""Reading the AudioSet strong table and building its targets: seconds, peak memory, and proof.

    AURICLE_DATA=... python benchmarks/audioset_strong.py

`auricle data targets` in a fresh process: 103,207 rows, weak targets (files, classes) and strong
ones (files, 10 ms frames, classes) of all 15,646 files as uint8 `.npy` (1.7 GB in the temporary
folder). What it wrote is compared with counts that this script makes of the table in whole
milliseconds, without any of our code.
"""

import csv
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from common import figure, median, record
from harness import AURICLE, arguments, data_folder, peak_mb_and_s

HOP_MS, CLIP_MS = 10, 10_000
BLOCK_FILES = 100

Counts = dict[tuple[str, str], int]


def main() -> int:
    """Measure; return the exit status."""
    args = arguments(__doc__, rounds=3).parse_args()
    folder = data_folder("audioset_strong")
    table = folder / "audioset_strong_eval_top110.tsv"
    classes = folder / "selected_classes.txt"
    line = [*AURICLE, "data", "targets", table]
    options = ["--without-audio", "--classes", classes, "--hop-s", HOP_MS / 1000]
    options += ["--clip-s", CLIP_MS / 1000, "--quiet"]
    runs = []
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / "targets"
        for _ in range(args.rounds):
            runs.append(peak_mb_and_s([*line, out, "--force", *options]))
        rows, wanted = frames_of(table)
        different, size_mb = compare(out, wanted, classes)
    write_result(runs, rows, different, size_mb, args.results)
    return 0 if different == 0 else 1


def frames_of(table: Path) -> tuple[int, Counts]:
    """Count the rows of the table, and the frames of each file and class that its events touch."""
    touched: dict[tuple[str, str], set[int]] = defaultdict(set)
    rows = 0
    with table.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            rows += 1
            onset, offset = milliseconds(row["onset"]), milliseconds(row["offset"])
            last = -(-min(offset, CLIP_MS) // HOP_MS)
            touched[row["filename"], row["event_label"]].update(range(onset // HOP_MS, last))
    return rows, {key: len(frames) for key, frames in touched.items()}


def milliseconds(seconds: str) -> int:
    """Read seconds with three decimals without a binary fraction."""
    whole, _, rest = seconds.partition(".")
    return int(whole) * 1000 + int(rest.ljust(3, "0"))


def compare(out: Path, wanted: Counts, classes: Path) -> tuple[int, float]:
    """Return how many cells of the arrays' counts differ from the `wanted`, and the arrays' MB."""
    labels = classes.read_text(encoding="utf-8").split()
    files = list(dict.fromkeys(name for name, _ in wanted))
    expected = np.zeros((len(files), len(labels)), np.int64)
    place = {name: at for at, name in enumerate(files)}
    for (name, label), frames in wanted.items():
        expected[place[name], labels.index(label)] = frames
    weak = np.load(out / "weak.npy")
    strong = np.load(out / "strong.npy", mmap_mode="r")
    if strong.shape != (len(files), CLIP_MS // HOP_MS, len(labels)):
        raise SystemExit(f"strong.npy has the shape {strong.shape}")
    different = int(np.count_nonzero(weak != (expected > 0)))
    for start in range(0, len(files), BLOCK_FILES):
        counts = strong[start : start + BLOCK_FILES].sum(axis=1, dtype=np.int64)
        different += int(np.count_nonzero(counts != expected[start : start + BLOCK_FILES]))
    return different, (weak.nbytes + strong.nbytes) / 1e6


def write_result(
    runs: list[tuple[float, float]],
    rows: int,
    different: int,
    size_mb: float,
    folder: Path | None,
) -> None:
    """Write `audioset_strong.json`."""
    peak_mb = [peak for peak, _ in runs]
    seconds = [taken for _, taken in runs]
    record(
        "audioset_strong",
        title="AudioSet strong labels to targets",
        what=(
            f"`auricle data targets` reads the table of AudioSet's strong evaluation labels "
            f"({rows:,} rows, 110 classes) and writes weak and strong (10 ms) targets of all its "
            "files as uint8 `.npy`, flushed to the disk: seconds and peak resident memory of the "
            "process."
        ),
        command="python benchmarks/audioset_strong.py",
        seed=None,
        figures={
            "seconds": median(seconds, "s", digits=1, at_most=60),
            "peak_memory": figure(
                max(peak_mb), "MB", digits=0, low=min(peak_mb), high=max(peak_mb), at_most=500
            ),
            "written": figure(size_mb, "MB", digits=0),
            "cells_that_differ": figure(different, digits=0, at_most=0),
        },
        runs={"peak_mb": peak_mb, "seconds": seconds},
        notes=[
            "Cells that differ: of every file and class, the weak target and the number of strong "
            "frames, against counts made of the table in whole milliseconds by the script itself.",
        ],
        folder=folder,
    )


if __name__ == "__main__":
    sys.exit(main())
