"""Decibels of energies, with a floor under the whole and one under each clip."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from auricle.frontends.normalise import own_frames

# Far below any sound, and still a number in float32, where 0 would have no logarithm.
LEAST_FLOOR = 1e-30
Amin = Annotated[
    float,
    Field(
        ge=LEAST_FLOOR, description="floor of the filters' outputs (of powers: 1e-10 is -100 dB)"
    ),
]
TopDb = Annotated[
    float | None, Field(gt=0, description="range (dB) below each clip's highest value; null: any")
]


def decibels(values: Tensor, amin: float, *, power: float = 2.0) -> Tensor:
    """Return `10 log10(max(amin, value))` of powers, twice that of magnitudes (`power` 1)."""
    return 20 / power * torch.log10(values.clamp(min=amin))


def limit_range(values_db: Tensor, lengths_frames: Tensor, top_db: float) -> Tensor:
    """Raise what lies more than `top_db` (dB) below a clip's own highest value to that floor.

    `values_db` is `(batch, bins, frames)`; padding frames have no say in the highest value, nor
    has any other clip. torchaudio and librosa take the highest value of all that they are given
    in one call.
    """
    inside = own_frames(values_db, lengths_frames)
    highest = torch.where(inside, values_db, -torch.inf).amax(dim=(1, 2), keepdim=True)
    return torch.maximum(values_db, highest - top_db)
