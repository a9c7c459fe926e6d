"""What a network is made of: layers, output shapes, parameters, multiply-adds, memory."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from auricle.artifact.classifier import Classifier
from auricle.artifact.receptive import View, receptive_field
from auricle.artifact.tracing import Trace, Work, on_meta, trace
from auricle.core.units import seconds_to_samples

BYTES_PER_VALUE = 4
LAYER_HEADER = ("layer", "kind", "output", "parameters", "multiply-adds", "MB")
LONGER_S = 16.0
"""How much longer the second clip is: a multiple of the steps of all the field's networks."""


@dataclass(frozen=True)
class Summary:
    """A classifier on one clip of `seconds`.

    `layers` are the modules that do something by themselves, in the order in which they end.
    `view` is what a frame sees before frames are pooled (None: always the whole input, whose
    length is fixed).
    """

    layers: tuple[Work, ...]
    seconds: float
    parameters: int
    multiply_adds: int
    activation_bytes: int
    view: View | None

    @property
    def weights_mb(self) -> float:
        """Weights in fp32, MB."""
        return self.parameters * BYTES_PER_VALUE / 1e6

    @property
    def activations_mb(self) -> float:
        """All results of layers for one clip in fp32, of which training keeps most, MB."""
        return self.activation_bytes / 1e6


def summarise(classifier: Classifier, seconds: float) -> Summary:
    """Count what a classifier does with one clip of `seconds`, or of the shortest it takes.

    Multiply-adds are those of convolutions and matrix products, one for each multiplication with
    its addition. A front-end is counted where it has parameters, else left out, as is usual.
    Nothing is computed: a large network costs no more than a small one.
    """
    rate = classifier.frontend.sample_rate
    samples = max(classifier.shortest_samples, seconds_to_samples(seconds, rate))
    longer = samples + seconds_to_samples(LONGER_S, rate)
    heard, heard_longer = _hear(classifier, (samples, longer))
    return Summary(
        tuple(
            work
            for work in heard.work
            if work.parameters or work.multiply_adds or work.activation_bytes
        ),
        samples / rate,
        sum(parameter.numel() for parameter in classifier.parameters()),
        sum(work.multiply_adds for work in heard.work),
        sum(work.activation_bytes for work in heard.work),
        receptive_field(heard, heard_longer, LONGER_S),
    )


def _hear(classifier: Classifier, lengths: Sequence[int]) -> list[Trace]:
    """Trace clips' ways through the network, and through a front-end that has parameters."""
    twin = Classifier(on_meta(classifier.frontend), on_meta(classifier.model)).eval()
    with torch.device("meta"), torch.no_grad():
        sounds = [(torch.zeros(1, samples), torch.full((1,), samples)) for samples in lengths]
        if any(True for _ in twin.frontend.parameters()):
            return [trace(twin, *sound) for sound in sounds]
        return [trace(twin.model, twin.frontend(*sound)) for sound in sounds]


def layer_rows(summary: Summary) -> list[tuple[str, str, str, int, int, float]]:
    """Write the layers under `LAYER_HEADER`; MB are those of a layer's results for one clip."""
    return [
        (
            layer.name or "(the network itself)",
            layer.kind,
            " x ".join(map(str, layer.output_shape)),
            layer.parameters,
            layer.multiply_adds,
            layer.activation_bytes / 1e6,
        )
        for layer in summary.layers
    ]
