"""`auricle models [NAME]`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from auricle.cli.files import emit
from auricle.cli.outcome import say_next
from auricle.core.errors import ConfigError

if TYPE_CHECKING:
    from auricle.artifact.summary import Layer


def models(name: str | None = None, /, *, classes: int = 10) -> int:
    """List the networks, or show one: its options and its layers.

    Parameters
    ----------
    name
        A network of the list.
    classes
        Number of classes to count parameters for.
    """
    from auricle.api import require_torch

    require_torch("the list of networks")
    if classes < 1:
        raise ConfigError(f"--classes must be at least 1, got {classes}")
    import torch

    from auricle.artifact.classifier import Classifier
    from auricle.artifact.parts import (
        build_frontend,
        build_model,
        resolve_frontend,
        resolve_model,
    )
    from auricle.artifact.summary import summarise
    from auricle.models import MODELS

    rows = []
    for known in MODELS if name is None else [name]:
        preset = MODELS[known]
        if preset.tiny and name is None:
            continue
        frontend = build_frontend({"name": preset.frontend})
        with torch.device("meta"):  # counts without weights
            model = build_model({"name": known}, bins=frontend.bins, classes=classes)
        classifier = Classifier(frontend, model)
        summary = summarise(classifier, 10.0)
        rows.append(
            [
                known,
                summary.parameters,
                f"{summary.multiply_adds / 1e9:.2f} G",
                preset.frontend,
                frontend.sample_rate,
                f"{classifier.shortest_samples / frontend.sample_rate:.2f} s",
            ]
        )
        if name is not None:
            say_next(f"{known}: {preset.source}")
            sections = resolve_model({"name": known}), resolve_frontend({"name": preset.frontend})
            _show(summary.layers, *sections)
    header = ["model", "parameters", "MACs per 10 s", "front-end", "Hz", "shortest"]
    emit(header, rows, None)
    return 0


def _show(layers: "Sequence[Layer]", model: dict[str, Any], frontend: dict[str, Any]) -> None:
    for section, values in (("model", model), ("frontend", frontend)):
        options = [[f"--{section}.{key}", str(value)] for key, value in values.items()]
        emit((section, "value"), options, None)
    emit(
        ("layer", "kind", "output", "parameters", "multiply-adds"),
        [
            (
                layer.name,
                layer.kind,
                " x ".join(map(str, layer.output_shape)),
                layer.parameters,
                layer.multiply_adds,
            )
            for layer in layers
        ],
        None,
    )
