"""Mel spectrograms without a logarithm, as `torchaudio.transforms.MelSpectrogram` defines them.

macls and the music-genre tutorials feed these to their networks; `mel_scale` and `mel_norm` slaney
give librosa's.
"""

from typing import ClassVar

from auricle.frontends import FRONTENDS
from auricle.frontends.base import FrontEndConfig, FrontEndPreset
from auricle.frontends.spectrogram import SpectrogramConfig
from auricle.frontends.stft import MelBinsConfig, StftFrontEnd


class MelConfig(MelBinsConfig, SpectrogramConfig):
    """Settings of `Mel`: torchaudio's defaults at 16 kHz."""


class Mel(StftFrontEnd):
    """Mel power (or magnitudes), `(batch, n_mels, frames)`, without a logarithm."""

    Config: ClassVar[type[FrontEndConfig]] = MelConfig

    def __init__(self, config: MelConfig) -> None:
        super().__init__(config, config.filters(), power=config.power)
        self.db_per_unit = None


FRONTENDS.add("mel", FrontEndPreset(Mel, MelConfig()))
# macls' MelSpectrogram, whose mean counts a clip's own frames here and its padding too there.
FRONTENDS.add(
    "mel64_norm",
    FrontEndPreset(
        Mel,
        MelConfig(n_fft=1024, hop_samples=320, n_mels=64, f_min_hz=50, normalise="clip_mean"),
    ),
)
