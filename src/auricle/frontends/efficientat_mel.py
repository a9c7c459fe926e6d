"""EfficientAT's log-mel features.

github.com/fschmid56/EfficientAT (MIT), models/preprocess.py, as it works in evaluation:
pre-emphasis, a symmetric Hann window, Kaldi's mel triangles up to 15 kHz and
`(log(energy + 1e-5) + 4.5) / 5`. The random band edges of its training are no part of it.
"""

from typing import ClassVar

import numpy as np
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from auricle.frontends import FRONTENDS
from auricle.frontends.base import MOST_POINTS, FrontEndConfig, FrontEndPreset
from auricle.frontends.melscale import check_band, check_size, kaldi_filters
from auricle.frontends.normalise import DB_PER_LN, NormalisedConfig, unit_behind
from auricle.frontends.spectral import SpectralFrontEnd
from auricle.frontends.stft import HighestHz, LowestHz, MelBins, Points
from auricle.frontends.windows import make_window

PRE_EMPHASIS = 0.97
FLOOR = 1e-5


class EfficientATMelConfig(NormalisedConfig):
    """Settings of `EfficientATMel`: those of the published networks by default."""

    n_fft: Points = 1024
    window_samples: int = Field(
        default=800, ge=4, le=MOST_POINTS, description="length of the Hann window"
    )
    hop_samples: int = Field(
        default=320, ge=1, le=MOST_POINTS, description="samples from frame to frame"
    )
    n_mels: MelBins = 128
    f_min_hz: LowestHz = 0.0
    f_max_hz: HighestHz = 15000.0

    @model_validator(mode="after")
    def _fits(self) -> "EfficientATMelConfig":
        check_band(self.f_min_hz, self.f_max_hz, self.sample_rate)
        check_size(self.n_mels, self.n_fft)
        if self.window_samples > self.n_fft:
            raise ValueError(
                f"window_samples ({self.window_samples}) must not exceed n_fft ({self.n_fft}): "
                "raise n_fft"
            )
        return self


class EfficientATMel(SpectralFrontEnd):
    """EfficientAT's features, `(batch, n_mels, 1 + (time - 1) // hop_samples)`, about -1.4 to 3.

    Pre-emphasis takes the first sample away. Frames are centred and the waveform is reflected at
    the end of the batch, so a shorter clip in a padded batch differs in its last frames.
    """

    Config: ClassVar[type[FrontEndConfig]] = EfficientATMelConfig

    def __init__(self, config: EfficientATMelConfig) -> None:
        window = np.zeros(config.n_fft)
        start = (config.n_fft - config.window_samples) // 2
        window[start : start + config.window_samples] = make_window(
            "hann", config.window_samples, periodic=False
        )
        filters = kaldi_filters(
            config.n_mels,
            n_fft=config.n_fft,
            sample_rate=config.sample_rate,
            f_min_hz=config.f_min_hz,
            f_max_hz=check_band(config.f_min_hz, config.f_max_hz, config.sample_rate),
        )
        half = config.n_fft // 2
        super().__init__(
            config,
            window=window,
            filters=filters,
            hop_samples=config.hop_samples,
            n_fft=config.n_fft,
            padding=(half - 1, half),  # net of the sample that the pre-emphasis takes
        )
        self.reach = half
        self.db_per_unit = unit_behind(config, 5 * DB_PER_LN)
        # A reflection needs more samples than it adds, and pre-emphasis takes one.
        self.shortest_samples = half + 2

    def pad(self, waveforms: Tensor) -> Tensor:
        """Emphasise high frequencies of `(batch, time)`, then reflect both ends."""
        emphasised = waveforms[:, 1:] - PRE_EMPHASIS * waveforms[:, :-1]
        return F.pad(emphasised, (self.reach, self.reach), mode="reflect")

    def compress(self, energies: Tensor) -> Tensor:
        """Return the logarithm of energies, brought to the range that the networks know."""
        return ((energies + FLOOR).log() + 4.5) / 5


def _add(name: str, *, n_mels: int = 128, hop_samples: int = 320) -> None:
    config = EfficientATMelConfig(n_mels=n_mels, hop_samples=hop_samples)
    FRONTENDS.add(name, FrontEndPreset(EfficientATMel, config))


_add("efficientat_mel")
for _hop_ms in (5, 15, 20, 25):
    _add(f"efficientat_mel_hop_{_hop_ms}", hop_samples=32 * _hop_ms)
for _bins in (40, 64, 256):
    _add(f"efficientat_mel_mels_{_bins}", n_mels=_bins)
