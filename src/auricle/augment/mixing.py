"""Two sounds at once: mixup of features or waveforms, and between-class mixing."""

from dataclasses import dataclass, replace

import torch
from pydantic import Field
from torch import Generator, Tensor

from auricle.augment import AUGMENTATIONS
from auricle.augment.base import (
    Augmentation,
    AugmentationConfig,
    Drawn,
    along,
    below,
    draw_beta,
    draw_partners,
    draw_rows,
    draw_uniform,
    features_of,
    with_rows,
)
from auricle.tensors import Batch

_LEVEL_WINDOW_S = 0.1
_LOWEST_LEVEL_DB = -80.0  # below it a clip counts as silent, as in the paper's own code


ALPHA = "shares are drawn of Beta(alpha, alpha); larger mixes more evenly"


class MixConfig(AugmentationConfig):
    """How evenly two clips are mixed."""

    alpha: float = Field(0.2, gt=0, description=ALPHA)


@dataclass(frozen=True)
class DrawnMix(Drawn):
    """`partners` `(changed,)` in the batch, and the clip's own `share` `(changed,)` in [0, 1]."""

    partners: Tensor
    share: Tensor


class Mixing(Augmentation[MixConfig, DrawnMix]):
    """Base of the augmentations that mix two clips by a share of Beta(alpha, alpha)."""

    Config = MixConfig

    def draw(self, batch: Batch, generator: Generator) -> DrawnMix:
        """Draw a partner and a share for each clip."""
        rows = draw_rows(batch, self.config.probability, generator)
        partners = draw_partners(batch, generator)
        share = draw_beta(batch, self.config.alpha, generator)
        return DrawnMix(rows, partners[rows], share[rows])


@AUGMENTATIONS.register("mixup")
class Mixup(Mixing):
    """Mix features and targets of two clips in one ratio.

    mixup (Zhang et al., ICLR 2018), as PANNs does it on log-mel features. Where only one of
    the two clips has frames, that one stays as it is; the longer one gives the length. Waveforms
    that ride along with the features are mixed too.
    """

    domain = "features"
    rank = 150
    any_features = True

    def apply(self, batch: Batch, parameters: DrawnMix) -> Batch:
        """Mix features, the waveforms that ride along, and targets."""
        features = features_of(batch)
        device = features.values.device
        rows, partners = parameters.rows.to(device), parameters.partners.to(device)
        share = parameters.share.to(device)

        def mix(values: Tensor, lengths: Tensor) -> Tensor:
            own, others = (below(lengths[of], values.shape[-1]) for of in (rows, partners))
            weight = torch.where(others, torch.where(own, 1 - share[:, None], 1.0), 0.0)
            weight = along(weight.to(values.dtype), values)
            return with_rows(values, rows, torch.lerp(values[rows], values[partners], weight))

        frames, waveforms = features.lengths_frames, features.waveforms
        longer = torch.maximum(frames[rows], frames[partners])
        features = replace(
            features,
            values=mix(features.values, frames),
            lengths_frames=with_rows(frames, rows, longer),
            waveforms=None if waveforms is None else mix(waveforms, batch.lengths_samples),
        )
        targets = _mixed_targets(batch.targets, rows, partners, share)
        return replace(batch, features=features, targets=targets)


class CutMixConfig(MixConfig):
    """How long the part is that comes from another clip."""

    alpha: float = Field(1.0, gt=0, description=ALPHA)


@dataclass(frozen=True)
class DrawnCut(DrawnMix):
    """Beside the mix, `position` `(changed,)` in [0, 1): where the cut lies in the room left."""

    position: Tensor


@AUGMENTATIONS.register("cutmix")
class CutMix(Augmentation[CutMixConfig, DrawnCut]):
    """Put a stretch of another clip's features in the place of the clip's own.

    CutMix (Yun et al., ICCV 2019) along time alone, where a stretch is a sound: targets of a clip
    are mixed by the share of its frames that came from elsewhere, those of frames are cut with
    the features. The stretch lies where both clips have frames. Waveforms that ride along are cut
    at the same times.
    """

    Config = CutMixConfig
    domain = "features"
    rank = 145
    any_features = True

    def draw(self, batch: Batch, generator: Generator) -> DrawnCut:
        """Draw a partner, a share and a place for each clip."""
        rows = draw_rows(batch, self.config.probability, generator)
        partners = draw_partners(batch, generator)
        share = draw_beta(batch, self.config.alpha, generator)
        position = draw_uniform(batch, 0.0, 1.0, generator)
        return DrawnCut(rows, partners[rows], share[rows], position[rows])

    def apply(self, batch: Batch, parameters: DrawnCut) -> Batch:
        """Cut features, the waveforms that ride along, and targets."""
        features = features_of(batch)
        values, device = features.values, features.values.device
        rows, partners = parameters.rows.to(device), parameters.partners.to(device)
        own = features.lengths_frames[rows]
        room = torch.minimum(own, features.lengths_frames[partners])
        width = ((1 - parameters.share.to(device)) * room).round().long()
        start = (parameters.position.to(device) * (room - width + 1)).long()

        def cut(held: Tensor, scale: float, axis: int) -> Tensor:
            place = torch.arange(held.shape[axis], device=device)
            low, high = start[:, None] * scale, (start + width)[:, None] * scale
            inside = along((place >= low) & (place < high), held, axis)
            return with_rows(held, rows, torch.where(inside, held[partners], held[rows]))

        waveforms, targets = features.waveforms, batch.targets
        if waveforms is not None:
            waveforms = cut(waveforms, waveforms.shape[1] / values.shape[-1], -1)
        if targets is not None and targets.ndim == 3:
            targets = cut(targets, targets.shape[1] / values.shape[-1], 1)
        else:
            kept = 1 - width / own.clamp(min=1)
            targets = _mixed_targets(targets, rows, partners, kept)
        features = replace(features, values=cut(values, 1.0, -1), waveforms=waveforms)
        return replace(batch, features=features, targets=targets)


@AUGMENTATIONS.register("wave_mixup")
class WaveMixup(Mixing):
    """Mix waveforms and targets of two clips in one ratio (mixup in the time domain)."""

    domain = "waveform"
    rank = 60

    def apply(self, batch: Batch, parameters: DrawnMix) -> Batch:
        """Mix waveforms and targets."""
        device = batch.waveforms.device
        share = parameters.share.to(device)
        rows, partners = parameters.rows.to(device), parameters.partners.to(device)
        return _mixed(batch, rows, partners, (share, 1 - share), share)


@dataclass(frozen=True)
class DrawnBetweenClass(Drawn):
    """The clip's own `share` `(changed,)` in [0, 1) and its `preference` `(changed, batch)`.

    Of the clips of another class the most preferred is mixed in; its own place holds -1.
    """

    share: Tensor
    preference: Tensor


@AUGMENTATIONS.register("between_class")
class BetweenClass(Augmentation[AugmentationConfig, DrawnBetweenClass]):
    """Mix two clips of different classes so that they are heard in the ratio of the targets.

    Between-class learning (Tokozume, Ushiku, Harada, "Learning from Between-class Examples for
    Deep Sound Recognition", ICLR 2018): with the ratio r of the targets and the levels G1 and G2
    (dB), the waveforms are mixed as (p x1 + (1 - p) x2) / sqrt(p^2 + (1 - p)^2) with
    p = 1 / (1 + 10^((G1 - G2) / 20) (1 - r) / r). A level is that of the loudest 0.1 s of the
    clip, in plain RMS (the paper's A-weighting is left out), at least -80 dB. Where no clip of
    another class is in the batch, one of the same class is taken.
    """

    Config = AugmentationConfig
    domain = "waveform"
    rank = 70

    def draw(self, batch: Batch, generator: Generator) -> DrawnBetweenClass:
        """Draw a share for each clip, and the order in which it prefers the others."""
        count = len(batch.waveforms)
        rows = draw_rows(batch, self.config.probability, generator)
        share = draw_uniform(batch, 0.0, 1.0, generator)
        preference = torch.rand(count, count, generator=generator).fill_diagonal_(-1.0)
        if count < 2:
            rows = rows[:0]
        return DrawnBetweenClass(rows, share[rows], preference[rows])

    def apply(self, batch: Batch, parameters: DrawnBetweenClass) -> Batch:
        """Choose the partners by class, and mix waveforms and targets."""
        device = batch.waveforms.device
        rows, share = parameters.rows.to(device), parameters.share.to(device)
        partners = _partners_of_another_class(batch.targets, rows, parameters.preference.to(device))
        levels_db = loudest_level_db(batch.waveforms, batch.sample_rate)
        louder = 10 ** ((levels_db[rows] - levels_db[partners]) / 20)
        part = share / (share + louder * (1 - share))
        power = (part.square() + (1 - part).square()).sqrt()
        return _mixed(batch, rows, partners, (part / power, (1 - part) / power), share)


def loudest_level_db(waveforms: Tensor, sample_rate: int) -> Tensor:
    """Return the level `(batch,)` of each clip's loudest 0.1 s, in dB of full scale (RMS)."""
    window = min(max(1, round(_LEVEL_WINDOW_S * sample_rate)), waveforms.shape[1])
    size = waveforms.shape[1] // window * window
    blocks = waveforms[:, :size].unflatten(1, (-1, window))
    amplitude = torch.linalg.vector_norm(blocks, dim=2).amax(1)  # reads once, writes little
    if size < waveforms.shape[1]:
        rest = torch.linalg.vector_norm(waveforms[:, size:], dim=1)
        amplitude = torch.maximum(amplitude, rest)
    power = amplitude.square() / window
    return 10 * power.clamp(min=10 ** (_LOWEST_LEVEL_DB / 10)).log10()


def _partners_of_another_class(targets: Tensor | None, rows: Tensor, preference: Tensor) -> Tensor:
    if targets is None:
        return preference.argmax(1)
    present = targets.amax(1) if targets.ndim == 3 else targets
    # Two sets of classes are at least 1 apart, one set is 0 from itself.
    other = torch.cdist(present[rows].float(), present.float()) > 0.5
    return (preference + other).argmax(1)


def _mixed(
    batch: Batch, rows: Tensor, partners: Tensor, weights: tuple[Tensor, Tensor], share: Tensor
) -> Batch:
    """Add waveforms by `weights` (own, partner's), and targets by `share` and its rest."""
    waveforms, lengths = batch.waveforms, batch.lengths_samples
    mixed = weighted_sum(waveforms, rows, partners, weights)
    longer = torch.maximum(lengths[rows], lengths[partners])
    return replace(
        batch,
        waveforms=with_rows(waveforms, rows, mixed),
        lengths_samples=with_rows(lengths, rows, longer),
        targets=_mixed_targets(batch.targets, rows, partners, share),
    )


def weighted_sum(
    waveforms: Tensor, rows: Tensor, partners: Tensor, weights: tuple[Tensor, Tensor]
) -> Tensor:
    """Return `rows` and `partners` of `waveforms`, each times its weight `(rows,)`, added."""
    own, partner = weights
    if waveforms.device.type != "cpu":
        return waveforms[rows] * own[:, None] + waveforms[partners] * partner[:, None]
    # Row by row: a processor's cache holds a row and not a batch.
    mixed = waveforms.new_empty(len(rows), waveforms.shape[1])
    places = zip(rows.tolist(), partners.tolist(), own.tolist(), partner.tolist(), strict=True)
    for target, (row, other, own_weight, other_weight) in zip(mixed, places, strict=True):
        torch.mul(waveforms[row], own_weight, out=target)
        target.add_(waveforms[other], alpha=other_weight)
    return mixed


def _mixed_targets(
    targets: Tensor | None, rows: Tensor, partners: Tensor, share: Tensor
) -> Tensor | None:
    if targets is None:
        return None
    weight = along(1 - share, targets).to(targets.dtype)
    return with_rows(targets, rows, torch.lerp(targets[rows], targets[partners], weight))
