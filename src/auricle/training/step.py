"""One training step as one module, so that accelerate can wrap it for any number of processes."""

import hashlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import torch
from torch import Tensor, nn

from auricle.artifact.classifier import Classifier
from auricle.augment.base import Augmenter
from auricle.tensors import Batch
from auricle.training.losses import classification_loss


class TrainingStep(nn.Module):
    """Waveforms, or features that were stored, to loss: augment, front-end, augment, network, loss.

    The network runs under autocast, and so does a front-end that learns; others run in fp32.
    """

    def __init__(
        self,
        classifier: Classifier,
        augmenter: Augmenter,
        *,
        multi_label: bool,
        label_smoothing: float,
        autocast: torch.dtype | None,
    ) -> None:
        super().__init__()
        self.classifier = classifier
        self.augmenter = augmenter
        self.multi_label = multi_label
        self.label_smoothing = label_smoothing
        self.autocast = autocast

    def forward(self, batch: Batch, seed: int) -> tuple[Tensor, Tensor]:
        """Return the mean loss and the number of clips whose highest score is the right one."""
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)  # dropout draws from the global generator
        device, frontend = batch.waveforms.device.type, self.classifier.frontend
        if batch.features is None:
            with torch.no_grad():
                batch = self.augmenter.waveform(batch, generator)
            with self._precision(device, low=frontend.learns):
                features = frontend(batch.waveforms, batch.lengths_samples)
            batch = replace(batch, features=features)
        batch = self.augmenter.features(batch, generator)
        assert batch.features is not None  # set above
        assert batch.targets is not None  # the loader's duty
        with self._precision(device, low=True):
            output = self.classifier.model(batch.features)
        loss = classification_loss(
            output,
            batch.targets,
            multi_label=self.multi_label,
            label_smoothing=self.label_smoothing,
        )
        assert output.scores is not None  # the loss has refused networks without a head
        right = output.scores.argmax(1) == batch.targets.argmax(1)
        return loss, right.sum().detach()

    def _precision(self, device: str, *, low: bool) -> AbstractContextManager[object]:
        if low and self.autocast is not None:
            return torch.autocast(device, self.autocast)
        return nullcontext()


def step_seed(seed: int, epoch: int, clip: int) -> int:
    """Return the seed of a step's draws, of the run's seed, the epoch and the first clip."""
    digest = hashlib.blake2b(f"{seed}/{epoch}/{clip}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1  # torch takes 63 bits
