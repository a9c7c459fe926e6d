"""Spoken digits (FSDD) as a competition: train on `train.csv`, fill in the sample submission.

    AURICLE_DATA=... python benchmarks/competition.py --output runs/competition

Two commands, as a competitor gives them: `auricle train FOLDER`, with the recipe of
`benchmarks/fsdd.yaml` and every clip of `train.csv` for training, and `auricle predict RUN
--submission sample_submission.csv`. The truth, which no command sees, is the digit that starts the
file name. The official split shares its speakers; what the same recipe does on speakers that it
never heard is taken from `benchmarks/results/fsdd.json` (`benchmarks/fsdd.py`).
"""

import csv
import json
import sys
from pathlib import Path

from common import RESULTS, Figure, figure, record
from harness import NO_VALIDATION, arguments, auricle, data_folder

RECIPE = Path(__file__).with_name("fsdd.yaml")
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ALL_FOR_TRAINING = ("--data.test_share", "0", *NO_VALIDATION)


def main() -> int:
    """Measure; return the exit status."""
    parser = arguments(__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder of the run")
    parser.add_argument("--seed", type=int, default=0)
    args, options = parser.parse_known_args()
    data = data_folder("fsdd")
    run = args.output / "run"
    auricle(
        *("train", data, "--output", run, "--resume", "--config", RECIPE),
        *("--seed", str(args.seed), *ALL_FOR_TRAINING, *options),
    )
    sample = data / "sample_submission.csv"
    filled = args.output / "submission.csv"
    auricle("predict", run, "--submission", sample, "--output", filled, "--quiet")
    right = compare(sample, filled)
    record(
        "competition",
        title="Spoken digits (FSDD) as a competition",
        what=sentence(),
        command=" ".join(["python benchmarks/competition.py --output runs/competition", *options]),
        seed=args.seed,
        figures={
            "right": figure(sum(right.values()) / len(right), at_least=0.985),
            **speakers_apart(),
        },
        runs={"wrong": [name for name, is_right in right.items() if not is_right]},
        folder=args.results,
    )
    return 0


def sentence() -> str:
    """Say in one sentence what both figures mean."""
    return (
        "`right` is the share of the 300 rows of the sample submission that were filled in with "
        "the digit that was said, by speakers whose other recordings were trained on, as the "
        "official split has it; `right_speakers_apart` is the share for the same recipe on "
        "speakers of whom nothing was trained on (six folds, one speaker each)."
    )


def compare(sample: Path, filled: Path) -> dict[str, bool]:
    """Return whether each row is right. Ends the program where ids or their order differ."""
    rows = read(filled)
    if [row[0] for row in rows] != [row[0] for row in read(sample)]:
        raise SystemExit(f"{filled} does not have the ids of {sample} in their order")
    return {name: said == WORDS[int(name[0])] for name, said in rows[1:]}


def read(path: Path) -> list[list[str]]:
    """Return the rows of a CSV file, its header first."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def speakers_apart() -> dict[str, Figure]:
    """Return what `fsdd.py` measured on speakers never heard, where that was run."""
    measured = RESULTS / "fsdd.json"
    if not measured.is_file():
        return {}
    found = json.loads(measured.read_text(encoding="utf-8"))["figures"]["loso_accuracy"]
    return {"right_speakers_apart": figure(found["value"], low=found["low"], high=found["high"])}


if __name__ == "__main__":
    sys.exit(main())
