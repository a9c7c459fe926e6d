"""Inference of Cnn14 beside `panns_inference`: 10 s at 32 kHz, one clip alone and eight at once.

    python benchmarks/panns_inference_speed.py --panns-python PATH

`PATH` is the Python of an environment with `panns_inference torch==2.13.0`. Both sides run one and
the same untrained checkpoint, written in the published layout; their scores are compared.
"""

import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common import Figure, figure, interleave, median, ratio, record
from harness import arguments, auricle, peer_versions, side

SAMPLE_RATE, CLIP_S = 32000, 10
CLIPS = 8
SIZES = {"batch_1": "one_ms", f"batch_{CLIPS}": "all_ms"}
TARGETS = {
    "fp32": {},
    "bf16": dict.fromkeys(SIZES, 2.0),
    "onnx_fp32": {"batch_1": 2.0, f"batch_{CLIPS}": 1.5},
}
"""How many times as fast each of our forms is to be."""


def main() -> int:
    """Measure; return the exit status."""
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--panns-python", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5, help="calls of a round")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        panns = (args.panns_python, "panns_side.py", folder / "home")
        checkpoint = folder / "cnn14.pth"
        shutil.copy(side(*panns, "prepare")["checkpoint"], checkpoint)
        auricle("export", checkpoint, folder / "cnn14.onnx")
        waveforms = folder / "waveforms.npy"
        noise = np.random.default_rng(0).standard_normal((CLIPS, CLIP_S * SAMPLE_RATE))
        np.save(waveforms, (0.1 * noise).astype(np.float32))
        ours = (sys.executable, "auricle_side.py", "tag")
        lines = {
            "panns_inference": (*panns, "tag", waveforms),
            "fp32": (*ours, checkpoint, waveforms),
            "bf16": (*ours, "--precision", "bf16", checkpoint, waveforms),
            "onnx_fp32": (*ours, folder / "cnn14.onnx", waveforms),
        }
        runs, apart = measure(lines, folder, args.repeats, args.rounds)
    peer = peer_versions(args.panns_python, "panns-inference", "torch", "torchlibrosa")
    write_result(runs, apart, peer, args.repeats, args.results)
    return 0


def measure(
    lines: Mapping[str, Sequence[Any]], folder: Path, repeats: int, rounds: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return the milliseconds of every side at both sizes, and how far our scores are off."""
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in lines}

    def call(name: str) -> float:
        words = (*lines[name], folder / f"{name}.npy", "--repeats", repeats)
        taken[name].append(side(*words))
        return taken[name][-1]["all_ms"]

    interleave({name: lambda name=name: call(name) for name in lines}, rounds)
    runs = {
        f"{name}_{size}": [round_[key] for round_ in rounds_of]
        for name, rounds_of in taken.items()
        for size, key in SIZES.items()
    }
    theirs = np.load(folder / "panns_inference.npy")
    apart = {
        name: float(np.abs(np.load(folder / f"{name}.npy") - theirs).max()) for name in TARGETS
    }
    return runs, apart


def write_result(
    runs: Mapping[str, list[float]],
    apart: Mapping[str, float],
    peer: str,
    repeats: int,
    folder: Path | None,
) -> None:
    """Write `panns_inference.json`."""
    figures: dict[str, Figure] = {
        f"{form}_{size}": ratio(
            runs[f"panns_inference_{size}"], runs[f"{form}_{size}"], at_least=targets.get(size)
        )
        for form, targets in TARGETS.items()
        for size in SIZES
    }
    figures |= {
        f"{form}_score_difference": figure(apart[form], digits=6, at_most=bound)
        for form, bound in (("fp32", 1e-4), ("onnx_fp32", 1e-4), ("bf16", None))
    }
    figures |= {f"{name}_ms": median(values, "ms", digits=0) for name, values in runs.items()}
    record(
        "panns_inference",
        title="Inference of Cnn14 beside panns_inference",
        what=(
            f"Scores of {CLIP_S} s of noise at 32 kHz that are in memory already, one clip and "
            f"{CLIPS} at once, two threads: how many times as fast ours is, as a classifier in "
            "fp32 and under bf16 autocast, and as an ONNX file in fp32. Both sides run the same "
            "untrained checkpoint; the differences are the largest of all probabilities."
        ),
        command="python benchmarks/panns_inference_speed.py --panns-python PATH",
        seed=0,
        figures=figures,
        runs=runs,
        notes=[f"{peer}. A round is the mean of {repeats} calls after as many to warm up."],
        folder=folder,
    )


if __name__ == "__main__":
    sys.exit(main())
