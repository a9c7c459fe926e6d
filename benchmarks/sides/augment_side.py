"""One side of the augmentation comparison: milliseconds a clip, one thread.

    PYTHON augment_side.py auricle|audiomentations WAVEFORMS.npy NOISE_FOLDER

WAVEFORMS is `(16, time)`, float32, at 16 kHz. The last line printed is a JSON object: for each part
milliseconds a clip `alone` and in a `batch` of 16 (one after the other where there are no batches).
"""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

RATE = 16000
WARM_UP = 2


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("auricle", "audiomentations"))
    parser.add_argument("waveforms")
    parser.add_argument("noise")
    parser.add_argument("--repeats", type=int, default=10)
    args = parser.parse_args()
    waveforms = np.load(args.waveforms)
    side = ours if args.what == "auricle" else theirs
    print(json.dumps(side(waveforms, args.noise, args.repeats)))


def clip_ms(run: Callable[..., Any], *words: Any, clips: int, repeats: int) -> float:
    """Return the median milliseconds a clip of `run(*words)`."""
    for _ in range(WARM_UP):
        run(*words)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run(*words)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times) / clips


def ours(waveforms: Any, noise: str, repeats: int) -> dict[str, Any]:
    """Measure every registered part, features behind the default front-end."""
    from dataclasses import replace

    import torch

    from auricle.artifact.parts import build_frontend
    from auricle.augment import AUGMENTATIONS
    from auricle.core.memory import keep_freed_memory
    from auricle.tensors import Batch

    keep_freed_memory()  # as training does
    torch.set_num_threads(1)
    frontend = build_frontend({"name": "logmel_16k"})
    sound = torch.from_numpy(waveforms)
    whole = Batch(
        sound, torch.full((len(sound),), sound.shape[1]), RATE, torch.eye(10)[torch.arange(16) % 10]
    )
    with torch.inference_mode():
        whole = replace(whole, features=frontend(whole.waveforms, whole.lengths_samples))
    assert whole.features is not None
    first = replace(
        whole,
        waveforms=sound[:1],
        lengths_samples=whole.lengths_samples[:1],
        targets=torch.eye(10)[:1],
        features=replace(
            whole.features,
            values=whole.features.values[:1],
            lengths_frames=whole.features.lengths_frames[:1],
        ),
    )
    measured = {}
    for name in sorted(AUGMENTATIONS, key=lambda name: AUGMENTATIONS[name].rank):
        part = AUGMENTATIONS[name]
        options = {
            "background_noise": {"folder": noise},
            "quantise": {"law": "linear"},  # as the other side does
            "codec": {"codecs": ("mp3",)},
        }
        config = {"probability": 1.0, **options.get(name, {})}
        made = part(part.Config.model_validate(config))
        generator = torch.Generator().manual_seed(0)
        with torch.inference_mode():
            measured[name] = {
                "alone": clip_ms(made, first, generator, clips=1, repeats=repeats),
                "batch": clip_ms(made, whole, generator, clips=len(sound), repeats=repeats),
            }
    return measured


def theirs(waveforms: Any, noise: str, repeats: int) -> dict[str, Any]:
    """Measure the parts of audiomentations that do the same, with the same ranges."""
    warnings.simplefilter("ignore")
    import audiomentations as a

    parts = {
        "gain": a.Gain(min_gain_db=-6, max_gain_db=6, p=1),
        "polarity": a.PolarityInversion(p=1),
        "time_shift": a.Shift(min_shift=-1, max_shift=1, rollover=True, fade_duration=0, p=1),
        "speed": a.Resample(min_sample_rate=14400, max_sample_rate=17600, p=1),
        "pitch": a.PitchShift(min_semitones=-2, max_semitones=2, p=1),
        "time_stretch": a.TimeStretch(min_rate=0.9, max_rate=1.1, p=1),
        "noise": a.AddColorNoise(min_snr_db=10, max_snr_db=40, p=1),
        "background_noise": a.AddBackgroundNoise(noise, min_snr_db=10, max_snr_db=40, p=1),
        "band_limit": a.BandPassFilter(
            min_center_freq=500, max_center_freq=1700, min_rolloff=48, max_rolloff=48, p=1
        ),
        "quantise": a.BitCrush(min_bit_depth=6, max_bit_depth=10, p=1),
        "codec": a.Mp3Compression(min_bitrate=16, max_bitrate=64, p=1),
    }

    def each(part: Any) -> None:
        for waveform in waveforms:
            part(waveform, RATE)

    return {
        name: {
            "alone": clip_ms(part, waveforms[0], RATE, clips=1, repeats=repeats),
            "batch": clip_ms(each, part, clips=len(waveforms), repeats=repeats),
        }
        for name, part in parts.items()
    }


if __name__ == "__main__":
    main()
