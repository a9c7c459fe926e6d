"""Spectrograms as pictures of one size, for the networks of computer vision.

As the music-genre tutorial has it (github.com/Zeyi-Lin/PyTorch-Audio-Classification, train.py: mel
power, three equal channels, adaptive average pooling), and as notebooks on spoken commands do
(librosa's mel spectrogram in dB, resized, its contrast evened out).
"""

from contextlib import nullcontext
from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from auricle.frontends import FRONTENDS
from auricle.frontends.base import (
    FrontEnd,
    FrontEndConfig,
    FrontEndPreset,
    in_fp32,
    refuse_missing_frames,
)
from auricle.frontends.decibels import Amin, TopDb
from auricle.frontends.logmel import LogMel, LogMelConfig
from auricle.frontends.mel import Mel, MelConfig
from auricle.frontends.melscale import MelNorm, MelScale
from auricle.frontends.normalise import unit_behind
from auricle.frontends.stft import HopSamples, MelBinsConfig, Points, StftFrontEnd
from auricle.tensors import Features

Resize = Literal["average", "bilinear"]
MOST_PIXELS = 4096  # along one side
_ROUNDING = 1e-4  # relative to the largest value; a hundredth of a dB in silence
_TINY = 1e-20


class ImageConfig(MelBinsConfig):
    """Settings of `Image`: a mel spectrogram in dB, 224 x 224, by default."""

    n_fft: Points = 1024
    hop_samples: HopSamples = 160
    mel_scale: MelScale = "slaney"
    mel_norm: MelNorm = "slaney"
    values: Literal["db", "power"] = Field(default="db", description="what a pixel says")
    amin: Amin = 1e-10
    top_db: TopDb = 80.0
    height: int = Field(default=224, ge=1, le=MOST_PIXELS, description="pixels, low bins first")
    width: int = Field(default=224, ge=1, le=MOST_PIXELS, description="pixels that a clip fills")
    channels: Literal[1, 3] = Field(
        default=1, description="3: three equal ones; networks that want three repeat one themselves"
    )
    resize: Resize = Field(
        default="bilinear",
        description="average: adaptive average pooling; bilinear: antialiased, as for photographs",
    )
    contrast: Literal["none", "standard", "unit"] = Field(
        default="standard",
        description="of each picture; standard: mean 0 and deviation 1; unit: from 0 to 1",
    )

    @model_validator(mode="after")
    def _no_statistics(self) -> "ImageConfig":
        if self.normalise.startswith("dataset"):
            raise ValueError(
                f"normalise '{self.normalise}' is not for pictures: choose a contrast, which is "
                "each picture's own"
            )
        return self


class Image(FrontEnd):
    """A mel spectrogram as a picture `(batch, channels, height, width)`.

    However long a clip is, it fills the width; so do the zeros behind a shorter clip of a batch,
    which is why clips of different lengths are batched apart.
    """

    Config: ClassVar[type[FrontEndConfig]] = ImageConfig
    frame_period_s = None
    rows: Tensor

    def __init__(self, config: ImageConfig) -> None:
        super().__init__(config)
        self.spectrum = _spectrum(config)
        self.bins = config.height
        self.channels = config.channels
        self.fixed_frames = self.width = config.width
        self.shortest_samples = self.spectrum.shortest_samples
        self.resize: Resize = config.resize
        self.contrast = config.contrast
        logarithmic = config.values == "db" and config.contrast == "none"
        self.db_per_unit = unit_behind(config, 1.0) if logarithmic else None
        rows = resize_weights(config.n_mels, config.height, config.resize)
        self.register_buffer("rows", rows, persistent=False)

    def forward(self, waveforms: Tensor, lengths_samples: Tensor) -> Features:
        """Turn `(batch, time)` waveforms in [-1, 1] into `(batch, channels, height, width)`.

        Computes in float32 under autocast too. Raises `AudioError` for waveforms shorter than
        `shortest_samples`.
        """
        with nullcontext() if torch.compiler.is_exporting() else in_fp32(waveforms):
            values = self.spectrum(waveforms, lengths_samples).values
            columns = resize_weights(values.shape[2], self.width, self.resize, values.device)
            picture = self._contrasted(self.rows.T @ (values @ columns))
        pictures = picture[:, None].expand(-1, self.channels or 1, -1, -1).contiguous()
        return Features(pictures, torch.full_like(lengths_samples, self.width))

    def frame_count(self, samples: int) -> int:
        """Return the width, whatever the waveform's length."""
        return self.width

    def samples_for_frames(self, frames: int) -> int:
        """Return the shortest waveform (samples). Raises `ConfigError` above the width."""
        refuse_missing_frames(frames, self.width, option="width")
        return self.shortest_samples

    def _contrasted(self, picture: Tensor) -> Tensor:
        if self.contrast == "none":
            return picture
        # A picture without contrast must not show its rounding.
        least = (_ROUNDING * picture.abs().amax((1, 2), keepdim=True)).clamp(min=_TINY)
        if self.contrast == "unit":
            low, high = picture.amin((1, 2), keepdim=True), picture.amax((1, 2), keepdim=True)
            return (picture - low) / torch.maximum(high - low, least)
        centred = picture - picture.mean((1, 2), keepdim=True)
        deviation = centred.square().mean((1, 2), keepdim=True).sqrt()
        return centred / torch.maximum(deviation, least)


def resize_weights(
    count: int, size: int, how: Resize, device: torch.device | None = None
) -> Tensor:
    """Return the matrix `(count, size)` whose columns average `count` values to one of `size`.

    A product with it resizes an axis whatever its length, in an exported graph too. `average` is
    adaptive average pooling: value i is the mean over [floor(i n / size), ceil((i + 1) n / size)).
    `bilinear` are triangles, wider than a step where the axis shrinks (antialiasing).
    """
    place = torch.arange(count, device=device)[:, None]
    target = torch.arange(size, device=device)
    if how == "average":
        start = target * count // size
        end = ((target + 1) * count + size - 1) // size
        weights = ((place >= start) & (place < end)).float()
    else:
        step = torch.ones(1, device=device) * count / size
        centre = (target + 0.5) * step - 0.5
        weights = (1 - (place - centre).abs() / step.clamp(min=1)).clamp(min=0)
    return weights / weights.sum(0)


def _spectrum(config: ImageConfig) -> StftFrontEnd:
    values = config.model_dump()
    if config.values == "db":
        return LogMel(LogMelConfig(**{key: values[key] for key in _shared(LogMelConfig)}))
    return Mel(MelConfig(**{key: values[key] for key in _shared(MelConfig)}))


def _shared(wanted: type[MelBinsConfig]) -> set[str]:
    return wanted.model_fields.keys() & ImageConfig.model_fields.keys()


FRONTENDS.add(
    "gtzan_image",
    FrontEndPreset(
        Image,
        ImageConfig(
            sample_rate=22050,
            n_fft=2048,
            hop_samples=640,
            mel_scale="htk",
            mel_norm="none",
            values="power",
            channels=3,
            resize="average",
            contrast="none",
        ),
    ),
)
FRONTENDS.add("image_16k", FrontEndPreset(Image, ImageConfig()))
FRONTENDS.add(
    "image_32k",
    FrontEndPreset(
        Image, ImageConfig(sample_rate=32000, n_fft=2048, window_samples=1024, hop_samples=320)
    ),
)
FRONTENDS.add(
    "image_8k_64",
    FrontEndPreset(
        Image,
        ImageConfig(sample_rate=8000, n_fft=512, hop_samples=80, n_mels=64, height=64, width=64),
    ),
)
