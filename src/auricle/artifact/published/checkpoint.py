"""A checkpoint of anybody's, opened: its weights, the network and front-end that they belong to."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from auricle.artifact.folder import load_weights
from auricle.artifact.hub import hub_file
from auricle.artifact.parts import resolve_frontend, resolve_model
from auricle.artifact.published import PUBLISHED
from auricle.artifact.published.finding import obtain
from auricle.artifact.published.reading import read_tensors
from auricle.artifact.published.recognise import SKIPPED, Candidate, recognise, variants
from auricle.core.audioset import AUDIOSET_CLASSES, audioset_labels
from auricle.core.config import Tree
from auricle.core.errors import ArtifactError, ConfigError, nearest, unknown_name
from auricle.core.reporting import Reporter
from auricle.core.types import Label
from auricle.runtime.spec import ArtifactConfig, Normalise, parse_artifact_config

MACLS = {
    "CAMPPlus": ("campplus",),
    "ERes2Net": ("eres2net",),
    "ERes2NetV2": ("eres2netv2_macls",),
    "EcapaTdnn": ("ecapa_tdnn",),
    "PANNS_CNN6": ("macls_cnn6",),
    "PANNS_CNN10": ("macls_cnn10",),
    "PANNS_CNN14": ("macls_cnn14",),
    "Res2Net": ("res2net",),
    "ResNetSE": ("resnet_se",),
    "TDNN": ("tdnn",),
}
"""Our networks by the names that macls gives them (`model.state`, c63d284)."""

# macls c63d284, configs/*.yml (dataset_conf): level in decibels, and no bound on the gain.
_MACLS_LEVEL = Normalise(kind="rms", target_db=-20.0, max_gain_db=300.0)

_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_FILES = (".pth", ".pt", ".bin", ".ckpt", ".safetensors", ".pdparams", ".onnx")


@dataclass(frozen=True)
class Checkpoint:
    """Weights, and what they are weights of.

    `model` and `frontend` are whole sections of a configuration; `classes` is how many the
    weights score (0: no head), `labels` their names where they are known. `normalise` is what
    becomes of the level before the front-end. `frontend_is_known` is False where the file says
    nothing of the front-end beyond its number of bins. `own` is set for artifacts of ours, which
    state all the rest too.
    """

    where: str
    model: Tree
    frontend: Tree
    weights: Mapping[str, Tensor]
    classes: int
    labels: tuple[Label, ...] | None = None
    activation: Literal["softmax", "sigmoid"] = "softmax"
    normalise: Normalise = field(default_factory=Normalise)
    frontend_is_known: bool = True
    frontend_weights: Mapping[str, Tensor] = field(default_factory=dict)
    own: ArtifactConfig | None = None


def open_checkpoint(
    source: str | Path,
    *,
    model: str | None = None,
    labels: Path | Sequence[Label] | None = None,
    reporter: Reporter | None = None,
) -> Checkpoint:
    """Open a published checkpoint by name, a file, a folder, or a repository on the hub.

    A name such as `panns/cnn14` (`auricle models` lists them) is fetched once. A file is
    recognised by its name or its keys, unless `model` says which network it is of. A folder is an
    artifact of ours, a checkpoint of macls or of transformers. `labels` name the classes, in the
    order of the scores, where the file does not: a list, or a text file of one a line. Raises
    `ArtifactError`, `ConfigError`, `UnknownName`, `MissingExtra`.
    """
    path, name = Path(source), str(source).replace("\\", "/")
    if path.is_dir():
        opened = _of_folder(path, model)
    elif path.is_file():
        opened = _of_file(path, model)
    elif name in PUBLISHED:
        _refuse_model(name, model)
        published = PUBLISHED[name]
        if published.layout == "transformers":
            opened = _of_transformers(name, reporter)
        else:
            opened = _of_file(obtain(name, published, reporter), name)
    else:
        require_hub_name(name)
        _refuse_model(name, model)
        opened = _of_hub(name, reporter)
    return _with_labels(opened, labels)


def require_hub_name(name: str) -> None:
    """Raise `ArtifactError` unless `name` may be a repository on the hub.

    A path of which the folder is there is a path, and a name of a family of published ones that
    is not among them is a slip.
    """
    families = [known for known in PUBLISHED if PUBLISHED[known].layout == "torch"]
    if name.partition("/")[0] in {known.partition("/")[0] for known in families}:
        raise unknown_name("published checkpoint", name, families)
    is_path = name.endswith(_FILES) or Path(name).parent.is_dir()
    if _HUB_NAME.fullmatch(name) and not is_path:
        return
    last = {known.partition("/")[2]: known for known in families}
    guess = nearest(name, last) if "/" not in name else None
    hint = f"; did you mean '{last[guess]}'?" if guess else ""
    raise ArtifactError(
        f"no classifier at {name}: give a run folder, an artifact folder, an .onnx file, a "
        f"checkpoint, a published name (auricle models) or owner/name on the hub{hint}"
    )


def _refuse_model(source: str, model: str | None) -> None:
    if model is not None and model != source:
        raise ConfigError(f"{source} says itself which network it is of: leave --model {model} out")


def _of_file(path: Path, model: str | None) -> Checkpoint:
    weights = read_tensors(path)
    candidate, classes = recognise(weights, path, name=model)
    return _recognised(str(path), weights, candidate, classes)


def _recognised(
    where: str, weights: Mapping[str, Tensor], candidate: Candidate, classes: int, **more: Any
) -> Checkpoint:
    of_network = {key: value for key, value in weights.items() if key not in SKIPPED}
    known = None
    if candidate.published is not None:
        known = candidate.published.label_list()
    elif classes == AUDIOSET_CLASSES:
        known = audioset_labels()
    if known is not None and len(known) != classes:  # trained on, under the published name
        known = None
    return Checkpoint(
        where,
        resolve_model(candidate.model),
        candidate.frontend,
        of_network,
        classes,
        known,
        activation="sigmoid" if known else "softmax",
        **more,
    )


def _of_folder(folder: Path, model: str | None) -> Checkpoint:
    if (folder / "config.json").is_file():
        _refuse_model(str(folder), model)
        text = _text(folder / "config.json")
        if "format_version" not in text and '"model_type"' in text:
            return _of_transformers(folder, None)
        return _of_artifact(str(folder), folder / "config.json", folder / "model.safetensors")
    for inside in (folder, folder / "best_model"):
        if (inside / "model.pth").is_file():
            return _of_macls(inside, model)
    raise ArtifactError(
        f"{folder} holds no config.json: it is not an Auricle artifact or run folder, nor a "
        "checkpoint of transformers; nor a model.pth, as macls writes it"
    )


def _of_macls(folder: Path, model: str | None) -> Checkpoint:
    """Open a folder that macls wrote: `model.pth`, and `model.state`, which names the network."""
    path = folder / "model.pth"
    names = MACLS.get(_macls_name(folder) or "") or [name for of in MACLS.values() for name in of]
    weights = read_tensors(path)
    candidate, classes = recognise(weights, path, name=model, candidates=variants(names))
    return _recognised(
        str(path), weights, candidate, classes, normalise=_MACLS_LEVEL, frontend_is_known=False
    )


def _macls_name(folder: Path) -> str | None:
    state = folder / "model.state"
    if not state.is_file():
        return None
    try:
        return str(json.loads(_text(state))["model"])
    except (ValueError, KeyError, TypeError):
        raise ArtifactError(f"{state} is not the JSON that macls writes") from None


def _of_transformers(source: str | Path, reporter: Reporter | None) -> Checkpoint:
    from auricle.artifact.transformers_folder import load_transformers_folder

    found = load_transformers_folder(source, reporter=reporter)
    multi_label = found.labels is not None and set(found.labels) == set(audioset_labels())
    return Checkpoint(
        str(source),
        resolve_model(found.model),
        resolve_frontend(found.frontend),
        found.weights,
        len(found.labels or ()),
        found.labels,
        activation="sigmoid" if multi_label else "softmax",
    )


def _of_hub(name: str, reporter: Reporter | None) -> Checkpoint:
    config = hub_file(name, ["config.json"], reporter=reporter)
    if config is not None and "format_version" in _text(config):
        weights = hub_file(name, ["model.safetensors"], reporter=reporter)
        assert weights is not None  # only a folder may lack it
        return _of_artifact(name, config, weights)
    return _of_transformers(name, reporter)


def _of_artifact(where: str, config: Path, weights: Path) -> Checkpoint:
    parsed = parse_artifact_config(_text(config), str(config))
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "frontend": {}}
    for key, value in load_weights(weights).items():
        part, _, name = key.partition(".")
        if part not in parts:
            raise ArtifactError(f"the weights of {where} do not fit its network: unexpected {key}")
        parts[part][name] = value
    return Checkpoint(
        where,
        parsed.model,
        parsed.frontend,
        parts["model"],
        len(parsed.spec.labels),
        parsed.spec.labels,
        frontend_weights=parts["frontend"],
        own=parsed,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}") from None


def _with_labels(opened: Checkpoint, given: Path | Sequence[Label] | None) -> Checkpoint:
    """Take over the labels that the user gives."""
    if given is None:
        return opened
    if isinstance(given, Path):
        given = [line.strip() for line in _text(given).splitlines() if line.strip()]
    if opened.own is not None:
        raise ConfigError(f"{opened.where} names its own labels: leave --labels out")
    if len(given) != opened.classes:
        raise ConfigError(
            f"--labels names {len(given)} classes and {opened.where} scores {opened.classes}: one "
            "label for each, in the order that it was trained with"
        )
    return replace(opened, labels=tuple(given))
