"""The training loop, readable top to bottom."""

import math
import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import nn

from auricle.artifact.folder import save_artifact
from auricle.core.errors import AuricleError
from auricle.core.reporting import Progress, Reporter
from auricle.core.units import format_duration
from auricle.evaluation import Result
from auricle.runtime.spec import ArtifactConfig
from auricle.training.checkpoint import Conditions, Position, save_checkpoint
from auricle.training.config import TrainConfig, epochs_of, intervals_of
from auricle.training.loader import EpochBatches, LoadedBatch
from auricle.training.log import TrainingLog
from auricle.training.optim import Ema, learning_rate_at
from auricle.training.step import TrainingStep, step_seed

FIRST_STEPS = 3


class Interrupted(AuricleError):
    """The run was stopped by Ctrl-C; its checkpoint is saved."""

    exit_status = 130


class Diverged(AuricleError):
    """The loss is no longer a number."""


Weights = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Job:
    """All that the loop works on.

    `validate` judges weights on the validation clips (None where there are none); it is called in
    the main process only. `card` writes a model card around a verdict.
    """

    config: TrainConfig
    folder: Path
    accelerator: Accelerator
    step_module: TrainingStep
    wrapped: nn.Module
    optimizer: Any
    ema: Ema | None
    batches: EpochBatches
    loader: Any
    artifact: ArtifactConfig
    card: Callable[[str], str]
    conditions: Conditions
    validate: Callable[[Weights], Result | None] | None
    log: TrainingLog | None
    reporter: Reporter

    @property
    def epochs(self) -> int:
        """Passes over the training clips."""
        return epochs_of(self.config, len(self.batches))

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        steps = self.epochs * len(self.batches)
        return min(steps, self.config.max_steps or steps)


def fit(job: Job, position: Position) -> Position:
    """Train from `position` to the end. Raises `Interrupted` (resumable) and `Diverged`."""
    per_epoch, total = len(job.batches), job.total_steps
    job.wrapped.train()
    to_do = total - position.step
    with _stop_on_interrupt() as stop, job.reporter.progress("training", to_do) as progress:
        pace = _Pace(job, position)
        while position.step < total:
            epoch, first_batch = divmod(position.step, per_epoch)
            job.batches.epoch, job.batches.first_batch = epoch, first_batch
            for loaded in job.loader:
                rate = learning_rate_at(
                    position.step, total_steps=total, steps_per_epoch=per_epoch, config=job.config
                )
                _train_step(job, position, loaded, epoch, rate)
                pace.after_step(progress)
                # A signal reaches processes at different steps: they stop at the same one.
                stopped = agree(job.accelerator, stop.is_set())
                _look_log_and_save(job, position, pace, rate=rate, stopped=stopped)
                if position.step == total:
                    break
                if stopped:
                    raise Interrupted(
                        f"stopped at step {position.step} of {total}; the checkpoint is saved. "
                        "Go on with the same command and --resume"
                    )
    return position


def _train_step(job: Job, position: Position, loaded: LoadedBatch, epoch: int, rate: float) -> None:
    position.bad.update({bad.path: bad.reason for bad in loaded.bad})
    position.step += 1
    # Processes train in step: where one has no clip that can be read, all leave the step out. So
    # too where bad clips left one of several: some networks compare the clips of a batch.
    clips = 0 if loaded.batch is None else len(loaded.batch.waveforms)
    without = agree(job.accelerator, clips < min(2, job.config.batch_size))
    if without or loaded.batch is None:
        return
    for group in job.optimizer.param_groups:
        group["lr"] = rate
    batch = loaded.batch.to(job.accelerator.device)
    loss, right = job.wrapped(batch, step_seed(job.config.seed, epoch, loaded.first))
    value = float(loss.detach())
    if not math.isfinite(value):
        raise Diverged(
            f"the loss is {value} at step {position.step}: lower --train.learning_rate "
            f"(now {job.config.learning_rate:g}) or use --train.precision fp32"
        )
    job.accelerator.backward(loss)
    if job.config.clip_norm:
        job.accelerator.clip_grad_norm_(job.wrapped.parameters(), job.config.clip_norm)
    job.optimizer.step()
    job.optimizer.zero_grad(set_to_none=True)
    if job.ema is not None:
        job.ema.update(job.step_module.classifier)
        position.ema_updates = job.ema.updates
    position.loss_sum += value * clips
    position.right_sum += float(right)
    position.clip_count += clips


def _look_log_and_save(
    job: Job, position: Position, pace: "_Pace", *, rate: float, stopped: bool
) -> None:
    """Do what is due after a step. All processes come to the same answer of what that is."""
    step, done = position.step, position.step == job.total_steps
    every = intervals_of(job.config, len(job.batches))
    looks = job.validate is not None and (done or step % every.evaluate == 0)
    logs = looks or done or step % every.log == 0
    saves = stopped or done or step % every.save == 0
    figure = _validate(job, position) if looks else None
    position.seconds = pace.seconds
    if logs or saves:
        _collect(job, position)
    if logs:
        _log(job, position, rate=rate, validation=figure, pace=pace)
    if saves:
        save(job, position)


def agree(accelerator: Accelerator, flag: bool) -> bool:
    """Say whether any process raises the flag; each of them must ask."""
    if accelerator.num_processes == 1:
        return flag
    raised = torch.tensor(float(flag), device=accelerator.device)
    torch.distributed.all_reduce(raised)
    return bool(raised > 0)


def _collect(job: Job, position: Position) -> None:
    """Hand the sums and bad clips of all processes to the main one."""
    if job.accelerator.num_processes == 1:
        return
    mine = (position.loss_sum, position.right_sum, position.clip_count, position.bad)
    position.loss_sum = position.right_sum = position.clip_count = 0
    position.bad = {}
    everyones = gather_object([mine])
    if job.accelerator.is_main_process:
        for loss_sum, right_sum, clip_count, bad in everyones:
            position.loss_sum += loss_sum
            position.right_sum += right_sum
            position.clip_count += clip_count
            position.bad.update(bad)


def save(job: Job, position: Position) -> None:
    """Replace the last checkpoint; all processes wait for the one that writes."""
    if job.accelerator.is_main_process:
        save_checkpoint(
            job.folder / "checkpoints" / "last",
            module=job.step_module.classifier,
            optimizer=job.optimizer.optimizer,
            ema=job.ema,
            position=position,
            config=job.artifact,
            card=job.card(f"The weights of step {position.step} of {job.total_steps}, not judged."),
            conditions=job.conditions,
        )
    job.accelerator.wait_for_everyone()


def _validate(job: Job, position: Position) -> float | None:
    """Judge the averaged weights, keep them where they are the best so far, return the figure."""
    figure = None
    if job.accelerator.is_main_process and job.validate is not None:
        weights = averaged_weights(job)
        result = job.validate(weights)
        figure = math.nan if result is None else result.main_value
        if position.best_step is None or _height(figure) > _height(position.best):
            position.best = None if math.isnan(figure) else figure
            position.best_step = position.step
            said = "not judged" if result is None else f"{result.main_metric} {figure:.4f}"
            card = job.card(
                f"The weights of step {position.step}, the best on the validation clips: {said}."
            )
            save_artifact(job.folder / "checkpoints" / "best", weights, job.artifact, card)
    job.accelerator.wait_for_everyone()
    job.wrapped.train()
    return figure


def _height(figure: float | None) -> float:
    """Return where a figure stands: one that is not defined is below all others."""
    return -math.inf if figure is None or math.isnan(figure) else figure


def _log(
    job: Job, position: Position, *, rate: float, validation: float | None, pace: "_Pace"
) -> None:
    """Write a row of the log and start the sums afresh."""
    epoch, batch = divmod(position.step - 1, len(job.batches))
    count = max(1, position.clip_count)
    loss, accuracy = position.loss_sum / count, position.right_sum / count
    position.loss_sum = position.right_sum = position.clip_count = 0
    if job.log is None:
        return
    row: dict[str, float | int | str] = {
        "step": position.step,
        "epoch": epoch + 1,
        "loss": loss,
        "accuracy": accuracy,
        "learning_rate": rate,
        "clips_per_s": pace.clips_per_s,
        "seconds": position.seconds,
    }
    shown = ""
    if validation is not None:
        row["validation"] = validation
        shown = f"  validation {validation:.4f}"
    job.log.write(row)
    job.reporter.say(
        f"epoch {epoch + 1}/{job.epochs}  batch {batch + 1}/{len(job.batches)}  "
        f"loss {loss:.4f}  accuracy {accuracy:.3f}{shown}  learning rate {rate:.2e}  "
        f"{pace.clips_per_s:.0f} clips/s  {format_duration(pace.left_s)} left"
    )


class _Pace:
    """How fast the run goes, and how long it will take."""

    def __init__(self, job: Job, position: Position) -> None:
        self.job = job
        self.position = position
        self.began = time.monotonic() - position.seconds
        self.steps = 0
        self.started: float | None = None

    def after_step(self, progress: Progress) -> None:
        """Count a step; the first ones, which warm caches up, are left out."""
        self.steps += 1
        if self.steps == FIRST_STEPS:
            self.started = time.monotonic()
        if self.steps == 2 * FIRST_STEPS:
            self.job.reporter.say(
                f"{self.steps_left} steps to go, about {format_duration(self.left_s)}"
            )
        progress.advance(1, f"{self.clips_per_s:.0f} clips/s")

    @property
    def seconds(self) -> float:
        """Seconds in training, loading and validation included, over all parts of the run."""
        return time.monotonic() - self.began

    @property
    def step_s(self) -> float:
        """Seconds a step takes, validation and saving included."""
        if self.started is None or self.steps <= FIRST_STEPS:
            return 0.0
        return (time.monotonic() - self.started) / (self.steps - FIRST_STEPS)

    @property
    def clips_per_s(self) -> float:
        """Training clips per second over all processes."""
        clips = self.job.config.batch_size * self.job.accelerator.num_processes
        return min(clips, self.job.batches.count) / self.step_s if self.step_s else 0.0

    @property
    def steps_left(self) -> int:
        """Steps until the end of the run."""
        return self.job.total_steps - self.position.step

    @property
    def left_s(self) -> float:
        """Seconds until the end of the run."""
        return self.step_s * self.steps_left


@contextmanager
def _stop_on_interrupt() -> Generator[threading.Event, None, None]:
    """Turn the first Ctrl-C into an event; the second stops at once, as usual."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def request(number: int, frame: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, request)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def averaged_weights(job: Job) -> Weights:
    """Return the weights that the run answers with: averaged where it averages."""
    return job.ema.weights if job.ema else dict(job.step_module.classifier.state_dict())
