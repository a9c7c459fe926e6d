"""Playing a sound faster or slower, as a record player does."""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Generator, Tensor

from auricle.augment import AUGMENTATIONS
from auricle.augment.base import (
    Augmentation,
    AugmentationConfig,
    Drawn,
    below,
    draw_rows,
)
from auricle.augment.shift import frame_middles, frames_at, overlaid
from auricle.tensors import Batch

_ZERO_CROSSINGS = 12  # of the interpolating kernel, either side
_ROLL_OFF = 0.95  # cut-off as a part of the lower Nyquist frequency


class SpeedConfig(AugmentationConfig):
    """The speeds to choose from."""

    factors: tuple[Annotated[float, Field(ge=0.25, le=4)], ...] = Field(
        (0.9, 0.95, 1.0, 1.05, 1.1),
        min_length=1,
        description="speeds to choose from, to two decimals; 2.0 is an octave up in half the time",
    )
    fill: Literal["wrap", "zeros"] = Field(
        "wrap", description="what follows a sound that ends early: itself (wrap) or silence (zeros)"
    )


@dataclass(frozen=True)
class DrawnSpeed(Drawn):
    """`choice` `(changed,)` among the factors; `position` `(changed,)` in [0, 1).

    A sound that became too long for its clip is cut: `position` says where, 0 at its start.
    """

    choice: Tensor
    position: Tensor


class Tempo(Augmentation[SpeedConfig, DrawnSpeed]):
    """Base of what changes how long a sound lasts; the clip's length stays."""

    Config = SpeedConfig
    domain = "waveform"

    def play(self, clips: Tensor, factor: Fraction, sample_rate: int) -> Tensor:
        """Play `(batch, time)` at `factor` times its speed: `(batch, ceil(time / factor))`."""
        raise NotImplementedError

    def draw(self, batch: Batch, generator: Generator) -> DrawnSpeed:
        """Draw a speed for each clip, and where to cut."""
        count = len(batch.waveforms)
        rows = draw_rows(batch, self.config.probability, generator)
        choice = torch.randint(len(self.config.factors), (count,), generator=generator)
        position = torch.rand(count, generator=generator)
        return DrawnSpeed(rows, choice[rows], position[rows])

    def apply(self, batch: Batch, parameters: DrawnSpeed) -> Batch:
        """Play the clips, all of one speed at once, and take the nearest frame targets."""
        device = batch.waveforms.device
        waveforms, targets = batch.waveforms.clone(), batch.targets
        if targets is not None and targets.ndim == 3:
            targets = targets.clone()
        for choice in parameters.choice.unique().tolist():
            factor = Fraction(self.config.factors[choice]).limit_denominator(100)
            if factor == 1:
                continue
            here = parameters.choice == choice
            rows = parameters.rows[here].to(device)
            lengths = batch.lengths_samples[rows]
            longer = (_sped(lengths, factor) - lengths).clamp(min=0)
            start = (parameters.position[here].to(device) * longer).long()
            played = self.play(batch.waveforms[rows], factor, batch.sample_rate)
            waveforms[rows] = self._clips(played, waveforms.shape[1], lengths, start, factor)
            if targets is not None and targets.ndim == 3:
                period = waveforms.shape[1] / targets.shape[1]
                targets[rows] = self._targets(targets[rows], lengths, start, factor, period)
        return replace(batch, waveforms=waveforms, targets=targets)

    def _clips(
        self, sped: Tensor, size: int, lengths: Tensor, start: Tensor, factor: Fraction
    ) -> Tensor:
        sped_lengths = _sped(lengths, factor)
        # The kernel rings past the end of the sound: cut there, before the sound follows itself.
        sped = sped * below(sped_lengths, sped.shape[1])
        turns = math.floor(factor) + 1 if self.config.fill == "wrap" and factor > 1 else 1
        turn = torch.arange(turns, device=sped.device)
        starts = start[:, None] - turn * sped_lengths[:, None]
        return overlaid(sped, starts, lengths, size)

    def _targets(
        self, targets: Tensor, lengths: Tensor, start: Tensor, factor: Fraction, period: float
    ) -> Tensor:
        """Take from frame targets, `period` samples apart, what is now heard in each frame."""
        sped_lengths = _sped(lengths, factor)[:, None]
        middle = frame_middles(targets, period)
        place = middle + start[:, None]
        heard = middle < lengths[:, None]
        if self.config.fill == "zeros":
            heard = heard & (place < sped_lengths)
        return frames_at(targets, place % sped_lengths * float(factor), heard, period)


@AUGMENTATIONS.register("speed")
class Speed(Tempo):
    """Resample a clip by a factor, which changes pitch and tempo; its length stays.

    Speed perturbation (Ko et al., "Audio Augmentation for Speech Recognition", Interspeech 2015).
    The interpolation is band-limited: what would fold over is filtered out first.
    """

    rank = 10

    def play(self, clips: Tensor, factor: Fraction, sample_rate: int) -> Tensor:
        """Resample."""
        return resample(clips, factor)


def _sped(lengths: Tensor, factor: Fraction) -> Tensor:
    return (lengths * factor.denominator // factor.numerator).clamp(min=1)


def resample(waveforms: Tensor, factor: Fraction) -> Tensor:
    """Play `(batch, time)` at `factor` times its speed: `(batch, ceil(time / factor))`.

    Interpolation by a windowed sinc in polyphase form: of every `factor.numerator` samples come
    `factor.denominator` new ones, each a dot product with a kernel of its own (J. O. Smith,
    "Digital Audio Resampling").
    """
    kernels, before = _kernels(factor)
    kernels = kernels.to(waveforms)
    size, width = waveforms.shape[1], kernels.shape[1]
    blocks = -(-size // factor.numerator)
    after = (blocks - 1) * factor.numerator + width - before - size
    frames = F.pad(waveforms, (before, max(after, 0))).unfold(1, width, factor.numerator)
    resampled = (frames[:, :blocks] @ kernels.T).flatten(1)
    return resampled[:, : -(-size * factor.denominator // factor.numerator)]


@lru_cache(maxsize=64)
def _kernels(factor: Fraction) -> tuple[Tensor, int]:
    """Return the kernels `(factor.denominator, width)` and the samples they reach back."""
    cutoff = _ROLL_OFF * min(1.0, 1 / factor)
    reach = _ZERO_CROSSINGS / cutoff
    before = math.ceil(reach)
    offsets = torch.arange(-before, before + factor.numerator + 1, dtype=torch.float64)
    phases = torch.arange(factor.denominator, dtype=torch.float64) * float(factor)
    distance = offsets[None] - phases[:, None]
    window = torch.cos(math.pi / 2 * (distance / reach).clamp(-1, 1)).square()
    kernels = torch.sinc(cutoff * distance) * window
    # Each phase passes a constant unchanged, so that no phase adds a tone of its own.
    return (kernels / kernels.sum(1, keepdim=True)).float(), before
