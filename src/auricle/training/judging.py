"""Judging the weights of a run on the clips of a split, in the way they will be used."""

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np
import torch

from auricle.artifact.classifier import TorchEngine, build_classifier
from auricle.core.errors import AudioError
from auricle.core.types import Clip, Waveform
from auricle.data import Manifest
from auricle.evaluation import Result
from auricle.evaluation.judging import judge
from auricle.runtime.predictor import Predictor
from auricle.runtime.spec import ClassifierSpec
from auricle.training.clips import BadClip, ClipStore
from auricle.training.config import RunConfig
from auricle.training.stored import FeatureStore


class Judge:
    """A second network that answers, so that the one in training stays as it is.

    `bad` holds, by path, the clips that showed only while judging that they cannot be read.
    """

    def __init__(
        self,
        manifest: Manifest,
        config: RunConfig,
        spec: ClassifierSpec,
        device: torch.device,
        command: str,
    ) -> None:
        self.manifest = manifest
        self.config = config
        self.spec = spec
        self.device = device
        self.command = command
        self.bad: dict[str, BadClip] = {}

    def __call__(
        self,
        weights: Mapping[str, torch.Tensor],
        store: ClipStore | FeatureStore,
        *,
        resamples: int = 2000,
    ) -> Result | None:
        """Judge weights on the clips of a store that can be read; None where none can.

        `resamples=0` leaves the intervals out.
        """
        self._engine.classifier.load_state_dict(weights)
        heard: list[Clip] = []
        size = self.config.train.eval_batch_size
        predictor = Predictor(self._engine, self.spec, batch_size=size)
        if isinstance(store, FeatureStore):
            heard.extend(store.clips)
            size = self._engine.windows_at_once(store.window_samples, size)
            batches = (store.features(first, size) for first in range(0, len(store), size))
            scores = list(predictor.score_outputs(map(self._engine.score_features, batches)))
        else:
            scores = list(predictor.score_many(self._sounds(store, heard)))
        if not scores:
            return None
        return judge(
            heard,
            np.stack(scores),
            self.manifest.labels,
            multi_label=self.manifest.multi_label,
            seed=self.config.train.seed,
            config=self.config.model_dump(mode="json"),
            command=self.command,
            resamples=resamples,
        )

    @cached_property
    def _engine(self) -> TorchEngine:
        labels = self.manifest.labels
        copy = build_classifier(self.config.frontend, self.config.model, len(labels))
        return TorchEngine(copy, self.device)

    def _sounds(self, store: ClipStore, heard: list[Clip]) -> Iterator[Waveform]:
        """Yield the clips that can be read, noting which they are."""
        for clip, sound in store.whole_clips():
            if isinstance(sound, AudioError):
                self.bad[clip.path] = BadClip(clip.path, str(sound))
            else:
                heard.append(clip)
                yield sound
