"""What `auricle data pack --features` keeps in place of sound: features, or embeddings.

Each is a `data.packing` encoder: sound at its `sample_rate` (Hz) in, `(frames, bins)` out, one
clip at a time, so that a clip's features do not depend on what is packed beside it.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from auricle.core.errors import AudioError, ConfigError
from auricle.core.types import Waveform

if TYPE_CHECKING:
    from auricle.runtime import Predictor

Values = npt.NDArray[Any]


class PackedFeatures:
    """An encoder of sound; `dtype` is that of the features in the pack (`<f2` or `<f4`)."""

    def __init__(
        self,
        run: Callable[[Waveform], Values],
        *,
        sample_rate: int,
        bins: int,
        dtype: str,
        config: dict[str, Any],
    ) -> None:
        self._run = run
        self._one_at_a_time = threading.Lock()
        self.sample_rate = sample_rate
        self.bins = bins
        self.dtype = dtype
        self.config = config

    def encode(self, sounds: Sequence[Waveform]) -> list[Values | AudioError]:
        """Return the features `(frames, bins)` of each sound, or why it has none."""
        with self._one_at_a_time:  # torch shares out the processors itself
            return [self._encode(sound) for sound in sounds]

    def _encode(self, sound: Waveform) -> Values | AudioError:
        try:
            values = self._run(sound)
        except AudioError as error:
            return error
        kept = values.astype(self.dtype)
        if not np.isfinite(kept).all():
            return AudioError(
                f"its features pass what {kept.dtype.name} holds: pack with --dtype float32"
            )
        return kept


def frontend_features(section: Mapping[str, Any], *, dtype: str) -> PackedFeatures:
    """Return the encoder that is a front-end: `(frames, bins)` of each clip.

    `section` is that of a configuration: a name and options. Raises `ConfigError` for a front-end
    of images, `UnknownName`, `ArtifactError` where its weights cannot be had.
    """
    import torch

    from auricle.artifact.parts import build_frontend, resolve_frontend
    from auricle.artifact.transformers_folder import load_frontend_weights

    resolved = resolve_frontend(section)
    frontend = build_frontend(resolved)
    if frontend.channels is not None or frontend.with_waveforms:
        raise ConfigError(
            f"the front-end '{section['name']}' makes no frames of features alone: pack those of "
            "another, as fbank"
        )
    load_frontend_weights(frontend)
    frontend.eval()

    def run(sound: Waveform) -> Values:
        samples = torch.from_numpy(np.ascontiguousarray(sound.samples))[None]
        with torch.inference_mode():
            features = frontend(samples, torch.tensor([samples.shape[1]]))
        return features.values[0].T.float().numpy()

    return PackedFeatures(
        run,
        sample_rate=frontend.sample_rate,
        bins=frontend.bins,
        dtype=dtype,
        config={"frontend": resolved},
    )


def embedding_features(classifier: "Predictor", source: str, *, dtype: str) -> PackedFeatures:
    """Return the encoder that is a trained network: its embedding of each window of a clip.

    `source` is what it was loaded from. Raises `ArtifactError` for a network without embedding.
    """
    spec = classifier.spec
    silence = Waveform(
        np.zeros(round(spec.window_s * spec.sample_rate), np.float32), spec.sample_rate
    )
    return PackedFeatures(
        classifier.embed,
        sample_rate=spec.sample_rate,
        bins=classifier.embed(silence).shape[1],
        dtype=dtype,
        config={"classifier": source, "spec": spec.model_dump(mode="json")},
    )
