"""Near-duplicate finder on planted copies of ESC-10, and what it finds among the untouched clips.

    AURICLE_DATA=... python benchmarks/near_duplicates.py

For each distortion, 100 clips are written again to a temporary folder and put beside the 400; every
pair that `auricle data check` calls nearly the same is then judged: the planted ones by where they
came from, all others by the peak of the normalised cross-correlation of the full waveforms at their
own sample rate, over all lags with at least a second in common (0.5 and above: the same sound).
Thresholds of the finder were set on the other 300 clips and on FSDD.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile

from auricle.core.types import Clip
from auricle.data import Manifest
from auricle.data.check.measuring import measure_all
from auricle.data.check.sameness import NearPair, exact_copies, near_pairs
from common import Figure, figure, record
from harness import Sound, arguments, esc10_sounds

PLANTED = 100
SPLIT_SEED = 1
"""The seed that told the judged clips from those that thresholds were set on. Do not change."""
SAME = 0.5
OVERLAP_S = 1.0
SHIFT_S = 0.3
MP3_KBPS = 64

Samples = np.ndarray[Any, np.dtype[np.float32]]


def main() -> int:
    """Measure; return the exit status."""
    parser = arguments(__doc__)
    parser.add_argument("--planted", type=int, default=PLANTED, help="fewer make a trial short")
    parser.add_argument("--seed", type=int, default=0, help="seed of the added noise")
    args = parser.parse_args()
    sounds = esc10_sounds()
    chosen = np.random.default_rng(SPLIT_SEED).permutation(len(sounds))[:PLANTED][: args.planted]
    runs: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name, distort in DISTORTIONS.items():
            folder = Path(temporary, name)
            folder.mkdir()
            rng = np.random.default_rng(args.seed)
            copies = [distort(sounds[at].path, folder / str(at), rng) for at in chosen]
            runs[name] = judge(sounds, copies, chosen.tolist())
            print(name, {key: runs[name][key] for key in ("recall", "precision")}, flush=True)
    untouched = pairs_among([sound.path for sound in sounds])
    runs["untouched"] = [describe(sounds, pair) for pair in untouched]
    write_result(runs, len(chosen), args.seed, args.results)
    return 0


def read(path: Path) -> tuple[Samples, int]:
    """Return a file as one channel at its own sample rate."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return samples.mean(axis=1), rate


def as_mp3(source: Path, target: Path, rng: np.random.Generator) -> Path:
    """Encode at 64 kbit/s, constant, with LAME through FFmpeg."""
    samples, rate = read(source)
    path = target.with_suffix(".mp3")
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libmp3lame", rate=rate, layout="mono")
        stream.bit_rate = MP3_KBPS * 1000
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)
    return path


def quieter(source: Path, target: Path, rng: np.random.Generator) -> Path:
    """Lower by 6 dB."""
    samples, rate = read(source)
    return written(target, samples * 10 ** (-6 / 20), rate)


def later(source: Path, target: Path, rng: np.random.Generator) -> Path:
    """Begin with 0.3 s of silence, and lose as much at the end."""
    samples, rate = read(source)
    silence = np.zeros(round(SHIFT_S * rate), np.float32)
    return written(target, np.concatenate([silence, samples])[: len(samples)], rate)


def noisier(source: Path, target: Path, rng: np.random.Generator) -> Path:
    """Add white noise whose power is 20 dB below the clip's."""
    samples, rate = read(source)
    noise = rng.standard_normal(len(samples)) * np.sqrt(np.mean(np.square(samples)) / 100)
    return written(target, samples + noise, rate)


def written(target: Path, samples: Any, rate: int) -> Path:
    """Write 16 bit, scaled down where it would clip."""
    path = target.with_suffix(".wav")
    peak = max(1.0, float(np.abs(samples).max()))
    soundfile.write(path, samples / peak, rate, subtype="PCM_16")
    return path


DISTORTIONS: dict[str, Callable[[Path, Path, np.random.Generator], Path]] = {
    "mp3_64_kbps": as_mp3,
    "gain_minus_6_db": quieter,
    "shift_0.3_s": later,
    "noise_20_db": noisier,
}


def pairs_among(paths: Sequence[Path]) -> list[NearPair]:
    """Return the pairs of files that the product calls nearly the same, or the same."""
    manifest = Manifest.of(Clip(str(path), ("sound",)) for path in paths)
    measures, faults = measure_all(manifest, workers=None, cache=None, progress=None)
    if faults:
        raise SystemExit(f"a clip cannot be read: {faults[0]}")
    copies = exact_copies(measures)
    exact = [NearPair(rows[0], row, 0.0, 1.0) for rows in copies for row in rows[1:]]
    return [*exact, *near_pairs(manifest, measures, copies, None)]


def judge(sounds: Sequence[Sound], copies: Sequence[Path], of: Sequence[int]) -> dict[str, Any]:
    """Return recall and precision over pairs, and the pairs that were missed or refuted."""
    paths = [*(sound.path for sound in sounds), *copies]
    planted = {(source, len(sounds) + at) for at, source in enumerate(of)}
    found = {(pair.first, pair.second): pair for pair in pairs_among(paths)}
    others = [(one, other) for one, other in found if (one, other) not in planted]
    peaks = {pair: peak_correlation(paths[pair[0]], paths[pair[1]]) for pair in others}
    false = [pair for pair, peak in peaks.items() if peak < SAME]
    missed = sorted(planted - set(found))
    return {
        "planted": len(planted),
        "found": len(planted) - len(missed),
        "recall": 1 - len(missed) / len(planted),
        "other_pairs": len(others),
        "refuted": len(false),
        "precision": 1 - len(false) / max(1, len(found)),
        "missed": [f"{sounds[one].label} {sounds[one].path.name}" for one, _ in missed],
        "others": [
            {"files": [paths[one].name, paths[other].name], "peak_correlation": peak}
            for (one, other), peak in peaks.items()
        ],
    }


def peak_correlation(first: Path, second: Path) -> float:
    """Return the peak of the normalised cross-correlation over all lags with a second in common."""
    (one, rate), (other, other_rate) = read(first), read(second)
    if rate != other_rate:
        raise SystemExit(f"{first} and {second} have different sample rates")
    least = round(OVERLAP_S * rate)
    size = 2 ** int(np.ceil(np.log2(len(one) + len(other))))
    product = np.fft.irfft(np.fft.rfft(one, size) * np.fft.rfft(other, size).conj(), size)
    lags = np.arange(least - len(other), len(one) - least + 1)
    start, end = np.maximum(lags, 0), np.minimum(len(one), len(other) + lags)
    mine, theirs = (np.append(0, np.cumsum(np.square(x, dtype=np.float64))) for x in (one, other))
    energy = (mine[end] - mine[start]) * (theirs[end - lags] - theirs[start - lags])
    heard = energy > 1e-6 * mine[-1] * theirs[-1]  # rounding correlates with silence
    return float((np.abs(product[lags[heard]]) / np.sqrt(energy[heard])).max(initial=0.0))


def describe(sounds: Sequence[Sound], pair: NearPair) -> dict[str, Any]:
    """Return a pair of the untouched clips, with the judge's correlation."""
    two = sounds[pair.first], sounds[pair.second]
    return {
        "files": [sound.path.name for sound in two],
        "labels": [sound.label for sound in two],
        "folds": [sound.fold for sound in two],
        "recordings": [sound.recording for sound in two],
        "lag_s": pair.lag_s,
        "finder_correlation": pair.correlation,
        "peak_correlation": peak_correlation(two[0].path, two[1].path),
    }


def write_result(runs: dict[str, Any], planted: int, seed: int, folder: Path | None) -> None:
    """Write `near_duplicates.json`."""
    figures: dict[str, Figure] = {}
    for name in DISTORTIONS:
        key = name.replace(".", "_")
        figures[f"recall_{key}"] = figure(runs[name]["recall"], at_least=0.95)
        figures[f"precision_{key}"] = figure(runs[name]["precision"], at_least=0.98)
    untouched = runs["untouched"]
    confirmed = sum(one["peak_correlation"] >= SAME for one in untouched)
    figures["pairs_among_untouched"] = figure(len(untouched), digits=0)
    figures["confirmed_of_them"] = figure(confirmed, digits=0)
    rows = [
        [
            " · ".join(one["files"]),
            " · ".join(dict.fromkeys(one["labels"])),
            " · ".join(map(str, one["folds"])),
            f"{one['lag_s']:.2f}",
            f"{one['peak_correlation']:.2f}",
            "confirmed" if one["peak_correlation"] >= SAME else "refuted",
        ]
        for one in untouched
    ]
    record(
        "near_duplicates",
        title="Near duplicates: planted copies of ESC-10, and real ones",
        what=(
            f"{planted} clips of ESC-10 written again (MP3 at 64 kbit/s; 6 dB lower; 0.3 s later; "
            "with white noise at 20 dB) and put beside the 400: how many of the pairs `auricle "
            "data check` finds, and how many of all pairs that it names are true. A pair that was "
            "not planted is true where the peak of the normalised cross-correlation of the full "
            f"waveforms, over all lags with {OVERLAP_S:g} s in common, is {SAME:g} or more. The "
            "table is what it finds among the untouched 400."
        ),
        command="python benchmarks/near_duplicates.py",
        seed=seed,
        figures=figures,
        runs=runs,
        table={
            "header": ["files", "class", "folds", "lag (s)", "peak correlation", "verdict"],
            "rows": rows,
        },
        notes=[
            "Thresholds of the finder were set on the other 300 clips of ESC-10 and on FSDD, "
            "where it must find nothing (`tests/data/test_data_check_same.py`).",
            "A planted pair counts as true without the judge.",
        ],
        folder=folder,
    )


if __name__ == "__main__":
    sys.exit(main())
