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
    predict_command = commands.add_parser("predict")
    predict_command.add_argument("model", type=Path)
    predict_command.add_argument("--precision", default="fp32")
    predict_command.add_argument("list", type=Path, help="a file that names a sound a line")
    args = parser.parse_args()
    if args.what == "step":
        print(json.dumps(step(args.steps, args.bf16)))
    else:
        print(json.dumps(predict(args.model, args.list, args.precision)))


def step(count: int, bf16: bool) -> dict[str, float]:
    """Time training steps of cnn10 alone, on (16, 80, 298) features that are there already."""
    import torch

    from auricle.api import create_model
    from auricle.tensors import Features
    from auricle.training.config import TrainConfig
    from auricle.training.losses import classification_loss
    from auricle.training.optim import make_optimizer

    model = create_model("cnn10", 10, bins=80).to(memory_format=torch.channels_last)
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
    return {"step_s": seconds(count) / count}


def predict(model: Path, listed: Path, precision: str) -> dict[str, float]:
    """Time the labels of all listed files."""
    import auricle

    files = listed.read_text(encoding="utf-8").splitlines()
    classifier = auricle.load(model, precision=precision)
    list(classifier.predict_many(files[:BATCH], top_k=1))
    start = time.perf_counter()
    count = sum(1 for _ in classifier.predict_many(files, top_k=1))
    return {"clips_per_s": count / (time.perf_counter() - start), "clips": count}


if __name__ == "__main__":
    main()
