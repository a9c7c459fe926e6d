"""Cost of the log-mel front-end on one thread, beside librosa and torchlibrosa.

    AURICLE_DATA=... python benchmarks/frontend_cost.py --peers-python PATH

`PATH` is the Python of an environment with `librosa==0.11 torchlibrosa==0.1.0 torch==2.13`.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from auricle import audio
from auricle.core.types import FloatArray
from common import interleave, median, ratio, record
from harness import arguments, esc10_sounds, peer_versions, side

BATCHES = ("batch_1", "batch_16")
PEERS = ("librosa", "torchlibrosa")
SAMPLES = 5 * 32000
MOST_DIFFERENCE_DB = 0.01


def main() -> int:
    """Measure; return the exit status."""
    parser = arguments(__doc__, rounds=7)
    parser.add_argument("--peers-python", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=20, help="of a batch of 16 in a round")
    args = parser.parse_args()
    pythons = {"auricle": Path(sys.executable), **dict.fromkeys(PEERS, args.peers_python)}
    raw: dict[str, list[dict[str, Any]]] = {name: [] for name in pythons}
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "waveforms.npy"
        np.save(path, np.stack([waveform(sound.path) for sound in esc10_sounds()[::25]]))

        def measure(name: str) -> float:
            words = (name, path, "--repeats", args.repeats)
            raw[name].append(side(pythons[name], "frontend_side.py", *words, threads=1))
            return raw[name][-1]["mean_db"]

        means = interleave({name: lambda name=name: measure(name) for name in raw}, args.rounds)
    worst = max(abs(mean[0] - means["auricle"][0]) for mean in means.values())
    if worst > MOST_DIFFERENCE_DB:
        raise SystemExit(f"the sides do not compute the same features: {means}")
    peers = peer_versions(args.peers_python, *PEERS, "torch")
    write_result(raw, peers, args.results)
    return 0


def waveform(path: Path) -> FloatArray:
    """Return 5 s of a clip at 32 kHz."""
    return audio.pad_to(audio.load(path, 32000).samples[:SAMPLES], SAMPLES, how="zeros")


def write_result(raw: dict[str, list[dict[str, Any]]], peers: str, folder: Path | None) -> None:
    """Write `frontend_cost.json`."""
    runs = {
        f"{name}_{batch}": [measured[f"{batch}_ms"] for measured in rounds]
        for batch in BATCHES
        for name, rounds in raw.items()
    }
    figures = {}
    for batch in BATCHES:
        ours = runs[f"auricle_{batch}"]
        figures[batch] = median(ours, "ms a clip", digits=2, at_most=2.5)
        for peer in PEERS:
            theirs = runs[f"{peer}_{batch}"]
            figures[f"{peer}_{batch}"] = median(theirs, "ms a clip", digits=2)
            figures[f"faster_than_{peer}_{batch}"] = ratio(theirs, ours)
    record(
        "frontend_cost",
        title="Cost of the front-end",
        what=(
            "Milliseconds a 5 s clip of ESC-10 for 64 log-mel bins at 32 kHz (1024 points, hop "
            "320) on one thread, alone and in a batch of 16, waveform in memory to features; "
            "librosa and torchlibrosa with the same settings, whose features are the same. Ours "
            "keeps freed memory, as it does in training and prediction."
        ),
        command="python benchmarks/frontend_cost.py --peers-python PATH",
        seed=None,
        figures=figures,
        runs=runs,
        notes=[f"The peers run in their own environment: {peers}."],
        folder=folder,
    )


if __name__ == "__main__":
    sys.exit(main())
