"""Seconds and peak memory of a manifest of millions of rows: read, split, iterated.

    python benchmarks/manifest_scale.py

Manifests of 200,000 and 2,000,000 rows are made (their sounds need not exist), with one label a
row and with two or three, as CSV and as Parquet. Each is read, split and iterated in a fresh
process; peak memory is its largest resident set less that before the file is opened.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common import Figure, figure, median, ratio, record
from harness import arguments, side

SCRIPT = "manifest_side.py"
KINDS = {"single": "one of 50 classes", "several": "two or three of 527"}
FORMS = {".csv": "CSV", ".parquet": "Parquet"}
STEPS = ("read_s", "split_s", "iterate_s")
MOST_BYTES = 300

Runs = Mapping[str, Sequence[Mapping[str, float]]]


def main() -> int:
    """Measure; return the exit status."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--rows", type=int, default=2_000_000)
    args = parser.parse_args()
    few = args.rows // 10
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sizes_mb: dict[str, float] = {}
        for kind in KINDS:
            for rows in (few, args.rows):
                sizes_mb |= side(sys.executable, SCRIPT, "make", folder, rows, kind, threads=1)
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in sizes_mb}
        for _ in range(args.rounds):
            for name, measured in runs.items():
                measured.append(side(sys.executable, SCRIPT, "use", folder / name, threads=1))
    write_result(runs, sizes_mb, few, args.rows, args.results)
    return 0


def write_result(
    runs: Runs, sizes_mb: Mapping[str, float], few: int, many: int, folder: Path | None
) -> None:
    """Write `manifest_scale.json`."""
    figures: dict[str, Figure] = {}
    for kind in KINDS:
        for suffix, form in FORMS.items():
            small, large = runs[f"{kind}-{few}{suffix}"], runs[f"{kind}-{many}{suffix}"]
            figures |= _figures(f"{kind}_{form.lower()}", small, large)
    record(
        "manifest_scale",
        title="Manifests of millions of rows",
        what=(
            f"A manifest of {many:,} rows, and one of {few:,} for the growth, read, split "
            "(stratified, in groups of eight clips) and iterated clip by clip in a fresh process: "
            "seconds, and peak resident memory above that of the process before. The growth of "
            "time is that of all three steps, over the growth of the rows: 1 is linear; that of "
            "memory is what each further row takes."
        ),
        command="python benchmarks/manifest_scale.py",
        seed=0,
        figures=figures,
        runs={name: list(measured) for name, measured in runs.items()},
        table=_table(runs, sizes_mb, few, many),
        notes=["A path has 60 letters; two of the columns are extra. No sound is looked for."],
        folder=folder,
    )


def _figures(
    name: str, small: Sequence[Mapping[str, float]], large: Sequence[Mapping[str, float]]
) -> dict[str, Figure]:
    bytes_per_row = [run["peak_mb"] * 1e6 / run["rows"] for run in large]
    further = [
        (run["peak_mb"] - before["peak_mb"]) * 1e6 / (run["rows"] - before["rows"])
        for run, before in zip(large, small, strict=True)
    ]
    per_row = [[_seconds(run) / run["rows"] for run in side] for side in (large, small)]
    return {
        f"{name}_bytes_per_row": figure(
            max(bytes_per_row),
            "bytes of peak memory a row",
            digits=0,
            low=min(bytes_per_row),
            high=max(bytes_per_row),
            at_most=MOST_BYTES,
        ),
        f"{name}_bytes_per_further_row": median(further, "bytes", digits=0),
        f"{name}_seconds": median([_seconds(run) for run in large], "s", digits=1),
        f"{name}_growth_of_time": ratio(*per_row),
    }


def _seconds(run: Mapping[str, float]) -> float:
    return sum(run[step] for step in STEPS)


def _table(
    runs: Runs, sizes_mb: Mapping[str, float], few: int, many: int
) -> dict[str, Sequence[Any]]:
    """Return the median of every step of every manifest."""
    header = ["rows", "labels", "form", "file MB", "read s", "split s", "iterate s", "peak MB"]
    rows = []
    for kind, labels in KINDS.items():
        for suffix, form in FORMS.items():
            for count in (few, many):
                name = f"{kind}-{count}{suffix}"
                cells = [_middle(runs[name], key) for key in (*STEPS, "peak_mb")]
                texts = [f"{cell:.1f}" for cell in cells]
                rows.append([f"{count:,}", labels, form, f"{sizes_mb[name]:.0f}", *texts])
    return {"header": header, "rows": rows}


def _middle(runs: Sequence[Mapping[str, float]], key: str) -> float:
    values = sorted(run[key] for run in runs)
    return values[len(values) // 2]


if __name__ == "__main__":
    sys.exit(main())
