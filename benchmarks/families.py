"""All families at full size: parameters, multiply-adds, clips per second, memory.

    python benchmarks/families.py [--gpu] [--models NAME ...]

Every network runs in a process of its own behind its own front-end, on crops of its own length,
with random weights: speed and memory do not depend on them. The whole takes at most 15 minutes; a
network that does not fit into its share of them is named as not measured.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from auricle.artifact.catalogue import Entry, examine
from auricle.models import MODELS
from common import figure, record
from harness import SIDES, arguments, environment

# One of each kind and size that people choose between; `--models` measures any other.
NETWORKS = (
    *("small_resnet", "crnn", "cnn6", "cnn10", "cnn14", "cnn14_decision_att"),
    *("wavegram_cnn14", "wavegram_logmel_cnn14", "resnet22", "resnet38", "resnet54"),
    *("mobilenetv1", "mobilenetv2", "res1dnet31", "res1dnet51", "leenet11", "leenet24"),
    *("dainet19", "tdnn", "ecapa_tdnn", "res2net", "resnet_se", "campplus", "eres2net"),
    *("eres2net_large", "eres2netv2", "mn04", "mn10", "mn40", "dymn04", "dymn10", "dymn20"),
    *("resnet18", "resnet50", "efficientnet_b0", "mobilenetv3_small", "convnext_tiny"),
    *("vit_small", "vit_base", "ast", "wav2vec2_base_classifier", "wavlm_base_classifier"),
)
TOTAL_S = 15 * 60
HEADER = (
    *("network", "parameters", "MACs per 10 s", "clip", "inference", "training"),
    *("memory, inference", "memory, training"),
)


def main() -> int:
    """Measure; return the exit status."""
    parser = arguments(__doc__)
    parser.add_argument("--models", nargs="*", default=NETWORKS, help="networks to measure")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--total-s", type=float, default=TOTAL_S, help="for all networks together")
    parser.add_argument("--gpu", action="store_true", help="on a GPU, with its utilisation")
    args = parser.parse_args()
    for name in args.models:
        MODELS[name]  # an unknown name ends it before anything is measured
    gpu = args.gpu and has_gpu()
    runs = measure(args.models, args.batch, args.total_s, gpu)
    notes = ["No GPU was at hand: nothing on one, and no utilisation, was measured."] * (not gpu)
    write_result(runs, args.batch, notes, gpu, args.results)
    return 0


def has_gpu() -> bool:
    """Say whether torch can compute on a GPU here."""
    import torch

    return torch.cuda.is_available()


def measure(names: Sequence[str], batch: int, total_s: float, gpu: bool) -> dict[str, Any]:
    """Measure every network in its share of the time; return what each measured, or why not."""
    share_s = total_s / max(1, len(names))
    # Start, first rounds and the rest of a round come on top of what the two budgets say.
    words = ("--batch", str(batch), "--budget-s", str(share_s / 6))
    threads = os.environ if gpu else environment(2)
    runs: dict[str, Any] = {}
    for name in names:
        line = [sys.executable, str(SIDES / "family_side.py"), name, *words]
        line += ["--device", "cuda"] if gpu else []
        try:
            done = subprocess.run(
                line, env=threads, capture_output=True, text=True, timeout=share_s, check=False
            )
        except subprocess.TimeoutExpired:
            runs[name] = {"failed": f"did not end within {share_s:.0f} s"}
        else:
            runs[name] = read(done)
        print(name, runs[name], flush=True)
    return runs


def read(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """Return what a side printed, or its last line of error."""
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    lines = done.stderr.strip().splitlines()
    reason = lines[-1] if lines else "no message"
    return {"failed": f"ended with status {done.returncode}: {reason}"}


def row(entry: Entry, measured: Mapping[str, Any]) -> list[str]:
    """Write one network under `HEADER`."""
    assert entry.counted is not None  # the benchmark runs with every extra
    known = [
        entry.name,
        f"{entry.counted.summary.parameters:,}",
        f"{entry.counted.multiply_adds / 1e9:.2f} G",
        f"{entry.clip_s:g} s",
    ]
    if "failed" in measured:
        return [*known, *["not measured"] * 4]
    busy = measured["gpu_utilisation"]
    training = f"{measured['training_clips_per_s']:.1f} clips/s"
    return [
        *known,
        f"{measured['inference_clips_per_s']:.1f} clips/s",
        training if busy is None else f"{training} ({busy:.0%} of the GPU)",
        f"{measured['inference_peak_mb']:.0f} MB",
        f"{measured['training_peak_mb']:.0f} MB",
    ]


def write_result(
    runs: Mapping[str, Any], batch: int, notes: Sequence[str], gpu: bool, folder: Path | None
) -> None:
    """Write `families.json`, or `families_gpu.json`."""
    failed = {name: run["failed"] for name, run in runs.items() if "failed" in run}
    where = "one GPU" if gpu else "two threads"
    record(
        "families_gpu" if gpu else "families",
        title="All families at full size" + (" on a GPU" if gpu else ""),
        what=(
            f"Clips per second in inference and training, batches of {batch} crops of the length "
            f"that suits each network, waveforms to scores or to updated weights, {where}, bf16 "
            "autocast where the hardware computes in it; the highest memory of the process until "
            "then (on a GPU, of its tensors). 50 classes; MACs as `auricle models` counts them. "
            "How well a network does is not in this table: that takes training it."
        ),
        command="python benchmarks/families.py" + " --gpu" * gpu,
        seed=0,
        figures={
            "networks_measured": figure(len(runs) - len(failed), digits=0),
            "networks_not_measured": figure(len(failed), digits=0),
        },
        runs=runs,
        table={
            "header": HEADER,
            "rows": [row(examine(name, 50), measured) for name, measured in runs.items()],
        },
        notes=[*notes, *(f"{name}: {reason}" for name, reason in failed.items())],
        folder=folder,
    )


if __name__ == "__main__":
    sys.exit(main())
