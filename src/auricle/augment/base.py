"""What every augmentation is: drawn, then applied."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

import numpy as np
import torch
from pydantic import Field
from torch import Generator, Tensor

from auricle.core.config import Config
from auricle.tensors import Batch, Features

Decibels: TypeAlias = Annotated[float, Field(ge=-120, le=120)]
"""A change of level, or a ratio; what lies beyond is a slip, and meeting another it overflows."""


class AugmentationConfig(Config):
    """Base of every augmentation's configuration."""

    probability: float = Field(0.5, ge=0, le=1, description="chance that a clip is changed")


@dataclass(frozen=True)
class Drawn:
    """What was drawn for a batch, on the CPU.

    `rows` `(changed,)` are the places in the batch of the clips to change, ascending; every
    other field holds one row for each of them, in the same order.
    """

    rows: Tensor


C = TypeVar("C", bound=AugmentationConfig)
D = TypeVar("D", bound=Drawn)


class Augmentation(Generic[C, D]):
    """Base of every augmentation.

    `domain` names the field of the batch that it changes, and with it whether it runs before
    (`waveform`) or after (`features`) the front-end; `rank` is its place among the others, which
    no configuration changes; `any_features` says that features of one bin, which are waveforms, go
    as well as spectrograms; `on_device` says that `apply` computes where the batch is, without
    waiting for it. `draw` looks at the shapes and the sample rate of a batch, never at
    numbers on the device, so that no step waits for an accelerator; how much it takes from the
    generator (a CPU one) depends on those shapes and the configuration alone. `apply` draws
    nothing: the same parameters give the same sound on every device. Clips that were not drawn
    come out bit for bit as they were. Targets change with the sound; frame targets move by
    whole frames, so they can be off by up to one frame.
    """

    Config: ClassVar[type[AugmentationConfig]]
    domain: ClassVar[Literal["waveform", "features"]]
    rank: ClassVar[int]
    any_features: ClassVar[bool] = False
    on_device: ClassVar[bool] = True

    def __init__(self, config: C) -> None:
        self.config = config

    def prepare(self, sample_rate: int) -> Sequence[str]:
        """Read what batches of `sample_rate` (Hz) will need; return sentences for the user.

        Without this the first batch reads it. Raises `ConfigError` where it cannot be used.
        """
        return ()

    def draw(self, batch: Batch, generator: Generator) -> D:
        """Draw the parameters for `batch`."""
        raise NotImplementedError

    def apply(self, batch: Batch, parameters: D) -> Batch:
        """Return `batch` changed as `parameters` say; `batch` itself stays as it is."""
        raise NotImplementedError

    def __call__(self, batch: Batch, generator: Generator) -> Batch:
        """Draw, then apply; without a clip to change, `batch` itself comes back."""
        parameters = self.draw(batch, generator)
        return self.apply(batch, parameters) if len(parameters.rows) else batch


class Augmenter:
    """Augmentations in the order of their ranks, on both sides of the front-end.

    `left_out` names those that were asked for and do not suit the front-end's features.
    """

    def __init__(
        self, parts: "Sequence[Augmentation[Any, Any]]", left_out: Sequence[str] = ()
    ) -> None:
        self.left_out = tuple(left_out)
        self.parts = tuple(sorted(parts, key=lambda part: part.rank))

    def prepare(self, sample_rate: int) -> list[str]:
        """Let every part read what it needs; see `Augmentation.prepare`."""
        return [note for part in self.parts for note in part.prepare(sample_rate)]

    def waveform(self, batch: Batch, generator: Generator) -> Batch:
        """Run the parts that change `batch.waveforms`, before the front-end."""
        return self._run("waveform", batch, generator)

    def features(self, batch: Batch, generator: Generator) -> Batch:
        """Run the parts that change `batch.features`, after the front-end.

        A mask over frequency would silence a waveform, which has one bin: parts for spectrograms
        leave such features alone.
        """
        waveforms = features_of(batch).values.shape[-2] == 1
        return self._run("features", batch, generator, only_any=waveforms)

    def _run(
        self, domain: str, batch: Batch, generator: Generator, *, only_any: bool = False
    ) -> Batch:
        for part in self.parts:
            if part.domain == domain and (part.any_features or not only_any):
                batch = part(batch, generator)
        return batch


def draw_rows(batch: Batch, probability: float, generator: Generator) -> Tensor:
    """Draw the places `(changed,)`, in order, of the clips to change."""
    return (torch.rand(len(batch.waveforms), generator=generator) < probability).nonzero()[:, 0]


def draw_uniform(batch: Batch, low: float, high: float, generator: Generator) -> Tensor:
    """Draw one number `(batch,)` in [low, high) for each clip."""
    return low + (high - low) * torch.rand(len(batch.waveforms), generator=generator)


def draw_beta(batch: Batch, alpha: float, generator: Generator) -> Tensor:
    """Draw one number `(batch,)` of Beta(alpha, alpha) for each clip.

    Torch draws it from its global generator only, so NumPy does, seeded by `generator`.
    """
    seed = int(torch.randint(2**62, (), generator=generator))
    drawn = np.random.default_rng(seed).beta(alpha, alpha, len(batch.waveforms))
    return torch.from_numpy(drawn).float()


def draw_partners(batch: Batch, generator: Generator) -> Tensor:
    """Draw another clip `(batch,)` for each clip; each is drawn once (a clip alone gets itself)."""
    order = torch.randperm(len(batch.waveforms), generator=generator)
    partners = torch.empty_like(order)
    partners[order] = order.roll(1)
    return partners


def features_of(batch: Batch) -> Features:
    """Return the features of a batch that has been through the front-end."""
    if batch.features is None:
        raise ValueError("this augmentation changes features: run the front-end first")
    return batch.features


def with_rows(values: Tensor, rows: Tensor, changed: Tensor) -> Tensor:
    """Return `values` with `changed` in the place of `rows`, drawn by `draw_rows`."""
    if len(rows) == len(values):
        return changed.to(values.dtype)
    return values.index_copy(0, rows, changed.to(values.dtype))


def rows_of(values: Tensor, rows: Tensor) -> Tensor:
    """Return `rows`, drawn by `draw_rows`, of `values`: `values` itself where all were drawn."""
    return values if len(rows) == len(values) else values[rows]


def with_feature_rows(batch: Batch, rows: Tensor, changed: Tensor) -> Batch:
    """Return `batch` with `changed` in the place of `rows` of its features, padding left out."""
    features = features_of(batch)
    heard = along(below(features.lengths_frames[rows], changed.shape[-1]), changed)
    changed = torch.where(heard, changed, features.values[rows])
    return replace(
        batch, features=replace(features, values=with_rows(features.values, rows, changed))
    )


def below(lengths: Tensor, size: int) -> Tensor:
    """Return a mask `(n, size)`: whether each place is within the row's length."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def along(per_row: Tensor, values: Tensor, axis: int = -1) -> Tensor:
    """Shape `(n,)` or `(n, size)` so that it lies along `axis` of `values` `(n, …)`."""
    shape = [1] * values.ndim
    shape[0] = per_row.shape[0]
    if per_row.ndim == 2:
        shape[axis] = per_row.shape[1]
    return per_row.reshape(shape)
