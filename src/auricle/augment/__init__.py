"""Augmentation: `Batch` to `Batch`, drawn from an explicit generator.

Importing this imports no torch. A part is a class in one of the modules named here, registered
under the name that the `augment` section of the configuration uses. `auricle.augment.section`
turns that section into an `Augmenter`.
"""

from typing import TYPE_CHECKING, Any

from auricle.core.registry import Registry

if TYPE_CHECKING:
    from auricle.augment.base import Augmentation

AUGMENTATIONS: "Registry[type[Augmentation[Any, Any]]]" = Registry(
    "augmentation",
    __name__,
    (
        "crop",
        "speed",
        "stretch",
        "shift",
        "level",
        "room",
        "noise",
        "mixing",
        "channel",
        "codec",
        "resize",
        "spectrum",
        "mask",
    ),
)
