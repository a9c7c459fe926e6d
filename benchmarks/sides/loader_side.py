"""Auricle's side of `loader.py`: the training loader alone, with and without the front-end.

The last line printed is a JSON object.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from auricle import audio
from auricle.artifact.parts import build_frontend
from auricle.core.memory import keep_freed_memory
from auricle.core.reporting import Silent
from auricle.data import DataConfig, read_dataset
from auricle.training.clips import ClipStore
from auricle.training.loader import Collate, EpochBatches, TrainingClips, make_loader, target_matrix

RATE, CLIP_S, BATCH, SEED = 16000, 3.0, 16, 0
FBANK = {"name": "fbank", "sample_rate": RATE, "n_mels": 80}


def main() -> None:
    """Measure what the arguments ask for and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("epochs", "stages"))
    parser.add_argument("data", type=Path, help="a table or a pack")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cache-mb", type=int, default=0)
    parser.add_argument("--no-frontend", action="store_true")
    args = parser.parse_args()
    keep_freed_memory()  # as `auricle train` does
    clips, targets = clips_of(args.data, args.cache_mb, shared=args.workers > 0)
    if args.what == "stages":
        print(json.dumps(stages(clips, targets)))
        return
    frontend = None if args.no_frontend else build_frontend(FBANK).eval()
    batches = EpochBatches(len(clips), BATCH, SEED)
    loader = make_loader(clips, targets, batches, workers=args.workers, start_method="auto")
    print(json.dumps(epochs(loader, batches, args.epochs, frontend)))


def clips_of(data: Path, cache_mb: int, *, shared: bool) -> tuple[TrainingClips, Any]:
    """Return the training clips of a data set and their targets, as `auricle train` makes them."""
    config = DataConfig(
        clip_s=CLIP_S, normalise="rms", target_db=-20, cache_mb=cache_mb, fold="none"
    )
    manifest = read_dataset(data, config)
    store = ClipStore(manifest.clips, RATE, config)
    bad = store.prepare(Silent(), shared=shared)
    assert not bad, bad
    clips = TrainingClips(store, round(CLIP_S * RATE), SEED)
    return clips, target_matrix(manifest, store.clips)


def epochs(loader: Any, batches: EpochBatches, count: int, frontend: Any) -> dict[str, float]:
    """Time whole epochs from the first batch on, which waits for the loader to start."""
    clips = seconds = 0.0
    for epoch in range(count):
        batches.epoch = epoch
        start = None
        for loaded in loader:
            if frontend is not None:
                with torch.inference_mode():
                    frontend(loaded.batch.waveforms, loaded.batch.lengths_samples)
            if start is not None:
                clips += len(loaded.batch.waveforms)
            start = start or time.perf_counter()
        seconds += time.perf_counter() - (start or 0.0)
    return {"clips_per_s": clips / seconds, "clips": clips, "seconds": seconds}


def stages(clips: TrainingClips, targets: Any) -> dict[str, float]:
    """Return the processor seconds of a clip in each stage, one after the other in one process.

    `probe` opens and measures the file, `decode` reads the stretch of a crop at the file's own
    rate, `resample` brings it to 16 kHz, `level` sets the level, `collate` stacks a batch, `fbank`
    is the front-end on batches. `crop` is all of the loader's work on a clip, as a check.
    """
    store, count = clips.store, len(clips)
    starts = np.random.default_rng(SEED).uniform(0, 5 - CLIP_S, count)
    paths = [clip.path for clip in store.clips]
    read = [
        audio.load(path, offset_s=at, duration_s=CLIP_S)
        for path, at in zip(paths, starts, strict=True)
    ]
    at_rate = [audio.resample(sound.samples, sound.sample_rate, RATE) for sound in read]
    items = [clips[0, index] for index in range(count)]
    collate, frontend = Collate(targets, RATE), build_frontend(FBANK).eval()
    groups = [items[start : start + BATCH] for start in range(0, count, BATCH)]
    made = [batch for group in groups if (batch := collate(group).batch) is not None]

    def fbank() -> Iterator[Any]:
        with torch.inference_mode():
            for batch in made:
                yield frontend(batch.waveforms, batch.lengths_samples)

    work: dict[str, Callable[[], Any]] = {
        "probe": lambda: map(audio.probe, paths),
        "decode": lambda: (
            audio.load(path, offset_s=at, duration_s=CLIP_S)
            for path, at in zip(paths, starts, strict=True)
        ),
        "resample": lambda: (
            audio.resample(sound.samples, sound.sample_rate, RATE) for sound in read
        ),
        "level": lambda: (audio.set_level(samples, "rms", -20) for samples in at_rate),
        "crop": lambda: (clips[1, index] for index in range(count)),
        "collate": lambda: map(collate, groups),
        "fbank": fbank,
    }
    return {f"{name}_cpu_s": cpu_s(run) / count for name, run in work.items()}


def cpu_s(run: Callable[[], Any]) -> float:
    """Return the processor seconds, of all threads, that walking through `run()` takes."""
    start = time.process_time()
    for _ in run():
        pass
    return time.process_time() - start


if __name__ == "__main__":
    main()
