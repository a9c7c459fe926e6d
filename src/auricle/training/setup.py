"""From a configuration to the parts of a run: names resolved, devices chosen, spec written."""

import copy
import os
from collections.abc import Sequence

import torch

from auricle.artifact.classifier import Classifier
from auricle.artifact.parts import resolve_frontend, resolve_model
from auricle.artifact.published.loading import describe_checkpoint, require_same_frontend
from auricle.augment.section import resolved_section
from auricle.core.errors import ConfigError, unknown_name
from auricle.core.types import Label
from auricle.models import MODELS
from auricle.runtime.spec import ClassifierSpec, Normalise
from auricle.training.config import DEFAULT_MODEL, RunConfig, TrainConfig


def resolve_parts(config: RunConfig) -> RunConfig:
    """Spell out the model, front-end and augmentation sections. Raises `ConfigError`.

    The model defaults to the library's small one, the front-end to the model's own, the clip
    lengths to what suits the model; of a checkpoint to start from, model and front-end are taken.
    Raises `ArtifactError` too where that checkpoint cannot be used.
    """
    started = None
    model, frontend = {"name": DEFAULT_MODEL, **config.model}, dict(config.frontend)
    if config.train.pretrained is not None:
        started = describe_checkpoint(config.train.pretrained, model=config.model.get("name"))
        model = {**started.model, **config.model}
        if frontend.get("name", started.frontend["name"]) == started.frontend["name"]:
            frontend = {**started.frontend, **frontend}
    preset = MODELS[model["name"]]
    resolved_frontend = resolve_frontend({"name": preset.frontend, **frontend})
    if started is not None:
        require_same_frontend(resolved_frontend, started)
    clip_s = config.data.clip_s or preset.clip_s
    data = config.data.model_copy(
        update={"clip_s": clip_s, "eval_clip_s": config.data.eval_clip_s or clip_s}
    )
    return config.model_copy(
        update={
            "data": data,
            "model": resolve_model(model),
            "frontend": resolved_frontend,
            "augment": resolved_section(config.augment),
        }
    )


def require_clips_enough(classifier: Classifier, batch_size: int) -> None:
    """Raise `ConfigError` where a network that learns from several clips at once gets one.

    Batch norm of a clip's embedding has nothing to compare a single clip with.
    """
    if batch_size > 1:
        return
    shortest, rate = classifier.shortest_samples, classifier.frontend.sample_rate
    probe = copy.deepcopy(classifier.model).to("meta").train()
    try:
        probe(classifier.frontend.outline(shortest + rate))
    except ValueError:
        raise ConfigError(
            "this network normalises over the clips of a batch: train.batch_size must be at "
            "least 2, got 1"
        ) from None


def make_spec(
    classifier: Classifier, config: RunConfig, labels: Sequence[Label], *, multi_label: bool
) -> ClassifierSpec:
    """Write down how the classifier's raw scores become answers."""
    data = config.data
    assert data.eval_clip_s is not None  # resolve_parts fills it
    model, frontend = classifier.model, classifier.frontend
    activation = "sigmoid" if multi_label else "softmax"
    return ClassifierSpec(
        labels=tuple(labels),
        sample_rate=frontend.sample_rate,
        window_s=data.eval_clip_s,
        hop_s=data.eval_hop_s or data.eval_clip_s / 2,
        shortest_samples=classifier.shortest_samples,
        padding_safe=model.padding_safe and frontend.padding_safe,
        trim_db=data.trim_db,
        min_clip_s=data.min_clip_s,
        max_clip_s=data.max_clip_s,
        short_clips=data.short_clips,
        long_clips=data.long_clips,
        normalise=Normalise(
            kind=data.normalise, target_db=data.target_db, max_gain_db=data.max_gain_db
        ),
        activation="none" if model.scores_are == "probabilities" else activation,
        frame_period_s=frontend.frame_period_s if model.has_frame_scores else None,
        background=data.background,
    )


def choose_device(name: str) -> torch.device:
    """Return the device to train on. Raises `ConfigError` when it is not there."""
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name not in ("auto", *available):
        raise unknown_name("device", name, ["auto", *available])
    if name == "auto":
        name = next(kind for kind, there in available.items() if there)
    if not available[name]:
        there = ", ".join(kind for kind, ok in available.items() if ok)
        raise ConfigError(f"--device {name} is not available here; available: {there}")
    return torch.device(name)


def set_threads(config: TrainConfig) -> int:
    """Set torch's processor threads as configured and return their number."""
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    elif "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(os.cpu_count() or 1)
    return torch.get_num_threads()
