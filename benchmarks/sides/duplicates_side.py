"""One run of the near-duplicate search over stored landmarks: seconds and memory.

    PYTHON duplicates_side.py LANDMARKS.npz SOUNDS few|many|parts

LANDMARKS holds `landmarks` and `starts`; the first SOUNDS are searched, with the hashes for few or
for many sounds, or with those for many in parts of PART hashes. The last line printed is a JSON
object: `seconds`, `peak_mb` (the most that the search held at a time), `landmarks`, `parts`,
`matches` and the `pairs` found.
"""

import argparse
import json
import time
import tracemalloc

import numpy as np

from auricle.data import duplicates

PART = 1 << 21


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("landmarks")
    parser.add_argument("sounds", type=int)
    parser.add_argument("scheme", choices=("few", "many", "parts"))
    args = parser.parse_args()
    with np.load(args.landmarks) as file:
        starts = file["starts"][: args.sounds + 1]
        landmarks = file["landmarks"][: starts[-1]]
    duplicates._MANY_LANDMARKS = 1 << 62 if args.scheme == "few" else 0
    if args.scheme == "parts":
        duplicates._MOST_IN_MEMORY = PART
    scheme = duplicates._FEW_SOUNDS if args.scheme == "few" else duplicates._MANY_SOUNDS
    list(duplicates.near_duplicates(landmarks[: starts[100]], starts[:101]))  # loads what is lazy
    began = time.perf_counter()
    found = list(duplicates.near_duplicates(landmarks, starts))
    seconds = time.perf_counter() - began
    tracemalloc.start()  # slows, so that memory is measured in a run of its own
    list(duplicates.near_duplicates(landmarks, starts))
    _, peak_bytes = tracemalloc.get_traced_memory()
    result = {
        "seconds": seconds,
        "peak_mb": peak_bytes / 1e6,
        "landmarks": len(landmarks),
        "parts": 1 + len(landmarks) * scheme.hashes // duplicates._MOST_IN_MEMORY,
        "matches": len(found),
        "pairs": [(match.first, match.second) for match in found],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
