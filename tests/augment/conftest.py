"""Batches made on the spot: noise of several lengths, its features, and targets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from auricle.augment import AUGMENTATIONS
from auricle.augment.base import Augmentation
from auricle.tensors import Batch, Features


@pytest.fixture(scope="session")
def make_batch() -> Callable[..., Batch]:
    """Build a batch of noise: `make_batch(count=6, frame_targets=True, …)`."""

    def make(
        count: int = 6,
        *,
        size: int = 4000,
        shortest: int | None = None,
        classes: int = 3,
        bins: int = 20,
        frames: int = 40,
        frame_targets: bool = False,
        channels: int | None = None,
        seed: int = 0,
    ) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        shortest = size // 2 if shortest is None else shortest
        lengths = torch.linspace(size, shortest, count).long()
        waveforms = 0.1 * torch.randn(count, size, generator=generator)
        waveforms *= torch.arange(size) < lengths[:, None]
        targets = torch.nn.functional.one_hot(torch.arange(count) % classes, classes).float()
        if frame_targets:
            targets = (torch.rand(count, frames, classes, generator=generator) < 0.3).float()
        shape = (count, bins, frames) if channels is None else (count, channels, bins, frames)
        values = 10 * torch.randn(shape, generator=generator) - 40
        lengths_frames = lengths * frames // size
        features = Features(values, lengths_frames, waveforms=waveforms.clone())
        return Batch(waveforms, lengths, 8000, targets, features)

    return make


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@pytest.fixture(scope="session")
def sound_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three noises, one of them shorter than the clips of `make_batch`."""
    folder = tmp_path_factory.mktemp("noises")
    rng = np.random.default_rng(7)
    for name, samples in {"a": 9000, "b": 2500, "deeper/c": 30000}.items():
        path = folder / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, 0.1 * rng.standard_normal(samples), 8000, subtype="FLOAT")
    return folder


@pytest.fixture(scope="session")
def build(sound_folder: Path) -> Callable[..., Augmentation[Any, Any]]:
    """Build a part by name: `build("gain", probability=1.0)`; it gets a folder if need be."""
    needed = {"background_noise": {"folder": str(sound_folder)}}

    def make(name: str, **options: Any) -> Augmentation[Any, Any]:
        part = AUGMENTATIONS[name]
        return part(part.Config.model_validate({**needed.get(name, {}), **options}))

    return make


@pytest.fixture
def everything(sound_folder: Path) -> dict[str, Any]:
    """A section with every part as it comes."""
    needed = {"background_noise": {"folder": str(sound_folder)}}
    return {"preset": "none", **dict.fromkeys(AUGMENTATIONS, True), **needed}
