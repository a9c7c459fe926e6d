"""`Classifier`: front-end and network in one torch module, and the engine around it."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from auricle.artifact.parts import Section, build_frontend, build_model
from auricle.core.types import FloatArray
from auricle.frontends.base import FrontEnd
from auricle.models.base import SoundModel
from auricle.runtime.engine import EngineOutput
from auricle.tensors import Output


class Classifier(nn.Module):
    """Waveforms `(batch, time)` and lengths `(batch,)` in samples to an `Output`."""

    def __init__(self, frontend: FrontEnd, model: SoundModel) -> None:
        super().__init__()
        self.frontend = frontend
        self.model = model

    def forward(self, waveforms: Tensor, lengths_samples: Tensor) -> Output:
        """Score waveforms in [-1, 1] at the front-end's sample rate."""
        return self.model(self.frontend(waveforms, lengths_samples))

    @property
    def shortest_samples(self) -> int:
        """The shortest waveform (samples) that front-end and network take."""
        frames = self.frontend.samples_for_frames(self.model.shortest_frames)
        return max(self.frontend.shortest_samples, frames)


def build_classifier(frontend: Section, model: Section, classes: int) -> Classifier:
    """Build an untrained classifier from the two sections of a configuration."""
    front = build_frontend(frontend)
    return Classifier(front, build_model(model, bins=front.bins, classes=classes))


class TorchEngine:
    """The `Engine` that runs a `Classifier` with torch, in fp32 and evaluation mode.

    Weights are kept channels-last, which is the faster layout for convolutions on CPUs and GPUs.
    """

    def __init__(self, classifier: Classifier, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        classifier = classifier.to(self.device)
        self.classifier = classifier.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def __call__(
        self, waveforms: FloatArray, lengths_samples: npt.NDArray[np.int64]
    ) -> EngineOutput:
        """Score `waveforms` `(batch, time)`; see `Engine`."""
        with torch.inference_mode():
            output = self.classifier(
                torch.from_numpy(waveforms).to(self.device),
                torch.from_numpy(lengths_samples).to(self.device),
            )
        return EngineOutput(
            _numpy(output.scores), _numpy(output.frame_scores), _numpy(output.embedding)
        )


def _numpy(values: Tensor | None) -> FloatArray | None:
    return None if values is None else values.float().cpu().numpy()
