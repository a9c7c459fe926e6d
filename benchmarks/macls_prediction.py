"""Prediction speed against macls 1.0.6, and the time of a fresh process to its first label.

    AURICLE_DATA=... python benchmarks/macls_prediction.py --macls-python PATH

`PATH` is the Python of an environment with `macls==1.0.6 torch==2.11 torchaudio==2.11`. The 80
clips of fold 5 of ESC-10, OGG files to labels, CNN10 on filter-bank features, two threads; start
and loading of the classifier left out. Then whole processes that predict one file.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from auricle.core.writing import write_text
from common import interleave, median, ratio, record
from harness import (
    AURICLE,
    SIDES,
    arguments,
    esc10_sounds,
    peer_versions,
    saved_classifier,
    side,
    wall_s,
)
from macls_training import MACLS, write_macls_lists

# The clips last 5.00 to 5.10 s: a window that holds them whole, as macls scores them.
CNN10 = ("--model", "cnn10", "--frontend", "fbank", "--data.clip_s", "5.15")
LEVELLED = ("--data.normalise", "rms", "--data.target_db", "-20")


def main() -> int:
    """Measure; return the exit status."""
    parser = arguments(__doc__, rounds=7)
    parser.add_argument("--macls-python", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=80)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sounds = [sound for sound in esc10_sounds() if sound.fold == 5][: args.clips]
        write_macls_lists(folder, train=esc10_sounds()[::10], test=sounds)
        write_text(folder / "files.txt", "\n".join(str(sound.path) for sound in sounds))
        side(args.macls_python, "macls_side.py", "save", folder)
        cnn10 = saved_classifier(folder / "cnn10", *CNN10, *LEVELLED)
        default = saved_classifier(folder / "default")
        many = interleave(prediction(args.macls_python, folder, cnn10), args.rounds)
        first = interleave(
            first_label(args.macls_python, folder, cnn10, default, sounds[0].path), args.rounds
        )
    peer = peer_versions(args.macls_python, *MACLS)
    write_result(many, first, peer, folder=args.results)
    return 0


def prediction(python: Path, folder: Path, cnn10: Path) -> dict[str, Callable[[], float]]:
    """Return the sides that predict all clips; each gives clips per second."""
    ours = (sys.executable, "auricle_side.py", "predict")
    theirs = (python, "macls_side.py", "predict", folder)
    lines = {
        "auricle": (*ours, cnn10 / "model.onnx", folder / "files.txt"),
        "auricle_torch": (*ours, cnn10, folder / "files.txt"),
        "auricle_torch_bf16": (*ours, cnn10, folder / "files.txt", "--precision", "bf16"),
        "macls_predict": theirs,
        "macls_predict_batch": (*theirs, "--batch"),
    }
    return {name: lambda line=line: side(*line)["clips_per_s"] for name, line in lines.items()}


def first_label(
    python: Path, folder: Path, cnn10: Path, default: Path, sound: Path
) -> dict[str, Callable[[], float]]:
    """Return the sides that start, load, predict one file and end; each gives seconds."""
    theirs = (python, SIDES / "macls_side.py", "first", folder, "--file", sound)
    lines = {
        "auricle_default": (*AURICLE, "predict", default / "model.onnx", sound),
        "auricle_cnn10": (*AURICLE, "predict", cnn10 / "model.onnx", sound),
        "macls_cnn10": theirs,
    }
    return {name: lambda line=line: wall_s(line) for name, line in lines.items()}


def write_result(
    many: dict[str, list[float]], first: dict[str, list[float]], peer: str, *, folder: Path | None
) -> None:
    """Write `macls_prediction.json`."""
    pairs = zip(many["macls_predict"], many["macls_predict_batch"], strict=True)
    fastest = [max(pair) for pair in pairs]
    figures = {
        "prediction": ratio(many["auricle_torch_bf16"], fastest, at_least=3),
        "prediction_onnx_fp32": ratio(many["auricle"], fastest),
        "prediction_torch_fp32": ratio(many["auricle_torch"], fastest),
        **{name: median(runs, "clips/s", digits=1) for name, runs in many.items()},
        "first_label_default": median(first["auricle_default"], "s", digits=2, at_most=1.5),
        "first_label_cnn10": median(first["auricle_cnn10"], "s", digits=2, at_most=1.5),
        "first_label_macls": median(first["macls_cnn10"], "s", digits=2),
        "first_label": ratio(first["macls_cnn10"], first["auricle_cnn10"]),
    }
    record(
        "macls_prediction",
        title="Prediction against macls 1.0.6, and start",
        what=(
            "The 80 clips of fold 5 of ESC-10 (5 s, OGG), files to labels, with CNN10 on 80 "
            "filter-bank bins at 16 kHz, two threads, in a process that is warm: ours with "
            "`--precision bf16`, from its fp32 ONNX file and with torch in fp32, macls (fp32, it "
            "has no other) one by one and in batches of 16, the ratios against the faster of its "
            "two. `first label`: whole processes, `auricle predict "
            "model.onnx FILE` with the default model and with cnn10, beside macls' predictor."
        ),
        command="python benchmarks/macls_prediction.py --macls-python PATH",
        seed=0,
        figures=figures,
        runs={**many, **{f"first_label_{name}": runs for name, runs in first.items()}},
        notes=[
            f"{peer}.",
            "The weights are untrained on both sides; speed does not depend on them.",
        ],
        folder=folder,
    )


if __name__ == "__main__":
    sys.exit(main())
