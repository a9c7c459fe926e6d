"""A tiny training run on tones, in this process or in one of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest

OPTIONS = {
    "model.name": "small_resnet_tiny",
    "train.batch_size": 8,
    "train.save_every": "1s",
    "train.precision": "fp32",
    "train.threads": 1,
    "train.ema_decay": 0.9,
    "train.learning_rate": 1e-2,
    "data.clip_s": 0.5,
    "augment.preset": "standard",
}


@pytest.fixture
def train_options() -> dict[str, object]:
    """The options of the tiny run."""
    return dict(OPTIONS)


@pytest.fixture
def train_tones(tone_folder: Path) -> Callable[..., object]:
    """`auricle.train` on the tones with the tiny network; `options` on top."""
    import auricle

    def train(output: Path, *, epochs: int = 3, resume: bool = False, **options: object) -> object:
        return auricle.train(
            tone_folder,
            epochs=epochs,
            output=output,
            resume=resume,
            options={**OPTIONS, **{key.replace("__", "."): v for key, v in options.items()}},
        )

    return train


@pytest.fixture
def train_command(tone_folder: Path) -> list[str]:
    """The words of the same run on the command line, without `--output`."""
    words = ["train", str(tone_folder), "--epochs", "3"]
    for key, value in OPTIONS.items():
        words += [f"--{key}", str(value)]
    return words
