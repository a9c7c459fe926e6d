"""The waveform as features, alone and beside log-mel features."""

import torch


def test_it_is_the_waveform(build):
    sound = torch.randn(2, 100)
    features = build("waveform_32k")(sound, torch.tensor([100, 60]))
    assert torch.equal(features.values[:, 0], sound)
    assert features.lengths_frames.tolist() == [100, 60]


def test_zero_mean_and_unit_variance_over_the_clips_own_length(build):
    frontend = build("waveform_16k", normalise="zero_mean_unit_variance")
    torch.manual_seed(0)
    clip = 0.01 * torch.randn(1, 3000) + 0.5
    alone = frontend(clip, torch.tensor([3000])).values
    assert abs(float(alone.mean())) < 1e-4
    assert abs(float(alone.std(correction=0)) - 1) < 1e-3
    padded = torch.nn.functional.pad(clip, (0, 1000)).repeat(2, 1)
    both = frontend(padded, torch.tensor([3000, 4000])).values
    torch.testing.assert_close(both[:1, :, :3000], alone)
    assert (both[0, :, 3000:] == 0).all()
    assert not torch.allclose(both[1], both[0])
    silence = frontend(torch.zeros(1, 50), torch.tensor([50])).values
    assert (silence == 0).all()


def test_waveforms_ride_along_where_asked(build):
    sound = torch.randn(2, 4000)
    lengths = torch.tensor([4000, 3000])
    plain, both = build("logmel_32k"), build("logmel_32k_wave")
    assert plain(sound, lengths).waveforms is None
    for frontend in (both, both.for_export()):
        assert torch.equal(frontend(sound, lengths).waveforms, sound)
    assert torch.equal(both(sound, lengths).values, plain(sound, lengths).values)
