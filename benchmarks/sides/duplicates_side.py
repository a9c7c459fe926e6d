"""One run of the near-duplicate search over stored landmarks: seconds and memory.

    PYTHON duplicates_side.py LANDMARKS.npz SOUNDS few|many

LANDMARKS holds `landmarks` and `starts`; the first SOUNDS are searched, with the hashes for few or
for many sounds. The last line printed is a JSON object: `seconds`, `peak_mb` (what the search added
to the process), `landmarks`, `matches` and the `pairs` found.
"""

import argparse
import json
import resource
import time

import numpy as np

from auricle.data import duplicates


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("landmarks")
    parser.add_argument("sounds", type=int)
    parser.add_argument("scheme", choices=("few", "many"))
    args = parser.parse_args()
    with np.load(args.landmarks) as file:
        starts = file["starts"][: args.sounds + 1]
        landmarks = file["landmarks"][: starts[-1]]
    duplicates._MANY_LANDMARKS = 0 if args.scheme == "many" else 1 << 62
    list(duplicates.near_duplicates(landmarks[: starts[100]], starts[:101]))  # loads what is lazy
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    found = list(duplicates.near_duplicates(landmarks, starts))
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = {
        "seconds": seconds,
        "peak_mb": (peak - before) * 1024 / 1e6,
        "landmarks": len(landmarks),
        "matches": len(found),
        "pairs": [(match.first, match.second) for match in found],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
