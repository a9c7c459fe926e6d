"""Make a manifest, or read, split and iterate one; the last line is what was measured, as JSON.

python manifest_side.py make FOLDER ROWS single|several
python manifest_side.py use FILE
"""

import json
import random
import resource
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path

from auricle.core.types import Clip
from auricle.data import DataConfig, Manifest, apply_splits, read_manifest, write_manifest

FOLDERS, DEVICES, CLASSES, ALL_CLASSES = 41, 7, 50, 527
ROWS_OF_A_GROUP = 8
FORMS = (".csv", ".parquet")


def make(folder: Path, rows: int, kind: str) -> dict[str, float]:
    """Write a manifest in every form; return their sizes, MB."""
    manifest = Manifest.of(clips(rows, kind))
    sizes = {}
    for suffix in FORMS:
        path = folder / f"{kind}-{rows}{suffix}"
        write_manifest(path, manifest)
        sizes[path.name] = path.stat().st_size / 1e6
    return sizes


def clips(rows: int, kind: str) -> Iterator[Clip]:
    """Yield clips as of a large collection of video sound: a path of 60 letters, a group, columns.

    `single` is one of 50 classes a clip, `several` two or three of 527; some are rare.
    """
    rng = random.Random(0)
    for at in range(rows):
        video = rng.randrange(max(1, rows // ROWS_OF_A_GROUP))
        if kind == "single":
            labels = (f"class {int(CLASSES * rng.random() ** 1.5):02d}",)
        else:
            count = rng.choice((2, 3))
            drawn = (int(ALL_CLASSES * rng.random() ** 2) for _ in range(count))
            labels = tuple(dict.fromkeys(f"/m/{label:05x}" for label in drawn))
        yield Clip(
            f"/data/collection/audio/part{at % FOLDERS:02d}/{rng.getrandbits(60):015x}_{at}.flac",
            labels,
            onset_s=0.0,
            offset_s=None if kind == "single" else 10.0,
            group=f"video{video:07d}",
            extra={"licence": "CC BY 4.0", "device": f"mic{at % DEVICES}"},
        )


def use(path: Path) -> dict[str, float]:
    """Read, split and iterate a manifest; return seconds, and peak memory above the start, MB."""
    if path.suffix == ".parquet":  # a library is no cost of a row
        import_module("pyarrow.parquet")

    baseline_mb = resident_mb("VmRSS")
    times = [time.perf_counter()]
    manifest = read_manifest(path)
    times.append(time.perf_counter())
    manifest = apply_splits(manifest, DataConfig(), seed=0)
    times.append(time.perf_counter())
    rows = sum(1 for _ in manifest.clips)
    times.append(time.perf_counter())
    read_s, split_s, iterate_s = (end - start for start, end in pairwise(times))
    return {
        "rows": rows,
        "read_s": read_s,
        "split_s": split_s,
        "iterate_s": iterate_s,
        "peak_mb": resident_mb("VmHWM") - baseline_mb,
        "baseline_mb": baseline_mb,
    }


def resident_mb(field: str) -> float:
    """Return the resident memory of this process, now (VmRSS) or at most so far (VmHWM), MB."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux: the highest so far stands for both
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    found = next(line for line in lines if line.startswith(field))
    return int(found.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    if sys.argv[1] == "make":
        result = make(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    else:
        result = use(Path(sys.argv[2]))
    print(json.dumps(result))
