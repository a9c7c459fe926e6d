"""Spectrograms as pictures: what resizing and contrast must do."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from auricle.core.errors import ConfigError
from auricle.frontends.image import resize_weights

SIZES = st.integers(1, 70)


@given(count=SIZES, size=SIZES)
def test_averaging_is_adaptive_pooling(count, size):
    values = torch.rand(1, 3, count, generator=torch.Generator().manual_seed(count))
    ours = values @ resize_weights(count, size, "average")
    torch.testing.assert_close(ours, F.adaptive_avg_pool1d(values, size), atol=1e-6, rtol=0)


@given(count=SIZES, size=SIZES)
def test_bilinear_is_what_photographs_get(count, size):
    values = torch.rand(1, 1, 1, count, generator=torch.Generator().manual_seed(count))
    expected = F.interpolate(values, (1, size), mode="bilinear", antialias=True)
    ours = values @ resize_weights(count, size, "bilinear")
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=0)


def chirp(samples):
    """A tone that rises to half the sample rate."""
    place = torch.arange(samples) / samples
    return 0.3 * torch.sin(torch.pi * samples * place.square() / 2)[None]


@pytest.mark.parametrize("name", ["gtzan_image", "image_16k"])
def test_a_clip_fills_the_picture_however_long(build, features_of, name):
    """A rising tone is the same diagonal at one second and at three."""
    frontend = build(name)
    rate = frontend.sample_rate
    peaks = [features_of(frontend, chirp(n * rate))[0, 0].argmax(0) for n in (1, 3)]
    for rows in peaks:
        assert (rows[20:-20].diff() >= 0).float().mean() > 0.95
    assert (peaks[0] - peaks[1])[20:-20].abs().max() <= 10


def test_contrast(build, features_of):
    sound = torch.cat([chirp(16000), torch.zeros(1, 16000)])
    standard = features_of(build("image_16k"), sound)
    assert standard[0].mean().abs() < 1e-4
    assert standard[0].square().mean() == pytest.approx(1, abs=1e-3)
    assert standard[1].abs().max() < 0.01  # silence has no contrast
    louder = features_of(build("image_16k"), 2 * sound)
    torch.testing.assert_close(louder, standard, atol=1e-3, rtol=0)
    unit = features_of(build("image_16k", contrast="unit"), sound)
    assert unit[0].amin() == 0
    assert unit[0].amax() == 1
    plain = features_of(build("image_16k", contrast="none", top_db=30.0), sound)
    assert plain[0].amax() - plain[0].amin() <= 30


def test_channels_are_equal(build, features_of):
    one = features_of(build("image_16k"), chirp(16000))
    three = features_of(build("image_16k", channels=3), chirp(16000))
    assert torch.equal(three, one.expand(-1, 3, -1, -1))


def test_statistics_of_the_data_set_are_refused(build):
    with pytest.raises(ConfigError, match="choose a contrast"):
        build("image_16k", normalise="dataset")
