"""Checkpoints: all that a killed run needs to go on as if nothing had happened.

`checkpoints/last` is an artifact (averaged weights, usable as it is) with two more files:
`training.safetensors` (present weights and the optimiser's state) and `state.json`. Nothing in it
is a pickle. Draws need no state: each is seeded by seed, epoch and clip.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from auricle.artifact.folder import config_text, fill, load_weights, save_weights
from auricle.core.errors import ArtifactError, ConfigError
from auricle.core.reporting import Reporter
from auricle.core.writing import recover_folder, replacing_folder, write_json, write_text
from auricle.runtime.spec import ArtifactConfig
from auricle.training.optim import Ema

_MODEL = "model."
_OPTIMIZER = "optimizer."
_COUNTS = ("step", "ema_updates", "loss_sum", "right_sum", "clip_count", "seconds")


@dataclass(frozen=True)
class Conditions:
    """What the numbers of a run depend on beside its configuration."""

    processes: int
    device: str
    precision: str
    threads: int


@dataclass
class Position:
    """Where a run stands: steps done, the best validation figure, and sums since the last log.

    `seconds` is the time in training, over all its parts. In a checkpoint, sums and bad clips are
    those of all processes.
    """

    step: int = 0
    ema_updates: int = 0
    best: float | None = None
    best_step: int | None = None
    loss_sum: float = 0.0
    right_sum: float = 0.0
    clip_count: int = 0
    seconds: float = 0.0
    bad: dict[str, str] = field(default_factory=dict)


def save_checkpoint(
    folder: Path,
    *,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    ema: Ema | None,
    position: Position,
    config: ArtifactConfig,
    card: str,
    conditions: Conditions,
) -> None:
    """Replace the checkpoint in `folder`, whole or not at all. Raises `WriteError`."""
    state = {f"{_MODEL}{name}": value for name, value in module.state_dict().items()}
    for index, slots in optimizer.state_dict()["state"].items():
        for name, value in slots.items():
            if value is not None:
                state[f"{_OPTIMIZER}{index}.{name}"] = torch.as_tensor(value)
    with replacing_folder(folder) as temporary:
        save_weights(temporary / "training.safetensors", state)
        save_weights(temporary / "model.safetensors", ema.weights if ema else module.state_dict())
        write_text(temporary / "README.md", card)
        write_text(temporary / "config.json", config_text(config))
        write_json(temporary / "state.json", {**asdict(position), "conditions": asdict(conditions)})


def has_checkpoint(folder: Path) -> bool:
    """Say whether there is a checkpoint to resume from."""
    return (recover_folder(folder) / "state.json").is_file()


def load_checkpoint(
    folder: Path, module: nn.Module, optimizer: torch.optim.Optimizer, ema: Ema | None
) -> tuple[Position, Conditions]:
    """Put a checkpoint's state into `module`, `optimizer` and `ema`. Raises `ArtifactError`."""
    try:
        tree = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        conditions = Conditions(**tree.pop("conditions"))
        position = Position(**tree)
        for name in _COUNTS:
            if not isinstance(getattr(position, name), (int, float)):
                raise TypeError(f"'{name}' must be a number")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ArtifactError(f"{folder / 'state.json'} cannot be read: {error}") from None
    state = load_weights(folder / "training.safetensors")
    fill(module, _part(state, _MODEL), str(folder))
    _restore_optimizer(optimizer, _part(state, _OPTIMIZER), folder)
    if ema is not None:
        averaged = load_weights(folder / "model.safetensors")
        for name, value in ema.weights.items():
            value.copy_(averaged[name])
        ema.updates = position.ema_updates
    return position, conditions


def require_same_conditions(saved: Conditions, now: Conditions, reporter: Reporter) -> None:
    """Warn where a resumed run will not end with the same bits.

    Raises `ConfigError` for another number of processes, which would change what a step is.
    """
    if saved.processes != now.processes:
        raise ConfigError(
            f"--resume: the run was started with {saved.processes} processes and this is one of "
            f"{now.processes}, which makes other batches: start it with as many as before "
            f"(torchrun --nproc_per_node {saved.processes}), or start afresh with --force"
        )
    changes = [
        f"{name} was {value} and is {asdict(now)[name]}"
        for name, value in asdict(saved).items()
        if value != asdict(now)[name]
    ]
    if changes:
        reporter.warn(
            f"--resume: {'; '.join(changes)}. The run goes on, but its weights will differ "
            "slightly from those of an unbroken one"
        )


def _part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }


def _restore_optimizer(
    optimizer: torch.optim.Optimizer, slots: dict[str, Tensor], folder: Path
) -> None:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    by_index: dict[int, dict[str, Any]] = {}
    for key, value in slots.items():
        index, name = key.split(".", 1)
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:
            # The file is contiguous; a fused optimiser wants the parameter's own layout.
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        by_index.setdefault(int(index), {})[name] = value
    whole = optimizer.state_dict()
    try:
        optimizer.load_state_dict({"state": by_index, "param_groups": whole["param_groups"]})
    except (ValueError, KeyError) as error:
        raise ArtifactError(f"the optimiser's state in {folder} does not fit: {error}") from None
