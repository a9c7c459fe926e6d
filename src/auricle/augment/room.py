"""The room in which a sound is heard."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from pydantic import Field
from torch import Generator, Tensor

from auricle.augment import AUGMENTATIONS
from auricle.augment.base import (
    Augmentation,
    AugmentationConfig,
    Decibels,
    Drawn,
    below,
    draw_rows,
    draw_uniform,
    with_rows,
)
from auricle.augment.folder import SoundFolder
from auricle.tensors import Batch


class ReverbConfig(AugmentationConfig):
    """A folder of impulse responses, or the rooms to simulate."""

    folder: str | None = Field(
        None, min_length=1, description="folder of impulse responses; null: simulate rooms instead"
    )
    max_response_s: float = Field(
        2.0, gt=0, le=10, description="an impulse response of the folder is cut to this length (s)"
    )
    min_rt60_s: float = Field(
        0.1, gt=0, le=10, description="shortest time in which a simulated room decays by 60 dB (s)"
    )
    max_rt60_s: float = Field(
        0.8, gt=0, le=10, description="longest time in which a simulated room decays by 60 dB (s)"
    )
    min_direct_db: Decibels = Field(
        0.0, description="lowest ratio of direct sound to a simulated room's answer (dB)"
    )
    max_direct_db: Decibels = Field(
        15.0, description="highest ratio of direct sound to a simulated room's answer (dB)"
    )


@dataclass(frozen=True)
class DrawnReverb(Drawn):
    """The rooms' impulse responses, `response` `(changed, time)`; the direct sound comes first."""

    response: Tensor


@AUGMENTATIONS.register("reverb")
class Reverb(Augmentation[ReverbConfig, DrawnReverb]):
    """Play a clip in a room; its level and length stay, and its onsets do not move.

    A response out of a folder is read from its highest peak on, which is the direct sound. A
    simulated one is the direct sound and white noise behind it that decays exponentially (Moorer,
    "About This Reverberation Business", Computer Music Journal 1979; Polack, "La transmission de
    l'énergie sonore dans les salles", 1988): its decay time and its share of direct sound are
    drawn. What still sounds after the clip's end is cut.
    """

    Config = ReverbConfig
    domain = "waveform"
    rank = 35

    def __init__(self, config: ReverbConfig) -> None:
        super().__init__(config)
        self._folder = None
        if config.folder is not None:
            self._folder = SoundFolder(
                config.folder, "--augment.reverb.folder", longest_s=config.max_response_s
            )

    def prepare(self, sample_rate: int) -> Sequence[str]:
        """Read the folder."""
        return () if self._folder is None else self._folder.at(sample_rate).notes

    def draw(self, batch: Batch, generator: Generator) -> DrawnReverb:
        """Draw a room for each clip."""
        rows = draw_rows(batch, self.config.probability, generator)
        if self._folder is not None:
            return DrawnReverb(rows, self._recorded(self._folder, batch, generator)[rows])
        return DrawnReverb(rows, self._simulated(batch, generator)[rows])

    def _recorded(self, folder: SoundFolder, batch: Batch, generator: Generator) -> Tensor:
        sounds = folder.at(batch.sample_rate)
        which = torch.randint(len(sounds), (len(batch.waveforms),), generator=generator)
        size = max(len(sounds[index]) for index in range(len(sounds)))
        responses = torch.zeros(len(which), min(size, batch.waveforms.shape[1]))
        for response, index in zip(responses, which.tolist(), strict=True):
            sound = sounds[index]
            sound = sound[int(sound.abs().argmax()) :][: len(response)]
            response[: len(sound)] = sound
        return responses

    def _simulated(self, batch: Batch, generator: Generator) -> Tensor:
        config, rate = self.config, batch.sample_rate
        count, size = batch.waveforms.shape
        rt60 = draw_uniform(batch, config.min_rt60_s, config.max_rt60_s, generator)
        direct_db = draw_uniform(batch, config.min_direct_db, config.max_direct_db, generator)
        longest = max(2, round(config.max_rt60_s * rate))
        start = torch.randint(longest, (count,), generator=generator)
        noise = torch.randn(longest, generator=generator)
        # As with `noise`: one stretch for all, which each reads from a place of its own.
        tail = noise.repeat(2).unfold(0, min(longest, max(size, 2)), 1)[start]
        time_s = torch.arange(tail.shape[1]) / rate
        tail = tail * 10 ** (-3 * time_s / rt60[:, None])
        tail[:, 0] = 0.0
        strength = 10 ** (-direct_db / 20)
        tail *= (strength / torch.linalg.vector_norm(tail, dim=1).clamp(min=1e-10))[:, None]
        tail[:, 0] = 1.0
        return tail

    def apply(self, batch: Batch, parameters: DrawnReverb) -> Batch:
        """Convolve the clips with their rooms, and give them back their level."""
        device, size = batch.waveforms.device, batch.waveforms.shape[1]
        rows = parameters.rows.to(device)
        clips, lengths = batch.waveforms[rows], batch.lengths_samples[rows]
        response = parameters.response.to(device)
        wet = convolve(clips, response) * below(lengths, size)
        level = torch.linalg.vector_norm(clips, dim=1)
        level = level / torch.linalg.vector_norm(wet, dim=1).clamp(min=1e-10)
        return replace(batch, waveforms=with_rows(batch.waveforms, rows, wet * level[:, None]))


def convolve(waveforms: Tensor, responses: Tensor) -> Tensor:
    """Convolve each of `(batch, time)` with its response `(batch, taps)`: `(batch, time)`."""
    size = waveforms.shape[1]
    # A power of two with room for both: what went round would come back at the beginning.
    fft_size = 1 << (size + responses.shape[1] - 2).bit_length()
    spectra = torch.fft.rfft(waveforms, fft_size) * torch.fft.rfft(responses, fft_size)
    return torch.fft.irfft(spectra, fft_size)[:, :size]
