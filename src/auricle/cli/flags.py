"""Configuration on the command line: short flags, dotted flags, `--config`."""

import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from auricle.core.config import SECTIONS, dotted_keys, parse_value
from auricle.core.errors import ConfigError, nearest

CONFIG_SECTIONS: Mapping[str, Sequence[str]] = {
    "train": SECTIONS,
    "crossval": SECTIONS,
    "config": SECTIONS,
    "demo": SECTIONS,
    "evaluate": ("data",),
    "data check": ("data",),
    "data cut": ("data",),
    "data convert": ("data",),
    "data mix": ("data",),
    "data pack": ("data", "frontend"),
    "data show": ("data",),
    "data split": ("data",),
    "data targets": ("data",),
}
"""Which sections of the configuration a command takes as dotted flags."""

_DOTTED = re.compile(r"^--([A-Za-z_-]+)\.([^=]+)(?:=(.*))?$", re.DOTALL)
_flags: ContextVar[Mapping[str, Any]] = ContextVar("flags")


def split_flags(tokens: Sequence[str], command: str) -> tuple[list[str], dict[str, Any]]:
    """Take `--section.key value` out of `tokens`; return the rest and the dotted keys.

    Raises `ConfigError` for a section that the command does not take.
    """
    rest: list[str] = []
    flags: dict[str, Any] = {}
    position = 0
    while position < len(tokens):
        token = tokens[position]
        position += 1
        match = _DOTTED.match(token)
        if token == "--":
            return [*rest, *tokens[position - 1 :]], flags
        if match is None:
            rest.append(token)
            continue
        _require_section(match[1], match[2], command)
        if match[3] is not None:
            value: Any = parse_value(match[3])
        elif position < len(tokens) and not tokens[position].startswith("--"):
            value = parse_value(tokens[position])
            position += 1
        else:
            value = True
        flags[f"{match[1]}.{match[2]}"] = value
    return rest, flags


def _require_section(section: str, key: str, command: str) -> None:
    allowed = CONFIG_SECTIONS.get(command, ())
    if section in allowed:
        return
    if not allowed:
        raise ConfigError(f"'auricle {command}' takes no --{section}.{key}")
    guess = nearest(section, allowed)
    hint = f"did you mean '--{guess}.{key}'?" if guess else f"sections: {', '.join(allowed)}"
    raise ConfigError(f"unknown option '--{section}.{key}'; {hint}")


def unknown_option(given: str, options: Iterable[str], command: str) -> ConfigError:
    """Build the error for an option that `command` lacks, naming the nearest.

    `options` are those that it has; the keys of its configuration count too, so that
    `--learning-rate` leads to `--train.learning_rate`.
    """
    given = given.split("=", 1)[0]
    name = _bare(given)
    known = {_bare(option): option for option in options if option.startswith("--")}
    sections = CONFIG_SECTIONS.get(command, ())
    if name in sections:
        return ConfigError(f"'{given}' is a section: write one of its keys, as {given}.KEY VALUE")
    if sections:
        from auricle.training.config import RunConfig

        for key in dotted_keys(RunConfig):
            section, _, leaf = key.rpartition(".")
            if section in sections:
                known.setdefault(leaf, f"--{key}")
    guess = nearest(name, known)
    help_text = f"'{' '.join(['auricle', *command.split()])} --help' lists the options"
    hint = f"did you mean '{known[guess]}'?" if guess else help_text
    return ConfigError(f"unknown option '{given}'; {hint}")


def _bare(option: str) -> str:
    return option.lstrip("-").replace("-", "_")


@contextmanager
def use_flags(flags: Mapping[str, Any]) -> Generator[None, None, None]:
    """Hand dotted flags to the command that is called inside the block."""
    token = _flags.set(flags)
    try:
        yield
    finally:
        _flags.reset(token)


def dotted_flags() -> dict[str, Any]:
    """Return the dotted flags of the command being run."""
    return dict(_flags.get({}))


@Parameter(name="*")
@dataclass(frozen=True)
class DataFlags:
    """Short spellings of how labelled sounds are read.

    Parameters
    ----------
    audio_root
        Folder that relative paths of a table start from (key data.audio_root).
    classes
        File of the classes to keep, in their order (key data.classes).
    label_names
        Table that turns the ids of labels into names (key data.label_names).
    background
        Label that means "none of these" (key data.background).
    """

    audio_root: str | None = None
    classes: str | None = None
    label_names: str | None = None
    background: str | None = None

    def dotted(self) -> dict[str, Any]:
        """Return all flags given, short and dotted, as dotted keys."""
        return join_flags({f"data.{name}": getattr(self, name) for name in DATA_KEYS})


DATA_KEYS = ("audio_root", "classes", "label_names", "background")


def join_flags(short: Mapping[str, Any]) -> dict[str, Any]:
    """Join short flags (None: not given) and dotted ones. Raises `ConfigError`."""
    given = {key: value for key, value in short.items() if value is not None}
    dotted = dotted_flags()
    for key in given.keys() & dotted.keys():
        if str(given[key]) != str(dotted[key]):
            raise ConfigError(f"--{key} and its short flag disagree: give one of them")
    return {**dotted, **given}


@Parameter(name="*")
@dataclass(frozen=True)
class RunFlags(DataFlags):
    """Short spellings of the keys that people change most.

    Parameters
    ----------
    model
        Network, see `auricle models` (key model.name).
    pretrained
        Checkpoint to start from: a published name, a file, a folder, owner/name on the hub (key
        train.pretrained).
    frontend
        Front-end (key frontend.name; default: the model's own).
    epochs
        Passes over the training clips (key train.epochs).
    max_steps
        Stop after this many steps (key train.max_steps).
    seed
        Seed of every draw (key train.seed).
    device
        auto, cpu, cuda or mps (key train.device).
    config
        YAML file with any of the keys; flags win over it.
    """

    model: str | None = None
    pretrained: str | None = None
    frontend: str | None = None
    epochs: int | None = None
    max_steps: int | None = None
    seed: int | None = None
    device: str | None = None
    config: Annotated[Path | None, Parameter(name="--config")] = None

    def dotted(self) -> dict[str, Any]:
        """Return all flags given, short and dotted, as dotted keys."""
        short = {
            "model.name": self.model,
            "train.pretrained": self.pretrained,
            "frontend.name": self.frontend,
            "train.epochs": self.epochs,
            "train.max_steps": self.max_steps,
            "train.seed": self.seed,
            "train.device": self.device,
        }
        return {**super().dotted(), **join_flags(short)}


@Parameter(name="*")
@dataclass(frozen=True)
class TrainFlags(RunFlags):
    """Flags of the commands that train into a folder.

    Parameters
    ----------
    resume
        Go on from the last checkpoint in --output; without one, start afresh.
    force
        Replace the run in --output.
    strict
        Stop where a clip cannot be used, before training.
    allow_skips
        End with status 0 even if clips had to be left out.
    quiet
        Say nothing but errors and the result.
    """

    resume: bool = False
    force: bool = False
    strict: bool = False
    allow_skips: bool = False
    quiet: bool = False

    def dotted(self) -> dict[str, Any]:
        """Return all flags given, short and dotted, as dotted keys."""
        none_bad = {"train.max_bad_fraction": 0} if self.strict else {}
        return {**super().dotted(), **none_bad}


NO_DATA_FLAGS = DataFlags()
NO_FLAGS = RunFlags()
NO_TRAIN_FLAGS = TrainFlags()


def print_keys(command: str) -> None:
    """List the configuration keys that a command takes as dotted flags."""
    from auricle.report.console import make_table, result_console
    from auricle.training.config import RunConfig

    rows = []
    for section in CONFIG_SECTIONS[command]:
        annotation = RunConfig.model_fields[section].annotation
        fields = getattr(annotation, "model_fields", {})
        rows += [
            [f"--{section}.{name}", _shown(field.default), field.description or ""]
            for name, field in fields.items()
        ]
    console = result_console()
    console.print(make_table("Configuration keys", ["flag", "default", "what it is"], rows))
    if "model" in CONFIG_SECTIONS[command]:
        console.print(
            "--model.KEY, --frontend.KEY and --augment.PART.KEY set options of the parts in use: "
            "'auricle config' lists them.",
            markup=False,
        )


def _shown(value: object) -> str:
    return "" if value is None else str(value)
