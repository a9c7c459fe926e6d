"""What `auricle data pack --features` keeps in place of sound: features, or embeddings.

Each is a `data.packing` encoder: sound at its `sample_rate` (Hz) in, `(frames, bins)` out, one
clip at a time, so that a clip's features do not depend on what is packed beside it.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from auricle.audio import pad_to
from auricle.core.errors import AudioError, ConfigError
from auricle.core.types import FloatArray, Waveform
from auricle.core.units import seconds_to_samples

if TYPE_CHECKING:
    from auricle.frontends.base import FrontEnd
    from auricle.runtime import Predictor
    from auricle.tensors import Features

Values = npt.NDArray[Any]

MOST_WINDOW_S = 600
"""Every shorter clip is padded to a window: it must not fill the memory."""

_CHIRP = 1e-4  # it passes every frequency within a second at any rate in use


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


def frontend_features(
    section: Mapping[str, Any], *, dtype: str, window_s: float | None = None
) -> PackedFeatures:
    """Return the encoder that is a front-end: `(frames, bins)` of each clip.

    `section` is that of a configuration: a name and options. A clip shorter than `window_s`
    (seconds) gets zeros behind it, as a classifier of such windows puts them: only then can one be
    trained on what is stored. Raises `ConfigError` for a front-end of images, `UnknownName`,
    `ArtifactError` where its weights cannot be had, `AudioError` for a window that is too short.
    """
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
    if window_s is not None and window_s > MOST_WINDOW_S:
        raise ConfigError(
            f"clips become windows of --length, of at most {MOST_WINDOW_S} s, got {window_s:g}: "
            "give a shorter one, or none to keep each clip's own length"
        )
    window = 0 if window_s is None else seconds_to_samples(window_s, frontend.sample_rate)

    config: dict[str, Any] = {"frontend": resolved}
    if window_s is not None:
        config["window_s"] = window_s
        config |= probe(frontend, window)
    return PackedFeatures(
        lambda sound: _features(frontend, pad_to(sound.samples, window)).values[0].T.numpy(),
        sample_rate=frontend.sample_rate,
        bins=frontend.bins,
        dtype=dtype,
        config=config,
    )


def probe(frontend: "FrontEnd", window_samples: int) -> dict[str, Any]:
    """Return what tells a front-end and its weights from others: what it makes of a chirp.

    `frames` of a window, how many of them are `heard_frames`, and each bin's mean, `chirp`.
    """
    phase = np.arange(window_samples, dtype=np.float64) ** 2 * _CHIRP
    features = _features(frontend, (0.5 * np.sin(phase)).astype(np.float32))
    return {
        "frames": features.values.shape[2],
        "heard_frames": int(features.lengths_frames[0]),
        "chirp": features.values[0].double().mean(1).tolist(),
    }


def _features(frontend: "FrontEnd", samples: FloatArray) -> "Features":
    import torch

    waveforms = torch.from_numpy(np.ascontiguousarray(samples))[None]
    with torch.inference_mode():
        features = frontend.eval()(waveforms, torch.tensor([waveforms.shape[1]]))
    return replace(features, values=features.values.float())


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
