"""What a network is made of: layers, output shapes, parameters, multiply-adds, memory."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from auricle.artifact.classifier import Classifier
from auricle.core.units import seconds_to_samples

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
    """Run one silent clip of `seconds` through `classifier` and count.

    Multiply-adds are those of convolutions, linear and recurrent layers of the network, one for
    each multiplication with its addition; the front-end is not counted, as is usual.
    """
    rate = classifier.frontend.sample_rate
    samples = max(classifier.shortest_samples, seconds_to_samples(seconds, rate))
    layers: list[Layer] = []
    handles = [
        module.register_forward_hook(_recorder(name, layers))
        for name, module in classifier.model.named_modules()
        if not list(module.children())
    ]
    device = next(classifier.parameters()).device
    was_training = classifier.training
    classifier.eval()
    try:
        with torch.no_grad():
            classifier(torch.zeros(1, samples, device=device), torch.tensor([samples]).to(device))
    finally:
        classifier.train(was_training)
        for handle in handles:
            handle.remove()
    values = sum(_size(layer.output_shape) for layer in layers)
    return Summary(
        tuple(layers),
        samples / rate,
        sum(parameter.numel() for parameter in classifier.parameters()),
        sum(layer.multiply_adds for layer in layers),
        values * BYTES_PER_VALUE,
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


def _size(shape: tuple[int, ...]) -> int:
    return int(torch.Size(shape).numel())
