"""A training run, from a manifest with splits to a run folder."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator

from auricle.artifact.classifier import Classifier, TorchEngine, build_classifier
from auricle.artifact.folder import artifact_config, load_weights, save_artifact
from auricle.augment.section import build_augmenter
from auricle.core.errors import AudioError, DataError
from auricle.core.reporting import Reporter, Silent
from auricle.core.types import Clip, Waveform
from auricle.core.units import seconds_to_samples
from auricle.data import Manifest, require_trainable
from auricle.evaluation import Result, write_result
from auricle.evaluation.judging import judge
from auricle.runtime.predictor import Predictor
from auricle.runtime.spec import ArtifactConfig
from auricle.training.announce import announce_bad, announce_network, announce_start, make_card
from auricle.training.checkpoint import Position, has_checkpoint, load_checkpoint
from auricle.training.clips import BadClip, ClipStore, require_mostly_good
from auricle.training.config import RunConfig
from auricle.training.folder import prepare_folder
from auricle.training.loader import EpochBatches, TrainingClips, make_loader, target_matrix
from auricle.training.log import TrainingLog
from auricle.training.loop import Job, averaged_weights, fit
from auricle.training.optim import Ema, make_optimizer
from auricle.training.setup import (
    autocast_dtype,
    choose_device,
    make_spec,
    resolve_parts,
    set_threads,
)
from auricle.training.step import TrainingStep

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class TrainedRun:
    """What training leaves: the run folder, its result and the clips that were left out.

    `judged_on` says which split `result` is about: `test`, else `validation`, else none.
    """

    folder: Path
    result: Result | None
    judged_on: str | None
    bad: tuple[BadClip, ...]


@dataclass
class _Setting:
    """What the phases of a run share."""

    manifest: Manifest
    config: RunConfig
    folder: Path
    reporter: Reporter
    command: str
    accelerator: Accelerator
    stores: dict[str, ClipStore]
    classifier: Classifier
    artifact: ArtifactConfig
    bad: list[BadClip]


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

    The `validation` clips are looked at while training, the `test` clips once, at the end. A run
    that was killed goes on from its last checkpoint with `resume` and ends with the same weights.
    Raises `ConfigError`, `DataError`, `WriteError`, `Interrupted`, `Diverged`.
    """
    config = resolve_parts(config)
    require_trainable(manifest)
    set_threads(config.train)
    accelerator = Accelerator(cpu=choose_device(config.train.device).type == "cpu")
    if accelerator.is_main_process:
        prepare_folder(folder, config, manifest, resume=resume, force=force)
        announce_start(reporter, manifest, config, folder, command)
    else:
        reporter = Silent()
    accelerator.wait_for_everyone()
    torch.manual_seed(config.train.seed)
    classifier = build_classifier(config.frontend, config.model, len(manifest.labels))
    spec = make_spec(classifier, config, manifest.labels, multi_label=manifest.multi_label)
    training = {"command": command, "config": config.model_dump(mode="json")}
    artifact = artifact_config(spec, config.frontend, config.model, training)
    announce_network(reporter, classifier, config)
    stores, bad = _prepare_stores(manifest, config, reporter, spec.sample_rate)
    setting = _Setting(
        manifest, config, folder, reporter, command, accelerator, stores, classifier, artifact, bad
    )
    job, position = _prepare_job(setting, resume=resume)
    position = fit(job, position)
    bad += [BadClip(path, reason) for path, reason in position.bad.items()]
    return _finish(setting, job, position)


def _prepare_stores(
    manifest: Manifest, config: RunConfig, reporter: Reporter, sample_rate: int
) -> tuple[dict[str, ClipStore], list[BadClip]]:
    stores: dict[str, ClipStore] = {}
    bad = [BadClip(path, f"{path}: the file does not exist") for path in manifest.missing]
    bad += [BadClip("", line) for line in manifest.rejected]
    total = len(bad)
    for split in SPLITS:
        clips = [clip for clip in manifest.clips if clip.split == split]
        if not clips:
            continue
        total += len(clips)
        stores[split] = ClipStore(clips, sample_rate, config.data)
        bad += stores[split].prepare(reporter, shared=config.train.workers > 0)
    require_mostly_good(bad, total, config.train.max_bad_fraction)
    if not len(stores.get("train", ())):
        raise DataError("there is no clip to train on: every clip belongs to another split")
    return stores, bad


def _prepare_job(setting: _Setting, *, resume: bool) -> tuple[Job, Position]:
    config, train_config, store = setting.config, setting.config.train, setting.stores["train"]
    accelerator = setting.accelerator
    clip_s = config.data.clip_s
    assert clip_s is not None  # resolve_parts fills it
    classifier = setting.classifier.to(accelerator.device)
    classifier = classifier.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    step_module = TrainingStep(
        classifier,
        build_augmenter(config.augment),
        multi_label=setting.manifest.multi_label,
        label_smoothing=train_config.label_smoothing,
        autocast=autocast_dtype(train_config.precision, accelerator.device),
    )
    ema = Ema(classifier, train_config.ema_decay) if train_config.ema_decay else None
    optimizer = make_optimizer(classifier, train_config)
    last = setting.folder / "checkpoints" / "last"
    position = Position()
    if resume and has_checkpoint(last):
        position = load_checkpoint(last, classifier, optimizer, ema)
        setting.reporter.say(f"resuming from step {position.step} ({last})")
    wrapped, optimizer = accelerator.prepare(step_module, optimizer)
    batches = EpochBatches(
        len(store),
        train_config.batch_size,
        train_config.seed,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
    )
    length = max(seconds_to_samples(clip_s, store.sample_rate), setting.classifier.shortest_samples)
    loader = make_loader(
        TrainingClips(store, length, train_config.seed),
        target_matrix(setting.manifest, store.clips),
        batches,
        workers=train_config.workers,
        start_method=train_config.start_method,
    )
    log_path = setting.folder / "log.csv"
    log = TrainingLog(log_path, position.step) if accelerator.is_main_process else None
    job = Job(
        config=train_config,
        folder=setting.folder,
        accelerator=accelerator,
        step_module=step_module,
        wrapped=wrapped,
        optimizer=optimizer,
        ema=ema,
        batches=batches,
        loader=loader,
        artifact=setting.artifact,
        validate=None,
        save_best=lambda: None,
        log=log,
        reporter=setting.reporter,
    )
    if len(setting.stores.get("validation", ())):
        job.validate = _validator(setting, job)
        job.save_best = partial(
            _save_weights, setting, job, setting.folder / "checkpoints" / "best"
        )
    return job, position


def _validator(setting: _Setting, job: Job) -> Callable[[], float]:
    """Return a function that judges the averaged weights on the validation clips."""
    predictor = _predictor(setting)
    store = setting.stores["validation"]

    def validate() -> float:
        _load(predictor, averaged_weights(job))
        return _judge(setting, predictor, store, resamples=0).main_value

    return validate


def _predictor(setting: _Setting) -> Predictor:
    """Build a second network that answers, so that the one in training stays as it is."""
    config = setting.config
    copy = build_classifier(config.frontend, config.model, len(setting.manifest.labels))
    engine = TorchEngine(copy, setting.accelerator.device)
    return Predictor(engine, setting.artifact.spec, batch_size=config.train.eval_batch_size)


def _load(predictor: Predictor, weights: dict[str, torch.Tensor]) -> None:
    engine = predictor.engine
    assert isinstance(engine, TorchEngine)  # _predictor built it
    engine.classifier.load_state_dict(weights)


def _judge(
    setting: _Setting, predictor: Predictor, store: ClipStore, *, resamples: int = 2000
) -> Result:
    heard: list[Clip] = []
    scores = list(predictor.score_many(_sounds(setting, store, heard)))
    if not scores:
        raise DataError(f"none of the {len(store)} clips to judge on can be read")
    return judge(
        heard,
        np.stack(scores),
        setting.manifest.labels,
        multi_label=setting.manifest.multi_label,
        seed=setting.config.train.seed,
        config=setting.config.model_dump(mode="json"),
        command=setting.command,
        resamples=resamples,
    )


def _sounds(setting: _Setting, store: ClipStore, heard: list[Clip]) -> Iterator[Waveform]:
    """Yield the clips of a store, whole; note which could be read and which are bad."""
    for index, clip in enumerate(store.clips):
        try:
            sound = store.whole(index)
        except AudioError as error:  # where clips are not kept in memory, it shows only now
            if all(bad.path != clip.path for bad in setting.bad):
                setting.bad.append(BadClip(clip.path, str(error)))
        else:
            heard.append(clip)
            yield sound


def _save_weights(setting: _Setting, job: Job, folder: Path) -> None:
    card = make_card(setting.config, setting.manifest, setting.command, None, None)
    save_artifact(folder, averaged_weights(job), setting.artifact, card)


def _finish(setting: _Setting, job: Job, position: Position) -> TrainedRun:
    """Judge the result once on the clips kept for that, and write the artifact."""
    folder, reporter = setting.folder, setting.reporter
    if not job.accelerator.is_main_process:
        job.accelerator.wait_for_everyone()
        return TrainedRun(folder, None, None, tuple(setting.bad))
    weights = averaged_weights(job)
    best = folder / "checkpoints" / "best" / "model.safetensors"
    if setting.config.train.select == "best" and best.is_file():
        weights = load_weights(best)
        reporter.say(f"taking the weights of step {position.best_step}, the best on validation")
    judged_on = next((s for s in ("test", "validation") if len(setting.stores.get(s, ()))), None)
    result = None
    if judged_on is not None:
        predictor = _predictor(setting)
        _load(predictor, weights)
        result = _judge(setting, predictor, setting.stores[judged_on])
        write_result(folder / judged_on, result)
    announce_bad(reporter, setting.bad)
    card = make_card(setting.config, setting.manifest, setting.command, result, judged_on)
    save_artifact(folder, weights, setting.artifact, card)
    job.accelerator.wait_for_everyone()
    return TrainedRun(folder, result, judged_on, tuple(setting.bad))
