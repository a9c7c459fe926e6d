"""Feature augmentations: what is hidden, moved, stretched and mixed, and what is not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from auricle.augment import AUGMENTATIONS
from auricle.augment.mask import DrawnMasks, SpecAugment
from auricle.augment.mixing import CutMix, DrawnCut, DrawnMix, Mixup
from auricle.augment.resize import (
    DrawnFreqShift,
    DrawnResize,
    DrawnTimeWarp,
    FreqShift,
    RandomResized,
    TimeWarp,
)
from auricle.augment.section import build_augmenter
from auricle.augment.shift import DrawnTimeShift, FrameShift
from auricle.augment.spectrum import FilterAugment, FreqMixStyle
from auricle.tensors import Batch, Features

MakeBatch = Callable[..., Batch]
ALL = {"probability": 1.0}


def batch_of(values: Tensor, lengths: Tensor, targets: Tensor | None = None) -> Batch:
    count = len(values)
    return Batch(
        torch.zeros(count, 80), torch.full((count,), 80), 8000, targets, Features(values, lengths)
    )


def values_of(batch: Batch) -> Tensor:
    assert batch.features is not None
    return batch.features.values


def runs(hidden: Tensor) -> int:
    """How many unbroken stretches a mask has."""
    edges = torch.diff(torch.nn.functional.pad(hidden.int(), (1, 1)))
    return int((edges == 1).sum())


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    time_masks=st.integers(0, 3),
    freq_masks=st.integers(0, 3),
    max_time_frames=st.integers(0, 30),
    max_time_share=st.floats(0, 1),
    max_freq_bins=st.integers(0, 25),
)
def test_masks_hold_the_mean_and_are_no_larger_than_asked(seed: int, **options: Any) -> None:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([50, 31, 1])
    # In doubles, of which none is its bin's mean by chance.
    values = torch.randn(3, 20, 50, generator=generator, dtype=torch.float64) - 40
    values[torch.arange(50).expand(3, 50).ge(lengths[:, None])[:, None].expand_as(values)] = -100
    part = SpecAugment(SpecAugment.Config.model_validate({**ALL, **options}))
    out = values_of(part(batch_of(values, lengths), generator))
    for row, length in enumerate(lengths.tolist()):
        before, after = values[row, :, :length], out[row, :, :length]
        mean = before.mean(1, keepdim=True)
        hidden = after != before
        torch.testing.assert_close(after[hidden], mean.expand_as(after)[hidden])
        assert torch.equal(out[row, :, length:], values[row, :, length:])
        if length == 1:
            continue  # a clip of one frame is its own mean
        whole_frames, whole_bins = hidden.all(0), hidden.all(1)
        widest = min(options["max_time_frames"], int(length * options["max_time_share"]))
        assert torch.equal(hidden, whole_frames | whole_bins[:, None])
        if not whole_bins.all():
            assert whole_frames.sum() <= options["time_masks"] * widest
            assert runs(whole_frames) <= options["time_masks"]
        if not whole_frames.all():
            assert whole_bins.sum() <= options["freq_masks"] * options["max_freq_bins"]
            assert runs(whole_bins) <= options["freq_masks"]


def test_masks_reach_every_place_and_the_widest_width() -> None:
    batch = batch_of(torch.randn(400, 4, 60), torch.full((400,), 60))
    config = {**ALL, "time_masks": 1, "freq_masks": 0, "max_time_frames": 9, "max_time_share": 1.0}
    part = SpecAugment(SpecAugment.Config.model_validate(config))
    out = values_of(part(batch, torch.Generator().manual_seed(0)))
    hidden = (out != values_of(batch)).all(1)
    assert hidden.any(0).all()
    assert hidden.sum(1).unique().tolist() == list(range(10))


def test_the_largest_float_below_one_stays_in_the_clip() -> None:
    largest = torch.full((1, 1, 2), 1 - 2**-24)
    batch = batch_of(torch.randn(1, 4, 100), torch.tensor([100]))
    drawn = DrawnMasks(torch.tensor([0]), largest, torch.zeros(1, 0, 2))
    out = values_of(SpecAugment(SpecAugment.Config(freq_masks=0)).apply(batch, drawn))
    hidden = (out != values_of(batch)).all(1)[0]
    assert hidden[-1]
    assert hidden.sum() == 20


def test_mixup_mixes_sound_waveforms_and_targets_in_one_ratio(make_batch: MakeBatch) -> None:
    batch = make_batch(3, shortest=4000)
    drawn = DrawnMix(torch.tensor([0]), torch.tensor([1]), torch.tensor([0.7]))
    out = Mixup(Mixup.Config()).apply(batch, drawn)
    before, after = batch.features, out.features
    assert before is not None
    assert after is not None
    assert before.waveforms is not None
    assert after.waveforms is not None
    torch.testing.assert_close(after.values[0], 0.7 * before.values[0] + 0.3 * before.values[1])
    torch.testing.assert_close(
        after.waveforms[0], 0.7 * before.waveforms[0] + 0.3 * before.waveforms[1]
    )
    assert out.targets is not None
    assert out.targets[0].tolist() == pytest.approx([0.7, 0.3, 0.0])


def test_mixup_leaves_frames_alone_that_one_clip_lacks() -> None:
    values = torch.stack([torch.full((2, 6), 1.0), torch.full((2, 6), 3.0)])
    batch = batch_of(values, torch.tensor([2, 5]), torch.eye(2))
    drawn = DrawnMix(torch.arange(2), torch.tensor([1, 0]), torch.tensor([0.5, 0.75]))
    out = Mixup(Mixup.Config()).apply(batch, drawn)
    assert values_of(out)[0, 0].tolist() == [2, 2, 3, 3, 3, 1]
    assert values_of(out)[1, 0].tolist() == [2.5, 2.5, 3, 3, 3, 3]
    assert out.features is not None
    assert out.features.lengths_frames.tolist() == [5, 5]


def test_mixup_treats_waveforms_as_it_treats_their_features(make_batch: MakeBatch) -> None:
    """A waveform with a sample a frame is mixed as features of the same numbers are."""
    batch = make_batch(3, size=40, shortest=10)
    assert batch.features is not None
    values = batch.waveforms[:, None].repeat(1, 4, 1)
    features = replace(batch.features, values=values, lengths_frames=batch.lengths_samples)
    drawn = DrawnMix(torch.arange(3), torch.tensor([1, 2, 0]), torch.tensor([0.7, 0.5, 0.2]))
    out = Mixup(Mixup.Config()).apply(replace(batch, features=features), drawn).features
    assert out is not None
    assert out.waveforms is not None
    assert torch.equal(out.waveforms, out.values[:, 0])


def test_parts_for_spectrograms_leave_waveforms_alone(make_batch: MakeBatch) -> None:
    """A mask over the one bin of a waveform would silence it."""
    names = [name for name in AUGMENTATIONS if AUGMENTATIONS[name].domain == "features"]
    everything = {"preset": "none", **dict.fromkeys(names, ALL)}
    augmenter = build_augmenter({**everything, "mixup": False, "cutmix": False})
    batch = make_batch(4, bins=1)
    out = augmenter.features(batch, torch.Generator().manual_seed(0))
    assert out is batch
    mixed = build_augmenter(everything).features(batch, torch.Generator().manual_seed(0))
    assert not torch.equal(values_of(mixed), values_of(batch))


def test_mixup_shares_follow_the_beta_distribution(make_batch: MakeBatch) -> None:
    batch = make_batch(4000, size=2, bins=1, frames=1)
    for alpha in (0.2, 1.0, 5.0):
        part = Mixup(Mixup.Config(probability=1.0, alpha=alpha))
        drawn = part.draw(batch, torch.Generator().manual_seed(0))
        assert float(drawn.share.mean()) == pytest.approx(0.5, abs=0.03)
        assert float(drawn.share.var()) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)
        assert (drawn.partners != drawn.rows).all()
        assert drawn.partners.sort().values.tolist() == list(range(4000))


def resize(values: Tensor, lengths: Tensor, *drawn: float, targets: Tensor | None = None) -> Batch:
    fields = [torch.full((len(values),), number) for number in drawn]
    part = RandomResized(RandomResized.Config())
    return part.apply(
        batch_of(values, lengths, targets), DrawnResize(torch.arange(len(values)), *fields)
    )


def test_a_stretch_by_one_changes_nothing(make_batch: MakeBatch) -> None:
    batch = make_batch(4, frame_targets=True)
    assert batch.features is not None
    lengths = batch.features.lengths_frames
    out = resize(values_of(batch), lengths, 1.0, 1.0, 0.6, 0.3, targets=batch.targets)
    assert torch.equal(values_of(out), values_of(batch))
    assert out.targets is not None
    assert batch.targets is not None
    assert torch.equal(out.targets, batch.targets)


def test_ramps_show_where_each_place_was_read() -> None:
    in_time = torch.arange(10.0).expand(1, 5, 10)
    half = resize(in_time, torch.tensor([8]), 0.5, 1.0, 0.5, 0.0)
    assert values_of(half)[0, 2].tolist() == [2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 8, 9]
    twice = resize(in_time, torch.tensor([8]), 2.0, 1.0, 0.5, 0.0)
    assert values_of(twice)[0, 2].tolist() == [0, 2, 4, 6, 0, 2, 4, 6, 8, 9]
    in_frequency = torch.arange(5.0)[:, None].expand(1, 5, 10)
    half = resize(in_frequency, torch.tensor([10]), 1.0, 0.5, 0.0, 1.0)
    assert values_of(half)[0, :, 3].tolist() == [2, 2.5, 3, 3.5, 4]
    twice = resize(in_frequency, torch.tensor([10]), 1.0, 2.0, 0.0, 0.5)
    assert values_of(twice)[0, :, 3].tolist() == [0, 0, 2, 4, 4]


def test_frame_targets_are_stretched_with_the_features() -> None:
    marks = torch.zeros(1, 8, 1)
    marks[0, 2:4] = 1.0
    values = 10 * marks.transpose(1, 2)
    out = resize(values, torch.tensor([8]), 2.0, 1.0, 0.0, 0.0, targets=marks)
    assert out.targets is not None
    assert out.targets[0, :, 0].tolist() == [0, 1, 0, 0, 0, 1, 0, 0]
    assert torch.equal(values_of(out)[0, 0], 10 * out.targets[0, :, 0])


def test_freq_shift_moves_whole_bins() -> None:
    values = torch.arange(5.0)[:, None].expand(3, 5, 4)
    part = FreqShift(FreqShift.Config())
    drawn = DrawnFreqShift(torch.arange(3), torch.tensor([2, -1, 0]))
    out = values_of(part.apply(batch_of(values, torch.full((3,), 4)), drawn))
    assert out[:, :, 0].tolist() == [[0, 0, 0, 1, 2], [1, 2, 3, 4, 4], [0, 1, 2, 3, 4]]


def test_freq_shift_goes_both_ways_and_no_further(generator: torch.Generator) -> None:
    batch = batch_of(torch.zeros(300, 9, 1), torch.ones(300, dtype=torch.int64))
    part = FreqShift(FreqShift.Config(probability=1.0, max_bins=3))
    assert part.draw(batch, generator).shift_bins.unique().tolist() == list(range(-3, 4))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), bands=st.integers(1, 6), bins=st.integers(2, 128))
def test_a_filter_is_piecewise_linear_within_its_limits(seed: int, bands: int, bins: int) -> None:
    config = {**ALL, "min_db": -3, "max_db": 9, "min_bands": bands, "max_bands": bands}
    part = FilterAugment(FilterAugment.Config.model_validate(config))
    batch = batch_of(torch.zeros(6, bins, 5), torch.full((6,), 5))
    out = values_of(part(batch, torch.Generator().manual_seed(seed)))
    assert torch.equal(out, out[:, :, :1].expand_as(out))  # the same in every frame
    assert out.min() >= -3 - 1e-4
    assert out.max() <= 9 + 1e-4
    bends = (out[:, :, 0].diff(n=2, dim=1).abs() > 1e-3).sum(1)
    assert (bends <= 2 * (bands - 1)).all()  # an edge between two bins bends at both


def test_filters_bend_and_differ(generator: torch.Generator) -> None:
    part = FilterAugment(FilterAugment.Config(probability=1.0))
    curves = part.draw(batch_of(torch.zeros(50, 64, 2), torch.full((50,), 2)), generator).gain_db
    assert curves.std(1).mean() > 1.0
    assert curves.std(0).mean() > 1.0


def test_a_filter_speaks_the_unit_of_the_features(make_batch: MakeBatch) -> None:
    batch, natural = make_batch(), 4.342944819
    in_db = FilterAugment(FilterAugment.Config(probability=1.0))
    in_nepers = FilterAugment(FilterAugment.Config(probability=1.0, db_per_unit=natural))
    one = values_of(in_db(batch, torch.Generator().manual_seed(0))) - values_of(batch)
    other = values_of(in_nepers(batch, torch.Generator().manual_seed(0))) - values_of(batch)
    torch.testing.assert_close(one, other * natural, rtol=1e-3, atol=1e-4)


def test_mixstyle_takes_over_the_partners_statistics() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2, 4, 50, generator=generator) * torch.tensor([1.0, 5.0])[:, None, None]
    values[1] += 20
    lengths = torch.tensor([50, 30])
    part = FreqMixStyle(FreqMixStyle.Config())
    for share in (0.0, 0.5, 1.0):
        drawn = DrawnMix(torch.tensor([0]), torch.tensor([1]), torch.tensor([share]))
        out = values_of(part.apply(batch_of(values, lengths), drawn))
        assert torch.equal(out[1], values[1])
        own, other = values[0], values[1, :, :30]
        mean = share * own.mean(1) + (1 - share) * other.mean(1)
        deviation = share * own.std(1, correction=0) + (1 - share) * other.std(1, correction=0)
        torch.testing.assert_close(out[0].mean(1), mean, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(out[0].std(1, correction=0), deviation, rtol=1e-3, atol=1e-3)
        if share == 1.0:
            torch.testing.assert_close(out[0], values[0], rtol=1e-3, atol=1e-3)


def test_half_precision_features_keep_their_type(
    make_batch: MakeBatch, generator: torch.Generator
) -> None:
    batch = make_batch()
    assert batch.features is not None
    half = replace(batch.features, values=batch.features.values.bfloat16())
    for part in (
        SpecAugment(SpecAugment.Config(probability=1.0)),
        Mixup(Mixup.Config(probability=1.0)),
        RandomResized(RandomResized.Config(probability=1.0)),
        FreqShift(FreqShift.Config(probability=1.0)),
        FilterAugment(FilterAugment.Config(probability=1.0)),
        FreqMixStyle(FreqMixStyle.Config(probability=1.0)),
    ):
        out = values_of(part(replace(batch, features=half), generator))
        assert out.dtype == torch.bfloat16
        assert out.isfinite().all()


def test_frame_shift_is_a_roll_and_targets_roll_with_it(make_batch: MakeBatch) -> None:
    batch = make_batch(4, shortest=2000, frame_targets=True, size=4000, frames=40)
    part = FrameShift(FrameShift.Config())
    drawn = DrawnTimeShift(torch.arange(4), torch.tensor([0.25, -0.5, 0.0, 0.5]))
    out = part.apply(batch, drawn)
    before, after = batch.features, out.features
    assert before is not None
    assert after is not None
    assert before.waveforms is not None
    assert after.waveforms is not None
    assert batch.targets is not None
    assert out.targets is not None
    for row, length in enumerate(before.lengths_frames.tolist()):
        shift = round(float(drawn.position[row]) * length)
        rolled = before.values[row, :, :length].roll(shift, -1)
        assert torch.equal(after.values[row, :, :length], rolled)
        marks = batch.targets[row, :length].roll(shift, 0)
        assert torch.equal(out.targets[row, :length], marks)
        samples = int(batch.lengths_samples[row])
        sound = before.waveforms[row, :samples].roll(shift * 100)
        assert torch.equal(after.waveforms[row, :samples], sound)


def test_frame_shift_goes_no_further_than_asked(generator: torch.Generator) -> None:
    values = torch.zeros(300, 2, 50)
    values[:, :, 25] = 1
    part = FrameShift(FrameShift.Config(probability=1.0, max_frames=3))
    out = values_of(part(batch_of(values, torch.full((300,), 50)), generator))
    assert set(out[:, 0].argmax(1).tolist()) == set(range(22, 29))


def test_a_warp_moves_a_moment_and_leaves_the_ends() -> None:
    ramp = torch.arange(41.0).expand(2, 3, 41).clone()
    batch = batch_of(ramp, torch.full((2,), 41), torch.eye(41)[None].repeat(2, 1, 1))
    part = TimeWarp(TimeWarp.Config(max_frames=8))
    drawn = DrawnTimeWarp(torch.arange(2), torch.tensor([0.5, 0.5]), torch.tensor([0.5, -1.0]))
    out = part.apply(batch, drawn)
    for row, moved in enumerate((24, 12)):  # the moment 20 moves by +4 and by -8
        values = values_of(out)[row, 0]
        assert float(values[moved]) == pytest.approx(20, abs=1e-4)
        assert float(values[0]) == 0
        assert float(values[-1]) == pytest.approx(40, abs=1e-4)
        assert (values.diff() > 0).all()
        assert float(values[moved // 2]) == pytest.approx(10, abs=1e-4)
        assert out.targets is not None
        assert torch.equal(out.targets[row].argmax(1), (values + 0.5).long())


def test_a_warp_of_short_clips_and_of_none_is_the_clip(generator: torch.Generator) -> None:
    values = torch.randn(3, 4, 9)
    batch = batch_of(values, torch.tensor([9, 2, 1]))
    none = TimeWarp(TimeWarp.Config(probability=1.0, max_frames=0))
    torch.testing.assert_close(values_of(none(batch, generator)), values, atol=1e-5, rtol=0)
    some = values_of(TimeWarp(TimeWarp.Config(probability=1.0))(batch, generator))
    torch.testing.assert_close(some[1:], values[1:], atol=1e-5, rtol=0)


def test_cutmix_targets_are_the_shares_of_the_frames(generator: torch.Generator) -> None:
    values = torch.stack([torch.full((2, 50), float(row)) for row in range(8)])
    lengths = torch.tensor([50, 50, 40, 30, 20, 10, 5, 50])
    part = CutMix(CutMix.Config(probability=1.0))
    weak, strong = torch.eye(8), torch.eye(8)[:, None].repeat(1, 50, 1)
    for targets in (weak, strong):
        batch = batch_of(values, lengths, targets)
        out = part(batch, generator)
        assert out.targets is not None
        for row, length in enumerate(lengths.tolist()):
            heard = values_of(out)[row, 0, :length].long()
            if targets is weak:
                share = torch.nn.functional.one_hot(heard, 8).float().mean(0)
                torch.testing.assert_close(out.targets[row], share)
            else:
                assert torch.equal(out.targets[row, :length].argmax(1), heard)
            assert runs(heard != row) <= 1
            assert torch.equal(values_of(out)[row, :, length:], values[row, :, length:])


def test_cutmix_cuts_the_waveforms_that_ride_along(make_batch: MakeBatch) -> None:
    batch = make_batch(2, shortest=4000)
    drawn = DrawnCut(
        torch.tensor([0]), torch.tensor([1]), torch.tensor([0.75]), torch.tensor([0.5])
    )
    out, before = CutMix(CutMix.Config()).apply(batch, drawn).features, batch.features
    assert before is not None
    assert out is not None
    assert before.waveforms is not None
    assert out.waveforms is not None
    inside = slice(1500, 2500)  # 10 of 40 frames from frame 15 on, 100 samples each
    assert torch.equal(out.waveforms[0, inside], before.waveforms[1, inside])
    assert torch.equal(out.waveforms[0, :1500], before.waveforms[0, :1500])
    assert torch.equal(out.waveforms[0, 2500:], before.waveforms[0, 2500:])


@pytest.mark.parametrize(
    "name", [name for name in AUGMENTATIONS if AUGMENTATIONS[name].domain == "features"]
)
def test_features_of_half_precision_stay_so(name: str, make_batch: MakeBatch) -> None:
    batch = make_batch(4, frame_targets=True)
    assert batch.features is not None
    low = replace(batch, features=replace(batch.features, values=batch.features.values.bfloat16()))
    part = AUGMENTATIONS[name](AUGMENTATIONS[name].Config(probability=1.0))
    out = part(low, torch.Generator().manual_seed(0))
    assert values_of(out).dtype == torch.bfloat16
    assert values_of(out).isfinite().all()
