"""Statistics of a data set's features, measured on the training clips before a run starts."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor

from auricle.artifact.parts import build_frontend, resolve_frontend
from auricle.audio import pad_to
from auricle.core.config import read_yaml
from auricle.core.errors import AudioError, DataError
from auricle.core.reporting import Reporter
from auricle.core.types import FloatArray
from auricle.frontends.base import FrontEnd
from auricle.tensors import Features
from auricle.training.config import RunConfig
from auricle.training.loader import TrainingClips

_NUMBERS = ("dataset_mean", "dataset_std")
_CLIPS_AT_ONCE = 16
_DIGITS = 7  # of float32
_CONSTANT = 1e-6  # of the mean: what a bin that stands still may show by rounding


def with_saved_statistics(config: RunConfig, folder: Path) -> RunConfig:
    """Return `config` with the statistics that the run in `folder` has measured, if it has."""
    path = folder / "config.yaml"
    if not _open(config) or not path.is_file():
        return config
    saved = read_yaml(path).get("frontend") or {}
    numbers = {key: saved.get(key) for key in _NUMBERS}
    return config if None in numbers.values() else _filled(config, numbers)


def with_measured_statistics(
    config: RunConfig, clips: TrainingClips, accelerator: Accelerator, reporter: Reporter
) -> RunConfig:
    """Return `config` with the statistics of the training clips' features, where it asks for them.

    One crop of each clip is looked at: that of the first epoch, before any augmentation and
    without its padding. Every process gets the main one's numbers. Raises `DataError` when no clip
    can be read.
    """
    if not _open(config):
        return config
    found: list[dict[str, list[float]] | None] = [None]
    if accelerator.is_main_process:
        plain = build_frontend({**config.frontend, "normalise": "none"}).to(accelerator.device)
        per_bin = config.frontend["normalise"] == "dataset_bins"
        mean, std = measure(plain, clips, reporter, per_bin=per_bin)
        found = [{"dataset_mean": mean, "dataset_std": std}]
    if accelerator.num_processes > 1:
        broadcast_object_list(found)
    assert found[0] is not None  # the main process has them
    return _filled(config, found[0])


def measure(
    frontend: FrontEnd, clips: TrainingClips, reporter: Reporter, *, per_bin: bool
) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of the features of `clips`, of all bins or each.

    The front-end works as in evaluation, without dither. A bin that never changes gets a standard
    deviation of 1. Raises `DataError` when no clip can be read.
    """
    frontend.eval()
    total = _Moments.none(frontend.bins)
    with reporter.progress("measuring features", len(clips)) as progress:
        for features, count in _features(frontend, clips):
            for values, frames in zip(features.values, features.lengths_frames, strict=True):
                total = total.joined(_Moments.of(values[:, : int(frames)].double().cpu()))
            progress.advance(count)
    if total.count == 0:
        raise DataError("no training clip can be read: there are no features to measure")
    if not per_bin:
        total = total.pooled()
    std = (total.squares / total.count).sqrt()
    changes = std > _CONSTANT * total.mean.abs()
    return _rounded(total.mean), _rounded(torch.where(changes, std, 1.0))


@dataclass(frozen=True)
class _Moments:
    """How many values a bin has seen, their mean and the sum of squares around it, `(bins,)`."""

    count: int
    mean: Tensor
    squares: Tensor

    @classmethod
    def none(cls, bins: int) -> "_Moments":
        zeros = torch.zeros(bins, dtype=torch.float64)
        return cls(0, zeros, zeros)

    @classmethod
    def of(cls, values: Tensor) -> "_Moments":
        """Return the moments of `(bins, frames)`."""
        if values.shape[1] == 0:
            return cls.none(len(values))
        mean = values.mean(dim=1)
        return cls(values.shape[1], mean, (values - mean[:, None]).square().sum(dim=1))

    def joined(self, other: "_Moments") -> "_Moments":
        """Return the moments of both together (Chan et al., 1979: no cancellation)."""
        count = self.count + other.count
        if count == 0:
            return self
        apart = other.mean - self.mean
        return _Moments(
            count,
            self.mean + apart * (other.count / count),
            self.squares + other.squares + apart.square() * (self.count * other.count / count),
        )

    def pooled(self) -> "_Moments":
        """Return the moments of all bins together."""
        mean = self.mean.mean()
        spread = self.count * (self.mean - mean).square()
        return _Moments(
            self.count * len(self.mean), mean[None], (self.squares + spread).sum()[None]
        )


def _features(frontend: FrontEnd, clips: TrainingClips) -> Iterator[tuple[Features, int]]:
    """Yield the features of a few clips at a time, and how many clips were asked for."""
    device = next((buffer.device for buffer in frontend.buffers()), torch.device("cpu"))
    for start in range(0, len(clips), _CLIPS_AT_ONCE):
        indices = range(start, min(start + _CLIPS_AT_ONCE, len(clips)))
        sounds: list[FloatArray] = []
        for index in indices:
            with suppress(AudioError):
                sounds.append(clips.crop(0, index))
        if not sounds:
            continue
        waveforms = torch.from_numpy(np.stack([pad_to(sound, clips.length) for sound in sounds]))
        lengths = torch.tensor([len(sound) for sound in sounds])
        with torch.no_grad():
            yield frontend(waveforms.to(device), lengths.to(device)), len(indices)


def _open(config: RunConfig) -> bool:
    """Say whether the front-end wants statistics that are not given."""
    wanted = str(config.frontend.get("normalise", "")).startswith("dataset")
    return wanted and config.frontend.get("dataset_mean") is None


def _filled(config: RunConfig, numbers: dict[str, Any]) -> RunConfig:
    frontend = resolve_frontend({**config.frontend, **numbers})
    return config.model_copy(update={"frontend": frontend})


def _rounded(values: Tensor) -> list[float]:
    """Return numbers that read well in a file, as exact as float32 is."""
    return [float(f"{value:.{_DIGITS}g}") for value in values.tolist()]
