"""One network at full size: clips per second in training and inference, peak memory.

    PYTHON family_side.py NAME --batch 8 --budget-s 10 [--device cuda]

The network stands behind its own front-end, with random weights and crops of its own length; the
last line printed is a JSON object. Training is the step of `auricle train` without augmentation.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from auricle.artifact.classifier import Classifier, TorchEngine, autocast_dtype, build_classifier
from auricle.augment.base import Augmenter
from auricle.core.memory import keep_freed_memory
from auricle.core.units import seconds_to_samples
from auricle.models import MODELS
from auricle.tensors import Batch
from auricle.training.config import TrainConfig
from auricle.training.optim import make_optimizer
from auricle.training.step import TrainingStep

MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
CLASSES = 50
MOST_ROUNDS = 50


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--budget-s", type=float, default=10, help="of training, of inference")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.manual_seed(0)
    preset = MODELS[args.model]
    classifier = build_classifier({"name": preset.frontend}, {"name": args.model}, CLASSES)
    samples = seconds_to_samples(preset.clip_s, classifier.frontend.sample_rate)
    noise = 0.1 * np.random.default_rng(0).standard_normal((args.batch, samples))
    device = torch.device(args.device)
    engine = TorchEngine(classifier, device, args.precision)
    lengths = np.full(args.batch, samples)
    waveforms = noise.astype(np.float32)
    rounds = per_second(lambda: engine(waveforms, lengths), args.budget_s, device)
    measured: dict[str, Any] = {
        "clip_s": preset.clip_s,
        "inference_clips_per_s": args.batch * rounds,
        "inference_peak_mb": peak_mb(device),
    }
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    step = training_step(classifier, waveforms, args.precision, device)
    with utilisation(device) as busy:
        rounds = per_second(step, args.budget_s, device)
    measured["training_clips_per_s"] = args.batch * rounds
    measured["training_peak_mb"] = peak_mb(device)
    measured["gpu_utilisation"] = statistics.mean(busy) / 100 if busy else None
    print(json.dumps(measured))


def training_step(
    classifier: Classifier, waveforms: np.ndarray, precision: Any, device: torch.device
) -> Callable[[], None]:
    """Return a step of training on one batch that is there already."""
    if device.type == "cpu":
        keep_freed_memory()
    unused = set(classifier.model.unused_parameters)
    for name, parameter in classifier.model.named_parameters():
        parameter.requires_grad_(parameter.requires_grad and name not in unused)
    classifier.train()
    module = TrainingStep(
        classifier,
        Augmenter([]),
        multi_label=classifier.model.scores_are == "probabilities",
        label_smoothing=0.0,
        autocast=autocast_dtype(precision, device),
    )
    optimizer = make_optimizer(classifier, TrainConfig())
    count, samples = waveforms.shape
    batch = Batch(
        torch.from_numpy(waveforms),
        torch.full((count,), samples),
        classifier.frontend.sample_rate,
        torch.eye(CLASSES)[torch.arange(count) % CLASSES],
    ).to(device)

    def step() -> None:
        loss, _ = module(batch, 0)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def per_second(run: Callable[[], object], budget_s: float, device: torch.device) -> float:
    """Return how often `run` ends a second: of one, or as many as fit `budget_s`, after a first."""

    def seconds(rounds: int) -> float:
        start = time.perf_counter()
        for _ in range(rounds):
            run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    first_s = seconds(1)
    rounds = min(MOST_ROUNDS, max(1, int(budget_s / first_s) - 1))
    return rounds / seconds(rounds)


def peak_mb(device: torch.device) -> float:
    """Return the most memory so far: of the process, or of tensors on a GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_BYTES / 1e6


@contextmanager
def utilisation(device: torch.device) -> Generator[list[float], None, None]:
    """Fill a list with samples of a GPU's utilisation (%) while the block runs."""
    samples: list[float] = []
    if device.type != "cuda":
        yield samples
        return
    ask = ("--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop-ms=200")
    with subprocess.Popen(("nvidia-smi", *ask), stdout=subprocess.PIPE, text=True) as watcher:
        try:
            yield samples
        finally:
            watcher.terminate()
            samples += [float(line) for line in watcher.communicate()[0].split() if line]


if __name__ == "__main__":
    main()
