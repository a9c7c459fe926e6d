"""The AudioSet strong table into every other format with times and back, by `auricle data convert`.

    AURICLE_DATA=... python benchmarks/label_formats.py

Each direction is a fresh process, so that its seconds are those that a user waits. Rows that came
back are compared with the table's own, recording by recording in their order: formats with a file
per recording order recordings by name. Both tables are read here without any of our code.
"""

import csv
import tempfile
from itertools import zip_longest
from pathlib import Path

from auricle.events import FORMATS
from auricle.events.formats.base import RecordingFormat
from common import Figure, figure, median, record
from harness import AURICLE, arguments, data_folder, wall_s

TABLE = "audioset_strong_eval_top110.tsv"
WITHIN_MS = 1.0
SUFFIX = {"csv": ".csv", "tsv": ".tsv", "audioset_strong": ".tsv"}

Row = tuple[str, float, float]
Rows = dict[str, list[Row]]


def main() -> int:
    """Measure; return the exit status."""
    args = arguments(__doc__, rounds=3).parse_args()
    table = data_folder("audioset_strong") / TABLE
    before = by_recording(table)
    formats = [name for name in FORMATS if FORMATS[name].strong and name != "tsv"]
    figures: dict[str, Figure] = {
        "rows": figure(sum(map(len, before.values())), digits=0),
        "files": figure(len(before), digits=0),
    }
    runs: dict[str, list[float]] = {}
    lost, worst_ms = 0, 0.0
    with tempfile.TemporaryDirectory() as temporary:
        for name in formats:
            there = Path(temporary, name + SUFFIX.get(name, ""))
            back = Path(temporary, f"{name}_back.tsv")
            for _ in range(args.rounds):
                for source, output, to in ((table, there, name), (there, back, "tsv")):
                    line = [*AURICLE, "data", "convert", source, output, "--to", to, "--force"]
                    key = f"{name}_{'write' if output is there else 'read'}"
                    runs.setdefault(key, []).append(wall_s([*line, "--quiet"]))
            gone, apart_ms = compare(before, by_recording(back))
            lost, worst_ms = lost + gone, max(worst_ms, apart_ms)
    figures["rows_lost"] = figure(lost, digits=0, at_most=0)
    figures["worst_ms"] = figure(worst_ms, "ms", at_most=WITHIN_MS)
    figures |= {key: median(seconds, "s", digits=1) for key, seconds in runs.items()}
    files = [name for name in formats if isinstance(FORMATS[name], RecordingFormat)]
    record(
        "label_formats",
        title="Label formats, there and back",
        what="The AudioSet strong table (evaluation part) converted with `auricle data convert` to "
        "each other format with times and back: rows that did not come back with their label and "
        "times, the largest difference of a time, and the seconds of each direction (_write: out "
        "of the table, _read: back into it).",
        command="AURICLE_DATA=... python benchmarks/label_formats.py",
        seed=None,
        figures=figures,
        runs=runs,
        notes=[f"{', '.join(files)} write a file for each of the recordings, each flushed to disk"],
        folder=args.results,
    )
    return 0


def by_recording(table: Path) -> Rows:
    """Read label, onset and offset (seconds) of each recording, in the order of the rows."""
    found: Rows = {}
    with table.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            event = (row["event_label"], float(row["onset"]), float(row["offset"]))
            found.setdefault(row["filename"], []).append(event)
    return found


def compare(before: Rows, after: Rows) -> tuple[int, float]:
    """Return how many rows are lost or strange, and the largest difference of a time (ms)."""
    lost, worst_ms = 0, 0.0
    for recording in before.keys() | after.keys():
        pairs = zip_longest(before.get(recording, []), after.get(recording, []))
        for old, new in pairs:
            if old is None or new is None or old[0] != new[0]:
                lost += 1
                continue
            apart_s = max(abs(old[1] - new[1]), abs(old[2] - new[2]))
            worst_ms = max(worst_ms, apart_s * 1000)
            lost += apart_s * 1000 > WITHIN_MS
    return lost, worst_ms


if __name__ == "__main__":
    raise SystemExit(main())
