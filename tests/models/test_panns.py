"""What PANNs do by definition, without the reference."""

import math

import pytest
import torch

from auricle.core.errors import ConfigError
from auricle.models import MODELS
from auricle.models.panns import Panns, PannsConfig

SMALL = {"channels": (4, 6, 8), "embedding_dim": 10}


def small(classes=3, bins=16, **options):
    torch.manual_seed(0)
    return Panns(PannsConfig(**{**SMALL, **options}), bins=bins, classes=classes).eval()


@pytest.mark.parametrize("head", ["decision_max", "decision_avg", "decision_att"])
def test_frame_scores_repeat_their_segment(make_features, head):
    """Two poolings of two: segments of four frames; the last one's score fills the rest."""
    output = small(head=head)(make_features(19, 16))
    rows = output.frame_scores
    segments = rows[:, ::4][:, :4]
    assert torch.equal(rows[:, :16], segments.repeat_interleave(4, dim=1))
    assert torch.equal(rows[:, 16:], segments[:, 3:].expand(-1, 3, -1))
    assert (segments.diff(dim=1).abs() > 1e-5).any(dim=2).all()

    if head == "decision_max":
        assert output.scores_are == "logits"
        assert torch.equal(output.scores, segments.amax(dim=1))
        return
    assert output.scores_are == "probabilities"
    assert ((rows >= 0) & (rows <= 1)).all()
    if head == "decision_avg":
        torch.testing.assert_close(output.scores, segments.mean(dim=1))
    else:  # a weighted mean lies between the segments
        assert (output.scores <= segments.amax(dim=1) + 1e-6).all()
        assert (output.scores >= segments.amin(dim=1) - 1e-6).all()


def test_attention_never_exceeds_one(make_features):
    """A sum of weights that rounds above one would break every loss on probabilities."""
    model = small(head="decision_att", classes=500)
    with torch.no_grad():
        model.att_block.cla.bias.fill_(50.0)
    assert model(make_features(120, 16)).scores.max() == 1


@pytest.mark.parametrize(
    ("name", "shortest", "embedding"), [("cnn6", 16, 512), ("cnn10", 16, 512), ("cnn14", 32, 2048)]
)
def test_published_sizes(make_features, name, shortest, embedding):
    preset = MODELS[name]
    with torch.device("meta"):
        model = preset.family(preset.config, bins=64, classes=527)
    assert (model.shortest_frames, model.embedding_dim) == (shortest, embedding)
    assert (model.config.dropout, model.config.head_dropout) == (0.2, 0.5)


def test_initial_values_are_the_published_ones():
    model = small(head="decision_att")
    for name, value in model.named_parameters():
        if value.ndim > 1:
            fan_out, fan_in = value.shape[0], value.shape[1]
            bound = math.sqrt(6 / ((fan_in + fan_out) * value[0, 0].numel()))
            assert 0.5 * bound < value.abs().max() <= bound, name
        elif "bn" in name and name.endswith("weight"):
            assert (value == 1).all(), name
        else:
            assert (value == 0).all(), name


@pytest.mark.parametrize("place", ["dropout", "head_dropout"])
def test_dropout_acts_in_training_only(make_features, place):
    features = make_features(32, 16)
    options = {"dropout": 0.0, "head_dropout": 0.0}
    still = small(**options).train()
    assert torch.equal(still(features).scores, still(features).scores)
    model = small(**{**options, place: 0.5})
    assert torch.equal(model(features).scores, model(features).scores)
    model.train()
    assert not torch.equal(model(features).scores, model(features).scores)


def test_bn0_normalises_each_bin(make_features):
    """A constant level added to one bin of every clip is gone behind batch norm per bin."""
    model = small(dropout=0.0, head_dropout=0.0).train()
    features = make_features(32, 16)
    before = model(features).scores
    features.values[:, 5] += 40
    torch.testing.assert_close(model(features).scores, before, atol=1e-4, rtol=1e-3)


def test_too_few_bins_are_refused():
    with pytest.raises(ConfigError, match=r"at least 4 mel bins, got 3: raise --frontend\.n_mels"):
        small(bins=3)
    assert small(bins=4).shortest_frames == 4
