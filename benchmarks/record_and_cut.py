"""What is played is what `auricle record` saves; `auricle data cut` gives back known events.

    AURICLE_DATA=... python benchmarks/record_and_cut.py

Played are clips of ESC-10 (16 kHz, 16 bit) through PortAudio and ALSA's file device, which needs
libportaudio2. Cut are soundscapes of `auricle data mix`, and a long recording for the memory. The
judge reads the files with soundfile and shares no code with what wrote them.
"""

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from auricle.audio import load
from common import figure, median, record
from harness import (
    AURICLE,
    arguments,
    auricle,
    data_folder,
    environment,
    esc10_sounds,
    peak_mb_and_s,
)

RATE = 16000
LENGTH_S = 4
# Nothing paces the file that ALSA plays: what does not fit its buffer of three blocks is lost.
RECORD = (
    "import sys; from auricle.audio import microphone; microphone.BLOCK_S = 2.0; "
    "from auricle.cli import main; sys.exit(main(sys.argv[1:]))"
)


def main() -> int:
    """Measure; return the exit status."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--clips", type=int, default=40, help="clips to play and record")
    parser.add_argument("--soundscapes", type=int, default=100)
    parser.add_argument("--hours", type=float, default=3.0, help="length of the long recording")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        same = [played_is_saved(folder / str(n), n) for n in range(args.clips)]
        events = events_come_back(folder / "mix", args.soundscapes)
        long = [cut_long(folder, round_, args.hours) for round_ in range(args.rounds)]
    record(
        "record_and_cut",
        title="From a microphone to a file, from a recording to its events",
        what=f"{args.clips} clips of ESC-10 of {LENGTH_S} s played into `auricle record` through "
        f"PortAudio and ALSA's file device; {events['events']} events in {args.soundscapes} "
        "soundscapes cut out by `auricle data cut`, one clip each, and as windows of 2.5 s with "
        f"the times of their events; a recording of {args.hours:g} hours cut into windows of 10 s.",
        command="python benchmarks/record_and_cut.py",
        seed=0,
        figures={
            "recorded_equal": figure(float(np.mean(same)), "of the clips", at_least=1),
            "cut_equal": figure(events["equal"], "of the events", at_least=1),
            "times_off_samples": figure(events["off_samples"], "samples", digits=0, at_most=0),
            "long_peak": median([peak for peak, _ in long], "MB", digits=0),
            "long_speed": median(
                [args.hours * 3600 / seconds for _, seconds in long], "times real time", digits=0
            ),
        },
        runs={"recorded_equal": same, "events": events, "long_peak_mb_and_s": long},
        notes=["No sound card took part: a file plays the microphone, without pace."],
        folder=args.results,
    )
    return 0


def played_is_saved(folder: Path, index: int) -> bool:
    """Play a clip into `auricle record`; say whether the file has the same samples."""
    folder.mkdir()
    sound = load(esc10_sounds()[index * 7 % 400].path, RATE)
    played = np.clip(np.rint(np.resize(sound.samples, 3 * 2 * RATE) * 32768), -32768, 32767)
    (folder / "played.raw").write_bytes(played.astype("<i2").tobytes())
    (folder / "asound.conf").write_text(
        "</usr/share/alsa/alsa.conf>\n"
        "pcm.wavraw {type file slave.pcm null file /dev/null "
        f'infile "{folder}/played.raw" format raw}}\n'
        f"pcm.wavmic {{type plug slave {{pcm wavraw format S16_LE rate {RATE} channels 1}}}}\n",
        encoding="utf-8",
    )
    words = ["record", folder / "saved", "--label", "clip", "--device", "wavmic", "--quiet"]
    subprocess.run(
        [sys.executable, "-c", RECORD, *map(str, words), "--length", str(LENGTH_S)],
        env={**environment(1), "ALSA_CONFIG_PATH": str(folder / "asound.conf")},
        stdout=sys.stderr,
        check=True,
    )
    (saved,) = (folder / "saved" / "clip").glob("*.wav")
    samples, rate = soundfile.read(saved, dtype="int16")
    return rate == RATE and np.array_equal(samples, played[: LENGTH_S * RATE])


def events_come_back(folder: Path, count: int) -> dict[str, float]:
    """Cut soundscapes; compare every clip with the labels that the soundscapes were made with."""
    mix = folder / "mix"
    auricle("data", "mix", data_folder("esc10"), mix, "--count", str(count), "--quiet")
    with (mix / "labels.tsv").open(encoding="utf-8", newline="") as file:
        truth = [row for row in csv.DictReader(file, delimiter="\t") if row["event_label"]]
    auricle("data", "cut", mix, folder / "events", "--quiet")
    rows = manifest(folder / "events")
    wanted = {
        key(mix / "audio" / row["filename"], row["event_label"], row["onset"], row["offset"])
        for row in truth
    }
    found = {
        key(row["source"], row["labels"], row["source_onset_s"], row["source_offset_s"])
        for row in rows
        if is_slice(folder / "events", row)
    }
    auricle("data", "cut", mix, folder / "windows", "--length", "2.5", "--strong", "--quiet")
    return {
        "events": len(truth),
        "equal": len(wanted & found) / len(wanted),
        "off_samples": most_off(manifest(folder / "windows"), wanted),
    }


def key(path: Path | str, label: str, onset_s: str, offset_s: str) -> tuple[str, str, int, int]:
    """Return an event with its times in samples."""
    return (
        os.path.abspath(path),
        label,
        *(round(float(time) * RATE) for time in (onset_s, offset_s)),
    )


def manifest(folder: Path) -> list[dict[str, str]]:
    """Read the table of the clips."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def is_slice(folder: Path, row: dict[str, str]) -> bool:
    """Say whether a clip is the stretch of its source that the table names."""
    _, _, start, stop = key(row["source"], "", row["source_onset_s"], row["source_offset_s"])
    whole, _ = soundfile.read(row["source"], dtype="int16")
    return np.array_equal(soundfile.read(folder / row["path"], dtype="int16")[0], whole[start:stop])


def most_off(rows: list[dict[str, str]], truth: set[tuple[str, str, int, int]]) -> int:
    """Return how many samples of any class and recording the windows label otherwise."""
    labelled: dict[tuple[str, str], set[int]] = {}
    for row in rows:
        if row["labels"]:
            start = float(row["source_onset_s"])
            times = (str(start + float(row[name])) for name in ("onset_s", "offset_s"))
            path, label, first, last = key(row["source"], row["labels"], *times)
            labelled.setdefault((path, label), set()).update(range(first, last))
    expected: dict[tuple[str, str], set[int]] = {}
    for path, label, first, last in truth:
        expected.setdefault((path, label), set()).update(range(first, last))
    pairs = labelled.keys() | expected.keys()
    return sum(len(labelled.get(one, set()) ^ expected.get(one, set())) for one in pairs)


def cut_long(folder: Path, round_: int, hours: float) -> tuple[float, float]:
    """Cut a long recording into windows; return the peak MB and the seconds."""
    long = folder / "long.wav"
    if not long.exists():
        minute = np.random.default_rng(0).integers(-9000, 9000, 60 * RATE, dtype=np.int16)
        with soundfile.SoundFile(long, "w", RATE, 1, "PCM_16") as file:
            for _ in range(round(hours * 60)):
                file.write(minute)
    out = folder / f"windows-{round_}"
    line = [*AURICLE, "data", "cut", long, out, "--length", "10", "--keep-empty", "--quiet"]
    return peak_mb_and_s(line)


if __name__ == "__main__":
    sys.exit(main())
