"""The configuration of a training run. Importing this imports no torch."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, field_validator

from auricle.core.config import Config
from auricle.core.errors import ConfigError
from auricle.data.config import DataConfig

DEFAULT_MODEL = "small_resnet"

USUAL_STEPS = 2000
LEAST_EPOCHS, MOST_EPOCHS = 5, 200

_INTERVAL = re.compile(r"^(\d+)([es])$")


class TrainConfig(Config):
    """How a network is trained. Intervals are written `10e` (epochs) or `500s` (steps)."""

    epochs: int | None = Field(
        default=None,
        ge=1,
        description="passes over the training clips (default: as many as make about 2,000 steps, "
        "5 to 200)",
    )
    max_steps: int | None = Field(default=None, ge=1, description="stop after this many steps")
    batch_size: int = Field(default=32, ge=1, description="training clips per step and process")
    eval_batch_size: int = Field(default=16, ge=1, description="windows per batch when judging")
    learning_rate: float = Field(default=2e-3, gt=0, description="highest learning rate")
    optimizer: Literal["adamw", "adam", "sgd"] = Field(default="adamw", description="optimiser")
    weight_decay: float = Field(default=0.05, ge=0, description="not applied to biases and norms")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="of SGD")
    schedule: Literal["cosine", "step", "constant"] = Field(
        default="cosine", description="how the learning rate falls after the warm-up"
    )
    warmup_epochs: float = Field(default=10.0, ge=0, description="linear rise of the learning rate")
    final_learning_rate_ratio: float = Field(
        default=0.0, ge=0, le=1, description="end of the cosine"
    )
    step_epochs: float = Field(default=30.0, gt=0, description="epochs between falls of `step`")
    step_factor: float = Field(default=0.1, gt=0, le=1, description="each fall of `step`")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="spread over all classes")
    clip_norm: float | None = Field(default=None, gt=0, description="largest norm of the gradient")
    ema_decay: float = Field(default=0.999, ge=0, lt=1, description="weight averaging; 0: none")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="auto: bf16 autocast where the processor computes in it"
    )
    pretrained: str | None = Field(
        default=None,
        description="checkpoint to start from: a published name (panns/cnn14), a file, a folder, "
        "or owner/name on the hub; its network and front-end are the default",
    )
    seed: int = Field(default=0, ge=0, description="of every draw")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        default="auto", description="where to train"
    )
    threads: int | None = Field(default=None, ge=1, description="processor threads of torch")
    workers: int = Field(default=0, ge=0, description="loader processes (0: load in the main one)")
    start_method: Literal["auto", "fork", "spawn", "forkserver"] = Field(
        default="auto", description="how loader processes start"
    )
    save_every: str | None = Field(
        default=None,
        description="between checkpoints (default: 10 epochs, at most 500 steps)",
    )
    log_every: str | None = Field(
        default=None, description="between log lines (default: an epoch, at most 100 steps)"
    )
    eval_every: str | None = Field(
        default=None,
        description="between looks at the validation clips (default: 10 epochs, at most 500 steps)",
    )
    select: Literal["last", "best"] = Field(
        default="last",
        description="weights of the result: the last, or the best on validation clips",
    )
    max_bad_fraction: float = Field(
        default=0.05, ge=0, le=1, description="stop when more of the clips than this cannot be read"
    )

    @field_validator("save_every", "log_every", "eval_every", mode="before")
    @classmethod
    def _interval(cls, value: Any) -> str | None:
        if value is None:
            return None
        text = str(value)
        match = _INTERVAL.match(text)
        if not match or int(match[1]) < 1:
            raise ValueError("write an interval as '10e' (epochs) or '500s' (steps)")
        return text


class RunConfig(Config):
    """All of a run: what `--config` reads, `auricle config` prints and a run folder keeps.

    `frontend`, `model` and `augment` are raw keys here; the part's own configuration validates
    them once its file is imported (`auricle.training.setup.resolve_parts`).
    """

    data: DataConfig = Field(default=DataConfig())
    frontend: dict[str, Any] = Field(default_factory=dict)
    augment: dict[str, Any] = Field(default_factory=dict)
    model: dict[str, Any] = Field(default_factory=dict)
    train: TrainConfig = Field(default=TrainConfig())


def epochs_of(config: TrainConfig, steps_per_epoch: int) -> int:
    """Return the number of epochs: as configured, else enough for about 2,000 steps."""
    if config.epochs is not None:
        return config.epochs
    return min(MOST_EPOCHS, max(LEAST_EPOCHS, round(USUAL_STEPS / steps_per_epoch)))


@dataclass(frozen=True)
class Intervals:
    """Steps between checkpoints, log lines and looks at the validation clips."""

    save: int
    log: int
    evaluate: int


def intervals_of(config: TrainConfig, steps_per_epoch: int) -> Intervals:
    """Return the intervals in steps: as configured, else short enough for any size of data."""

    def steps(interval: str | None, usual: str, most: int) -> int:
        if interval is not None:
            return steps_of(interval, steps_per_epoch)
        return min(steps_of(usual, steps_per_epoch), most)

    return Intervals(
        save=steps(config.save_every, "10e", 500),
        log=steps(config.log_every, "1e", 100),
        evaluate=steps(config.eval_every, "10e", 500),
    )


def steps_of(interval: str, steps_per_epoch: int) -> int:
    """Return the number of steps in an interval such as `10e` or `500s`."""
    match = _INTERVAL.match(interval)
    if match is None:
        raise ConfigError(f"interval '{interval}': write it as '10e' (epochs) or '500s' (steps)")
    return int(match[1]) * (steps_per_epoch if match[2] == "e" else 1)
