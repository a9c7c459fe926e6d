"""A pack of ESC-10 that is killed at ten random moments and resumed, beside an unbroken one.

    AURICLE_DATA=... python benchmarks/pack_kill.py

Each round starts `auricle data pack` afresh, kills it (SIGKILL) at a moment drawn over the time of
the unbroken run, gives the same command again, and compares the SHA-256 of every dataset of the
HDF5 file with the unbroken one's.
"""

import hashlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from common import figure, record
from harness import AURICLE, arguments, data_folder, environment

SEED = 0
OPTIONS = ("--sample-rate", "16000", "--workers", "2", "--quiet")


def main() -> int:
    """Pack, kill, resume and compare; return the exit status."""
    parser = arguments(__doc__)
    parser.add_argument("--kills", type=int, default=10)
    args = parser.parse_args()
    rng = np.random.default_rng(SEED)
    data = data_folder("esc10")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        started = time.monotonic()
        pack(data, folder / "unbroken.h5")
        seconds = time.monotonic() - started
        wanted = hashes_of(folder / "unbroken.h5")
        rounds = [
            kill_and_resume(data, folder, number, float(rng.uniform(0.2, 1) * seconds), wanted)
            for number in range(args.kills)
        ]
    same = sum(one["same"] for one in rounds)
    broken = sum(one["found"] != "nothing" for one in rounds)
    record(
        "pack_kill",
        title="A pack that is killed and resumed",
        what=(
            "ESC-10 packed into HDF5 (int16, 16 kHz, two threads), killed with SIGKILL at a "
            "random moment of each round and given the same command again. Identical: the SHA-256 "
            "of every dataset in the file is the unbroken run's. Work was there: the killed run "
            "had begun to write."
        ),
        command="python benchmarks/pack_kill.py",
        seed=SEED,
        figures={
            "identical": figure(same, f"of {len(rounds)}", digits=0, at_least=len(rounds)),
            "work_was_there": figure(broken, f"of {len(rounds)}", digits=0),
        },
        runs={"rounds": rounds, "unbroken_s": seconds, "sha256": wanted},
        folder=args.results,
    )
    return 0


def pack(data: Path, output: Path) -> None:
    """Run the real command to its end. Killed after it renamed its pack, there is none to make."""
    line = [*AURICLE, "data", "pack", str(data), str(output), *OPTIONS]
    done = subprocess.run(line, env=environment(1), capture_output=True, text=True, check=False)
    if done.returncode and not output.exists():
        raise SystemExit(f"auricle data pack ended with status {done.returncode}: {done.stderr}")


def kill_and_resume(
    data: Path, folder: Path, number: int, after_s: float, wanted: dict[str, str]
) -> dict[str, Any]:
    """Kill a run of the command after some seconds, run it again, and compare what it made."""
    output = folder / f"killed-{number}.h5"
    line = [*AURICLE, "data", "pack", str(data), str(output), *OPTIONS]
    running = subprocess.Popen(
        line, env=environment(1), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(after_s)
    running.kill()
    running.wait()
    found = what_is_there(folder, output)
    pack(data, output)
    same = hashes_of(output) == wanted
    left = [path.name for path in folder.glob(f".{output.name}*")]
    return {"killed_after_s": after_s, "found": found, "same": same and not left}


def what_is_there(folder: Path, output: Path) -> str:
    """Say in words how far a killed run came."""
    if output.exists():
        return "the whole pack"
    work = folder / f".{output.name}.packing"
    chunks = len(list(work.glob("chunk-*.json")))
    if (work / "pack.h5").exists():
        return f"{len(list(work.glob('chunk-*.raw')))} of {chunks} chunks still to be joined"
    return f"{chunks} chunks" if work.exists() else "nothing"


def hashes_of(path: Path) -> dict[str, str]:
    """Return the SHA-256 of every dataset of a pack."""
    with h5py.File(path, "r") as file:
        return {name: hashlib.sha256(content(file[name])).hexdigest() for name in file}


def content(dataset: Any) -> bytes:
    """Return the values of a dataset as bytes; texts one behind the other, each with its length."""
    values = dataset[()]
    if dataset.dtype != object:
        return np.asarray(values).tobytes()
    texts = [values] if isinstance(values, bytes) else list(values)
    return b"".join(len(text).to_bytes(8, "little") + text for text in texts)


if __name__ == "__main__":
    sys.exit(main())
