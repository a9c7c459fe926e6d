"""`auricle models [NAME]`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from auricle.cli.files import emit

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
    from auricle.artifact.classifier import build_classifier
    from auricle.artifact.parts import resolve_frontend, resolve_model
    from auricle.artifact.summary import summarise
    from auricle.models import MODELS

    rows = []
    for known in MODELS if name is None else [name]:
        preset = MODELS[known]
        if preset.tiny and name is None:
            continue
        frontend = {"name": preset.frontend}
        classifier = build_classifier(frontend, {"name": known}, classes)
        summary = summarise(classifier, 10.0)
        rows.append(
            [
                known,
                summary.parameters,
                f"{summary.multiply_adds / 1e9:.2f} G",
                preset.frontend,
                classifier.frontend.sample_rate,
                f"{classifier.shortest_samples / classifier.frontend.sample_rate:.2f} s",
                preset.source,
            ]
        )
        if name is not None:
            _show(summary.layers, resolve_model({"name": known}), resolve_frontend(frontend))
    header = ["model", "parameters", "MACs per 10 s", "front-end", "Hz", "shortest", "source"]
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
