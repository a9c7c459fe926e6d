"""Models: `Features` to `Output`; one family is one file. Importing this imports no torch."""

from typing import TYPE_CHECKING

from auricle.core.registry import Registry

if TYPE_CHECKING:
    from auricle.models.base import ModelPreset

MODELS: "Registry[ModelPreset]" = Registry(
    "model",
    __name__,
    (
        "panns",
        "panns_macls",
        "panns_resnet",
        "panns_mobilenet",
        "panns_wave",
        "small_resnet",
        "ast_transformer",
        "speech_encoder",
        "campplus",
        "eres2net",
        "crnn",
        "efficientat",
        "efficientat_dynamic",
        "image",
        "tdnn",
        "ecapa_tdnn",
        "res2net",
        "resnet_se",
    ),
)
