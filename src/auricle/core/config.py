"""One typed configuration out of YAML, environment variables and flags.

Every source becomes a nested dictionary; later sources win; pydantic models with
`extra="forbid"` validate the whole. A misspelt key is an error that names the nearest valid
key with its dotted path.
"""

import os
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Self, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from auricle.core.errors import ConfigError, nearest

ENVIRONMENT_PREFIX = "AURICLE_"

SECTIONS = ("data", "frontend", "augment", "model", "train")
"""The sections of a run's configuration."""

Tree = dict[str, Any]


class Config(BaseModel):
    """Base of every typed configuration: frozen, no unknown keys, `min_X` at most `max_X`."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _a_switch_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        # `--train.epochs` without a value is True, which pydantic would read as 1.
        if isinstance(value, bool) and info.field_name is not None:
            annotation = cls.model_fields[info.field_name].annotation
            union = get_origin(annotation) in (Union, UnionType)
            kinds = set(get_args(annotation)) if union else {annotation}
            if kinds & {int, float} and bool not in kinds:
                raise ValueError("give it a number")
        return value

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        for low in type(self).model_fields:
            high = low.replace("min_", "max_", 1)
            if low.startswith("min_") and high in type(self).model_fields:
                least, most = getattr(self, low), getattr(self, high)
                if least is not None and most is not None and least > most:
                    raise ValueError(f"{low} ({least:g}) must not be above {high} ({most:g})")
        return self


C = TypeVar("C", bound=BaseModel)


def parse_value(text: str) -> Any:
    """Read the value of a flag or environment variable.

    Lists and mappings are YAML, and `true`, `false` and `null` mean what they say. All else stays
    text, which pydantic turns into the number that a key wants: a label `no` or a separator `|`
    is never anything but itself.
    """
    words = {"true": True, "false": False, "null": None}
    if text in words:
        return words[text]
    if not text.startswith(("[", "{")):
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def nest(flat: Mapping[str, Any]) -> Tree:
    """Turn `{"train.epochs": 3}` into `{"train": {"epochs": 3}}`. Raises `ConfigError`."""
    tree: Tree = {}
    for dotted, value in flat.items():
        *parents, last = dotted.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise ConfigError(f"'{dotted}' and '{parent}' cannot both be given a value")
        node[last] = value
    return tree


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> Tree:
    """Return `base` with the values of `over` on top, section by section."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def read_yaml(path: str | Path) -> Tree:
    """Read a YAML file of nested keys. Raises `ConfigError` when it is not one."""
    path = Path(path)
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"config file not found: {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"config file {path} cannot be read: {reason}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"config file {path} is not valid YAML: {_one_line(error)}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(
            f"config file {path} must hold keys and values, got {type(tree).__name__}"
        )
    return tree


def to_yaml(config: BaseModel) -> str:
    """Write a configuration as YAML that `read_yaml` and `validate` read back unchanged."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def environment_tree(environment: Mapping[str, str], sections: Sequence[str]) -> Tree:
    """Read `AURICLE_TRAIN__LEARNING_RATE=1e-3` style variables of the given sections."""
    flat = {}
    for name, text in environment.items():
        if name.startswith(ENVIRONMENT_PREFIX) and "__" in name:
            dotted = name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
            if dotted.split(".")[0] not in sections:
                guess = nearest(dotted.split(".")[0], sections)
                hint = f"; did you mean section '{guess}'?" if guess else ""
                raise ConfigError(
                    f"environment variable {name}: unknown section '{dotted.split('.')[0]}'{hint}"
                )
            flat[dotted] = parse_value(text)
    return nest(flat)


def resolve(
    cls: type[C],
    *,
    file: str | Path | None = None,
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> C:
    """Build `cls` from a YAML file, then environment variables, then flags (dotted keys)."""
    tree = read_yaml(file) if file is not None else {}
    # A section whose keys are all commented out is null, and means its defaults.
    tree = {key: value for key, value in tree.items() if value is not None}
    if environment is None:
        environment = os.environ
    tree = merge(tree, environment_tree(environment, list(cls.model_fields)))
    return validate(cls, merge(tree, nest(flags or {})))


def validate(cls: type[C], tree: Mapping[str, Any], prefix: str = "") -> C:
    """Validate `tree` as `cls`; every mistake is reported at once, with dotted paths.

    `prefix` is put before the paths in messages. Raises `ConfigError`.
    """
    try:
        return cls.model_validate(tree)
    except ValidationError as error:
        lines = [_explain(cls, item, prefix) for item in error.errors()]
        raise ConfigError("; ".join(dict.fromkeys(lines))) from None


def _explain(cls: type[BaseModel], item: Any, prefix: str) -> str:
    location = [str(part) for part in item["loc"]]
    dotted = ".".join([*([prefix] if prefix else []), *location])
    if item["type"] == "extra_forbidden":
        guess = _nearest_key(cls, location)
        if guess:
            guess = ".".join([*([prefix] if prefix else []), guess])
            return f"unknown key '{dotted}'; did you mean '--{guess}'?"
        known = ", ".join(_fields_at(cls, location[:-1]))
        return f"unknown key '{dotted}'; known keys here: {known}"
    if item["type"] == "missing":
        return f"'{dotted}' is missing"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] in ("model_type", "dict_type"):
        message = "must hold keys and values"
    if item["type"] == "tuple_type":
        message = "must be a list, as [a, b]"
    message = f"{message[:1].lower()}{message[1:]}"
    if not location or isinstance(item["input"], Mapping):
        # A rule about several keys: they are in the message, and the input is the whole section.
        return f"'{dotted}': {message}" if dotted else message
    return f"'{dotted}' = {reprlib.repr(item['input'])}: {message}"


def _nearest_key(cls: type[BaseModel], location: list[str]) -> str | None:
    here = list(_fields_at(cls, location[:-1]))
    guess = nearest(location[-1], here)
    if guess:
        return ".".join([*location[:-1], guess])
    everywhere = {path.rsplit(".", 1)[-1]: path for path in dotted_keys(cls)}
    guess = nearest(location[-1], everywhere)
    return everywhere[guess] if guess else None


def _fields_at(cls: type[BaseModel], location: list[str]) -> list[str]:
    node: type[BaseModel] | None = cls
    for part in location:
        field = node.model_fields.get(part) if node else None
        node = _model_in(field.annotation) if field else None
    return list(node.model_fields) if node else []


def dotted_keys(cls: type[BaseModel], prefix: str = "") -> list[str]:
    """Return every key of a configuration as a dotted path, sections left out."""
    keys = []
    for name, field in cls.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is not None:
            keys += dotted_keys(inner, f"{prefix}{name}.")
        else:
            keys.append(f"{prefix}{name}")
    return keys


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType):
        for argument in get_args(annotation):
            found = _model_in(argument)
            if found is not None:
                return found
    return None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
