"""Training steps of speaker-style backbones against macls 1.0.6.

    AURICLE_DATA=... python benchmarks/macls_backbones.py --macls-python PATH

`PATH` is the Python of an environment with `macls==1.0.6 torch==2.11 torchaudio==2.11`. Both sides
take (16, 298) frames of 80 bins that are there already, two threads, Adam, ten classes; a round is
one fresh process of each side and precision.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from common import Figure, interleave, median, ratio, record
from harness import arguments, esc10_sounds, peer_versions, side
from macls_training import MACLS, write_macls_lists

NETWORKS = {
    "campplus": "cam++",
    "ecapa_tdnn": "ecapa_tdnn",
    "res2net": "res2net",
    "resnet_se": "resnet_se",
    "eres2net": "eres2net",
}
"""Our preset, and the configuration that macls ships the same network in."""
PRECISIONS: Mapping[str, Sequence[str]] = {"fp32": (), "bf16": ("--bf16",)}


def main() -> int:
    """Measure; return the exit status."""
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--macls-python", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=8, help="steps of a round")
    parser.add_argument("--models", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    args = parser.parse_args()
    runs: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sounds = esc10_sounds()[::10]  # all ten classes
        write_macls_lists(folder, train=sounds, test=sounds[:2])
        for name in args.models:
            runs |= measure(name, args.macls_python, folder, args.steps, args.rounds)
    peer = peer_versions(args.macls_python, *MACLS)
    write_result(runs, args.models, peer, args.steps, args.results)
    return 0


def measure(
    name: str, python: Path, folder: Path, steps: int, rounds: int
) -> dict[str, list[float]]:
    """Return the seconds of a step of both sides of one network, in both precisions."""
    sizes: dict[str, int] = {}

    def step_s(who: str, line: Sequence[Any]) -> float:
        measured = side(*line)
        sizes[who] = measured["parameters"]
        return measured["step_s"]

    config = ("--config", NETWORKS[name])
    lines = {
        "macls": (python, "macls_side.py", "step", folder, *config, "--steps", steps),
        "auricle": (sys.executable, "auricle_side.py", "step", "--model", name, "--steps", steps),
    }
    sides = {
        f"{name}_{who}_{precision}": partial(step_s, who, (*line, *flags))
        for precision, flags in PRECISIONS.items()
        for who, line in lines.items()
    }
    runs = interleave(sides, rounds)
    if len(set(sizes.values())) != 1:
        raise SystemExit(f"{name} is not the same network on both sides: parameters {sizes}")
    return runs


def figures_of(name: str, runs: Mapping[str, list[float]]) -> dict[str, Figure]:
    """Return the ratios of a network, and the seconds of its steps."""
    macls = {precision: runs[f"{name}_macls_{precision}"] for precision in PRECISIONS}
    ours = {precision: runs[f"{name}_auricle_{precision}"] for precision in PRECISIONS}
    return {
        f"{name}_fp32": ratio(macls["fp32"], ours["fp32"], at_least=1.15),
        f"{name}_bf16_against_fp32": ratio(macls["fp32"], ours["bf16"], at_least=1.6),
        f"{name}_bf16_against_bf16": ratio(macls["bf16"], ours["bf16"]),
        **{
            key: median(seconds, "s", digits=2)
            for key, seconds in runs.items()
            if key.startswith((f"{name}_macls", f"{name}_auricle"))
        },
    }


def write_result(
    runs: Mapping[str, list[float]],
    names: Sequence[str],
    peer: str,
    steps: int,
    folder: Path | None,
) -> None:
    """Write `macls_backbones.json`."""
    figures: dict[str, Figure] = {}
    for name in names:
        figures |= figures_of(name, runs)
    record(
        "macls_backbones",
        title="Training steps of speaker-style backbones against macls 1.0.6",
        what=(
            "Seconds of a training step (forward, backward, Adam) on features that are there "
            "already: 16 clips of 298 frames and 80 bins, two threads, and how many times ours is "
            "as fast. `fp32`: both as they are. `bf16 against fp32`: ours under bf16 autocast, its "
            "default where the processor computes in it, macls as it ships. `bf16 against bf16`: "
            "macls under an autocast that it does not ship. The networks have the same parameters, "
            "and ours reproduce the outputs of macls (tests/parity)."
        ),
        command="python benchmarks/macls_backbones.py --macls-python PATH",
        seed=None,
        figures=figures,
        runs=runs,
        notes=[f"{peer}. A round is the mean of {steps} steps after two to warm up."],
        folder=folder,
    )


if __name__ == "__main__":
    sys.exit(main())
