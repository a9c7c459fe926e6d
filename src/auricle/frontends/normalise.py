"""Normalisation of features: by each clip's own statistics, or by those of a data set."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import torch
from pydantic import BeforeValidator, Field, model_validator
from torch import Tensor, nn

from auricle.core.errors import ConfigError
from auricle.frontends.base import FrontEndConfig
from auricle.tensors import Features

Normalisation = Literal["none", "clip_mean", "clip_mean_std", "dataset", "dataset_bins"]
_VARIANCE_FLOOR = 1e-7


def _listed(value: Any) -> Any:
    single = isinstance(value, (int, float, str)) and not isinstance(value, bool)
    return [value] if single else value


Numbers = Annotated[tuple[float, ...] | None, BeforeValidator(_listed)]


class NormalisedConfig(FrontEndConfig):
    """Base of the configurations of front-ends whose features can be normalised."""

    normalise: Normalisation = Field(
        default="none",
        description="clip_mean: subtract each bin's mean over the clip; clip_mean_std: divide by "
        "its standard deviation too; dataset, dataset_bins: one mean and standard deviation of the "
        "training clips for all bins, or one for each",
    )
    dataset_mean: Numbers = Field(
        default=None, description="one number or one per bin; null: measured before training"
    )
    dataset_std: Numbers = Field(
        default=None, description="one number or one per bin; null: measured before training"
    )

    @model_validator(mode="after")
    def _numbers_fit(self) -> "NormalisedConfig":
        mean, std = self.dataset_mean, self.dataset_std
        if (mean is None) != (std is None) or len(mean or ()) != len(std or ()):
            raise ValueError("give dataset_mean and dataset_std both, and as many of the one")
        if mean is not None and not self.normalise.startswith("dataset"):
            raise ValueError(
                f"dataset_mean is given and normalise is '{self.normalise}': set it to dataset or "
                "dataset_bins, or leave the numbers out"
            )
        if mean is not None and self.normalise == "dataset" and len(mean) != 1:
            raise ValueError(f"normalise dataset takes one number, got {len(mean)}: dataset_bins?")
        if std is not None and min(std, default=0.0) <= 0:
            raise ValueError("dataset_std must hold numbers above 0")
        return self


DB_PER_LN = 10 / math.log(10)
"""What 1 in the natural logarithm of a power is in dB."""


def unit_behind(config: NormalisedConfig, db_per_unit: float) -> float | None:
    """Return what 1 in features is in dB behind the normalisation, before which it is so much."""
    if config.normalise in ("none", "clip_mean"):
        return db_per_unit
    if config.normalise == "dataset" and config.dataset_std is not None:
        return db_per_unit * config.dataset_std[0]
    return None


class Normaliser(nn.Module):
    """Normalises features `(batch, bins, frames)` as a configuration says.

    By the clip: over each clip's own frames, and the frames beyond its length become 0. The
    standard deviation is the unbiased one, `(x - mean) / sqrt(var + 1e-7)`. By the data set:
    `(x - mean) / std` everywhere. Raises `ConfigError` where there is not one number a bin, and
    when it is called before the data set's numbers are known.
    """

    mean: Tensor | None
    std: Tensor | None

    def __init__(self, config: NormalisedConfig, bins: int) -> None:
        super().__init__()
        self.kind: Normalisation = config.normalise
        for name, numbers in (("mean", config.dataset_mean), ("std", config.dataset_std)):
            self.register_buffer(name, _column(numbers, bins), persistent=False)

    def forward(self, features: Features) -> Features:
        """Return the features, normalised."""
        if self.kind == "none":
            return features
        if self.kind.startswith("clip"):
            values = normalise_clips(
                features.values, features.lengths_frames, std=self.kind == "clip_mean_std"
            )
        elif self.mean is None or self.std is None:
            raise ConfigError(
                f"frontend.normalise is {self.kind} and the numbers are missing: training measures "
                "them, or give frontend.dataset_mean and frontend.dataset_std"
            )
        else:
            values = (features.values - self.mean) / self.std
        return replace(features, values=values)


def normalise_clips(values: Tensor, lengths_frames: Tensor, *, std: bool) -> Tensor:
    """Normalise each bin of `(batch, bins, frames)` over each clip's own frames; 0 beyond them."""
    inside = own_frames(values, lengths_frames)
    count = lengths_frames[:, None, None].clamp(min=1)
    mean = torch.where(inside, values, 0.0).sum(dim=2, keepdim=True) / count
    centred = torch.where(inside, values - mean, 0.0)
    if not std:
        return centred
    variance = centred.square().sum(dim=2, keepdim=True) / (count - 1).clamp(min=1)
    return centred / (variance + _VARIANCE_FLOOR).sqrt()


def own_frames(values: Tensor, lengths_frames: Tensor) -> Tensor:
    """Return the mask `(batch, 1, frames)` of the frames that lie within each clip."""
    frames = torch.arange(values.shape[2], device=values.device)
    return (frames < lengths_frames[:, None])[:, None]


def _column(numbers: Sequence[float] | None, bins: int) -> Tensor | None:
    if numbers is None:
        return None
    if len(numbers) not in (1, bins):
        raise ConfigError(
            f"frontend.dataset_mean and frontend.dataset_std hold {len(numbers)} numbers and the "
            f"front-end has {bins} bins: measure them with the same front-end"
        )
    return torch.tensor(numbers, dtype=torch.float32)[:, None]
