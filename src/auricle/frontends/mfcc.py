"""Mel-frequency cepstral coefficients, as `torchaudio.transforms.MFCC` defines them.

Davis and Mermelstein, "Comparison of parametric representations for monosyllabic word
recognition" (1980): the discrete cosine transform of the logarithm of mel energies, which parts
the spectrum's envelope from its fine structure.
"""

from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from auricle.frontends import FRONTENDS
from auricle.frontends.base import MOST_BINS, FrontEndConfig, FrontEndPreset
from auricle.frontends.decibels import Amin, TopDb, decibels, limit_range
from auricle.frontends.melscale import Array
from auricle.frontends.stft import MelBinsConfig, StftFrontEnd

_LOG_OFFSET = 1e-6


class MfccConfig(MelBinsConfig):
    """Settings of `Mfcc`: torchaudio's defaults at 16 kHz."""

    n_mfcc: int = Field(default=40, ge=1, le=MOST_BINS, description="coefficients kept")
    log: Literal["db", "ln"] = Field(
        default="db", description="db: decibels with amin and top_db; ln: ln(energy + 1e-6)"
    )
    amin: Amin = 1e-10
    top_db: TopDb = 80.0

    @model_validator(mode="after")
    def _coefficients_fit(self) -> "MfccConfig":
        if self.n_mfcc > self.n_mels:
            raise ValueError(
                f"n_mfcc ({self.n_mfcc}) must not exceed n_mels ({self.n_mels}): raise n_mels"
            )
        return self


class Mfcc(StftFrontEnd):
    """Cepstral coefficients `(batch, n_mfcc, frames)`: an orthonormal DCT-II over mel bins."""

    Config: ClassVar[type[FrontEndConfig]] = MfccConfig
    dct: Tensor

    def __init__(self, config: MfccConfig) -> None:
        super().__init__(config, config.filters(), bins=config.n_mfcc)
        self.db_per_unit = None
        self.log = config.log
        self.amin = config.amin
        self.top_db = config.top_db if config.log == "db" else None
        dct = dct_matrix(config.n_mels)[: config.n_mfcc]
        self.register_buffer("dct", torch.tensor(dct, dtype=torch.float32), persistent=False)

    def compress(self, energies: Tensor) -> Tensor:
        """Return energies on a logarithmic scale."""
        if self.log == "ln":
            return (energies + _LOG_OFFSET).log()
        return decibels(energies, self.amin)

    def finish(self, values: Tensor, lengths_frames: Tensor) -> Tensor:
        """Limit each clip's range and transform its frames."""
        if self.top_db is not None:
            values = limit_range(values, lengths_frames, self.top_db)
        return torch.matmul(self.dct, values)


def dct_matrix(points: int) -> Array:
    """Return the orthonormal DCT-II `(points, points)`: a row per coefficient."""
    place = np.arange(points)
    rows = np.cos(np.pi / points * (place + 0.5) * place[:, None]) * np.sqrt(2 / points)
    rows[0] = np.sqrt(1 / points)
    return rows


FRONTENDS.add("mfcc", FrontEndPreset(Mfcc, MfccConfig()))
