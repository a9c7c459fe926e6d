"""The training loop, readable top to bottom."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from auricle.core.errors import AuricleError
from auricle.core.reporting import Progress, Reporter
from auricle.core.units import format_duration
from auricle.runtime.spec import ArtifactConfig
from auricle.training.checkpoint import Position, save_checkpoint
from auricle.training.config import TrainConfig, epochs_of, steps_of
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

    exit_status = 1


@dataclass
class Job:
    """All that the loop works on."""

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
    validate: Callable[[], float] | None
    save_best: Callable[[], None]
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
    config = job.config
    per_epoch, total = len(job.batches), job.total_steps
    log_every, eval_every, save_every = (
        steps_of(text, per_epoch)
        for text in (config.log_every, config.eval_every, config.save_every)
    )
    job.wrapped.train()
    pace = _Pace(job, total)
    with _stop_on_interrupt() as stop, job.reporter.progress("training", total) as progress:
        progress.advance(position.step)
        while position.step < total:
            epoch, first_batch = divmod(position.step, per_epoch)
            job.batches.epoch, job.batches.first_batch = epoch, first_batch
            for loaded in job.loader:
                rate = learning_rate_at(
                    position.step, total_steps=total, steps_per_epoch=per_epoch, config=config
                )
                _train_step(job, position, loaded, epoch, rate)
                pace.after_step(position, progress)
                done = position.step == total
                validation = None
                if job.validate and (done or position.step % eval_every == 0):
                    validation = _validate(job, position)
                if done or position.step % log_every == 0 or validation is not None:
                    _log(job, position, rate=rate, validation=validation, pace=pace)
                if done or stop.is_set() or position.step % save_every == 0:
                    save(job, position)
                if stop.is_set() and not done:
                    raise Interrupted(
                        f"stopped at step {position.step} of {total}; the checkpoint is saved. "
                        "Go on with the same command and --resume"
                    )
                if done:
                    break
    return position


def _train_step(job: Job, position: Position, loaded: LoadedBatch, epoch: int, rate: float) -> None:
    started = time.monotonic()
    position.bad.update({bad.path: bad.reason for bad in loaded.bad})
    if loaded.batch is not None:
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
        clips = len(batch.waveforms)
        position.loss_sum += value * clips
        position.right_sum += float(right)
        position.clip_count += clips
    position.step += 1
    position.seconds += time.monotonic() - started


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
        )
    job.accelerator.wait_for_everyone()


def _validate(job: Job, position: Position) -> float | None:
    figure = None
    if job.accelerator.is_main_process and job.validate is not None:
        figure = job.validate()
        if position.best is None or figure > position.best:
            position.best, position.best_step = figure, position.step
            job.save_best()
    job.accelerator.wait_for_everyone()
    job.wrapped.train()
    return figure


def _log(
    job: Job, position: Position, *, rate: float, validation: float | None, pace: "_Pace"
) -> None:
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
        f"{pace.clips_per_s:.0f} clips/s  {format_duration(pace.left_s(position))} left"
    )


class _Pace:
    """How fast the run goes, and how long it will take."""

    def __init__(self, job: Job, total: int) -> None:
        self.job = job
        self.total = total
        self.steps = 0
        self.started: float | None = None

    def after_step(self, position: Position, progress: Progress) -> None:
        """Count a step; the first ones, which warm caches up, are left out."""
        self.steps += 1
        if self.steps == FIRST_STEPS:
            self.started = time.monotonic()
        if self.steps == 2 * FIRST_STEPS:
            self.job.reporter.say(
                f"{self.total - position.step} steps to go, about "
                f"{format_duration(self.left_s(position))}"
            )
        progress.advance(1, f"{self.clips_per_s:.0f} clips/s")

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

    def left_s(self, position: Position) -> float:
        """Seconds until the end of the run."""
        return self.step_s * (self.total - position.step)


@contextmanager
def _stop_on_interrupt() -> Iterator[threading.Event]:
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


def averaged_weights(job: Job) -> dict[str, torch.Tensor]:
    """Return the weights that the run answers with: averaged where it averages."""
    return job.ema.weights if job.ema else dict(job.step_module.classifier.state_dict())
