"""Cost of every augmentation, beside audiomentations where it has the same, and what each promises.

    AURICLE_DATA=... python benchmarks/augmentations.py --peers-python PATH

`PATH` is the Python of an environment with `audiomentations[extras]==0.43.1`.
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from auricle import audio
from common import Figure, figure, interleave, median, ratio, record
from harness import arguments, esc10_sounds, peer_versions, side

RATE, SECONDS, CLIPS = 16000, 3, 16
SIDES = ("auricle", "audiomentations")
CODEC = "codec"  # an encoder, whose cost is its own


def main() -> int:
    """Measure; return the exit status."""
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--peers-python", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=10, help="of each part in a round")
    args = parser.parse_args()
    pythons = dict(zip(SIDES, (Path(sys.executable), args.peers_python), strict=True))
    raw: dict[str, list[dict[str, Any]]] = {name: [] for name in SIDES}
    with tempfile.TemporaryDirectory() as temporary:
        waveforms, noise = prepare(Path(temporary))

        def measure(name: str) -> float:
            words = (name, waveforms, noise, "--repeats", args.repeats)
            raw[name].append(side(pythons[name], "augment_side.py", *words, threads=1))
            return 0.0

        interleave({name: lambda name=name: measure(name) for name in SIDES}, args.rounds)
    versions = peer_versions(args.peers_python, "audiomentations", "librosa", "numpy")
    write_result(raw, versions, args.results)
    return 0


def prepare(folder: Path) -> tuple[Path, Path]:
    """Write clips of ESC-10 as one array, and its rain as a folder of noise; return both."""
    sounds = esc10_sounds()
    clips = [
        audio.pad_to(audio.load(sound.path, RATE).samples[: SECONDS * RATE], SECONDS * RATE)
        for sound in sounds[:: len(sounds) // CLIPS][:CLIPS]
    ]
    np.save(folder / "waveforms.npy", np.stack(clips))
    noise = folder / "noise"
    noise.mkdir()
    for number, sound in enumerate([sound for sound in sounds if sound.label == "rain"][:10]):
        # Decoded before: the peer decodes for each clip that it changes, we when training starts.
        soundfile.write(noise / f"{number}.wav", audio.load(sound.path, RATE).samples, RATE)
    return folder / "waveforms.npy", noise


def write_result(raw: dict[str, list[dict[str, Any]]], peers: str, folder: Path | None) -> None:
    """Write `augmentations.json`."""
    runs = {
        f"{name}_{part}_{how}": [measured[part][how] for measured in raw[name]]
        for name in SIDES
        for part in raw[name][0]
        for how in ("alone", "batch")
    }
    figures: dict[str, Figure] = {}
    rows = []
    for part in raw["auricle"][0]:
        row = [part]
        for name in SIDES:
            for how in ("alone", "batch"):
                values = runs.get(f"{name}_{part}_{how}")
                row.append("" if values is None else f"{statistics.median(values):.3f}")
        rows.append(row)
        theirs = runs.get(f"audiomentations_{part}_batch")
        if theirs is not None:
            figures[f"{part}_faster_in_a_batch"] = ratio(theirs, runs[f"auricle_{part}_batch"])
    cheap = [part for part in raw["auricle"][0] if part != CODEC]
    dearest = max(cheap, key=lambda part: statistics.median(runs[f"auricle_{part}_batch"]))
    figures["dearest_part"] = median(runs[f"auricle_{dearest}_batch"], "ms a clip", digits=2)
    figures["parts"] = figure(len(rows), "", digits=0)
    record(
        "augmentations",
        title="Augmentations",
        what=(
            "Milliseconds a clip of 3 s at 16 kHz on one thread, alone and in a batch of 16, "
            "targets included, for every part with its default options (but `quantise` linear and "
            "`codec` MP3 alone, as the other side does) and probability 1; "
            "audiomentations with the same ranges where it has the same, clip by clip, since it "
            f"takes no batches. Parts of features follow the default front-end. The dearest part "
            f"but for real encoders is `{dearest}`."
        ),
        command="python benchmarks/augmentations.py --peers-python PATH",
        seed=0,
        figures=figures,
        runs=runs,
        table={
            "header": ["part", "ours alone", "ours in a batch", "theirs alone", "theirs, 16 clips"],
            "rows": rows,
        },
        notes=[
            f"The peer runs in its own environment: {peers}.",
            "What each part promises (ratios within 0.05 dB, decay times, pitches, exact labels, "
            "probability 0 as identity, one clip as in a batch) is tested in tests/augment.",
            "Not quite the same: audiomentations' Resample draws any speed between 0.9 and 1.1, "
            "its Mp3Compression bit rates, its BandPassFilter a centre.",
        ],
        folder=folder,
    )


if __name__ == "__main__":
    sys.exit(main())
