"""Losses on an `Output`: logits or probabilities, one label or several."""

from torch import Tensor
from torch.nn import functional

from auricle.tensors import Output

SMALLEST = 1e-7


def classification_loss(
    output: Output, targets: Tensor, *, multi_label: bool, label_smoothing: float = 0.0
) -> Tensor:
    """Return the mean loss of scores `(batch, classes)` against `targets` of the same shape.

    One label: cross-entropy with soft targets. Several: binary cross-entropy, mean over classes;
    so too for networks that average probabilities (`scores_are == "probabilities"`), whose classes
    are independent of each other. Raises `ValueError` for an output without scores.
    """
    if output.scores is None:
        raise ValueError("a network without a head (classes=0) cannot be trained as a classifier")
    scores = output.scores.float()
    if label_smoothing:
        targets = smooth(targets, label_smoothing, multi_label=multi_label)
    if output.scores_are == "logits":
        if multi_label:
            return functional.binary_cross_entropy_with_logits(scores, targets)
        return functional.cross_entropy(scores, targets)
    probabilities = scores.clamp(SMALLEST, 1 - SMALLEST)
    return functional.binary_cross_entropy(probabilities, targets)


def smooth(targets: Tensor, amount: float, *, multi_label: bool) -> Tensor:
    """Move `amount` of the targets' weight to all classes (one label) or to 0.5 (several)."""
    uniform = 0.5 if multi_label else 1.0 / targets.shape[1]
    return targets * (1 - amount) + amount * uniform
