"""What the search for near duplicates costs as the data grow, and the whole check of ESC-10.

    AURICLE_DATA=... python benchmarks/near_duplicates_growth.py

Sounds are made of the clips of ESC-10 and of spoken digits of FSDD, five seconds each, played at a
speed that wanders between 0.7 and 1.4, so that no two share a second; one in a hundred is a copy of
an earlier one, 6 dB lower, a third of a second later and with noise at 20 dB. Each size is searched
in a fresh process, the sizes in turn.
"""

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from auricle.audio import load
from auricle.data import duplicates
from auricle.data.fingerprint import RATE_HZ, fingerprint
from common import Figure, figure, interleave, median, record
from harness import AURICLE, arguments, data_folder, esc10_sounds, side, wall_s

SIZES = (1250, 2500, 5000, 10000, 20000)
SECONDS = 5
COPY_EVERY = 100
MILLION = 1_000_000
CLIPS = 400  # of ESC-10

Samples = np.ndarray[Any, np.dtype[np.float32]]


def main() -> int:
    """Measure; return the exit status."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        stored = Path(temporary, "landmarks.npz")
        clip_ms = store_landmarks(stored, max(args.sizes), args.seed)
        runs = {scheme: search(stored, args.sizes, scheme, args.rounds) for scheme in SCHEMES}
    data = data_folder("esc10")
    words = [*AURICLE, "data", "check", str(data), "--quiet", "--fail-on", "error"]
    checks = [check_s(words) for _ in range(args.rounds)]
    write_result(runs, clip_ms, checks, args.seed, args.results)
    return 0


SCHEMES = ("few", "many", "parts")


def check_s(words: list[str]) -> float:
    """Return the seconds of the whole command, which ends with 1 since ESC-10 has a leak."""
    return wall_s([sys.executable, "-c", _ANY_STATUS, *words])


_ANY_STATUS = (
    "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode not in (0, 1))"
)


def store_landmarks(path: Path, sounds: int, seed: int) -> float:
    """Make sounds and store their landmarks; return the milliseconds of a fingerprint."""
    rng = np.random.default_rng(seed)
    sources = [load(sound.path, RATE_HZ).samples for sound in esc10_sounds()]
    digits = sorted((data_folder("fsdd") / "audio_files").glob("*.wav"))
    spoken = [load(digit, RATE_HZ).samples for digit in digits]
    marks, taken_s = [], 0.0
    recent: list[Samples] = []
    for number in range(sounds):
        if number % COPY_EVERY == COPY_EVERY - 1:
            sound = copied(recent[number % len(recent)], rng)
        else:
            sound = made(sources, spoken, rng)
            recent = [*recent[-15:], sound]
        began = time.perf_counter()
        marks.append(fingerprint(sound, RATE_HZ))
        taken_s += time.perf_counter() - began
        if number % 1000 == 999:
            print(f"{number + 1} of {sounds} sounds", flush=True)
    starts = np.concatenate([[0], np.cumsum([len(one) for one in marks])])
    np.savez(path, landmarks=np.concatenate(marks), starts=starts)
    return 1000 * taken_s / sounds


def made(sources: list[Samples], spoken: list[Samples], rng: np.random.Generator) -> Samples:
    """Play a clip, or a row of digits, at a speed that wanders: the speed makes it a new sound."""
    if rng.random() < 0.5:
        source = sources[rng.integers(len(sources))]
    else:
        row = [spoken[at] for at in rng.integers(len(spoken), size=14)]
        source = np.concatenate(row)[: SECONDS * RATE_HZ]
    knots = np.linspace(0, SECONDS * RATE_HZ, 4 * SECONDS)
    speed = np.interp(np.arange(SECONDS * RATE_HZ), knots, rng.uniform(0.7, 1.4, len(knots)))
    at = (np.cumsum(speed) + rng.integers(len(source))) % len(source)
    return np.interp(at, np.arange(len(source)), source).astype(np.float32)


def copied(sound: Samples, rng: np.random.Generator) -> Samples:
    """Return a sound lower, later and with noise."""
    later = np.concatenate([np.zeros(RATE_HZ // 3, np.float32), 0.5 * sound])[: len(sound)]
    noise = rng.standard_normal(len(later)) * np.sqrt(np.mean(np.square(later)) / 100)
    return (later + noise).astype(np.float32)


def search(stored: Path, sizes: tuple[int, ...], scheme: str, rounds: int) -> dict[str, Any]:
    """Return seconds, memory and what was found, by size."""
    details: dict[int, list[dict[str, Any]]] = {size: [] for size in sizes}

    def run(size: int) -> float:
        details[size].append(
            side(sys.executable, "duplicates_side.py", stored, size, scheme, threads=1)
        )
        return details[size][-1]["seconds"]

    seconds = interleave({str(size): lambda size=size: run(size) for size in sizes}, rounds)
    last = {size: details[size][-1] for size in sizes}
    return {
        "sizes": list(sizes),
        "seconds": seconds,
        "peak_mb": {str(size): [one["peak_mb"] for one in details[size]] for size in sizes},
        "landmarks": {str(size): last[size]["landmarks"] for size in sizes},
        "parts": {str(size): last[size]["parts"] for size in sizes},
        "copies": {str(size): size // COPY_EVERY for size in sizes},
        "copies_found": {str(size): copies_found(last[size]["pairs"]) for size in sizes},
        "matches": {str(size): last[size]["matches"] for size in sizes},
    }


def copies_found(pairs: list[list[int]]) -> int:
    """Count copies that were found with some sound before them."""
    return len({second for _, second in pairs if second % COPY_EVERY == COPY_EVERY - 1})


def exponent(runs: Mapping[str, Any], what: str) -> float:
    """Return the exponent of the power law through the medians of all sizes."""
    values = [np.median(runs[what][str(size)]) for size in runs["sizes"]]
    return float(np.polyfit(np.log(runs["sizes"]), np.log(values), 1)[0])


def for_a_million(runs: Mapping[str, Mapping[str, Any]]) -> tuple[float, float]:
    """Extrapolate the minutes and the GB of a search of a million sounds.

    All hashes are made once for every part; the rest is done once. Which is which is told by the
    largest size, searched whole and in parts. Memory is that of the hashes of a part and of the
    landmarks.
    """
    many, parts = runs["many"], runs["parts"]
    size = max(many["sizes"])
    whole_s, parted_s = (float(np.median(one["seconds"][str(size)])) for one in (many, parts))
    made_s = max(0.0, parted_s - whole_s) / max(1, parts["parts"][str(size)] - 1)
    landmarks = many["landmarks"][str(size)]
    hashes = landmarks * duplicates._MANY_SOUNDS.hashes
    scale = MILLION / size
    number = 1 + int(hashes * scale) // duplicates._MOST_IN_MEMORY
    seconds = scale * (whole_s + (number - 1) * made_s)
    part_mb = float(np.median(many["peak_mb"][str(size)])) / hashes * duplicates._MOST_IN_MEMORY
    return seconds / 60, (part_mb + 4e-6 * landmarks * scale) / 1000


def figures_of(runs: Mapping[str, Any], clip_ms: float, checks: list[float]) -> dict[str, Figure]:
    """Return what is published."""
    few, many = runs["few"], runs["many"]
    largest = str(max(few["sizes"]))
    minutes, gigabytes = for_a_million(runs)
    return {
        "check_of_esc10": median(checks, "s", digits=1, at_most=10),
        "fingerprint": figure(clip_ms, "ms a clip of 5 s", digits=1),
        "seconds_at_largest_size": median(few["seconds"][largest], "s", digits=2),
        "memory_at_largest_size": median(few["peak_mb"][largest], "MB", digits=0),
        "exponent_of_time": figure(exponent(few, "seconds"), digits=2),
        "exponent_of_memory": figure(exponent(few, "peak_mb"), digits=2),
        "exponent_of_time_four_peaks": figure(exponent(many, "seconds"), digits=2),
        "copies_found": figure(few["copies_found"][largest] / few["copies"][largest]),
        "copies_found_four_peaks": figure(many["copies_found"][largest] / many["copies"][largest]),
        "extrapolated_search_of_a_million": figure(minutes, "min", digits=0),
        "extrapolated_memory_of_a_million": figure(gigabytes, "GB", digits=1),
        "extrapolated_decoding_of_a_million": figure(
            float(np.median(checks)) / CLIPS * MILLION / 3600, "hours", digits=1
        ),
    }


def write_result(
    runs: Mapping[str, Any], clip_ms: float, checks: list[float], seed: int, folder: Path | None
) -> None:
    """Write `near_duplicates_growth.json`."""
    few = runs["few"]
    largest = str(max(few["sizes"]))
    shown = [(one, what) for one in SCHEMES for what in ("seconds", "peak_mb")]
    rows = [
        [f"{size:,}", *(f"{np.median(runs[one][what][str(size)]):.2f}" for one, what in shown)]
        for size in few["sizes"]
    ]
    beside = few["matches"][largest] - few["copies_found"][largest]
    record(
        "near_duplicates_growth",
        title="Near duplicates: what the search costs as data grow",
        what=(
            "Seconds and memory of the search over stored landmarks, one thread, by the number of "
            "sounds of 5 s, and the exponent of the power law through all sizes. Hashes of three "
            "peaks are used below about 130,000 such clips, of four peaks above, where they are "
            f"sorted in parts of {duplicates._MOST_IN_MEMORY:,}; the last columns show smaller "
            "parts. The figures for a million are extrapolated, not measured: each part makes all "
            "hashes again, so that time has a small term that grows with the square. The whole "
            "`auricle data check` of the 400 clips of ESC-10 is timed on two threads."
        ),
        command="python benchmarks/near_duplicates_growth.py",
        seed=seed,
        figures=figures_of(runs, clip_ms, checks),
        runs={**runs, "check_s": checks, "fingerprint_ms": clip_ms},
        table={
            "header": [
                "sounds",
                *("three peaks: s", "MB"),
                *("four peaks: s", "MB"),
                *("in parts: s", "MB"),
            ],
            "rows": rows,
        },
        notes=[
            f"Landmarks of a clip of 5 s take {4 * few['landmarks'][largest] / int(largest):.0f} "
            "bytes.",
            f"Pairs found at the largest size beside the planted copies: {beside}, which the check "
            "would go on to confirm by correlation.",
            "Decoding of a million is the time of ESC-10's 400 Vorbis clips times 2,500.",
        ],
        folder=folder,
    )


if __name__ == "__main__":
    sys.exit(main())
