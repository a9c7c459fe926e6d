"""Peak memory and speed of predicting a three-hour file from the default model's ONNX file.

    AURICLE_DATA=... python benchmarks/memory.py

The file is real sound: the clips of ESC-10 one after another, 44.1 kHz, 16 bit, mono (950 MB in
the temporary folder). Peak memory is the largest resident set of a fresh `auricle predict`.
"""

import sys
import tempfile
from pathlib import Path

import soundfile

from common import figure, median, record
from harness import AURICLE, arguments, esc10_sounds, peak_mb_and_s, saved_classifier

SAMPLE_RATE = 44100


def main() -> int:
    """Measure; return the exit status."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--hours", type=float, default=3.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = saved_classifier(folder / "default") / "model.onnx"
        sound = folder / "long.wav"
        duration_s = write_long_file(sound, args.hours)
        runs = [predict(model, sound, folder / "labels.csv") for _ in range(args.rounds)]
    write_result(runs, args.hours, duration_s, args.results)
    return 0


def write_long_file(path: Path, hours: float) -> float:
    """Write ESC-10's clips one after another until `hours` are full; return the seconds."""
    wanted = int(hours * 3600 * SAMPLE_RATE)
    clips = []
    for sound in esc10_sounds():
        samples, rate = soundfile.read(sound.path, dtype="int16", always_2d=True)
        if rate == SAMPLE_RATE:
            clips.append(samples[:, 0])
    written = 0
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, "PCM_16") as file:
        while written < wanted:
            for clip in clips:
                part = clip[: wanted - written]
                file.write(part)
                written += len(part)
    return written / SAMPLE_RATE


def predict(model: Path, sound: Path, output: Path) -> tuple[float, float]:
    """Return the peak MB and the seconds of a fresh process that labels `sound`."""
    return peak_mb_and_s([*AURICLE, "predict", model, sound, "--output", output, "--quiet"])


def write_result(
    runs: list[tuple[float, float]], hours: float, duration_s: float, folder: Path | None
) -> None:
    """Write `memory.json`."""
    peak_mb = [peak for peak, _ in runs]
    seconds = [taken for _, taken in runs]
    record(
        "memory",
        title="Memory on long recordings",
        what=(
            f"`auricle predict model.onnx FILE` on a file of {hours:g} hours (44.1 kHz, 16 bit, "
            "mono, clips of ESC-10 one after another) with the default model, two threads: peak "
            "resident memory of the process, the highest of the runs, and hours of sound per hour."
        ),
        command="python benchmarks/memory.py",
        seed=0,
        figures={
            "peak_memory": figure(
                max(peak_mb), "MB", digits=0, low=min(peak_mb), high=max(peak_mb), at_most=500
            ),
            "real_time_factor": median(
                [duration_s / taken for taken in seconds], "times real time", digits=0
            ),
            "seconds": median(seconds, "s", digits=0),
        },
        runs={"peak_mb": peak_mb, "seconds": seconds},
        notes=["The weights are hardly trained; memory and speed do not depend on them."],
        folder=folder,
    )


if __name__ == "__main__":
    sys.exit(main())
