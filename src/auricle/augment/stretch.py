"""Tempo without pitch, and pitch without tempo."""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Annotated

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
from auricle.augment.speed import Tempo, resample
from auricle.tensors import Batch

_WINDOW_S = 0.04  # at least; long enough to tell apart the partials of a low voice
_OVERLAP = 4
_ONSET = 0.1  # a bin that was so much weaker a hop ago begins anew


@AUGMENTATIONS.register("time_stretch")
class TimeStretch(Tempo):
    """Play a clip faster or slower at its own pitch; its length stays.

    A phase vocoder with locked phases (Puckette, "Phase-locked Vocoder", WASPAA 1995).
    """

    rank = 14

    def play(self, clips: Tensor, factor: Fraction, sample_rate: int) -> Tensor:
        """Stretch."""
        return stretch(clips, factor, sample_rate)


class PitchConfig(AugmentationConfig):
    """The steps to choose from."""

    semitones: tuple[Annotated[float, Field(ge=-24, le=24)], ...] = Field(
        (-2.0, -1.0, 1.0, 2.0),
        min_length=1,
        description="steps of pitch to choose from; 12 is an octave up",
    )


@dataclass(frozen=True)
class DrawnPitch(Drawn):
    """`choice` `(changed,)` among the steps."""

    choice: Tensor


@AUGMENTATIONS.register("pitch")
class Pitch(Augmentation[PitchConfig, DrawnPitch]):
    """Raise or lower the pitch of a clip at its own tempo.

    A phase vocoder makes the clip longer by the ratio of the pitches, a band-limited resampling
    plays it back in the first length, higher by the same ratio (Laroche and Dolson, "New
    Phase-Vocoder Techniques for Pitch-Shifting, Harmonizing and Other Exotic Effects", WASPAA
    1999). Nothing moves in time, so targets stay.
    """

    Config = PitchConfig
    domain = "waveform"
    rank = 12

    def draw(self, batch: Batch, generator: Generator) -> DrawnPitch:
        """Draw a step for each clip."""
        rows = draw_rows(batch, self.config.probability, generator)
        steps = len(self.config.semitones)
        choice = torch.randint(steps, (len(batch.waveforms),), generator=generator)
        return DrawnPitch(rows, choice[rows])

    def apply(self, batch: Batch, parameters: DrawnPitch) -> Batch:
        """Stretch and resample the clips, all of one step at once."""
        waveforms, size = batch.waveforms.clone(), batch.waveforms.shape[1]
        for choice in parameters.choice.unique().tolist():
            # To within 0.2 cents up to two semitones, 5 cents up to 24.
            ratio = Fraction(2 ** (self.config.semitones[choice] / 12)).limit_denominator(100)
            if ratio == 1:
                continue
            rows = parameters.rows[parameters.choice == choice].to(waveforms.device)
            longer = stretch(batch.waveforms[rows], 1 / ratio, batch.sample_rate)
            shifted = F.pad(resample(longer, ratio), (0, 1))[:, :size]
            waveforms[rows] = shifted * below(batch.lengths_samples[rows], size)
        return replace(batch, waveforms=waveforms)


def stretch(waveforms: Tensor, factor: Fraction, sample_rate: int) -> Tensor:
    """Play `(batch, time)` at `factor` times its speed and its own pitch.

    Returns `(batch, ceil(time / factor))`. A phase vocoder (Flanagan and Golden, "Phase Vocoder",
    Bell System Technical Journal 1966; Dolson, "The Phase Vocoder: A Tutorial", Computer Music
    Journal 1986): each new frame has the magnitudes of the place that it reads, and each bin's
    phase goes on by what it goes on there in one hop. Frames are read one hop apart too, so that
    this advance is that between two frames, whatever multiple of a turn is in it. A tone keeps
    its level within 0.2 dB; noise loses 2 to 3 dB.
    """
    window, hop = _window(sample_rate)
    size = waveforms.shape[1]
    out_size = -(-size * factor.denominator // factor.numerator)
    out_frames = -(-out_size // hop) + 1
    places = torch.arange(out_frames, dtype=torch.float64) * float(factor)
    before = places.long()
    weight = (places - before).to(waveforms)[:, None]
    before = before.to(waveforms.device)
    reach = (math.floor((out_frames - 1) * float(factor)) + 1) * hop + window
    padded = F.pad(waveforms, (window // 2, max(0, reach - window // 2 - size)))
    shape = torch.hann_window(window, device=waveforms.device)
    spectra = torch.fft.rfft(padded.unfold(1, window, hop) * shape)
    heard, following = spectra[:, before], spectra[:, before + 1]
    magnitudes = torch.lerp(heard.abs(), following.abs(), weight)
    frames = torch.fft.irfft(_in_phase(heard, following * heard.conj(), magnitudes), window)
    added = _overlap_added(frames * shape, hop)
    # Squared Hann windows a quarter apart add up to 1.5 everywhere.
    return added[:, window // 2 : window // 2 + out_size] / (0.375 * _OVERLAP)


def _in_phase(heard: Tensor, advance: Tensor, magnitudes: Tensor) -> Tensor:
    """Give each frame the phases of the one before, turned on; all `(batch, frames, bins)`.

    Before they are turned, neighbouring bins, which hear the same partial, are locked: each takes
    the phase of itself and its neighbours together, which the loudest decides (Puckette,
    "Phase-locked Vocoder", WASPAA 1995). Where a sound begins, its own phases are taken as they
    were `heard`, so that its attack stays one.
    """
    made = [heard[:, 0]]
    for frame in range(1, heard.shape[1]):
        beside = F.pad(made[-1], (1, 1))
        # Under a Hann window the bins of one partial alternate in sign.
        locked = made[-1] - beside[..., :-2] - beside[..., 2:]
        begins = locked.abs() < _ONSET * magnitudes[:, frame]
        turned = torch.where(begins, heard[:, frame], locked * advance[:, frame - 1])
        made.append(turned * (magnitudes[:, frame] / turned.abs().clamp(min=1e-20)))
    return torch.stack(made, 1)


def _window(sample_rate: int) -> tuple[int, int]:
    """Return the window and the hop in samples; a power of two, for the FFT."""
    window = 1 << (math.ceil(_WINDOW_S * sample_rate) - 1).bit_length()
    window = max(window, _OVERLAP)
    return window, window // _OVERLAP


def _overlap_added(frames: Tensor, hop: int) -> Tensor:
    """Add `(batch, frames, window)`, one every `hop`: `(batch, time)`."""
    batch, count, window = frames.shape
    size = (count - 1) * hop + window
    columns = frames.transpose(1, 2)
    folded = F.fold(columns, (1, size), (1, window), stride=(1, hop))
    return folded.reshape(batch, size)
