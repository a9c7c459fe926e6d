"""The artifact folder: `config.json`, `model.safetensors`, `README.md`, perhaps `model.onnx`.

Nothing in a folder is ever executed: weights are safetensors, the rest is JSON.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from auricle.artifact.classifier import Classifier, build_classifier
from auricle.artifact.parts import resolve_frontend, resolve_model
from auricle.core.errors import ArtifactError, ConfigError
from auricle.core.writing import replacing, write_text
from auricle.runtime.spec import (
    FORMAT_VERSION,
    ArtifactConfig,
    ClassifierSpec,
    parse_artifact_config,
)


def artifact_config(
    spec: ClassifierSpec,
    frontend: Mapping[str, Any],
    model: Mapping[str, Any],
    training: Mapping[str, Any],
) -> ArtifactConfig:
    """Put together what `config.json` holds, every option spelled out."""
    return ArtifactConfig(
        format_version=FORMAT_VERSION,
        spec=spec,
        frontend=resolve_frontend(frontend),
        model=resolve_model(model),
        training=dict(training),
    )


def save_artifact(
    folder: str | Path, weights: Mapping[str, Tensor], config: ArtifactConfig, card: str
) -> None:
    """Write an artifact folder. Each file is whole or absent; `config.json` comes last.

    `weights` is the state dict of a `Classifier`. Raises `WriteError` (full disk).
    """
    folder = Path(folder)
    save_weights(folder / "model.safetensors", weights)
    write_text(folder / "README.md", card)
    write_text(folder / "config.json", config_text(config))


def config_text(config: ArtifactConfig) -> str:
    """Return the text of `config.json`."""
    return json.dumps(config.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def save_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write a state dict as safetensors, whole or not at all."""
    # safetensors refuses channels-last tensors.
    plain = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
    with replacing(path) as temporary:
        try:
            save_file(plain, str(temporary))
        except SafetensorError as error:
            raise OSError(0, str(error)) from error


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file. Raises `ArtifactError`; a pickle is refused, never run."""
    if not path.is_file():
        raise ArtifactError(f"{path} is missing: this is not a complete Auricle artifact")
    try:
        return load_file(str(path))
    except (SafetensorError, ValueError, OSError) as error:
        raise ArtifactError(
            f"{path} is not a safetensors file ({' '.join(str(error).split())}). "
            "Weights in other formats are not loaded: nothing in them was executed"
        ) from None


def read_config(folder: str | Path) -> ArtifactConfig:
    """Read `config.json` of an artifact folder. Raises `ArtifactError`."""
    path = Path(folder) / "config.json"
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise ArtifactError(
            f"{folder} holds no config.json: it is not an Auricle artifact or run folder"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}") from None
    return parse_artifact_config(text, str(path))


def load_classifier(folder: str | Path) -> tuple[Classifier, ArtifactConfig]:
    """Rebuild the network of an artifact folder with its weights. Raises `ArtifactError`."""
    config = read_config(folder)
    weights = load_weights(Path(folder) / "model.safetensors")
    return rebuild(config, weights, str(folder)), config


def rebuild(config: ArtifactConfig, weights: Mapping[str, Tensor], where: str) -> Classifier:
    """Build the classifier that `config` describes, with its weights. Raises `ArtifactError`."""
    classes = len(config.spec.labels)
    try:
        # First without memory: a file may ask for a network that no machine could hold.
        with torch.device("meta"):
            skeleton = build_classifier(config.frontend, config.model, classes)
        require_fit(skeleton, weights, where)
        classifier = build_classifier(config.frontend, config.model, classes)
    except ConfigError as error:
        raise ArtifactError(f"config.json of {where}: {error}") from None
    classifier.load_state_dict(weights)
    return classifier


def fill(module: torch.nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Load `weights` strictly. Raises `ArtifactError` that names what does not fit."""
    require_fit(module, weights, where)
    module.load_state_dict(dict(weights))


def require_fit(module: torch.nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Raise `ArtifactError`, which names what does not fit, unless `weights` fit `module`."""
    own = module.state_dict()
    missing = sorted(own.keys() - weights.keys())
    extra = sorted(weights.keys() - own.keys())
    shapes = [
        f"{key} is {tuple(weights[key].shape)} and should be {tuple(own[key].shape)}"
        for key in own.keys() & weights.keys()
        if own[key].shape != weights[key].shape
    ]
    problems = []
    if missing:
        problems.append(f"missing {_some(missing)}")
    if extra:
        problems.append(f"unexpected {_some(extra)}")
    if shapes:
        problems.append(_some(sorted(shapes)))
    if problems:
        raise ArtifactError(f"the weights of {where} do not fit its network: {'; '.join(problems)}")


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
