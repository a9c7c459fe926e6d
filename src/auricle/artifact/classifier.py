"""`Classifier`: front-end and network in one torch module, and the engine around it."""

from contextlib import nullcontext
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from auricle.artifact.parts import Section, build_frontend, build_model
from auricle.core.errors import ConfigError
from auricle.core.memory import keep_freed_memory
from auricle.core.types import FloatArray
from auricle.frontends.base import FrontEnd
from auricle.models.base import SoundModel
from auricle.runtime.engine import EngineOutput, score_in_chunks
from auricle.tensors import Features, Output

MOST_SECONDS = 60
"""Every shorter clip is padded to what a network needs: it must not fill the memory."""

# Scored at once on a processor: a minute at 32 kHz. Large weights are brought into the order of the
# convolutions at every call, which costs Cnn14 in bf16 half its time where a call is one window.
_MOST_SAMPLES = 2**21

Precision: TypeAlias = Literal["auto", "fp32", "bf16"]


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
    """Build an untrained classifier from the two sections of a configuration.

    Raises `ConfigError`, also where the network cannot read what the front-end gives.
    """
    front = build_frontend(frontend)
    classifier = Classifier(front, build_model(model, bins=front.bins, classes=classes))
    shortest = classifier.shortest_samples
    if shortest > MOST_SECONDS * front.sample_rate:
        raise ConfigError(
            f"this network needs {shortest / front.sample_rate:.0f} s of sound, and at most "
            f"{MOST_SECONDS} s can be asked for: lower the numbers by which it strides or pools"
        )
    for samples in (shortest, shortest + front.sample_rate):  # some networks read one size only
        classifier.model.check_features(front.outline(samples))
    return classifier


class TorchEngine:
    """The `Engine` that runs a `Classifier` with torch, in evaluation mode.

    Weights are kept channels-last, which is the faster layout for convolutions on CPUs and GPUs.
    `precision` is that of the network: `fp32`, `bf16` (autocast; the scores and a front-end that
    does not learn stay fp32), or `auto`: bf16 where the hardware computes in it. On a CPU the
    memory that a call freed is kept for the next one (`keep_freed_memory`), for the whole process.
    The classifier becomes the engine's own: with bf16 its weights are rounded for good.
    """

    def __init__(
        self,
        classifier: Classifier,
        device: str | torch.device = "cpu",
        precision: Precision = "fp32",
    ) -> None:
        self.device = torch.device(device)
        self.autocast = autocast_dtype(precision, self.device)
        classifier = classifier.to(self.device)
        self.classifier = classifier.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        if self.autocast is not None:
            _hold_weights_in(self.autocast, self.classifier.model)
        if self.device.type == "cpu":
            keep_freed_memory()

    def __call__(
        self, waveforms: FloatArray, lengths_samples: npt.NDArray[np.int64]
    ) -> EngineOutput:
        """Score `waveforms` `(batch, time)`; see `Engine`."""
        if self.device.type == "cpu":
            return score_in_chunks(self._score, waveforms, lengths_samples, _MOST_SAMPLES)
        return self._score(waveforms, lengths_samples)

    def _score(self, waveforms: FloatArray, lengths_samples: npt.NDArray[np.int64]) -> EngineOutput:
        network = torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None)
        frontend = self.classifier.frontend
        with torch.inference_mode(), network if frontend.learns else nullcontext():
            features = frontend(
                torch.from_numpy(waveforms).to(self.device),
                torch.from_numpy(lengths_samples).to(self.device),
            )
        return self.score_features(features)

    def windows_at_once(self, window_samples: int, most: int) -> int:
        """Return how many windows, at most `most`, are scored at once without filling memory."""
        if self.device.type != "cpu":
            return most
        return min(most, max(1, _MOST_SAMPLES // window_samples))

    def score_features(self, features: Features) -> EngineOutput:
        """Score what the front-end has made of a batch of windows."""
        network = torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None)
        with torch.inference_mode(), network:
            output = self.classifier.model(features.to(self.device))
        return EngineOutput(
            _numpy(output.scores), _numpy(output.frame_scores), _numpy(output.embedding)
        )


def _hold_weights_in(dtype: torch.dtype, model: SoundModel) -> None:
    """Round once what autocast would round at every call: 320 MB of weights in Cnn14."""
    for layer in model.modules():
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Linear)):
            layer.to(dtype)


def autocast_dtype(precision: Precision, device: torch.device) -> torch.dtype | None:
    """Return bfloat16 where `precision` asks for it (`auto`: where the hardware computes in it)."""
    if precision == "fp32":
        return None
    if precision == "bf16":
        return torch.bfloat16
    if device.type == "cpu":
        return torch.bfloat16 if _cpu_computes_bf16() else None
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return None


def _cpu_computes_bf16() -> bool:
    # oneDNN needs AVX512-BF16 or AMX to be faster in bf16 than in fp32.
    flags = torch.cpu.get_capabilities()
    return bool(flags.get("avx512_bf16") or flags.get("amx_bf16"))


def _numpy(values: Tensor | None) -> FloatArray | None:
    return None if values is None else values.float().cpu().numpy()
