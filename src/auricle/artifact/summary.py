"""What a network is made of: layers, output shapes, parameters, multiply-adds, memory."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from auricle.artifact.classifier import Classifier
from auricle.core.units import seconds_to_samples
from auricle.tensors import Features

BYTES_PER_VALUE = 4


@dataclass(frozen=True)
class Layer:
    """One leaf module at work on one clip."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Summary:
    """A classifier on one clip of `seconds`; memory counts weights and activations in fp32."""

    layers: tuple[Layer, ...]
    seconds: float
    parameters: int
    multiply_adds: int
    activation_bytes: int

    @property
    def weights_mb(self) -> float:
        """Weights in fp32, MB."""
        return self.parameters * BYTES_PER_VALUE / 1e6

    @property
    def activations_mb(self) -> float:
        """All activations of one clip that training keeps, MB."""
        return self.activation_bytes / 1e6


def summarise(classifier: Classifier, seconds: float) -> Summary:
    """Run features of one clip of `seconds` through the network and count.

    Multiply-adds are those of convolutions, linear and recurrent layers of the network, one for
    each multiplication with its addition; the front-end is not counted, as is usual. A network on
    the meta device costs nothing to count.
    """
    frontend, model = classifier.frontend, classifier.model
    rate = frontend.sample_rate
    samples = max(classifier.shortest_samples, seconds_to_samples(seconds, rate))
    device = next(model.parameters()).device
    layers: list[Layer] = []
    handles = [
        module.register_forward_hook(_recorder(name, layers))
        for name, module in model.named_modules()
        if not list(module.children())
    ]
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            values = torch.zeros(1, *frontend.feature_shape(samples), device=device)
            frames = torch.full((1,), values.shape[-1], device=device)
            model(Features(values, frames))
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return Summary(
        tuple(layers),
        samples / rate,
        sum(parameter.numel() for parameter in classifier.parameters()),
        sum(layer.multiply_adds for layer in layers),
        sum(math.prod(layer.output_shape) for layer in layers) * BYTES_PER_VALUE,
    )


def _recorder(name: str, layers: list[Layer]):
    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
        first = output[0] if isinstance(output, tuple) else output
        if not isinstance(first, Tensor):
            return
        # A layer that is called twice has its parameters once.
        again = any(layer.name == name for layer in layers)
        own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        layers.append(
            Layer(
                name,
                type(module).__name__,
                tuple(first.shape),
                0 if again else own,
                _multiply_adds(module, inputs[0], first),
            )
        )

    return record


def _multiply_adds(module: nn.Module, given: Tensor, output: Tensor) -> int:
    if isinstance(module, (nn.Conv1d, nn.Conv2d)):
        return output.numel() * module.weight[0].numel()
    if isinstance(module, nn.Linear):
        return output.numel() * module.in_features
    if isinstance(module, (nn.GRU, nn.LSTM)):
        steps = given.shape[0] * given.shape[1]
        return steps * sum(p.numel() for p in module.parameters() if p.ndim == 2)
    return 0
