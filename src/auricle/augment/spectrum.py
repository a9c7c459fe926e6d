"""The colour of a recording: random filters, and statistics of another clip."""

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Generator, Tensor

from auricle.augment import AUGMENTATIONS
from auricle.augment.base import (
    Augmentation,
    AugmentationConfig,
    Decibels,
    Drawn,
    along,
    below,
    draw_rows,
    features_of,
    with_feature_rows,
)
from auricle.augment.mixing import ALPHA, DrawnMix, MixConfig, Mixing
from auricle.tensors import Batch


class FilterAugmentConfig(AugmentationConfig):
    """Shape of the random filter."""

    min_db: Decibels = Field(-6.0, description="lowest gain (dB)")
    max_db: Decibels = Field(6.0, description="highest gain (dB)")
    min_bands: int = Field(3, ge=1, description="fewest bands")
    max_bands: int = Field(6, ge=1, le=4096, description="most bands")
    db_per_unit: float | None = Field(
        None,
        gt=0,
        description="what 1 in the features is in dB; 4.343 for a natural logarithm; null: what "
        "the front-end says, and no filter where its features have no such unit",
    )


@dataclass(frozen=True)
class DrawnFilter(Drawn):
    """`gain_db` `(changed, bins)`."""

    gain_db: Tensor


@AUGMENTATIONS.register("filter_augment")
class FilterAugment(Augmentation[FilterAugmentConfig, DrawnFilter]):
    """Raise and lower bands of log features by a random piecewise linear curve.

    FilterAugment, linear type (Nam, Kim, Park, "FilterAugment: An Acoustic Environmental Data
    Augmentation Method", ICASSP 2022): what another room or microphone does to a sound.
    """

    Config = FilterAugmentConfig
    domain = "features"
    rank = 130

    def draw(self, batch: Batch, generator: Generator) -> DrawnFilter:
        """Draw a curve for each clip: edges of bands, gains at the edges, lines between."""
        config, count = self.config, len(batch.waveforms)
        bins = features_of(batch).values.shape[-2]
        rows = draw_rows(batch, config.probability, generator)
        bands = torch.randint(config.min_bands, config.max_bands + 1, (count,), generator=generator)
        inner = torch.rand(count, config.max_bands - 1, generator=generator)
        gains = torch.rand(count, config.max_bands + 1, generator=generator)
        gains = config.min_db + (config.max_db - config.min_db) * gains
        inner = torch.where(below(bands - 1, config.max_bands - 1), inner, 1.0).sort(1).values
        edges = torch.cat([torch.zeros(count, 1), inner, torch.ones(count, 1)], 1) * (bins - 1)
        return DrawnFilter(rows, _curve(edges, gains, bins)[rows])

    def apply(self, batch: Batch, parameters: DrawnFilter) -> Batch:
        """Add the curve to the features."""
        values = features_of(batch).values
        rows = parameters.rows.to(values.device)
        gain = parameters.gain_db.to(values.device) / (self.config.db_per_unit or 1.0)
        return with_feature_rows(batch, rows, values[rows] + along(gain, values, -2))


def _curve(edges: Tensor, gains: Tensor, bins: int) -> Tensor:
    """Draw lines from `gains` to `gains` at ascending `edges`, both `(n, points)`: `(n, bins)`."""
    places = torch.arange(bins, dtype=edges.dtype).expand(len(edges), -1).contiguous()
    right = torch.searchsorted(edges, places, right=True).clamp(1, edges.shape[1] - 1)
    left_edge, right_edge = edges.gather(1, right - 1), edges.gather(1, right)
    weight = ((places - left_edge) / (right_edge - left_edge).clamp(min=1e-6)).clamp(0, 1)
    return torch.lerp(gains.gather(1, right - 1), gains.gather(1, right), weight)


class FreqMixStyleConfig(MixConfig):
    """How evenly two clips' statistics are mixed."""

    alpha: float = Field(0.3, gt=0, description=ALPHA)


@AUGMENTATIONS.register("freq_mixstyle")
class FreqMixStyle(Mixing):
    """Move each bin's mean and deviation towards those of another clip; targets stay.

    Freq-MixStyle (Kim et al., DCASE 2022; Schmid et al., "Efficient Large-Scale Audio Tagging",
    ICASSP 2023): a recording device changes these statistics, a class should not.
    """

    Config = FreqMixStyleConfig
    domain = "features"
    rank = 140

    def apply(self, batch: Batch, parameters: DrawnMix) -> Batch:
        """Standardise each bin over the clip's frames, then give it the mixed statistics."""
        features = features_of(batch)
        values, device = features.values, features.values.device
        rows, partners = parameters.rows.to(device), parameters.partners.to(device)
        mean, deviation = _bin_statistics(values, features.lengths_frames)
        other = along(1 - parameters.share.to(device), values).to(values.dtype)
        new_mean = torch.lerp(mean[rows], mean[partners], other)
        new_deviation = torch.lerp(deviation[rows], deviation[partners], other)
        styled = (values[rows] - mean[rows]) / deviation[rows] * new_deviation + new_mean
        return with_feature_rows(batch, rows, styled)


def _bin_statistics(values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return each bin's mean and deviation over the frames of its clip, `(n, …, bins, 1)`."""
    heard = along(below(lengths, values.shape[-1]), values)
    count = along(lengths.clamp(min=1), values)
    mean = (values * heard).sum(-1, keepdim=True) / count
    variance = ((values - mean).square() * heard).sum(-1, keepdim=True) / count
    return mean, (variance + 1e-6).sqrt()
