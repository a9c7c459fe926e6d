"""Training speed against macls 1.0.6: PANNs CNN10 on filter-bank features, clips per second.

    AURICLE_DATA=... python benchmarks/macls_training.py --macls-python PATH

`PATH` is the Python of an environment with `macls==1.0.6 torch==2.11 torchaudio==2.11`. Both read
the same OGG files of ESC-10 (folds 1 to 4), 3 s crops at 16 kHz, 80 mel bins, levelled to -20 dB,
batches of 16, two threads. macls runs its own loop as it ships; ours is `auricle train`.
"""

import csv
import sys
import tempfile
from pathlib import Path

from auricle.core.writing import write_text
from common import interleave, median, ratio, record
from harness import (
    NO_VALIDATION,
    Sound,
    arguments,
    auricle,
    esc10_sounds,
    peer_versions,
    side,
    training_table,
)

MACLS = ("macls", "torch", "torchaudio")
STEPS_LEFT_OUT = 3  # those that the log's clips per second leave out
SAME_INPUT = (
    *("--model", "cnn10", "--frontend", "fbank", "--train.batch_size", "16"),
    *("--data.clip_s", "3", "--data.normalise", "rms", "--data.target_db", "-20"),
    *NO_VALIDATION,
)
SAME_WORK = (
    *("--train.precision", "fp32", "--augment.preset", "none"),
    *("--train.optimizer", "adam", "--train.ema_decay", "0", "--train.label_smoothing", "0"),
)
AS_SHIPPED = ("--train.precision", "bf16")
UNCACHED = ("--data.cache_mb", "0")
OURS = {
    "auricle_fp32": (*SAME_WORK, *UNCACHED),
    "auricle_fp32_cached": SAME_WORK,
    "auricle_bf16": (*AS_SHIPPED, *UNCACHED),
    "auricle_bf16_cached": AS_SHIPPED,
}


def main() -> int:
    """Measure; return the exit status."""
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--macls-python", type=Path, required=True)
    parser.add_argument("--macls-workers", type=int, default=8, help="its loader processes")
    parser.add_argument("--clips", type=int, default=320, help="clips of an epoch")
    parser.add_argument("--steps", type=int, default=8, help="steps timed alone")
    args = parser.parse_args()
    sounds = [sound for sound in esc10_sounds() if sound.fold != 5]
    sounds = sounds[:: len(sounds) // args.clips][: args.clips]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        table = training_table(folder / "train.csv", sounds)
        write_macls_lists(folder, train=sounds, test=sounds[:2])
        macls = (args.macls_python, "macls_side.py")
        workers, steps = ("--workers", args.macls_workers), ("--steps", args.steps)
        runs = interleave(
            {
                "macls_fp32": lambda: side(*macls, "epoch", folder, *workers)["clips_per_s"],
                **{
                    name: lambda options=options: train_speed(table, options, args.clips // 16)
                    for name, options in OURS.items()
                },
            },
            args.rounds,
        )
        runs |= interleave(
            {
                f"{name}_step_{precision}": lambda line=line, flags=flags: side(
                    *line, *steps, *flags
                )["step_s"]
                for precision, flags in (("fp32", ()), ("bf16", ("--bf16",)))
                for name, line in (
                    ("macls", (*macls, "step", folder)),
                    ("auricle", (sys.executable, "auricle_side.py", "step")),
                )
            },
            args.rounds,
        )
    peer = peer_versions(args.macls_python, *MACLS)
    write_result(runs, f"{peer}; {args.macls_workers} loader processes (it ships 8)", args.results)
    return 0


def write_macls_lists(folder: Path, *, train: list[Sound], test: list[Sound]) -> None:
    """Write the lists that macls reads: a path and a class number a line, and the classes."""
    labels = sorted({sound.label for sound in train})
    for name, sounds in (("train_list.txt", train), ("test_list.txt", test)):
        lines = [f"{sound.path}\t{labels.index(sound.label)}\n" for sound in sounds]
        write_text(folder / name, "".join(lines))
    write_text(folder / "label_list.txt", "\n".join(labels))


def train_speed(table: Path, options: tuple[str, ...], steps: int) -> float:
    """Return the clips per second of `auricle train`, loading included, from its log."""
    with tempfile.TemporaryDirectory() as temporary:
        run = Path(temporary) / "run"
        stop = ("--max-steps", str(steps + STEPS_LEFT_OUT))
        auricle("train", table, "--output", run, "--quiet", *stop, *SAME_INPUT, *options)
        with (run / "log.csv").open(newline="", encoding="utf-8") as file:
            return float(list(csv.DictReader(file))[-1]["clips_per_s"])


def write_result(runs: dict[str, list[float]], peer: str, folder: Path | None) -> None:
    """Write `macls_training.json`."""
    theirs = runs["macls_fp32"]
    figures = {
        "same_precision": ratio(runs["auricle_fp32"], theirs, at_least=1.7),
        "as_shipped": ratio(runs["auricle_bf16"], theirs, at_least=3),
        "same_precision_cached": ratio(runs["auricle_fp32_cached"], theirs),
        "as_shipped_cached": ratio(runs["auricle_bf16_cached"], theirs),
        **{name: median(runs[name], "clips/s", digits=1) for name in ("macls_fp32", *OURS)},
        "step_fp32": ratio(runs["macls_step_fp32"], runs["auricle_step_fp32"]),
        "step_bf16": ratio(runs["macls_step_bf16"], runs["auricle_step_bf16"]),
        **{name: median(runs[name], "s", digits=2) for name in runs if "_step_" in name},
    }
    record(
        "macls_training",
        title="Training speed against macls 1.0.6",
        what=(
            "Training clips per second, sound files to updated weights: PANNs CNN10, 80 "
            "filter-bank bins at 16 kHz, 3 s crops of the OGG files of ESC-10, batches of 16, two "
            "threads. `same precision`: both in fp32, the same work (no augmentation, no weight "
            "averaging). `as shipped`: ours with its defaults under bf16 autocast, macls with its "
            "own. `cached`: ours with decoded clips kept in memory, its default; without it every "
            "clip is read from its file in every epoch, as macls does. `step`: the network's step "
            "alone on ready features; macls does not ship bf16, its step under bf16 autocast is "
            "given for comparison."
        ),
        command="python benchmarks/macls_training.py --macls-python PATH",
        seed=0,
        figures=figures,
        runs=runs,
        notes=[
            f"{peer}; its own loop over one epoch. The compilation of its resampler in every "
            "loader process is left out, to its favour.",
        ],
        folder=folder,
    )


if __name__ == "__main__":
    sys.exit(main())
