"""Accuracy on spoken digits (FSDD): the official split, and speakers never heard.

    AURICLE_DATA=... python benchmarks/fsdd.py --output runs/fsdd

Official: recordings 0 to 4 of every speaker and digit are the test part, 5 to 49 the training
part. Leave one speaker out: six folds, one speaker each. The truth is the digit that starts the
file name. The recipe is `benchmarks/fsdd.yaml`; further options go to `auricle` as they are. A
run that was stopped goes on.
"""

import sys
from pathlib import Path

from auricle.core.writing import write_csv
from auricle.evaluation import Result, read_result
from auricle.evaluation.result import Figure as Measured
from common import figure, record
from harness import (
    NO_VALIDATION,
    arguments,
    auricle,
    crossval,
    data_folder,
    fold_minutes,
    train_minutes,
)

RECIPE = Path(__file__).with_suffix(".yaml")
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEST_RECORDINGS = 5


def main() -> int:
    """Measure; return the exit status."""
    parser = arguments(__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--seed", type=int, default=0)
    args, options = parser.parse_known_args()
    common_options = [
        *("--config", RECIPE, "--seed", str(args.seed), *NO_VALIDATION),
        *options,
    ]
    official_table, speaker_table = write_tables(data_folder("fsdd") / "audio_files", args.output)
    official = args.output / "official"
    train_official(official_table, official, *common_options)
    speakers = args.output / "speakers"
    unheard = crossval(speaker_table, speakers, *common_options)
    write_result(official, speakers, unheard, seed=args.seed, options=options, folder=args.results)
    return 0


def write_tables(audio: Path, folder: Path) -> tuple[Path, Path]:
    """Write the table of the official split and the one with a fold a speaker."""
    official, speakers = [], []
    for path in sorted(audio.glob("*.wav")):
        digit, speaker, number = path.stem.split("_")
        word = WORDS[int(digit)]
        split = "test" if int(number) < TEST_RECORDINGS else "train"
        official.append((path, word, speaker, split))
        speakers.append((path, word, speaker, speaker))
    write_csv(folder / "official.csv", ["path", "label", "speaker", "split"], official)
    write_csv(folder / "speakers.csv", ["path", "label", "fold", "group"], speakers)
    return folder / "official.csv", folder / "speakers.csv"


def train_official(table: Path, run: Path, *options: str | Path) -> None:
    """Train and test on the official split, unless that is done."""
    if not (run / "test" / "result.json").is_file() or "--force" in options:
        auricle("train", table, "--output", run, "--resume", *options)


def write_result(
    official: Path,
    speakers: Path,
    unheard: Result,
    *,
    seed: int,
    options: list[str],
    folder: Path | None,
) -> None:
    """Write `fsdd.json`."""
    known = read_result(official / "test").metrics["accuracy"]
    unknown = unheard.metrics["accuracy"]
    minutes = fold_minutes(speakers)
    record(
        "fsdd",
        title="Spoken digits (FSDD)",
        what=(
            f"Accuracy on recordings 0 to 4 of every speaker and digit ({known.count} clips, the "
            "official test part), and on speakers that were not trained on: six folds, one "
            f"speaker each ({unknown.count} clips; the interval is by bootstrap over the "
            f"{unknown.groups} speakers). All numbers of epochs are fixed: no test clip is looked "
            "at while training."
        ),
        command=" ".join(["python benchmarks/fsdd.py --output runs/fsdd", *options]),
        seed=seed,
        figures={
            "official_accuracy": _accuracy(known, 0.985),
            "loso_accuracy": _accuracy(unknown, 0.75),
            "official_minutes": figure(train_minutes(official), "min", digits=1),
            "loso_minutes_per_fold": figure(
                max(minutes), "min", digits=1, low=min(minutes), high=max(minutes)
            ),
        },
        runs={
            "official": known.model_dump(mode="json"),
            "loso": unknown.model_dump(mode="json"),
            "loso_folds": {fold.fold: fold.metrics["accuracy"] for fold in unheard.folds or ()},
            "loso_fold_minutes": minutes,
            "config": {key: unheard.config[key] for key in ("frontend", "augment", "train")},
        },
        folder=folder,
    )


def _accuracy(measured: Measured, target: float) -> dict[str, object]:
    return figure(measured.value, low=measured.low, high=measured.high, at_least=target)


if __name__ == "__main__":
    sys.exit(main())
