"""Every registered front-end through the same trials."""

import math

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


def contrast(values, frames):
    """How much the second of two stretches of `frames` frames lies above the first."""
    return values[..., frames + 4 : 2 * frames - 4].mean() - values[..., 4 : frames - 4].mean()


def test_a_stated_unit_is_what_a_louder_half_gains(build, features_of):
    """Twice the amplitude is 6 dB, also where a clip's own mean is taken away."""
    gained_db = {}
    for name in TRIED:
        frontend = build(name).eval()
        if frontend.db_per_unit is not None:
            sound = noise(2, 2 * frontend.sample_rate)
            louder = sound.clone()
            louder[:, frontend.sample_rate :] *= 2
            frames = round(1 / frontend.frame_period_s)
            plain, raised = (contrast(features_of(frontend, x), frames) for x in (sound, louder))
            gained_db[name] = float(raised - plain) * frontend.db_per_unit
    assert len(gained_db) > 10
    # Narrow filters that cover no bin of the transform stay on the floor.
    assert gained_db == pytest.approx(dict.fromkeys(gained_db, 20 * math.log10(2)), rel=0.06)
