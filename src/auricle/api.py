"""The public API: `load`, `train`, `evaluate`, `export`, `create_model`.

It composes the rooms. Nothing here imports torch before a function that needs it is called, so
`load("x.onnx")` works on an install without it.
"""

import json
import math
import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from auricle.core.config import SECTIONS, environment_tree, merge, nest, resolve, validate
from auricle.core.errors import ArtifactError, AudioError, ConfigError, MissingExtra
from auricle.core.reporting import Reporter, Silent
from auricle.core.types import Waveform

if TYPE_CHECKING:
    from auricle.artifact.classifier import Precision
    from auricle.artifact.feature_encoder import PackedFeatures
    from auricle.artifact.onnx_export import Exported
    from auricle.data import Manifest
    from auricle.evaluation import Result
    from auricle.evaluation.evaluate import Evaluated
    from auricle.models.base import SoundModel
    from auricle.runtime import Predictor
    from auricle.training.config import RunConfig
    from auricle.training.crossval import CrossValidation
    from auricle.training.run import TrainedRun

EXPORT_EXAMPLES = 8
EXAMPLE_S = 30.0


def load(
    source: str | Path,
    *,
    device: Literal["auto", "cpu", "cuda", "mps"] | str = "auto",
    batch_size: int = 16,
    hop_s: float | None = None,
    allow_truncated: bool = False,
    precision: Literal["fp32", "bf16", "auto"] = "fp32",
    model: str | None = None,
    labels: str | Path | Sequence[str] | None = None,
    reporter: Reporter | None = None,
) -> "Predictor":
    """Load a classifier: a run or artifact folder, an `.onnx` file, a published checkpoint.

    A published checkpoint is a name (`panns/cnn14`, fetched once), a file or folder of another
    program, or `owner/name` on the Hugging Face hub; `model` says which network a file is of where
    it does not say so itself, `labels` its classes in their order (a list, or a text file of one a
    line). A folder is run with torch; where torch is not installed, its `model.onnx` is used.
    `hop_s` (seconds between windows of longer sounds) takes the place of the classifier's own.
    `precision` is that of the network with torch: `bf16` halves the time where the processor
    computes in it and moves probabilities by about a thousandth; `auto` takes it there. An
    embedding network can only `embed`.
    Raises `ArtifactError`, `ConfigError`, `MissingExtra`.
    """
    from auricle.runtime import Predictor

    if model is None and labels is None and _is_onnx(Path(source)):
        predictor = _open_onnx(Path(source), device, precision)
    else:
        predictor = _open(source, device, precision, model=model, labels=labels, reporter=reporter)
    spec = predictor.spec
    if hop_s is not None:
        spec = validate(type(spec), {**spec.model_dump(), "hop_s": hop_s})
    return Predictor(predictor.engine, spec, batch_size=batch_size, allow_truncated=allow_truncated)


def _is_onnx(path: Path) -> bool:
    if path.is_file():
        return path.suffix == ".onnx"
    return not _has_torch() and (path / "model.onnx").is_file()


def _has_torch() -> bool:
    return all(find_spec(module) is not None for module in ("torch", "safetensors"))


def _open(
    source: str | Path,
    device: str,
    precision: "Precision",
    *,
    model: str | None,
    labels: str | Path | Sequence[str] | None,
    reporter: Reporter | None,
) -> "Predictor":
    if not _has_torch():
        from auricle.artifact.published import PUBLISHED

        if not Path(source).exists() and str(source) not in PUBLISHED:
            raise ArtifactError(f"no classifier at {source}: give an .onnx file")
        raise MissingExtra(f"running {source} (it holds no model.onnx)", "train")
    from auricle.artifact.classifier import TorchEngine
    from auricle.artifact.published.loading import load_any
    from auricle.runtime import Predictor
    from auricle.training.setup import choose_device

    chosen = choose_device(device)
    labels = Path(labels) if isinstance(labels, (str, Path)) else labels
    classifier, config = load_any(source, model=model, labels=labels, reporter=reporter)
    return Predictor(TorchEngine(classifier, chosen, precision), config.spec)


def _open_onnx(path: Path, device: str, precision: "Precision") -> "Predictor":
    from auricle.runtime import load_onnx

    if path.is_dir():
        return load_onnx(path / "model.onnx")
    if device not in ("auto", "cpu"):
        raise ConfigError(f"an ONNX file runs on the processor: --device auto or cpu, not {device}")
    if precision == "bf16":
        raise ConfigError("an ONNX file computes in fp32: --precision bf16 goes with a folder")
    return load_onnx(path)


def train(
    data: str | Path,
    *,
    model: str | None = None,
    pretrained: str | Path | None = None,
    frontend: str | None = None,
    epochs: int | None = None,
    max_steps: int | None = None,
    seed: int | None = None,
    device: str | None = None,
    output: str | Path | None = None,
    config: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    resume: bool = False,
    force: bool = False,
    quiet: bool = True,
) -> "TrainedRun":
    """Train a classifier on a folder of sounds or a table; return the run.

    `pretrained` is a checkpoint to start from, as `load` takes them: its network and front-end are
    the default, and its head is replaced where the classes are others.
    `options` are dotted keys of the configuration, such as `{"train.learning_rate": 1e-3}`;
    `config` is a YAML file with any of them. The rest are the short spellings of the command
    line. Raises `ConfigError`, `DataError`, `WriteError`.
    """
    short = {
        "model.name": model,
        "train.pretrained": None if pretrained is None else str(pretrained),
        "frontend.name": frontend,
        "train.epochs": epochs,
        "train.max_steps": max_steps,
        "train.seed": seed,
        "train.device": device,
    }
    given = {key: value for key, value in short.items() if value is not None}
    return train_run(
        data,
        flags={**(options or {}), **given},
        config=config,
        output=output,
        resume=resume,
        force=force,
        reporter=None if quiet else _console(),
    )


def train_run(
    data: str | Path,
    *,
    flags: Mapping[str, Any],
    config: str | Path | None = None,
    output: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> "TrainedRun":
    """Train with dotted `flags` on top of a `config` file; see `train`."""
    from auricle.data import apply_splits

    resolved, manifest = _run_on(data, config, flags)
    manifest = apply_splits(manifest, resolved.data, resolved.train.seed)
    from auricle.training.folder import default_folder
    from auricle.training.run import train as run_training

    folder = Path(output) if output else default_folder(data, resolved.model["name"], resume)
    return run_training(
        manifest,
        resolved,
        folder,
        reporter=reporter or Silent(),
        command=command_line("train", [data], {"config": config, "output": folder, **flags}),
        resume=resume,
        force=force,
    )


def crossval_run(
    data: str | Path,
    *,
    flags: Mapping[str, Any],
    config: str | Path | None = None,
    folds: int = 5,
    output: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> "CrossValidation":
    """Train and test once per fold; see `auricle.training.crossval.cross_validate`."""
    resolved, manifest = _run_on(data, config, flags)
    from auricle.training.crossval import cross_validate
    from auricle.training.folder import default_folder

    name = f"{resolved.model['name']}-crossval"
    folder = Path(output) if output else default_folder(data, name, resume)
    return cross_validate(
        manifest,
        resolved,
        folder,
        reporter=reporter or Silent(),
        command=command_line(
            "crossval", [data], {"config": config, "folds": folds, "output": folder, **flags}
        ),
        folds=folds,
        resume=resume,
        force=force,
    )


def resolve_run(config: str | Path | None, flags: Mapping[str, Any]) -> "RunConfig":
    """Resolve a run's configuration: a YAML file, the environment, dotted `flags`, the parts.

    Raises `ConfigError`, `UnknownName`, `MissingExtra`.
    """
    from auricle.training.config import RunConfig

    require_torch("training")
    from auricle.training.setup import resolve_parts

    return resolve_parts(resolve(RunConfig, file=config, flags=flags))


def _run_on(
    data: str | Path, config: str | Path | None, flags: Mapping[str, Any]
) -> "tuple[RunConfig, Manifest]":
    from auricle.training.config import RunConfig

    require_torch("training")
    from auricle.training.stored import configure_and_read

    return configure_and_read(resolve(RunConfig, file=config, flags=flags), data)


def evaluate(
    model: str | Path,
    data: str | Path,
    *,
    split: str | None = None,
    output: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    abstain_below: float | None = None,
    device: str = "auto",
    quiet: bool = True,
) -> "Result":
    """Judge a classifier on labelled clips; return metrics with their intervals.

    `split` is one of the run's own manifest, so that no clip that it trained on counts; without
    it, clips that the run trained or chose on are left out. `output` is a folder for
    `result.json`, `confusion.csv`, `confusion.png` and `scores.csv`. `options` are dotted `data`
    keys. `abstain_below` adds how many clips reach that probability, and how many of them are
    right. Raises `ArtifactError`, `DataError`.
    """
    return evaluate_run(
        model,
        data,
        split=split,
        output=output,
        flags=options or {},
        abstain_below=abstain_below,
        device=device,
        reporter=None if quiet else _console(),
    ).result


def evaluate_run(
    model: str | Path,
    data: str | Path,
    *,
    split: str | None = None,
    output: str | Path | None = None,
    flags: Mapping[str, Any] | None = None,
    device: str = "auto",
    batch_size: int = 16,
    strict: bool = False,
    abstain_below: float | None = None,
    network: str | None = None,
    labels: Path | None = None,
    reporter: Reporter | None = None,
) -> "Evaluated":
    """Judge as `evaluate` does, and say how.

    `network` and `labels` say of a checkpoint file what it does not say itself, as in `load`.
    """
    from auricle.evaluation import write_result
    from auricle.evaluation.evaluate import evaluate_classifier

    said = {"model": network, "labels": labels, "abstain_below": abstain_below}
    options = {"split": split, "output": output, "strict": strict or None, **said, **(flags or {})}
    predictor = load(model, device=device, model=network, labels=labels, reporter=reporter)
    evaluated = evaluate_classifier(
        predictor,
        Path(model),
        _training_of(predictor, Path(model)),
        data,
        split=split,
        given=data_section(flags or {}),
        batch_size=batch_size,
        strict=strict,
        abstain_below=abstain_below,
        reporter=reporter or Silent(),
        command=command_line("evaluate", [model, data], options),
    )
    if output is not None:
        write_result(Path(output), evaluated.result)
        draw_picture(Path(output))
    return evaluated


def _training_of(predictor: "Predictor", model: Path) -> Mapping[str, Any]:
    """Return how a loaded classifier was trained, as its folder or file says."""
    from auricle.runtime import OnnxEngine, parse_artifact_config

    if isinstance(predictor.engine, OnnxEngine):
        text = predictor.engine.config_text or "{}"
    elif (model / "config.json").is_file():
        text = (model / "config.json").read_text(encoding="utf-8")
    else:  # a published checkpoint
        return {}
    return parse_artifact_config(text, str(model)).training


def feature_encoder(
    source: str,
    *,
    dtype: Literal["float16", "float32"] = "float16",
    options: Mapping[str, Any] | None = None,
    window_s: float | None = None,
) -> "PackedFeatures":
    """Return what `auricle.data.pack` takes to keep features in place of sound.

    `source` is the name of a front-end (with `options`, as `{"n_mels": 64}`), or a classifier as
    `load` takes them, whose embeddings are kept. Training takes a pack whose `length_s` is
    `window_s`. Raises `ConfigError`, `ArtifactError`, `UnknownName` and `MissingExtra`.
    """
    from auricle.artifact.feature_encoder import embedding_features, frontend_features

    kept = {"float16": "<f2", "float32": "<f4"}[dtype]
    if not Path(source).exists() and "/" not in source:
        require_torch("features of a front-end")
        return frontend_features({"name": source, **(options or {})}, dtype=kept, window_s=window_s)
    if options:
        raise ConfigError(f"--frontend.{next(iter(options))}: {source} is no front-end")
    return embedding_features(load(source), source, dtype=kept)


def data_section(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of the section `data`: from the environment, then dotted `flags`."""
    tree = merge(environment_tree(os.environ, SECTIONS), nest(flags))
    return tree.get("data", {})


def draw_picture(folder: Path) -> None:
    """Draw `confusion.png` from a folder's `result.json` where matplotlib is installed."""
    if find_spec("matplotlib") is not None:
        from auricle.report import draw_confusion

        draw_confusion(folder / "result.json", folder / "confusion.png")


def export(model: str | Path, output: str | Path) -> Path:
    """Write a classifier (see `load`) as one ONNX file; return its path.

    The file is checked against the classifier on real clips of the run's manifest, where they
    are still there. Raises `ArtifactError`, `MissingExtra`, `ExportError`.
    """
    return export_checked(model, output).path


def export_checked(
    model: str | Path,
    output: str | Path,
    examples: Sequence[str | Path] | None = None,
    *,
    network: str | None = None,
    labels: str | Path | None = None,
    reporter: Reporter | None = None,
) -> "Exported":
    """Export as `export` does and say how the check went; `examples` are sound files.

    `network` and `labels` go with a checkpoint of another program, as `model` and `labels` of
    `load` do.
    """
    require_torch("ONNX export")
    if Path(output).suffix != ".onnx":
        raise ConfigError(f"the file to write must be called something.onnx, got {output}")
    from auricle.artifact.onnx_export import export_onnx
    from auricle.artifact.published.loading import load_any

    names = None if labels is None else Path(labels)
    classifier, config = load_any(model, model=network, labels=names, reporter=reporter)
    clips = example_clips(model, config.spec.sample_rate, examples)
    return export_onnx(classifier, config, Path(output), clips)


def example_clips(
    model: str | Path, sample_rate: int, paths: Sequence[str | Path] | None = None
) -> list[Waveform]:
    """Return real sounds to compare two forms of a classifier on: `paths`, or the run's own."""
    from auricle import audio
    from auricle.data import read_manifest

    if paths is not None:
        return [audio.load(path, sample_rate) for path in paths]
    manifest = Path(model) / "manifest.csv"
    if not manifest.is_file():
        return []
    clips = read_manifest(manifest).clips
    examples = []
    for clip in clips[:: max(1, len(clips) // EXPORT_EXAMPLES)]:
        length_s = min((clip.offset_s or math.inf) - clip.onset_s, EXAMPLE_S)
        # The run's own sounds may have moved, or never have been readable.
        with suppress(AudioError):
            sound = audio.load(clip.path, sample_rate, offset_s=clip.onset_s, duration_s=length_s)
            examples.append(sound)
    return examples[:EXPORT_EXAMPLES]


def create_model(
    name: str,
    classes: int,
    *,
    bins: int | None = None,
    options: Mapping[str, Any] | None = None,
    pretrained: str | Path | None = None,
) -> "SoundModel":
    """Return a network by name, a plain torch module from `Features` to `Output`.

    `classes=0` builds no head: the network gives embeddings only. `bins` is the number of feature
    rows (default: that of the model's own front-end); `options` are keys of the model's section.
    `pretrained` is a checkpoint of that network (a published name, a file, a folder): its weights
    are put in, and its head is kept where it scores as many `classes`. Raises `UnknownName`,
    `ConfigError`, `ArtifactError`, `MissingExtra`.
    """
    require_torch("a network")
    from auricle.artifact.imagenet import load_imagenet
    from auricle.artifact.parts import build_frontend, build_model
    from auricle.models import MODELS

    if classes < 0:
        raise ConfigError(f"classes must be 0 (no head) or more, got {classes}")
    section = {"name": name, **nest(options or {})}
    if pretrained is not None:
        from auricle.artifact.published.loading import create_pretrained

        return create_pretrained(section, classes, pretrained, bins=bins)
    if bins is None:
        bins = build_frontend({"name": MODELS[name].frontend}).bins
    model = build_model(section, bins=bins, classes=classes)
    load_imagenet(model)
    return model


def require_torch(what: str) -> None:
    """Raise `MissingExtra` where the extra `train` is not installed."""
    for module in ("torch", "accelerate", "safetensors"):
        if find_spec(module) is None:
            raise MissingExtra(what, "train")


def command_line(command: str, arguments: Sequence[str | Path], options: Mapping[str, Any]) -> str:
    """Write the command that gives the same again, as it is kept with results."""
    words = ["auricle", command, *map(str, arguments)]
    for key, value in options.items():
        if value is not None:
            words.append(f"--{key.replace('_', '-') if '.' not in key else key}")
            words += [] if value is True else [_as_yaml(value)]
    return shlex.join(words)


def _as_yaml(value: Any) -> str:
    if isinstance(value, (str, Path)):
        return str(value)
    return json.dumps(value)


def _console() -> Reporter:
    from auricle.report.console import ConsoleReporter

    return ConsoleReporter()
