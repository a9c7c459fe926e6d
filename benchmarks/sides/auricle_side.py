"""Auricle's side of comparisons that the command line does not time by itself.

The last line printed is a JSON object.
"""

import argparse
import json
import time
from pathlib import Path

BATCH = 16
WARM_UP = 2


def main() -> None:
    """Measure what the arguments ask for and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="what", required=True)
    step_command = commands.add_parser("step")
    step_command.add_argument("--steps", type=int, default=8)
    step_command.add_argument("--bf16", action="store_true")
    step_command.add_argument("--model", default="cnn10")
    predict_command = commands.add_parser("predict")
    predict_command.add_argument("model", type=Path)
    predict_command.add_argument("--precision", default="fp32")
    predict_command.add_argument("list", type=Path, help="a file that names a sound a line")
    tag_command = commands.add_parser("tag")
    tag_command.add_argument("model", type=Path, help="a checkpoint, a folder or an .onnx file")
    tag_command.add_argument("waveforms", type=Path, help="(batch, time) at its rate, as .npy")
    tag_command.add_argument("scores", type=Path, help="where its answers go, as .npy")
    tag_command.add_argument("--precision", default="fp32")
    tag_command.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    measured = {
        "step": lambda: step(args.model, args.steps, args.bf16),
        "predict": lambda: predict(args.model, args.list, args.precision),
        "tag": lambda: tag(args.model, args.waveforms, args.scores, args.precision, args.repeats),
    }[args.what]()
    print(json.dumps(measured))


def step(name: str, count: int, bf16: bool) -> dict[str, float]:
    """Time training steps of a network alone, on (16, 80, 298) features that are there already."""
    import torch

    from auricle.api import create_model
    from auricle.core.memory import keep_freed_memory
    from auricle.tensors import Features
    from auricle.training.config import TrainConfig
    from auricle.training.losses import classification_loss
    from auricle.training.optim import make_optimizer

    keep_freed_memory()  # as `auricle train` does
    model = create_model(name, 10, bins=80).to(memory_format=torch.channels_last)
    optimizer = make_optimizer(model, TrainConfig(optimizer="adam"))
    features = Features(torch.randn(BATCH, 80, 298), torch.full((BATCH,), 298))
    targets = torch.eye(10)[torch.arange(BATCH) % 10]

    def seconds(steps: int) -> float:
        start = time.perf_counter()
        for _ in range(steps):
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                output = model(features)
            loss = classification_loss(output, targets, multi_label=False, label_smoothing=0.0)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return time.perf_counter() - start

    seconds(WARM_UP)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return {"step_s": seconds(count) / count, "parameters": parameters}


def predict(model: Path, listed: Path, precision: str) -> dict[str, float]:
    """Time the labels of all listed files."""
    import auricle

    files = listed.read_text(encoding="utf-8").splitlines()
    classifier = auricle.load(model, precision=precision)
    list(classifier.predict_many(files[:BATCH], top_k=1))
    start = time.perf_counter()
    count = sum(1 for _ in classifier.predict_many(files, top_k=1))
    return {"clips_per_s": count / (time.perf_counter() - start), "clips": count}


def tag(
    model: Path, waveforms: Path, scores: Path, precision: str, repeats: int
) -> dict[str, float]:
    """Time the scores of waveforms, one by one and all at once; write the scores of all."""
    import numpy as np

    import auricle
    from auricle.core.types import Waveform

    sounds = np.load(waveforms)
    classifier = auricle.load(model, precision=precision, batch_size=len(sounds))
    rate, classes = classifier.spec.sample_rate, len(classifier.spec.labels)
    batch = [Waveform(sound, rate) for sound in sounds]

    def milliseconds(clips: list[Waveform]) -> float:
        start = time.perf_counter()
        for _ in range(repeats):
            list(classifier.predict_many(clips, top_k=1))
        return 1000 * (time.perf_counter() - start) / repeats

    answers = [
        [prediction.scores[prediction.labels.index(label)] for label in classifier.spec.labels]
        for prediction in classifier.predict_many(batch, top_k=classes)
    ]
    np.save(scores, np.array(answers))
    milliseconds(batch[:1])
    return {"one_ms": milliseconds(batch[:1]), "all_ms": milliseconds(batch)}


if __name__ == "__main__":
    main()
