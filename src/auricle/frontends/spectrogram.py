"""Power and magnitude spectrograms, as `torchaudio.transforms.Spectrogram` defines them."""

from typing import ClassVar

from pydantic import Field, field_validator

from auricle.frontends import FRONTENDS
from auricle.frontends.base import FrontEndConfig, FrontEndPreset
from auricle.frontends.stft import StftConfig, StftFrontEnd


class SpectrogramConfig(StftConfig):
    """Settings of `Spectrogram`: torchaudio's defaults at 16 kHz."""

    power: float = Field(default=2.0, description="2: power spectrum; 1: magnitudes")

    @field_validator("power")
    @classmethod
    def _one_or_two(cls, power: float) -> float:
        if power not in (1.0, 2.0):
            raise ValueError("the power of a spectrum is 1 (magnitudes) or 2 (power)")
        return power


class Spectrogram(StftFrontEnd):
    """The spectrum of each frame, `(batch, n_fft // 2 + 1, frames)`, without a logarithm."""

    Config: ClassVar[type[FrontEndConfig]] = SpectrogramConfig

    def __init__(self, config: SpectrogramConfig) -> None:
        super().__init__(config, None, power=config.power)
        self.db_per_unit = None


FRONTENDS.add("spectrogram", FrontEndPreset(Spectrogram, SpectrogramConfig()))
