"""CRNN: frames, padding, and settings that do not fit."""

import pytest
import torch

from auricle.core.errors import ConfigError
from auricle.models import MODELS
from auricle.models.crnn import CrnnConfig
from auricle.models.score_pooling import SCORE_POOLINGS
from auricle.tensors import Features

TINY = "crnn_max_tiny"


def build(*, bins=64, classes=3, **values):
    preset = MODELS[TINY]
    config = CrnnConfig.model_validate(preset.config.model_dump() | values)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return preset.family(config, bins=bins, classes=classes).eval()


def test_the_baseline_has_its_published_size():
    preset = MODELS["crnn"]
    with torch.device("meta"):
        model = preset.family(preset.config, bins=128, classes=10)
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(1.11, abs=0.005)


def test_pooled_frames_score_all_of_theirs(make_features):
    frames = build()(make_features(23, 64)).frame_scores
    assert frames.shape == (2, 23, 3)
    groups = frames[:, :20].unflatten(1, (5, 4))
    assert torch.equal(groups, groups[:, :, :1].expand_as(groups))
    assert (groups[:, 1:, 0] != groups[:, :-1, 0]).any()
    assert torch.equal(frames[:, 20:], frames[:, 19:20].expand(-1, 3, -1))


@pytest.mark.parametrize("pooling", SCORE_POOLINGS)
def test_any_score_pooling(make_features, pooling):
    model = build(score_pooling=pooling)
    output = model(make_features(40, 64))
    assert output.scores_are == model.scores_are == SCORE_POOLINGS[pooling].build.scores_are
    low, high = output.frame_scores.amin(1), output.frame_scores.amax(1)
    assert ((output.scores >= low - 1e-6) & (output.scores <= high + 1e-6)).all()


def test_the_clips_score_and_embedding_leave_padding_out(make_features):
    model = build()
    features = make_features(40, 64)
    whole = model(features)
    short = model(Features(features.values, torch.tensor([12, 40])))
    assert torch.equal(short.frame_scores, whole.frame_scores)
    torch.testing.assert_close(short.scores[0], whole.frame_scores[0, :12].amax(0))
    assert not torch.allclose(short.embedding[0], whole.embedding[0])
    torch.testing.assert_close(short.embedding[1], whole.embedding[1])


def test_bins_that_are_pooled_away_say_so():
    with pytest.raises(ConfigError, match=r"leave none of 15; raise --frontend\.n_mels"):
        build(bins=15)
    assert build(bins=16).rnn.rnn.input_size == 8


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"pools": ((2, 4),)}, ValueError, r"as many pools as channels .*, got 1 and 3"),
        ({"pools": ((2, 4), (0, 2), (1, 2))}, ValueError, r"greater than or equal to 1"),
        ({"score_pooling_options": {"alpha": 1}}, ConfigError, r"score_pooling_options\.alpha"),
    ],
)
def test_settings_that_do_not_fit_say_so(values, error, message):
    with pytest.raises(error, match=message):
        build(**values)
