"""Front-ends: waveforms to `Features`. Importing this imports no torch."""

from typing import TYPE_CHECKING

from auricle.core.registry import Registry

if TYPE_CHECKING:
    from auricle.frontends.base import FrontEndPreset

FRONTENDS: "Registry[FrontEndPreset]" = Registry(
    "front-end",
    __name__,
    (
        "spectrogram",
        "mel",
        "logmel",
        "mfcc",
        "pcen",
        "fbank",
        "waveform",
        "ast_fbank",
        "seamless_fbank",
        "self_supervised",
        "efficientat_mel",
        "image",
    ),
)
