"""What bf16 costs in accuracy: the default model on the five folds of ESC-10, against fp32.

    AURICLE_DATA=... python benchmarks/precision.py --output runs/precision --epochs 40

Every seed is trained in both precisions with all else equal. The paired difference is taken over
source recordings, so that how hard a recording is cancels out; with several `--seeds` it is the
mean over seeds. A run that was stopped goes on. Further options go to `auricle crossval`.
"""

import sys
from pathlib import Path

import numpy as np

from auricle.evaluation import Result
from auricle.metrics import Interval, Statistic, paired_difference_interval
from common import figure, record
from harness import NO_VALIDATION, arguments, crossval, data_folder, fold_minutes

PRECISIONS = ("fp32", "bf16")
PROTOCOL = ("--data.group", "src_file", *NO_VALIDATION)


def main() -> int:
    """Measure; return the exit status."""
    parser = arguments(__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--epochs", type=int, default=40, help="of the shortened recipe")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="all are averaged")
    args, options = parser.parse_known_args()
    right: dict[str, list[dict[str, bool]]] = {precision: [] for precision in PRECISIONS}
    minutes: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    for seed in args.seeds:
        for precision in PRECISIONS:
            output = args.output / f"{precision}_seed{seed}"
            flags = ("--seed", str(seed), "--epochs", str(args.epochs))
            how = ("--train.precision", precision)
            result = crossval(data_folder("esc10"), output, *PROTOCOL, *flags, *how, *options)
            right[precision].append(right_clips(result))
            minutes[precision] += fold_minutes(output)
    flags = " ".join([f"--epochs {args.epochs} --seeds", *map(str, args.seeds), *options])
    write_result(
        right, minutes, epochs=args.epochs, seeds=args.seeds, flags=flags, folder=args.results
    )
    return 0


def right_clips(result: Result) -> dict[str, bool]:
    """Return for the name of every clip whether it was classified right."""
    table = result.scores
    if table is None:
        raise SystemExit("the cross-validation left no scores.csv")
    hits = table.probabilities.argmax(axis=1) == table.targets
    return {Path(path).name: bool(hit) for path, hit in zip(table.paths, hits, strict=True)}


def compare(right: dict[str, list[dict[str, bool]]]) -> Interval:
    """Return fp32 minus bf16, in points of accuracy, with its interval over recordings."""
    names = sorted(right["fp32"][0])

    def points(precision: str) -> Statistic:
        shares = np.array([[run[name] for name in names] for run in right[precision]]).mean(axis=0)
        return lambda weights: 100 * (weights @ shares) / weights.sum(axis=-1)

    # A clip's name is fold-recording-take.
    recordings = [name.split("-")[1] for name in names]
    return paired_difference_interval(
        points("fp32"), points("bf16"), len(names), groups=recordings, seed=0, resamples=10_000
    )


def write_result(
    right: dict[str, list[dict[str, bool]]],
    minutes: dict[str, list[float]],
    *,
    epochs: int,
    seeds: list[int],
    flags: str,
    folder: Path | None,
) -> None:
    """Write `precision.json`."""
    loss = compare(right)
    accuracy = {
        precision: [sum(run.values()) / len(run) for run in runs]
        for precision, runs in right.items()
    }
    record(
        "precision",
        title="bf16 against fp32",
        what=(
            f"The default model on the five folds of ESC-10, {epochs} epochs, "
            f"{len(seeds)} seed(s), trained in fp32 and under bf16 autocast with all else equal. "
            "Loss: points of accuracy, fp32 minus bf16, paired, 95 % interval over "
            f"{loss.groups} recordings; its upper end is the largest loss not excluded."
        ),
        command=f"python benchmarks/precision.py --output runs/precision {flags}",
        seed=seeds[0],
        figures={
            "loss_points": figure(loss.value, "points", digits=2, low=loss.low, high=loss.high),
            "largest_loss_points": figure(loss.high, "points", digits=2, at_most=2),
            **{
                f"{precision}_accuracy": figure(
                    float(np.mean(values)), low=min(values), high=max(values)
                )
                for precision, values in accuracy.items()
            },
        },
        runs={"accuracy": accuracy, "fold_minutes": minutes, "seeds": seeds},
        notes=["The minutes of the folds are kept with the runs; speed is measured elsewhere."],
        folder=folder,
    )


if __name__ == "__main__":
    sys.exit(main())
