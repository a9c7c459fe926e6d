"""Accuracy on the official five folds of ESC-10, from scratch, and the minutes of a fold.

    AURICLE_DATA=... python benchmarks/esc10.py --output runs/esc10 --search-log search.jsonl

Runs `auricle crossval` with `--data.group src_file --data.validation_share 0`; further options go
to it as they are. A run that was stopped goes on. Every full run stays in the result, the bad
ones too, and so does the log of the search on inner validation splits, one JSON object a line.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from auricle.artifact.folder import load_classifier
from auricle.evaluation import Result
from common import RESULTS, commit, figure, record
from harness import NO_VALIDATION, arguments, crossval, data_folder, fold_minutes

NAME = "esc10_crossval"
PROTOCOL = ("--data.group", "src_file", *NO_VALIDATION)


def main() -> int:
    """Measure; return the exit status."""
    parser = arguments(__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--search-log", type=Path, help="JSON lines of the search to keep")
    args, options = parser.parse_known_args()
    seed = ("--seed", str(args.seed))
    result = crossval(data_folder("esc10"), args.output, *PROTOCOL, *seed, *options)
    full, search = earlier_runs((args.results or RESULTS) / f"{NAME}.json")
    run = describe(args.output, result, options, args.seed)
    # A run that is only read again keeps its entry and takes its place as the latest.
    kept = {old["finished"]: old for old in full}
    run = kept.pop(run["finished"], run)
    full = [*kept.values(), run]
    if args.search_log:
        lines = args.search_log.read_text(encoding="utf-8").splitlines()
        search = [json.loads(line) for line in lines if line.strip()]
    write_result(result, full, search, args.results)
    return 0


def earlier_runs(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the full runs and the search that the result already holds."""
    if not path.is_file():
        return [], []
    runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
    return runs["full"], runs["search"]


def describe(output: Path, result: Result, options: list[str], seed: int) -> dict[str, Any]:
    """Return all of a full run that is kept."""
    folds = sorted(output.glob("fold_*"))
    classifier, _ = load_classifier(folds[0])
    judged = max((fold / "test" / "result.json").stat().st_mtime for fold in folds)
    finished = datetime.fromtimestamp(judged, UTC)
    return {
        "finished": finished.isoformat(timespec="seconds"),
        "commit": commit(),
        "options": options,
        "seed": seed,
        "accuracy": result.metrics["accuracy"].model_dump(mode="json"),
        "fold_accuracy": {fold.fold: fold.metrics["accuracy"] for fold in result.folds or ()},
        "fold_minutes": fold_minutes(output),
        "parameters": sum(weights.numel() for weights in classifier.model.parameters()),
        "model": result.config["model"],
        "frontend": result.config["frontend"],
        "augment": result.config["augment"],
        "train": result.config["train"],
    }


def write_result(
    result: Result,
    full: list[dict[str, Any]],
    search: list[dict[str, Any]],
    folder: Path | None,
) -> None:
    """Write the figures of the latest full run, and all runs."""
    run = full[-1]
    accuracy, minutes = result.metrics["accuracy"], run["fold_minutes"]
    folds = list(run["fold_accuracy"].values())
    options = " ".join(["--seed", str(run["seed"]), *run["options"]])
    record(
        NAME,
        title="ESC-10, five folds, from scratch",
        what=(
            f"Accuracy over the {accuracy.count} clips of the official folds, each judged by the "
            "network that trained on the other four for a fixed number of epochs; 95 % interval "
            f"by bootstrap over {accuracy.groups} source recordings. Minutes of a fold: from its "
            "start to its judgement, the slowest and the range."
        ),
        command=f"python benchmarks/esc10.py --output runs/esc10 {options}",
        seed=run["seed"],
        figures={
            "accuracy": figure(accuracy.value, low=accuracy.low, high=accuracy.high, at_least=0.92),
            "fold_accuracy": figure(sum(folds) / len(folds), low=min(folds), high=max(folds)),
            "minutes_per_fold": figure(
                max(minutes), "min", digits=1, low=min(minutes), high=max(minutes), at_most=6
            ),
            "parameters": figure(run["parameters"], digits=0),
        },
        runs={"full": full, "search": search},
        notes=[
            f"{len(full)} full run(s) were made; the figures are of the latest, the file has all.",
            f"Recipe and epochs were chosen on inner validation splits of training folds only "
            f"({len(search)} logged trials); the seed was fixed before.",
        ],
        folder=folder,
    )


if __name__ == "__main__":
    sys.exit(main())
