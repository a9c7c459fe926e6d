"""What is kept of a clip between its decoding and the report."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from auricle.data.check.report import Kind
from auricle.data.fingerprint import Landmarks

RECORD = np.dtype(
    [
        ("sample_rate", "<u4"),
        ("channels", "<u2"),
        ("duration_s", "<f8"),
        ("peak", "<f4"),
        ("mean", "<f4"),
        ("full_scale_share", "<f4"),
        ("content", "<u8"),
    ]
)
"""What is kept of a clip beside its landmarks. `content` is a hash of its decoded samples and
rate; two of a million different sounds share one with a chance of three in a hundred million."""


class Measured(NamedTuple):
    """What was measured of a clip: its record, of `RECORD`, and its landmarks."""

    record: npt.NDArray[np.void]
    landmarks: Landmarks


class Fault(NamedTuple):
    """Why a clip could not be measured. `lasting`: it lies in the file, which may be remembered."""

    kind: Kind
    detail: str
    lasting: bool = True
