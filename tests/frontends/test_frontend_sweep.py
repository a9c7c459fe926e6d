"""Every registered front-end through the same trials."""

import pytest
import torch

from auricle.frontends import FRONTENDS

# Large encoders are tried as tiny ones of the same kind, and without memory.
LARGE = [name for name in FRONTENDS if FRONTENDS[name].build.learns and not FRONTENDS[name].tiny]
TRIED = [name for name in FRONTENDS if name not in LARGE]


def noise(clips, samples):
    return 0.1 * torch.randn(clips, samples, generator=torch.Generator().manual_seed(samples))


@pytest.mark.parametrize("name", TRIED)
def test_what_it_states_is_what_it_does(build, features_of, name):
    frontend = build(name).eval()
    assert frontend.sample_rate == frontend.config.sample_rate
    assert bool(frontend.state_dict()) == frontend.learns
    if frontend.frame_period_s is not None and frontend.fixed_frames is None:
        apart = frontend.samples_for_frames(101) - frontend.samples_for_frames(100)
        assert apart / frontend.sample_rate == pytest.approx(frontend.frame_period_s)
    for samples in (frontend.shortest_samples, 2 * frontend.shortest_samples + 1, 8001):
        values = features_of(frontend, noise(2, samples))
        assert values.shape == (2, *frontend.feature_shape(samples))
        assert values.shape[-1] == frontend.frame_count(samples)
        assert values.is_contiguous()
        assert values.isfinite().all()


@pytest.mark.parametrize("name", LARGE)
def test_what_a_large_one_states_is_what_it_does(build, name):
    with torch.device("meta"):
        frontend = build(name).eval()
        assert all(value.is_meta for value in frontend.state_dict().values())
        for samples in (frontend.shortest_samples, 8001):
            features = frontend(torch.zeros(2, samples), torch.full((2,), samples))
            assert features.values.shape == (2, *frontend.feature_shape(samples))


def test_every_large_one_has_a_tiny_sibling():
    classes = {FRONTENDS[name].build for name in TRIED if FRONTENDS[name].tiny}
    assert {FRONTENDS[name].build for name in LARGE} <= classes


@pytest.mark.parametrize("name", TRIED)
def test_a_batch_gives_what_its_clips_give(build, features_of, name):
    frontend = build(name).eval()
    sound = noise(3, 7000)
    one_by_one = torch.cat([features_of(frontend, clip[None]) for clip in sound])
    torch.testing.assert_close(features_of(frontend, sound), one_by_one, atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", TRIED)
def test_the_exported_form_gives_the_same_numbers(build, features_of, name):
    frontend = build(name).eval()
    twin = frontend.for_export()
    assert twin.frame_count(9000) == frontend.frame_count(9000)
    for samples in (frontend.shortest_samples, 9000):
        sound = noise(2, samples)
        lengths = torch.tensor([samples, samples])
        torch.testing.assert_close(
            features_of(twin, sound), features_of(frontend, sound), atol=2e-3, rtol=0
        )
        assert torch.equal(
            twin(sound, lengths).lengths_frames, frontend(sound, lengths).lengths_frames
        )
