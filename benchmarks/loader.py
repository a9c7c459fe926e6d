"""The training loader alone against macls 1.0.6, and packed data: clips per second.

    AURICLE_DATA=... python benchmarks/loader.py --macls-python PATH

`PATH` is the Python of an environment with `macls==1.0.6 torch==2.11 torchaudio==2.11`. Both read
the OGG files of ESC-10 (44.1 kHz) into levelled 3 s crops at 16 kHz with two loader processes and
compute 80 filter-bank bins: macls in its loader processes, as it ships; ours on whole batches in
the main process, where training does. No network is run.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from common import figure, interleave, median, ratio, record
from harness import arguments, auricle, esc10_sounds, peer_versions, side, training_table
from macls_training import MACLS, write_macls_lists

OURS = "loader_side.py"


def main() -> int:
    """Measure; return the exit status."""
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--macls-python", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument(
        "--epochs", type=int, default=3, help="of ours, from files; packs: 10 times"
    )
    args = parser.parse_args()
    sounds = esc10_sounds()
    sounds = sounds[:: len(sounds) // args.clips][: args.clips]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        table = training_table(folder / "train.csv", sounds)
        write_macls_lists(folder, train=sounds, test=sounds[:2])
        auricle("data", "pack", table, folder / "pack.h5", "--sample-rate", "16000", "--quiet")

        def ours(data: Path, epochs: int, *options: str) -> Callable[[], float]:
            words = ("epochs", data, "--epochs", epochs, *options)
            return lambda: side(sys.executable, OURS, *words)["clips_per_s"]

        many = 10 * args.epochs
        runs = interleave(
            {
                "macls": lambda: side(
                    args.macls_python, "macls_side.py", "loader", folder, "--workers", 2
                )["clips_per_s"],
                "files": ours(table, args.epochs),
                "files_cached": ours(table, many, "--cache-mb", "2048"),
                "packed": ours(folder / "pack.h5", many),
                "files_without_frontend": ours(table, args.epochs, "--no-frontend"),
                "packed_without_frontend": ours(folder / "pack.h5", many, "--no-frontend"),
            },
            args.rounds,
        )
        stages = [side(sys.executable, OURS, "stages", table, threads=1) for _ in range(3)]
        packed = [
            side(sys.executable, OURS, "stages", folder / "pack.h5", threads=1) for _ in range(3)
        ]
    write_result(runs, stages, packed, peer_versions(args.macls_python, *MACLS), args.results)
    return 0


def write_result(
    runs: dict[str, list[float]],
    stages: list[dict[str, float]],
    packed: list[dict[str, float]],
    peer: str,
    folder: Path | None,
) -> None:
    """Write `loader.json`."""
    figures = {
        "against_macls": ratio(runs["files"], runs["macls"], at_least=10),
        "packed_against_files": ratio(runs["packed_without_frontend"], runs["files"], at_least=10),
        "cached_against_macls": ratio(runs["files_cached"], runs["macls"]),
        **{name: median(runs[name], "clips/s", digits=0) for name in runs},
    }
    for prefix, measured in (("", stages), ("packed_", packed)):
        for name in measured[0]:
            lowest = min(one[name] for one in measured)
            figures[f"{prefix}{name}"] = figure(1000 * lowest, "ms", digits=3)
    record(
        "loader",
        title="The training loader, and packed data",
        what=(
            "Clips per second of the loader alone: OGG files of ESC-10 at 44.1 kHz to levelled 3 s "
            "crops at 16 kHz, two loader processes, batches of 16, 80 filter-bank bins at the end. "
            "`files`: every clip is decoded in every epoch, as macls does; `files_cached`: decoded "
            "clips kept in memory, the default; `packed`: from the HDF5 file of `auricle data "
            "pack`, nothing kept. `without_frontend`: no filter bank. The `cpu_s` figures are "
            "processor milliseconds of a clip by stage, in one process with one thread, the lowest "
            "of three runs; `crop` is all that the loader does to a clip, from its file on."
        ),
        command="python benchmarks/loader.py --macls-python PATH",
        seed=0,
        figures=figures,
        runs={**runs, "stages": stages, "packed_stages": packed},
        notes=[
            f"{peer}; its own data set and loader over one epoch, from the first batch on. The "
            "compilation of its resampler in every loader process is left out, to its favour.",
        ],
        folder=folder,
    )


if __name__ == "__main__":
    sys.exit(main())
