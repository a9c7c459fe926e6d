"""Optimiser, learning-rate schedule and weight averaging."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from auricle.training.config import TrainConfig


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Build the optimiser; biases and normalisation weights (one axis) are not decayed."""
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum)
    kinds = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
    return kinds[config.optimizer](groups, lr=config.learning_rate, fused=_can_fuse(decayed))


def _can_fuse(parameters: Iterable[Tensor]) -> bool:
    return all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters)


def learning_rate_at(
    step: int, *, total_steps: int, steps_per_epoch: int, config: TrainConfig
) -> float:
    """Return the learning rate of a step: linear warm-up, then cosine, steps or constant."""
    # A short run keeps its warm-up within a tenth of its length.
    warmup = min(config.warmup_epochs * steps_per_epoch, 0.1 * total_steps)
    if step < warmup:
        return config.learning_rate * (step + 1) / (warmup + 1)
    if config.schedule == "constant":
        return config.learning_rate
    if config.schedule == "step":
        falls = int((step - warmup) // (config.step_epochs * steps_per_epoch))
        return config.learning_rate * config.step_factor**falls
    progress = (step - warmup) / max(1.0, total_steps - warmup)
    low = config.final_learning_rate_ratio
    return config.learning_rate * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * progress)))


class Ema:
    """An exponential moving average of a module's weights and running statistics.

    The average follows quickly at first (decay is at most (1 + n) / (10 + n) after n steps).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.weights = {name: value.detach().clone() for name, value in _state(module).items()}
        # What does not learn (a frozen encoder) is its own average.
        self._frozen = {
            name for name, value in module.named_parameters() if not value.requires_grad
        }

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the average towards the module's present weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        state = _state(module)
        floating = [
            name
            for name, value in state.items()
            if value.is_floating_point() and name not in self._frozen
        ]
        torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage, reportPrivateUsage]
            [self.weights[name] for name in floating], [state[name] for name in floating], 1 - decay
        )
        for name, value in state.items():
            if not value.is_floating_point():
                self.weights[name].copy_(value)


def _state(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.state_dict())
