"""The `augment` section of the configuration.

A section is a preset and, on top of it, parts: a mapping of options changes or adds a part,
`true` adds it as it comes, `false` or null takes it away. The order of application is that of
the parts' ranks, whatever the order of the section. First comes what the source does, then the
room, noise, other sounds and the channel, then what changes features; `augmentation_keys` lists
them in that order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import create_model

from auricle.augment import AUGMENTATIONS
from auricle.augment.presets import DEFAULT_PRESET, PRESETS
from auricle.core.config import Config, merge, validate
from auricle.core.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from auricle.augment.base import Augmenter

_SECTION = "augment"


@dataclass(frozen=True)
class OptionHelp:
    """One key of a part: its name, its dotted path, its default and what it does."""

    option: str
    key: str
    default: Any
    description: str


@dataclass(frozen=True)
class PartHelp:
    """One augmentation: its name, where it runs (`waveform` or `features`) and its options."""

    name: str
    domain: str
    summary: str
    options: tuple[OptionHelp, ...]


def build_augmenter(section: Mapping[str, Any], *, db_per_unit: float | None = 1.0) -> "Augmenter":
    """Build the augmentations that an `augment` section asks for.

    `db_per_unit` is what 1 in the features is in dB. A part that changes levels in the features
    and is not told otherwise goes by it, and is left out where it is None: see
    `Augmenter.left_out`.

    Raises `ConfigError` naming the nearest key for an unknown preset, part or option, and for
    values that break a rule; every mistake in the options is reported at once.
    """
    from auricle.augment.base import Augmenter

    parts, left_out = [], []
    for name, config in _parts(section).items():
        if getattr(config, "db_per_unit", 1.0) is None:
            if db_per_unit is None:
                left_out.append(name)
                continue
            config = config.model_copy(update={"db_per_unit": db_per_unit})
        parts.append(AUGMENTATIONS[name](config))
    return Augmenter(parts, left_out)


def resolved_section(section: Mapping[str, Any]) -> dict[str, Any]:
    """Spell a section out: every part with every option, on top of the preset `none`.

    The result reads back as the same augmentations, whatever becomes of the presets. Raises
    `ConfigError` as `build_augmenter` does.
    """
    parts = {name: config.model_dump(mode="json") for name, config in _parts(section).items()}
    return {"preset": "none", **parts}


def augmentation_keys() -> list[PartHelp]:
    """Return every augmentation with its options, in the order in which they are applied."""
    parts = sorted(AUGMENTATIONS, key=lambda name: AUGMENTATIONS[name].rank)
    return [
        PartHelp(
            name,
            AUGMENTATIONS[name].domain,
            (AUGMENTATIONS[name].__doc__ or "").split("\n", maxsplit=1)[0],
            tuple(
                OptionHelp(
                    option, f"{_SECTION}.{name}.{option}", field.default, field.description or ""
                )
                for option, field in AUGMENTATIONS[name].Config.model_fields.items()
            ),
        )
        for name in parts
    ]


def _parts(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of each part that is on, in the order of application."""
    wanted = dict(section)
    preset = wanted.pop("preset", DEFAULT_PRESET)
    preset = "none" if preset is None or preset is False else str(preset)
    if preset not in PRESETS:
        raise unknown_name(f"augmentation preset (--{_SECTION}.preset)", preset, PRESETS)
    tree = merge(PRESETS[preset], {name: _options(name, wanted[name]) for name in wanted})
    ranked = sorted(AUGMENTATIONS, key=lambda name: AUGMENTATIONS[name].rank)
    fields: Any = {name: (AUGMENTATIONS[name].Config | None, None) for name in ranked}
    fields["preset"] = (str, preset)  # for the message about a misspelt one
    whole = validate(create_model("AugmentConfig", __base__=Config, **fields), tree, _SECTION)
    return {name: getattr(whole, name) for name in ranked if getattr(whole, name) is not None}


def _options(name: str, value: Any) -> Any:
    if value is None or value is False:
        return None
    if value is True:
        return {}
    if isinstance(value, Mapping) or name not in AUGMENTATIONS:
        return value
    raise ConfigError(
        f"'{_SECTION}.{name}' must be true, false or a mapping of options, got {value!r}; "
        f"'auricle config' lists the options"
    )
