"""Soundscapes of ESC-10, checked from their files: ratios, energy, label times, parts kept apart.

    AURICLE_DATA=... python benchmarks/soundscapes.py

The checks read what the command wrote (files, labels, records) and mix by themselves: none of the
code that made the soundscapes takes part, but for decoding and resampling.
"""

import csv
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from auricle import audio
from common import figure, record
from harness import arguments, auricle, data_folder

BACKGROUNDS = "rain,sea_waves"
PARTS = {"train": (200, "folds 1-4", 0), "test": (50, "fold 5", 1)}
RATE = 16000
FADE_S = 0.005
OPTIONS = ("--length", "10", "--snr", "0-20", "--pitch", "-2-2", "--events-per-clip", "1-5")

Array = Any


def main() -> int:
    """Make, check; return the exit status."""
    parser = arguments(__doc__)
    parser.add_argument("--count", type=int, help="soundscapes of each part, for a trial")
    args = parser.parse_args()
    data = data_folder("esc10")
    figures: dict[str, Any] = {}
    runs: dict[str, Any] = {}
    used: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for part, (count, folds, seed) in PARTS.items():
            folder = Path(temporary, part)
            began = time.perf_counter()
            auricle(
                "data", "mix", data, folder, "--split", part, "--data.validation_share", "0",
                "--background-labels", BACKGROUNDS, "--count", str(args.count or count),
                "--seed", str(seed), *OPTIONS, "--quiet",
            )  # fmt: skip
            seconds = time.perf_counter() - began
            checked = check(folder)
            used[part] = checked.pop("recordings")
            runs[part] = {**checked, "seconds": seconds, "of": folds}
    for part, checked in runs.items():
        figures |= figures_of(part, checked)
    shared = used["train"] & used["test"]
    figures["files_in_both_parts"] = figure(len(shared), "", digits=0, at_most=0)
    record(
        "soundscapes",
        title="Soundscapes",
        what=(
            "Soundscapes of 10 s at 16 kHz made by `auricle data mix` of ESC-10, its rain and sea "
            "waves as backgrounds: 200 of folds 1-4 and 50 of fold 5, one to five events at 0 to "
            "20 dB and up to two semitones off. From the files written: each event's level is "
            "fitted to the sound by least squares and its ratio to the background over its extent "
            "compared with the drawn one; what is left when background and events are taken away "
            "is the rounding to 16 bit; onsets and offsets in the table are compared with those "
            "at which the fitted events begin and end, in samples."
        ),
        command="python benchmarks/soundscapes.py",
        seed=0,
        figures=figures,
        runs={
            part: {key: value for key, value in checked.items() if key != "errors_db"}
            | {"worst_errors_db": sorted(map(abs, checked["errors_db"]))[-5:]}
            for part, checked in runs.items()
        },
        folder=args.results,
    )
    return 0


def figures_of(part: str, checked: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of one part."""
    return {
        f"{part}_soundscapes": figure(checked["soundscapes"], "", digits=0),
        f"{part}_events": figure(checked["events"], "", digits=0),
        f"{part}_worst_ratio_error": figure(
            max(map(abs, checked["errors_db"])), "dB", digits=4, at_most=0.2
        ),
        f"{part}_energy_outside_labels": figure(
            checked["loudest_outside_db"], "dB of full scale, the loudest", digits=1, at_most=-85
        ),
        f"{part}_worst_time_error": figure(
            checked["worst_time_error_samples"], "samples", digits=3, at_most=1
        ),
        f"{part}_seconds": figure(checked["seconds"], "s", digits=1),
    }


def check(folder: Path) -> dict[str, Any]:
    """Compare sounds, labels and records of a folder of soundscapes."""
    table: dict[str, list[tuple[float, float, str]]] = {}
    with (folder / "labels.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            table.setdefault(row["filename"], []).append(
                (float(row["onset"]), float(row["offset"]), row["event_label"])
            )
    errors: list[float] = []
    outside: list[float] = []
    time_errors: list[float] = []
    recordings: set[str] = set()
    for line in (folder / "soundscapes.jsonl").read_text(encoding="utf-8").splitlines():
        made = json.loads(line)
        name = f"{made['name']}.flac"
        samples, rate = soundfile.read(folder / "audio" / name)
        assert rate == RATE, rate
        background, stems = background_of(made), [stem_of(event) for event in made["events"]]
        errors += ratio_errors(samples, made, background, stems)
        outside.append(left_over_db(samples, made, background, stems))
        time_errors += times_off(table[name], made["events"])
        recordings |= {made["background"]["path"], *(event["path"] for event in made["events"])}
    return {
        "soundscapes": len(table),
        "events": len(errors),
        "errors_db": errors,
        "loudest_outside_db": max(outside),
        "worst_time_error_samples": max(time_errors),
        "recordings": recordings,
    }


def read(source: dict[str, Any], rate: int) -> Array:
    """Read the stretch of a source and bring it from `rate` (Hz) to that of the soundscapes."""
    whole = audio.load(source["path"]).samples[source["source_start"] : source["source_stop"]]
    if "label" in source:  # events have faded ends
        fade = int(FADE_S * source["source_rate"] + 0.5)
        ramp = np.sin(np.pi / 2 * (np.arange(fade) + 0.5) / fade) ** 2
        whole = whole.copy()
        whole[:fade] *= ramp
        whole[-fade:] *= ramp[::-1]
    return audio.resample(whole.astype(np.float32), rate, RATE).astype(np.float64)


def stem_of(event: dict[str, Any]) -> Array:
    """Make an event's sound, before its level."""
    sound = read(event, round(event["source_rate"] * 2 ** (event["pitch"] / 12)))
    if event["length"] < len(sound):
        sound = sound[: event["length"]].copy()
        fade = int(FADE_S * RATE + 0.5)
        sound[-fade:] *= np.sin(np.pi / 2 * (np.arange(fade) + 0.5) / fade)[::-1] ** 2
    return sound


def background_of(made: dict[str, Any]) -> Array:
    """Make the background, before its level: the stretch, faded into itself where it goes round."""
    ground = made["background"]
    sound, length = read(ground, ground["source_rate"]), made["length"]
    if len(sound) >= length and not ground["offset"]:
        return sound[:length]
    join = round(0.05 * RATE)
    rise = np.sin(np.pi / 2 * (np.arange(join) + 0.5) / join)
    period = len(sound) - join
    turn = sound[:period].copy()
    turn[:join] = rise * turn[:join] + rise[::-1] * sound[period:]
    return np.resize(np.roll(turn, -(ground["offset"] % period)), length)


def placed(made: dict[str, Any], background: Array, stems: list[Array]) -> Array:
    """Return background and events as the columns `(time, 1 + events)` of a linear system."""
    columns = np.zeros((made["length"], 1 + len(stems)))
    columns[:, 0] = background
    for column, (event, stem) in enumerate(zip(made["events"], stems, strict=True), 1):
        columns[event["onset"] : event["onset"] + event["length"], column] = stem
    return columns


def ratio_errors(
    samples: Array, made: dict[str, Any], background: Array, stems: list[Array]
) -> list[float]:
    """Return by how many dB each event's ratio, fitted to the sound, differs from the drawn one."""
    columns = placed(made, background, stems)
    gains = np.linalg.lstsq(columns, samples, rcond=None)[0]
    errors = []
    for gain, event, stem in zip(gains[1:], made["events"], stems, strict=True):
        extent = slice(event["onset"], event["onset"] + event["length"])
        behind = np.mean((gains[0] * background[extent]) ** 2)
        errors.append(float(10 * np.log10(np.mean((gain * stem) ** 2) / behind) - event["snr_db"]))
    return errors


def left_over_db(
    samples: Array, made: dict[str, Any], background: Array, stems: list[Array]
) -> float:
    """Return the peak of what the labels leave unexplained, in dB of full scale.

    Outside the labelled spans this is all that is not the background.
    """
    columns = placed(made, background, stems)
    gains = np.linalg.lstsq(columns, samples, rcond=None)[0]
    return float(20 * np.log10(np.abs(samples - columns @ gains).max()))


def times_off(rows: list[tuple[float, float, str]], events: list[dict[str, Any]]) -> list[float]:
    """Return how many samples the table's times are from the samples at which events lie."""
    expected = sorted(
        (event["onset"], event["onset"] + event["length"], event["label"]) for event in events
    )
    found = sorted((onset * RATE, offset * RATE, label) for onset, offset, label in rows)
    off = []
    for (onset, offset, label), (first, last, name) in zip(found, expected, strict=True):
        assert label == name, (label, name)
        off += [abs(onset - first), abs(offset - last)]
    return off


if __name__ == "__main__":
    sys.exit(main())
