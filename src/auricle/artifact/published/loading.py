"""From an opened checkpoint to a classifier that runs, or to the start of a training run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from auricle.artifact.classifier import Classifier
from auricle.artifact.folder import artifact_config, rebuild
from auricle.artifact.parts import Section, build_frontend, build_model, resolve_frontend
from auricle.artifact.published import PUBLISHED
from auricle.artifact.published.checkpoint import Checkpoint, open_checkpoint
from auricle.artifact.published.recognise import Candidate, Shapes, differences
from auricle.core.errors import ArtifactError, ConfigError
from auricle.core.reporting import Reporter
from auricle.core.types import Label
from auricle.models.base import SoundModel
from auricle.runtime.spec import ArtifactConfig, ClassifierSpec

AUDIOSET_CLIP_S, EMBEDDED_S, USUAL_S = 10.0, 30.0, 20.0
"""The longest sound (s) that is heard at once: the clips of AudioSet, what speaker networks are
asked about, and macls's longest in evaluation (`eval_conf.max_duration`)."""


def load_any(
    source: str | Path,
    *,
    model: str | None = None,
    labels: Path | Sequence[Label] | None = None,
    reporter: Reporter | None = None,
) -> tuple[Classifier, ArtifactConfig]:
    """Build the classifier of any checkpoint (see `open_checkpoint`), ready to run.

    Sound up to 10 s (checkpoints of AudioSet; 30 s for embedding networks, else 20 s) is heard
    whole, as the published programs do; longer sound in windows of that length, half of it
    apart. Raises what `open_checkpoint` raises, and `ArtifactError` where nobody names the classes.
    """
    checkpoint = open_checkpoint(source, model=model, labels=labels, reporter=reporter)
    if checkpoint.own is not None:
        return rebuild(checkpoint.own, _joined(checkpoint), checkpoint.where), checkpoint.own
    if checkpoint.labels is None and checkpoint.classes:
        raise ArtifactError(
            f"{checkpoint.where} does not name its {checkpoint.classes} classes: give them with "
            "--labels FILE, one a line, in the order that it was trained with (macls keeps them in "
            "label_list.txt)"
        )
    config = ArtifactConfig(
        spec=_draft(checkpoint), frontend=checkpoint.frontend, model=checkpoint.model
    )
    classifier = rebuild(config, _joined(checkpoint), checkpoint.where)
    spec = _spec(checkpoint, classifier)
    training = {"pretrained": checkpoint.where}
    return classifier, artifact_config(spec, checkpoint.frontend, checkpoint.model, training)


def _joined(checkpoint: Checkpoint) -> dict[str, Tensor]:
    parts: Mapping[str, Mapping[str, Tensor]] = {
        "model": checkpoint.weights,
        "frontend": checkpoint.frontend_weights,
    }
    return {f"{part}.{key}": value for part, of in parts.items() for key, value in of.items()}


def _draft(checkpoint: Checkpoint) -> ClassifierSpec:
    """Write down what is known before the network is built."""
    if checkpoint.labels is None:
        window_s = EMBEDDED_S
    else:
        window_s = AUDIOSET_CLIP_S if checkpoint.activation == "sigmoid" else USUAL_S
    return ClassifierSpec(
        labels=checkpoint.labels or (),
        sample_rate=checkpoint.frontend["sample_rate"],
        window_s=window_s,
        hop_s=window_s / 2,
        normalise=checkpoint.normalise,
        activation=checkpoint.activation if checkpoint.labels else "none",
    )


def _spec(checkpoint: Checkpoint, classifier: Classifier) -> ClassifierSpec:
    network, frontend = classifier.model, classifier.frontend
    draft = _draft(checkpoint)
    window_s = draft.window_s
    if frontend.fixed_frames is not None and frontend.frame_period_s is not None:
        window_s = frontend.fixed_frames * frontend.frame_period_s
    return draft.model_copy(
        update={
            "window_s": window_s,
            "hop_s": window_s / 2,
            "shortest_samples": classifier.shortest_samples,
            "padding_safe": network.padding_safe and frontend.padding_safe,
            "activation": "none" if network.scores_are == "probabilities" else draft.activation,
            "frame_period_s": frontend.frame_period_s if network.has_frame_scores else None,
        }
    )


# -- a start for training ------------------------------------------------------------------------


def describe_checkpoint(source: str | Path, *, model: str | None = None) -> Checkpoint:
    """Return what a checkpoint says of its network and front-end; its weights may be left out.

    Of a published file nothing is fetched. `model` is the network that the user named, which must
    be that of the checkpoint. Raises what `open_checkpoint` raises, and `ConfigError`.
    """
    name = str(source).replace("\\", "/")
    if not Path(source).exists() and name in PUBLISHED and PUBLISHED[name].layout == "torch":
        candidate = Candidate(PUBLISHED[name].model_section, PUBLISHED[name])
        found = Checkpoint(name, candidate.model, candidate.frontend, {}, 0)
    else:
        found = open_checkpoint(source, model=model if _names_no_network(source) else None)
    return _of_network(found, model)


def _of_network(checkpoint: Checkpoint, model: str | None) -> Checkpoint:
    found = checkpoint.model["name"]
    if model not in (None, found):
        raise ConfigError(
            f"{checkpoint.where} is of the network {found}, not {model}: leave --model out, or "
            f"give --model {found}"
        )
    return checkpoint


def _names_no_network(source: str | Path) -> bool:
    """Say whether a checkpoint leaves it to its reader which network it is of."""
    path = Path(source)
    return path.is_file() or (path.is_dir() and not (path / "config.json").is_file())


_NAMED_FIRST = {"name", "sample_rate"}


def require_same_frontend(given: Section, checkpoint: Checkpoint) -> None:
    """Raise `ConfigError` where a front-end is not the one that a checkpoint was made with."""
    if not checkpoint.frontend_is_known:
        return
    trained = resolve_frontend(checkpoint.frontend)
    differ = [
        f"{key} is {given.get(key)} here and {trained.get(key)} there"
        for key in ["sample_rate", *sorted((given.keys() | trained.keys()) - _NAMED_FIRST)]
        if given.get(key) != trained.get(key)
    ]
    if differ:
        raise ConfigError(
            f"the front-end {given['name']} disagrees with that of {checkpoint.where} "
            f"({trained['name']}): {'; '.join(differ[:3])}. Leave --frontend out: it is taken from "
            "the checkpoint"
        )


def start_from(
    classifier: Classifier,
    model: Section,
    source: str | Path,
    *,
    labels: Sequence[Label],
    reporter: Reporter,
) -> None:
    """Put the weights of a checkpoint into a classifier that is about to be trained.

    `model` is the section that its network was built from, `labels` its classes. The head is kept
    where the checkpoint scores the same classes (its rows are put in the order of `labels`);
    else it stays as it is, fresh. Raises what `open_checkpoint` raises, and `ArtifactError` where
    the weights do not fit.
    """
    is_file = Path(source).is_file() or (Path(source) / "model.pth").is_file()
    checkpoint = open_checkpoint(
        source, model=model["name"] if is_file else None, reporter=reporter
    )
    checkpoint = _ordered(checkpoint, labels, model, classifier.frontend.bins)
    kept = fill_network(classifier.model, model, checkpoint)
    if classifier.frontend.learns and checkpoint.frontend_weights:
        classifier.frontend.load_state_dict(dict(checkpoint.frontend_weights))
    head = "its head too" if kept else f"the head is new, for {len(labels)} classes"
    reporter.say(f"starting from {checkpoint.where}: {len(checkpoint.weights)} tensors; {head}")


def create_pretrained(
    section: Section, classes: int, source: str | Path, *, bins: int | None = None
) -> SoundModel:
    """Build the network of a section with the weights of a checkpoint; see `fill_network`.

    The checkpoint's own options are the default. Raises `ConfigError`, `ArtifactError`.
    """
    name = section["name"]
    opened = open_checkpoint(source, model=name if _names_no_network(source) else None)
    whole = {**_of_network(opened, name).model, **section}
    bins = build_frontend(opened.frontend).bins if bins is None else bins
    network = build_model(whole, bins=bins, classes=classes)
    fill_network(network, whole, opened)
    return network


def _ordered(
    checkpoint: Checkpoint, labels: Sequence[Label], model: Section, bins: int
) -> Checkpoint:
    """Put the rows of the head in the order of `labels`; without those very classes, drop them."""
    known = checkpoint.labels or ()
    if set(known) != set(labels):
        return replace(checkpoint, classes=-1)
    order = torch.tensor([known.index(label) for label in labels])
    weights = dict(checkpoint.weights)
    for key, (axis, step) in Shapes.of(model, bins).head.items():
        if step == 1:
            weights[key] = weights[key].index_select(axis, order)
    return replace(checkpoint, weights=weights, labels=tuple(labels))


def fill_network(network: SoundModel, model: Section, checkpoint: Checkpoint) -> bool:
    """Give `network`, built from the section `model`, a checkpoint's weights.

    The head is kept where both score as many classes; return whether it was. A network without a
    head takes none. Raises `ArtifactError`, which says what does not fit.
    """
    shapes = Shapes.of(model, network.bins)
    kept = 0 < network.classes == checkpoint.classes
    weights = dict(checkpoint.weights)
    own = network.state_dict()
    if not kept:
        # A file without a head lacks all that leads up to one, too.
        fresh = shapes.head.keys() if checkpoint.classes else own.keys() - shapes.headless
        weights = {key: value for key, value in weights.items() if key not in fresh}
        weights |= {key: own[key] for key in fresh if key in own}
    if not network.classes:
        weights = {key: value for key, value in weights.items() if key in shapes.headless}
    if weights.keys() != own.keys() or any(weights[k].shape != own[k].shape for k in own):
        problem = differences(checkpoint.weights, model, network.bins)
        raise ArtifactError(f"{checkpoint.where} does not fit {model['name']}: {problem}")
    network.load_state_dict(weights)
    return kept
