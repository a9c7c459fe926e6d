"""Waveform augmentations against physics, and against another resampler."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import soxr
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from auricle.augment import AUGMENTATIONS
from auricle.augment.level import DrawnGain, Gain
from auricle.augment.mixing import BetweenClass, DrawnBetweenClass, DrawnMix, WaveMixup
from auricle.augment.noise import Noise
from auricle.augment.shift import DrawnTimeShift, TimeShift
from auricle.augment.speed import DrawnSpeed, Speed, resample
from auricle.tensors import Batch

MakeBatch = Callable[..., Batch]
ALL = {"probability": 1.0}


def sound(waveforms: Tensor, sample_rate: int = 8000, targets: Tensor | None = None) -> Batch:
    count, size = waveforms.shape
    return Batch(waveforms, torch.full((count,), size), sample_rate, targets)


def tone(hz: float, size: int = 8000, sample_rate: int = 8000, level: float = 0.5) -> Tensor:
    phase = 2 * torch.pi * hz * torch.arange(size, dtype=torch.float64) / sample_rate
    return level * torch.sin(phase).float()


def power_db(signal: Tensor) -> float:
    return float(10 * signal.double().square().mean().log10())


def amplitude_at(signal: Tensor, hz: float, sample_rate: int = 8000) -> float:
    spectrum = torch.fft.rfft(signal.double()).abs() * 2 / len(signal)
    return float(spectrum[round(hz * len(signal) / sample_rate)])


def speed_part(**options: Any) -> Speed:
    return Speed(Speed.Config.model_validate({**ALL, **options}))


def test_gain_changes_the_level_by_what_was_drawn(
    make_batch: MakeBatch, generator: torch.Generator
) -> None:
    part = Gain(Gain.Config.model_validate({**ALL, "min_db": -12, "max_db": 3}))
    batch = make_batch(40)
    drawn = part.draw(batch, generator)
    assert drawn.gain_db.min() >= -12
    assert drawn.gain_db.max() <= 3
    assert drawn.gain_db.max() - drawn.gain_db.min() > 10
    out = part.apply(batch, drawn)
    for before, after, gain_db in zip(batch.waveforms, out.waveforms, drawn.gain_db, strict=True):
        assert power_db(after) - power_db(before) == pytest.approx(float(gain_db), abs=1e-4)


def test_20_db_are_a_factor_of_ten(make_batch: MakeBatch) -> None:
    batch = make_batch(1)
    part = Gain(Gain.Config())
    out = part.apply(batch, DrawnGain(torch.tensor([0]), torch.tensor([20.0])))
    torch.testing.assert_close(out.waveforms, 10 * batch.waveforms)


def test_polarity_is_the_negative(make_batch: MakeBatch, generator: torch.Generator) -> None:
    part = AUGMENTATIONS["polarity"]
    batch = make_batch()
    out = part(part.Config(probability=1.0))(batch, generator)
    assert torch.equal(out.waveforms, -batch.waveforms)


@pytest.mark.parametrize("fill", ["wrap", "zeros"])
def test_a_shift_is_a_roll_within_the_length(fill: str) -> None:
    size = 9
    cases = [(length, shift) for length in range(1, size + 1) for shift in range(-length, length)]
    waveforms = torch.zeros(len(cases), size)
    for row, (length, _) in enumerate(cases):
        waveforms[row, :length] = torch.arange(1, length + 1)
    lengths = torch.tensor([length for length, _ in cases])
    position = torch.tensor([shift / length for length, shift in cases])
    part = TimeShift(TimeShift.Config.model_validate({"fill": fill}))
    batch = Batch(waveforms, lengths, 8000)
    out = part.apply(batch, DrawnTimeShift(torch.arange(len(cases)), position)).waveforms
    for row, (length, shift) in enumerate(cases):
        expected = torch.roll(waveforms[row, :length], shift)
        if fill == "zeros":
            place = torch.arange(length)
            expected[(place < shift) | (place >= length + shift)] = 0
        assert torch.equal(out[row, :length], expected)
        assert not out[row, length:].any()


def test_shifts_reach_everywhere_and_no_further_than_asked(generator: torch.Generator) -> None:
    batch = sound(torch.zeros(500, 100).index_fill(1, torch.tensor([50]), 1.0), 100)
    reached = []
    for options in ({}, {"max_s": 0.1}):
        part = TimeShift(TimeShift.Config.model_validate({**ALL, **options}))
        reached.append(set(part(batch, generator).waveforms.argmax(1).tolist()))
    assert len(reached[0]) > 90
    assert reached[1] == set(range(40, 61))


@pytest.mark.parametrize("fill", ["wrap", "zeros"])
@pytest.mark.parametrize("name", ["time_shift", "speed"])
def test_frame_targets_move_with_the_sound(
    name: str, fill: str, generator: torch.Generator
) -> None:
    size, frames, length = 8000, 100, 7000
    start = torch.randint(0, 6000, (60, 1), generator=generator)
    place = torch.arange(size)
    waveforms = ((place >= start) & (place < start + 1000)).float()
    sounding = waveforms.reshape(60, frames, -1).mean(2) > 0.5
    targets = torch.stack([torch.zeros(60, frames), sounding.float()], 2)
    batch = Batch(waveforms, torch.full((60,), length), 8000, targets)
    part = AUGMENTATIONS[name]
    options = {"factors": (0.8, 1.0, 1.2)} if name == "speed" else {}
    config = part.Config.model_validate({**ALL, "fill": fill, **options})
    out = part(config)(batch, generator)
    assert out.targets is not None
    assert not out.targets[:, :, 0].any()
    marked = out.targets[:, :, 1]
    heard = out.waveforms.reshape(60, frames, -1).mean(2)
    near = torch.nn.functional.pad(heard, (2, 2), mode="replicate").unfold(1, 5, 1)
    on, off = (near > 0.9).all(2), (near.abs() < 0.1).all(2)
    assert marked[on].eq(1).all()
    assert marked[off].eq(0).all()
    assert on.sum() > 200
    assert off.sum() > 2000


@pytest.mark.parametrize("colour", ["white", "pink"])
def test_noise_reaches_the_ratio_within_the_length(
    colour: str, make_batch: MakeBatch, generator: torch.Generator
) -> None:
    config = {**ALL, "colour": colour, "min_snr_db": -5, "max_snr_db": 30}
    part = Noise(Noise.Config.model_validate(config))
    batch = make_batch(20, shortest=300)
    drawn = part.draw(batch, generator)
    out = part.apply(batch, drawn)
    rows = zip(batch.waveforms, out.waveforms, batch.lengths_samples, drawn.snr_db, strict=True)
    for before, after, length, snr_db in rows:
        noise = (after - before)[:length]
        assert power_db(before[:length]) - power_db(noise) == pytest.approx(float(snr_db), abs=0.05)
    assert drawn.snr_db.min() >= -5
    assert drawn.snr_db.max() <= 30


@pytest.mark.parametrize(("colour", "rise_db"), [("white", 3.01), ("pink", 0.0)])
def test_noise_has_the_colour_it_is_named_for(colour: str, rise_db: float) -> None:
    part = Noise(Noise.Config.model_validate({**ALL, "colour": colour}))
    noise = part.draw(sound(torch.zeros(1, 200_000)), torch.Generator().manual_seed(0)).noise
    power = torch.fft.rfft(noise).abs().square()
    edges = [len(power) >> k for k in range(7, -1, -1)]
    octaves = [10 * float(power[a:b].sum().log10()) for a, b in pairwise(edges)]
    rises = np.diff(octaves)
    assert np.mean(rises) == pytest.approx(rise_db, abs=0.15)
    assert np.abs(rises - rise_db).max() < 1.0


def test_clips_of_a_batch_get_different_noise(generator: torch.Generator) -> None:
    batch = sound(tone(100).repeat(2, 1))
    part = Noise(Noise.Config.model_validate({**ALL, "min_snr_db": 0, "max_snr_db": 0}))
    noise = part(batch, generator).waveforms - batch.waveforms
    assert abs(float(torch.corrcoef(noise)[0, 1])) < 0.3


@pytest.mark.parametrize("factor", [0.5, 0.8, 0.95, 1.1, 1.25, 2.0])
def test_speed_moves_pitch_and_keeps_level(factor: float, generator: torch.Generator) -> None:
    size = 8000
    out = speed_part(factors=[factor])(sound(tone(400, size)[None]), generator).waveforms[0]
    middle = out[: round(size / max(factor, 1))][200:-200]
    spectrum = torch.fft.rfft(middle * torch.hann_window(len(middle)), 1 << 16).abs()
    peak_hz = float(spectrum.argmax()) * 8000 / (1 << 16)
    assert peak_hz == pytest.approx(400 * factor, abs=1.0)
    assert power_db(middle) == pytest.approx(power_db(tone(400)), abs=0.1)


def test_speed_does_not_fold_high_tones_down(generator: torch.Generator) -> None:
    out = speed_part(factors=[2.0])(sound(tone(3000)[None]), generator).waveforms[0]
    assert power_db(out[100:3900]) < power_db(tone(3000)) - 60  # 6 kHz cannot be heard at 8 kHz


@pytest.mark.parametrize("factor", [Fraction(9, 10), Fraction(11, 10), Fraction(97, 100)])
def test_resampling_agrees_with_soxr(factor: Fraction) -> None:
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft(rng.standard_normal(8000))
    spectrum[int(0.75 * len(spectrum)) :] = 0  # what both pass unchanged
    signal = np.fft.irfft(spectrum).astype(np.float32)
    ours = resample(torch.from_numpy(signal)[None], factor)[0].numpy()
    theirs = soxr.resample(signal, factor.numerator, factor.denominator, quality="VHQ")
    assert abs(len(ours) - len(theirs)) <= 1
    error = (ours[100:7000] - theirs[100:7000]).std() / theirs[100:7000].std()
    assert 20 * np.log10(error) < -45


def test_a_sound_that_ends_early_is_followed_by_itself_or_by_silence() -> None:
    waveforms = torch.zeros(1, 1200)
    waveforms[0, :1000] = torch.linspace(0.1, 1.0, 1000)
    batch = Batch(waveforms, torch.tensor([1000]), 8000)
    drawn = DrawnSpeed(torch.tensor([0]), torch.tensor([0]), torch.tensor([0.7]))
    wrapped = speed_part(factors=[2.0]).apply(batch, drawn).waveforms[0]
    torch.testing.assert_close(wrapped[500:1000], wrapped[:500], rtol=0, atol=0)
    assert wrapped[990] > 0.9
    assert not wrapped[1000:].any()
    silent = speed_part(factors=[2.0], fill="zeros").apply(batch, drawn).waveforms[0]
    assert torch.equal(silent[:500], wrapped[:500])
    assert not silent[500:].any()


def test_a_sound_that_became_too_long_is_cut_where_drawn() -> None:
    batch = sound(torch.linspace(0.0, 1.0, 1000)[None])
    for position, first in [(0.0, 0.0), (0.5, 0.25), (0.99, 0.495)]:
        drawn = DrawnSpeed(torch.tensor([0]), torch.tensor([0]), torch.tensor([position]))
        out = speed_part(factors=[0.5]).apply(batch, drawn).waveforms[0]
        assert float(out[40]) == pytest.approx(first + 40 / 2000, abs=0.005)
        assert float(out[940]) == pytest.approx(first + 940 / 2000, abs=0.005)


def test_wave_mixup_is_the_weighted_sum(make_batch: MakeBatch) -> None:
    batch = make_batch(3, shortest=100)
    drawn = DrawnMix(torch.tensor([2]), torch.tensor([0]), torch.tensor([0.25]))
    out = WaveMixup(WaveMixup.Config()).apply(batch, drawn)
    torch.testing.assert_close(
        out.waveforms[2], 0.25 * batch.waveforms[2] + 0.75 * batch.waveforms[0]
    )
    assert out.lengths_samples.tolist() == [4000, 2050, 4000]
    assert out.targets is not None
    assert out.targets.tolist() == [[1, 0, 0], [0, 1, 0], [0.75, 0, 0.25]]


@settings(max_examples=40, deadline=None)
@given(share=st.floats(0.02, 0.98), difference_db=st.floats(-40, 40))
def test_between_class_is_heard_in_the_ratio_of_the_targets(
    share: float, difference_db: float
) -> None:
    quiet, loud = tone(400, level=0.05), tone(1000, level=0.05 * 10 ** (difference_db / 20))
    batch = sound(torch.stack([quiet, loud]), targets=torch.eye(2))
    drawn = DrawnBetweenClass(torch.tensor([0]), torch.tensor([share]), torch.tensor([[-1.0, 0.5]]))
    out = BetweenClass(BetweenClass.Config()).apply(batch, drawn)
    own, other = amplitude_at(out.waveforms[0], 400), amplitude_at(out.waveforms[0], 1000)
    assert own / other == pytest.approx(share / (1 - share), rel=1e-3)
    assert out.targets is not None
    assert out.targets[0].tolist() == pytest.approx([share, 1 - share], abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(share=st.floats(0.02, 0.98), first_db=st.floats(-60, 0), second_db=st.floats(-60, 0))
def test_between_class_follows_the_formula_of_the_paper(
    share: float, first_db: float, second_db: float
) -> None:
    rng = np.random.default_rng(0)
    x1, x2 = (rng.choice([-1.0, 1.0], 8000) * 10 ** (g / 20) for g in (first_db, second_db))
    p = 1 / (1 + 10 ** ((first_db - second_db) / 20) * (1 - share) / share)
    expected = (p * x1 + (1 - p) * x2) / np.sqrt(p**2 + (1 - p) ** 2)
    batch = sound(torch.tensor(np.stack([x1, x2]), dtype=torch.float32), targets=torch.eye(2))
    drawn = DrawnBetweenClass(torch.tensor([0]), torch.tensor([share]), torch.tensor([[-1.0, 0.5]]))
    out = BetweenClass(BetweenClass.Config()).apply(batch, drawn)
    np.testing.assert_allclose(out.waveforms[0].numpy(), expected, rtol=1e-3, atol=1e-6)


def test_a_level_is_that_of_the_loudest_stretch(make_batch: MakeBatch) -> None:
    whole, brief = tone(400), tone(1000)
    brief[800:] = 0.0  # a bark of 0.1 s, then silence
    batch = sound(torch.stack([whole, brief]), targets=torch.eye(2))
    drawn = DrawnBetweenClass(torch.tensor([0]), torch.tensor([0.5]), torch.tensor([[-1.0, 0.5]]))
    out = BetweenClass(BetweenClass.Config()).apply(batch, drawn).waveforms[0]
    assert amplitude_at(out[:800], 400) == pytest.approx(amplitude_at(out[:800], 1000), rel=1e-3)


@pytest.mark.parametrize("frame_targets", [False, True])
def test_partners_are_of_another_class_wherever_there_is_one(
    frame_targets: bool, generator: torch.Generator
) -> None:
    classes = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1])
    targets = torch.nn.functional.one_hot(classes).float()
    if frame_targets:
        targets = targets[:, None].repeat(1, 10, 1)
    batch = sound(torch.rand(8, 900), targets=targets)
    for _ in range(20):
        out = BetweenClass(BetweenClass.Config(probability=1.0))(batch, generator).targets
        assert out is not None
        share = out.amax(1) if frame_targets else out
        assert ((share > 0).sum(1) == 2).all()
    alike = replace(batch, targets=targets[:6], waveforms=batch.waveforms[:6])
    alike = replace(alike, lengths_samples=batch.lengths_samples[:6])
    out = BetweenClass(BetweenClass.Config(probability=1.0))(alike, generator)
    assert out.targets is not None
    torch.testing.assert_close(out.targets, targets[:6])
    assert not torch.equal(out.waveforms, alike.waveforms)
