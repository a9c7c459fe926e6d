"""Every network runs in bfloat16 behind the engine that prediction uses, near its fp32 scores."""

import copy

import numpy as np
import pytest
import torch

from auricle.artifact.classifier import TorchEngine, build_classifier
from auricle.models import MODELS

TINY = [name for name in MODELS if MODELS[name].tiny]


@pytest.mark.parametrize("name", TINY)
def test_bf16_scores_are_near_those_of_fp32(name):
    torch.manual_seed(0)
    classifier = build_classifier({"name": MODELS[name].frontend}, {"name": name}, 3)
    samples = max(classifier.shortest_samples, classifier.frontend.sample_rate)
    rng = np.random.default_rng(0)
    waveforms = rng.normal(0, 0.1, (2, samples)).astype(np.float32)
    lengths = np.full(2, samples)
    exact = TorchEngine(copy.deepcopy(classifier))(waveforms, lengths)
    rounded = TorchEngine(classifier, precision="bf16")(waveforms, lengths)
    for ours, theirs in ((rounded.scores, exact.scores), (rounded.embedding, exact.embedding)):
        assert ours is not None
        assert theirs is not None
        assert ours.dtype == np.float32
        bound = 0.1 * max(1.0, float(np.abs(theirs).max()))
        np.testing.assert_allclose(ours, theirs, atol=bound, rtol=0)
