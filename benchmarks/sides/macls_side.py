"""The side of macls 1.0.6 in a comparison; runs under the Python of its own environment.

It drives macls' own trainer and predictor with its own configurations (`panns` unless another is
named: PANNS_CNN10; all of them Fbank 80 at 16 kHz, 3 s crops, Adam, no autocast, 8 loader
processes); FOLDER holds `train_list.txt`, `test_list.txt` and `label_list.txt`. The last line
printed is a JSON object.

Numba compiles macls' resampler on first use in every loader process of every epoch; it is
compiled before the loaders fork here, so that this time is left out, to macls' favour.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from macls.predict import MAClsPredictor
from macls.trainer import MAClsTrainer

BATCH = 16
WARM_UP = 2


class NoWriter:
    """Stands in for the VisualDL log of a run."""

    def add_scalar(self, *values: object) -> None:
        """Drop a value."""


def main() -> None:
    """Measure what the arguments ask for and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("epoch", "loader", "step", "save", "predict", "first"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--config", default="panns", help="of `step`")
    parser.add_argument("--batch", action="store_true", help="predict_batch, not predict")
    parser.add_argument("--file", help="the sound of `first`")
    args = parser.parse_args()
    measured = {
        "epoch": lambda: epoch(args.folder, args.workers),
        "loader": lambda: loader(args.folder, args.workers),
        "step": lambda: step(args.folder, args.steps, args.bf16, args.config),
        "save": lambda: save(args.folder),
        "predict": lambda: predict(args.folder, args.batch),
        "first": lambda: {"label": predictor(args.folder).predict(args.file)[0]},
    }[args.what]()
    print("\n" + json.dumps(measured))


def trainer(folder: Path, workers: int = 0, config: str = "panns") -> MAClsTrainer:
    """Return macls' trainer, its loader and network set up as its `train` does."""
    settings = (
        f"dataset_conf.train_list={folder / 'train_list.txt'}",
        f"dataset_conf.test_list={folder / 'test_list.txt'}",
        f"dataset_conf.label_list_path={folder / 'label_list.txt'}",
        f"dataset_conf.dataLoader.batch_size={BATCH}",
        f"dataset_conf.dataLoader.num_workers={workers}",
    )
    made = MAClsTrainer(config, use_gpu=False, overwrites=",".join(settings), log_level="error")
    made._MAClsTrainer__setup_dataloader(is_train=True)
    made._MAClsTrainer__setup_model(input_size=made.audio_featurizer.feature_dim, is_train=True)
    made.max_step, made.train_step = len(made.train_loader), 0
    return made


def epoch(folder: Path, workers: int) -> dict[str, float]:
    """Time one epoch of macls' own loop, loading included."""
    made = trainer(folder, workers)
    made.train_dataset[0]
    steps(made, WARM_UP, bf16=False)
    start = time.perf_counter()
    made._MAClsTrainer__train_epoch(epoch_id=1, local_rank=0, writer=NoWriter())
    seconds = time.perf_counter() - start
    clips = made.train_step * BATCH
    return {"clips_per_s": clips / seconds, "clips": clips, "seconds": seconds}


def loader(folder: Path, workers: int) -> dict[str, float]:
    """Time macls' own loader alone, features included, from its first batch on."""
    made = trainer(folder, workers)
    made.train_dataset[0]
    clips, start = 0, None
    for batch in made.train_loader:
        clips += 0 if start is None else len(batch[0])
        start = start or time.perf_counter()
    seconds = time.perf_counter() - start
    return {"clips_per_s": clips / seconds, "clips": clips, "seconds": seconds}


def step(folder: Path, count: int, bf16: bool, config: str) -> dict[str, float]:
    """Time the network's steps alone, on features that are there already."""
    made = trainer(folder, config=config)
    steps(made, WARM_UP, bf16)
    parameters = sum(parameter.numel() for parameter in made.model.parameters())
    return {"step_s": steps(made, count, bf16) / count, "parameters": parameters}


def steps(made: MAClsTrainer, count: int, bf16: bool) -> float:
    """Return the seconds of `count` training steps on (16, 298, 80) features."""
    features = torch.randn(BATCH, 298, 80)
    labels = torch.arange(BATCH) % len(made.class_labels)
    start = time.perf_counter()
    for _ in range(count):
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            output = made.model(features)
        made.loss(output, labels).backward()
        made.optimizer.step()
        made.optimizer.zero_grad()
    return time.perf_counter() - start


def save(folder: Path) -> dict[str, str]:
    """Save untrained weights as macls saves trained ones."""
    path = folder / "model.pth"
    torch.save(trainer(folder).model.state_dict(), path)
    return {"saved": path.name}


def predictor(folder: Path) -> MAClsPredictor:
    """Return macls' predictor."""
    settings = f"dataset_conf.label_list_path={folder / 'label_list.txt'}"
    return MAClsPredictor(
        "panns",
        model_path=str(folder / "model.pth"),
        use_gpu=False,
        overwrites=settings,
        log_level="error",
    )


def predict(folder: Path, batch: bool) -> dict[str, float]:
    """Time the labels of all files of the test list."""
    lines = (folder / "test_list.txt").read_text(encoding="utf-8").splitlines()
    files = [line.split("\t")[0] for line in lines]
    ready = predictor(folder)

    def label(paths: list[str]) -> list[str]:
        if not batch:
            return [ready.predict(path)[0] for path in paths]
        parts = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
        return [one for part in parts for one in ready.predict_batch(part)[0]]

    label(files[:BATCH])
    start = time.perf_counter()
    labels = label(files)
    return {"clips_per_s": len(labels) / (time.perf_counter() - start), "clips": len(labels)}


if __name__ == "__main__":
    main()
