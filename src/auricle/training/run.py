"""A training run, from a manifest with splits to a run folder."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from torch.utils.data import DataLoader

from auricle.artifact.classifier import Classifier, autocast_dtype, build_classifier
from auricle.artifact.folder import artifact_config, load_weights, save_artifact
from auricle.artifact.imagenet import load_imagenet
from auricle.artifact.parts import build_frontend
from auricle.artifact.published.loading import start_from
from auricle.artifact.transformers_folder import load_frontend_weights
from auricle.augment.section import build_augmenter
from auricle.core.errors import DataError
from auricle.core.memory import keep_freed_memory
from auricle.core.reporting import Reporter, Silent
from auricle.core.units import seconds_to_samples
from auricle.data import SPLITS, Manifest, require_trainable
from auricle.evaluation import Result, write_result
from auricle.runtime.spec import ArtifactConfig
from auricle.training.announce import (
    announce_bad,
    announce_network,
    announce_start,
    make_card,
    verdict_of,
)
from auricle.training.checkpoint import (
    Conditions,
    Position,
    has_checkpoint,
    load_checkpoint,
    require_same_conditions,
)
from auricle.training.clips import BadClip, ClipStore, require_mostly_good
from auricle.training.config import RunConfig
from auricle.training.folder import check_folder, prepare_folder
from auricle.training.judging import Judge
from auricle.training.loader import EpochBatches, TrainingClips, make_loader, target_matrix
from auricle.training.log import TrainingLog
from auricle.training.loop import Job, Weights, agree, averaged_weights, fit
from auricle.training.optim import Ema, make_optimizer
from auricle.training.setup import (
    choose_device,
    make_spec,
    require_clips_enough,
    set_threads,
)
from auricle.training.statistics import with_measured_statistics, with_saved_statistics
from auricle.training.step import TrainingStep
from auricle.training.stored import (
    FeatureStore,
    require_as_stored,
    require_fit,
    stored_behind,
)


@dataclass(frozen=True)
class TrainedRun:
    """What training leaves: the run folder, its result and the clips that were left out.

    `judged_on` says which split `result` is about: `test`, else `validation`, else none. Where
    several processes train, the main one's alone holds the result and the clips.
    """

    folder: Path
    result: Result | None
    judged_on: str | None
    bad: tuple[BadClip, ...]


@dataclass(frozen=True)
class _Setting:
    """What the phases of a run share."""

    manifest: Manifest
    config: RunConfig
    folder: Path
    reporter: Reporter
    command: str
    accelerator: Accelerator
    stores: dict[str, ClipStore | FeatureStore]
    classifier: Classifier
    artifact: ArtifactConfig
    judge: Judge

    def card(self, verdict: str) -> str:
        """Write the model card around a verdict."""
        return make_card(self.config, self.manifest, self.command, verdict)


def train(
    manifest: Manifest,
    config: RunConfig,
    folder: Path,
    *,
    reporter: Reporter,
    command: str,
    resume: bool = False,
    force: bool = False,
) -> TrainedRun:
    """Train a classifier on the `train` clips of `manifest` and leave a run folder.

    `config` has its parts spelled out (`resolve_parts`). The `validation` clips are looked at
    while training, the `test` clips once, at the end. A run that was killed goes on from its last
    checkpoint with `resume` and ends with the same weights. Raises `ConfigError`, `DataError`,
    `WriteError`, `Interrupted`, `Diverged`.
    """
    require_trainable(manifest)
    set_threads(config.train)
    keep_freed_memory()
    accelerator = make_accelerator(choose_device(config.train.device))
    if resume:
        config = with_saved_statistics(config, folder)
    if accelerator.is_main_process:
        check_folder(folder, config, manifest, resume=resume, force=force)
        announce_start(reporter, manifest, config, folder, command)
    else:
        reporter = Silent()
    torch.manual_seed(config.train.seed)
    classifier = build_classifier(config.frontend, config.model, len(manifest.labels))
    require_clips_enough(classifier, config.train.batch_size)
    build_augmenter(config.augment)  # a folder of noise that is not there is told at once
    if not (resume and has_checkpoint(folder / "checkpoints" / "last")):
        with accelerator.main_process_first():  # one of them fetches
            _load_first_weights(classifier, config, manifest, reporter)
    spec = make_spec(classifier, config, manifest.labels, multi_label=manifest.multi_label)
    stores, bad = _prepare_stores(manifest, config, reporter, spec.sample_rate, accelerator)
    config = _with_statistics(config, stores["train"], classifier, accelerator, reporter)
    announce_network(reporter, classifier, config)
    training = {"command": command, "config": config.model_dump(mode="json")}
    artifact = artifact_config(spec, config.frontend, config.model, training)
    if accelerator.is_main_process:  # only now: what fails before leaves the folder as it was
        prepare_folder(folder, config, manifest, resume=resume, force=force)
    accelerator.wait_for_everyone()
    judge = Judge(manifest, config, spec, accelerator.device, command)
    setting = _Setting(
        manifest,
        config,
        folder,
        reporter,
        command,
        accelerator,
        stores,
        classifier,
        artifact,
        judge,
    )
    job, position = _prepare_job(setting, resume=resume)
    return _finish(setting, job, fit(job, position), bad)


def _load_first_weights(
    classifier: Classifier, config: RunConfig, manifest: Manifest, reporter: Reporter
) -> None:
    """Give a fresh classifier the published weights that its configuration asks for.

    Stored features must be what its front-end makes of the sound.
    """
    load_frontend_weights(classifier.frontend, reporter=reporter)
    load_imagenet(classifier.model, reporter=reporter)
    if config.train.pretrained is not None:
        checkpoint, labels = config.train.pretrained, manifest.labels
        start_from(classifier, config.model, checkpoint, labels=labels, reporter=reporter)
    if (stored := stored_behind(manifest.clips)) is not None:
        require_as_stored(stored, config)
        require_fit(stored, classifier)


def make_accelerator(device: torch.device) -> Accelerator:
    """Return an accelerator on `device`, whatever was trained on in this process before."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        present = PartialState().device
        if present is not None and present.type != device.type:
            # Accelerate keeps the first device for the life of the process.
            AcceleratorState._reset_state(reset_partial_state=True)  # pyright: ignore[reportPrivateUsage]
    return Accelerator(cpu=device.type == "cpu")


def _prepare_stores(
    manifest: Manifest,
    config: RunConfig,
    reporter: Reporter,
    sample_rate: int,
    accelerator: Accelerator,
) -> tuple[dict[str, ClipStore | FeatureStore], list[BadClip]]:
    """Decode what fits the memory: training clips first. The main process alone judges."""
    stores: dict[str, ClipStore | FeatureStore] = {}
    bad = [BadClip(path, line) for path, line in manifest.unusable()]
    total = len(bad)
    left_mb = config.data.cache_mb / int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    for split in SPLITS if accelerator.is_main_process else ("train",):
        clips = manifest.of_split(split).clips
        if not clips:
            continue
        total += len(clips)
        stored = stored_behind(clips)
        store = stores[split] = (
            FeatureStore(clips, stored, config.data)
            if stored
            else ClipStore(clips, sample_rate, config.data)
        )
        shared = split == "train" and config.train.workers > 0
        bad += store.prepare(reporter, shared=shared, budget_mb=left_mb)
        left_mb -= store.cached_mb
    require_mostly_good(bad, total, config.train.max_bad_fraction)
    if not len(stores.get("train", ())):
        raise DataError("there is no clip to train on: every clip belongs to another split")
    return stores, bad


def _prepare_job(setting: _Setting, *, resume: bool) -> tuple[Job, Position]:
    """Put together all that the loop works on, and where it starts."""
    config, accelerator = setting.config.train, setting.accelerator
    classifier = _placed(setting.classifier, accelerator.device)
    if isinstance(setting.stores["train"], FeatureStore):  # it has done its part
        classifier.frontend.requires_grad_(False)
    autocast = autocast_dtype(config.precision, accelerator.device)
    augmenter = build_augmenter(setting.config.augment, db_per_unit=classifier.frontend.db_per_unit)
    for part in augmenter.left_out:
        setting.reporter.say(
            f"augment: {part} is left out: 1 in these features is no fixed number of dB"
        )
    for note in augmenter.prepare(classifier.frontend.sample_rate):
        setting.reporter.warn(f"augment: {note}")
    step_module = TrainingStep(
        classifier,
        augmenter,
        multi_label=setting.manifest.multi_label,
        label_smoothing=config.label_smoothing,
        autocast=autocast,
    )
    ema = Ema(classifier, config.ema_decay) if config.ema_decay else None
    optimizer = make_optimizer(classifier, config)
    conditions = _conditions(accelerator, autocast)
    position = Position()
    if resume:
        position = _resumed(setting, classifier, optimizer, ema, conditions)
    wrapped, optimizer = accelerator.prepare(step_module, optimizer)
    batches = EpochBatches(
        len(setting.stores["train"]),
        config.batch_size,
        config.seed,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
    )
    log_path = setting.folder / "log.csv"
    job = Job(
        config=config,
        folder=setting.folder,
        accelerator=accelerator,
        step_module=step_module,
        wrapped=wrapped,
        optimizer=optimizer,
        ema=ema,
        batches=batches,
        loader=_loader(setting, batches),
        artifact=setting.artifact,
        card=setting.card,
        conditions=conditions,
        validate=_validator(setting),
        log=TrainingLog(log_path, position.step) if accelerator.is_main_process else None,
        reporter=setting.reporter,
    )
    return job, position


def _conditions(accelerator: Accelerator, autocast: torch.dtype | None) -> Conditions:
    return Conditions(
        processes=accelerator.num_processes,
        device=accelerator.device.type,
        precision="fp32" if autocast is None else "bf16",
        threads=torch.get_num_threads(),
    )


def _placed(classifier: Classifier, device: torch.device) -> Classifier:
    """Put the network on its device and leave what never gets a gradient out of training."""
    unused = set(classifier.model.unused_parameters)
    for name, parameter in classifier.model.named_parameters():
        if name in unused:  # several processes would wait for its gradient
            parameter.requires_grad_(False)
    classifier = classifier.to(device)
    return classifier.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _resumed(
    setting: _Setting,
    classifier: Classifier,
    optimizer: torch.optim.Optimizer,
    ema: Ema | None,
    conditions: Conditions,
) -> Position:
    """Load the last checkpoint; without one, return the start."""
    last = setting.folder / "checkpoints" / "last"
    if not has_checkpoint(last):
        return Position()
    position, saved = load_checkpoint(last, classifier, optimizer, ema)
    require_same_conditions(saved, conditions, setting.reporter)
    if not setting.accelerator.is_main_process:  # the sums of all are with the main process
        position.loss_sum = position.right_sum = position.clip_count = 0
        position.bad = {}
    setting.reporter.say(f"resuming from step {position.step} ({last})")
    return position


def _with_statistics(
    config: RunConfig,
    store: ClipStore | FeatureStore,
    classifier: Classifier,
    accelerator: Accelerator,
    reporter: Reporter,
) -> RunConfig:
    """Tell a front-end that normalises by the data set what its features are like."""
    crops = _crops(config, store, classifier)
    measured = with_measured_statistics(config, crops, accelerator, reporter)
    if measured is not config:
        classifier.frontend = build_frontend(measured.frontend)
    return measured


def _crops(
    config: RunConfig, store: ClipStore | FeatureStore, classifier: Classifier
) -> TrainingClips:
    """Return the training crops."""
    if isinstance(store, FeatureStore):
        return TrainingClips(store, store.stored.frames, config.train.seed)
    assert config.data.clip_s is not None  # resolve_parts fills it
    length = seconds_to_samples(config.data.clip_s, store.sample_rate)
    return TrainingClips(store, max(length, classifier.shortest_samples), config.train.seed)


def _loader(setting: _Setting, batches: EpochBatches) -> "DataLoader[Any]":
    """Build the loader of training crops."""
    config, store = setting.config, setting.stores["train"]
    return make_loader(
        _crops(config, store, setting.classifier),
        target_matrix(setting.manifest, store.clips),
        batches,
        workers=config.train.workers,
        start_method=config.train.start_method,
    )


def _validator(setting: _Setting) -> Callable[[Weights], Result | None] | None:
    """Return what judges weights on the validation clips, in every process or in none."""
    store = setting.stores.get("validation")
    if not agree(setting.accelerator, store is not None and len(store) > 0):
        return None
    return lambda weights: setting.judge(weights, setting.stores["validation"], resamples=0)


def _finish(setting: _Setting, job: Job, position: Position, bad: Sequence[BadClip]) -> TrainedRun:
    """Judge the result once on the clips kept for that, and write the artifact."""
    folder, reporter = setting.folder, setting.reporter
    if not job.accelerator.is_main_process:
        job.accelerator.wait_for_everyone()
        return TrainedRun(folder, None, None, ())
    weights = averaged_weights(job)
    best = folder / "checkpoints" / "best" / "model.safetensors"
    if setting.config.train.select == "best" and best.is_file():
        weights = load_weights(best)
        reporter.say(f"taking the weights of step {position.best_step}, the best on validation")
    result, judged_on = _judged(setting, weights)
    if result is not None and judged_on is not None:
        write_result(folder / judged_on, result)
    late = {path: BadClip(path, reason) for path, reason in position.bad.items()}
    everything = (*bad, *{**late, **setting.judge.bad}.values())
    announce_bad(reporter, everything)
    save_artifact(folder, weights, setting.artifact, setting.card(verdict_of(result, judged_on)))
    job.accelerator.wait_for_everyone()
    return TrainedRun(folder, result, judged_on, everything)


def _judged(setting: _Setting, weights: Weights) -> tuple[Result | None, str | None]:
    """Judge on the test clips, else on the validation clips: the first that can be read."""
    for split in ("test", "validation"):
        if store := setting.stores.get(split):
            result = setting.judge(weights, store)
            if result is not None:
                return result, split
    return None, None
