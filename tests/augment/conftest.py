"""Batches made on the spot: noise of several lengths, its features, and targets."""

from collections.abc import Callable

import pytest
import torch

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
