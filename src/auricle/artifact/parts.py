"""Build a front-end and a network from the sections of a configuration."""

from collections.abc import Mapping
from typing import Any

from auricle.artifact.encoder_source import with_encoder
from auricle.core.config import merge, validate
from auricle.frontends import FRONTENDS
from auricle.frontends.base import FrontEnd, FrontEndPreset
from auricle.models import MODELS
from auricle.models.base import ModelPreset, SoundModel

Section = Mapping[str, Any]


def resolve_frontend(section: Section) -> dict[str, Any]:
    """Spell out a front-end section: its name and every option. Raises `ConfigError`.

    The architecture of an encoder that only a checkpoint names is read from that checkpoint
    (`ArtifactError` where it cannot be had).
    """
    preset, values = _frontend_values(section)
    if "encoder" in preset.build.Config.model_fields:
        values = with_encoder(values)
    config = validate(preset.build.Config, values, prefix="frontend")
    return {"name": section["name"], **config.model_dump(mode="json")}


def resolve_model(section: Section) -> dict[str, Any]:
    """Spell out a model section: its name and every option. Raises `ConfigError`."""
    preset = MODELS[section.get("name", "")]
    values = merge(preset.config.model_dump(mode="json"), _options(section))
    config = validate(preset.family.Config, values, prefix="model")
    return {"name": section["name"], **config.model_dump(mode="json")}


def build_frontend(section: Section) -> FrontEnd:
    """Build the front-end that a section names, out of nothing but the section."""
    preset, values = _frontend_values(section)
    return preset.build(validate(preset.build.Config, values, prefix="frontend"))


def build_model(section: Section, *, bins: int, classes: int) -> SoundModel:
    """Build the network that a section names, for `bins` feature rows; 0 classes: no head."""
    preset: ModelPreset = MODELS[section.get("name", "")]
    config = validate(preset.family.Config, _options(resolve_model(section)))
    return preset.family(config, bins=bins, classes=classes)


def _frontend_values(section: Section) -> tuple[FrontEndPreset, dict[str, Any]]:
    preset = FRONTENDS[section.get("name", "")]
    return preset, merge(preset.config.model_dump(mode="json"), _options(section))


def _options(section: Section) -> dict[str, Any]:
    return {key: value for key, value in section.items() if key != "name"}
