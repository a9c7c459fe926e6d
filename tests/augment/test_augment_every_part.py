"""Every registered augmentation goes through the same trials."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
import torch

from auricle.augment import AUGMENTATIONS
from auricle.augment.base import Augmentation, Drawn
from auricle.tensors import Batch

MakeBatch = Callable[..., Batch]
Build = Callable[..., Augmentation[Any, Any]]
NAMES = list(AUGMENTATIONS)
FEATURE_NAMES = [name for name in NAMES if AUGMENTATIONS[name].domain == "features"]
SHARED_FIELDS = {"noise"}  # drawn once for a batch, not once a clip


def tensors(batch: Batch) -> dict[str, torch.Tensor]:
    """Every tensor of a batch by its path."""
    found = {}
    for field in fields(batch):
        value = getattr(batch, field.name)
        if isinstance(value, torch.Tensor):
            found[field.name] = value
        elif is_dataclass(value):
            inner = {f"{field.name}.{name}": item for name, item in tensors(value).items()}  # type: ignore[arg-type]
            found.update(inner)
    return found


def assert_same(one: Batch, other: Batch) -> None:
    torch.testing.assert_close(tensors(one), tensors(other), rtol=0, atol=0)


def test_the_sweep_finds_every_part_and_counts_them(capsys: pytest.CaptureFixture[str]) -> None:
    promised = {
        "gain", "time_shift", "polarity", "speed", "noise", "wave_mixup", "between_class",
        "mixup", "spec_augment", "random_resized", "freq_shift", "filter_augment", "freq_mixstyle",
        "random_crop", "pitch", "time_stretch", "reverb", "background_noise", "band_limit",
        "quantise", "codec", "cutmix", "frame_shift", "time_warp",
    }  # fmt: skip
    assert promised <= set(NAMES)
    assert len(NAMES) == len(AUGMENTATIONS)
    ranks = [AUGMENTATIONS[name].rank for name in NAMES]
    assert len(set(ranks)) == len(ranks), "two parts share a rank: their order would be chance"
    with capsys.disabled():
        print(f"\nswept {len(NAMES)} augmentations: {', '.join(NAMES)}")


@pytest.mark.parametrize("name", NAMES)
def test_probability_0_changes_nothing_and_draws_as_much(
    build: Build, name: str, make_batch: MakeBatch
) -> None:
    batch = make_batch()
    states = []
    for probability in (0.0, 1.0):
        generator = torch.Generator().manual_seed(3)
        out = build(name, probability=probability)(batch, generator)
        states.append(generator.get_state())
        if probability == 0:
            assert_same(out, batch)
        else:
            changed = tensors(out)
            assert any(not torch.equal(changed[key], old) for key, old in tensors(batch).items())
    assert torch.equal(*states), "how much is drawn must not depend on what was drawn"


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_alone(build: Build, name: str, make_batch: MakeBatch) -> None:
    part, batch = build(name, probability=0.7), make_batch(8)
    before = {key: value.clone() for key, value in tensors(batch).items()}
    first = part(batch, torch.Generator().manual_seed(5))
    torch.manual_seed(99)  # the global generator has no say
    again = part(batch, torch.Generator().manual_seed(5))
    other = part(batch, torch.Generator().manual_seed(6))
    assert_same(first, again)
    assert any(not torch.equal(value, tensors(other)[key]) for key, value in tensors(first).items())
    torch.testing.assert_close(tensors(batch), before, rtol=0, atol=0)  # not changed in place


@pytest.mark.parametrize("name", NAMES)
def test_only_drawn_clips_change(
    build: Build, name: str, make_batch: MakeBatch, generator: torch.Generator
) -> None:
    part, batch = build(name, probability=0.5), make_batch(12)
    drawn = part.draw(batch, generator)
    out = part.apply(batch, drawn)
    kept = torch.tensor([row for row in range(12) if row not in drawn.rows.tolist()])
    assert 0 < len(kept) < 12
    for key, value in tensors(batch).items():
        assert torch.equal(tensors(out)[key][kept], value[kept]), key


@pytest.mark.parametrize("frame_targets", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_clip_comes_out_the_same_alone(
    build: Build, name: str, frame_targets: bool, make_batch: MakeBatch, generator: torch.Generator
) -> None:
    part, batch = build(name, probability=1.0), make_batch(5, frame_targets=frame_targets)
    drawn = part.draw(batch, generator)
    together = part.apply(batch, drawn)
    for row in range(5):
        places = [row, *_partner_of(part, batch, drawn, row)]
        alone = part.apply(_taken(batch, places), _alone(drawn, row, len(places)))
        expected = {key: value[row] for key, value in tensors(together).items()}
        got = {key: value[0] for key, value in tensors(alone).items()}
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def _partner_of(part: Augmentation[Any, Any], batch: Batch, drawn: Drawn, row: int) -> list[int]:
    if hasattr(drawn, "partners"):
        return [int(drawn.partners[row])]
    if hasattr(drawn, "preference"):
        marked = replace(batch, waveforms=torch.zeros_like(batch.waveforms))
        marked.waveforms[:, 0] = 1.0  # one level, so that the share is the part
        marked.waveforms[:, 1:] = 0.0
        for place in range(len(batch.waveforms)):
            marked.waveforms[place] = torch.roll(marked.waveforms[place], place)
        mixed = part.apply(marked, drawn).waveforms[row].abs()
        return [int(place) for place in mixed.topk(2).indices if place != row]
    return []


def _taken(batch: Batch, places: list[int]) -> Batch:
    features = batch.features
    assert features is not None
    assert features.waveforms is not None
    return replace(
        batch,
        waveforms=batch.waveforms[places],
        lengths_samples=batch.lengths_samples[places],
        targets=None if batch.targets is None else batch.targets[places],
        features=replace(
            features,
            values=features.values[places],
            lengths_frames=features.lengths_frames[places],
            waveforms=features.waveforms[places],
        ),
    )


def _alone(drawn: Drawn, row: int, count: int) -> Drawn:
    """The parameters of one clip, for a batch of it and its partner."""
    changes: dict[str, torch.Tensor] = {}
    for field in fields(drawn):
        value = getattr(drawn, field.name)
        if field.name not in SHARED_FIELDS:
            changes[field.name] = value[row : row + 1]
    changes["rows"] = torch.tensor([0])
    if "partners" in changes:
        changes["partners"] = torch.tensor([count - 1])
    if "preference" in changes:
        changes["preference"] = torch.tensor([[-1.0, 1.0]])
    return replace(drawn, **changes)


@pytest.mark.parametrize("name", NAMES)
def test_padding_stays_padding(
    build: Build, name: str, make_batch: MakeBatch, generator: torch.Generator
) -> None:
    batch = make_batch(8, shortest=700)
    out = build(name, probability=1.0)(batch, generator)
    assert batch.features is not None
    assert out.features is not None
    padding = torch.arange(out.waveforms.shape[1]) >= out.lengths_samples[:, None]
    assert not out.waveforms[padding].any()
    assert (out.lengths_samples >= batch.lengths_samples).all()
    assert (out.features.lengths_frames >= batch.features.lengths_frames).all()
    values, before = out.features.values, batch.features.values
    padding = torch.arange(values.shape[2]) >= out.features.lengths_frames[:, None]
    padding = padding[:, None].expand_as(values)
    assert torch.equal(values[padding], before[padding])


@pytest.mark.parametrize("name", NAMES)
def test_what_lies_in_the_padding_of_features_does_not_matter(
    build: Build, name: str, make_batch: MakeBatch, generator: torch.Generator
) -> None:
    part, batch = build(name, probability=1.0), make_batch(8, shortest=700)
    features = batch.features
    assert features is not None
    padding = torch.arange(features.values.shape[2]) >= features.lengths_frames[:, None]
    loud = torch.where(padding[:, None], 1e4, features.values)
    drawn = part.draw(batch, generator)
    quiet_out = part.apply(batch, drawn).features
    loud_out = part.apply(replace(batch, features=replace(features, values=loud)), drawn).features
    assert quiet_out is not None
    assert loud_out is not None
    heard = torch.arange(loud.shape[2]) < quiet_out.lengths_frames[:, None]
    heard = heard[:, None].expand_as(loud)
    assert torch.equal(quiet_out.values[heard], loud_out.values[heard])


@pytest.mark.parametrize("name", NAMES)
def test_a_part_changes_its_own_domain_only(
    build: Build, name: str, make_batch: MakeBatch, generator: torch.Generator
) -> None:
    batch = make_batch()
    out = build(name, probability=1.0)(batch, generator)
    if AUGMENTATIONS[name].domain == "waveform":
        assert out.features is batch.features
    else:
        assert out.waveforms is batch.waveforms
        assert out.lengths_samples is batch.lengths_samples
    assert out.waveforms.dtype == torch.float32
    assert {k: v.shape for k, v in tensors(out).items()} == {
        k: v.shape for k, v in tensors(batch).items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_targets_stay_a_distribution(
    build: Build, name: str, make_batch: MakeBatch, generator: torch.Generator
) -> None:
    out = build(name, probability=1.0)(make_batch(9), generator)
    assert out.targets is not None
    torch.testing.assert_close(out.targets.sum(1), torch.ones(9))
    assert out.targets.min() >= 0


@pytest.mark.parametrize("name", NAMES)
def test_frame_targets_stay_within_0_and_1(
    build: Build, name: str, make_batch: MakeBatch, generator: torch.Generator
) -> None:
    out = build(name, probability=1.0)(make_batch(9, frame_targets=True), generator)
    assert out.targets is not None
    assert out.targets.min() >= 0
    assert out.targets.max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_silence_one_clip_and_no_targets_are_fine(
    build: Build, name: str, make_batch: MakeBatch, generator: torch.Generator
) -> None:
    silent = make_batch(4)
    silent = replace(silent, waveforms=torch.zeros_like(silent.waveforms))
    for batch in (silent, make_batch(1), replace(make_batch(4), targets=None)):
        out = build(name, probability=1.0)(batch, generator)
        assert all(value.isfinite().all() for value in tensors(out).values())
        assert (out.targets is None) == (batch.targets is None)


def test_encoders_alone_make_a_device_wait() -> None:
    assert {name for name in NAMES if not AUGMENTATIONS[name].on_device} == {"codec"}


@pytest.mark.parametrize("frame_targets", [False, True])
@pytest.mark.parametrize("name", [name for name in NAMES if AUGMENTATIONS[name].on_device])
def test_no_part_reads_numbers_off_the_device(
    build: Build, name: str, frame_targets: bool, make_batch: MakeBatch, generator: torch.Generator
) -> None:
    # The meta device has shapes but no numbers: reading one, or mixing devices, raises.
    batch = make_batch(frame_targets=frame_targets)
    features = batch.features
    assert features is not None
    assert features.waveforms is not None
    away = replace(
        batch.to(torch.device("meta")),
        features=replace(
            features,
            values=features.values.to("meta"),
            lengths_frames=features.lengths_frames.to("meta"),
            waveforms=features.waveforms.to("meta"),
        ),
    )
    out = build(name, probability=1.0)(away, generator)
    assert {value.device.type for value in tensors(out).values()} == {"meta"}
    assert {k: v.shape for k, v in tensors(out).items()} == {
        k: v.shape for k, v in tensors(batch).items()
    }


@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_images_are_changed_alike_in_every_channel(
    build: Build, name: str, make_batch: MakeBatch
) -> None:
    flat = make_batch(4)
    assert flat.features is not None
    image = replace(
        flat,
        features=replace(flat.features, values=flat.features.values[:, None].repeat(1, 3, 1, 1)),
    )
    part = build(name, probability=1.0)
    one = part(flat, torch.Generator().manual_seed(2)).features
    three = part(image, torch.Generator().manual_seed(2)).features
    assert one is not None
    assert three is not None
    for channel in range(3):
        torch.testing.assert_close(three.values[:, channel], one.values, rtol=0, atol=0)


@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_features_are_asked_for(
    build: Build, name: str, make_batch: MakeBatch, generator: torch.Generator
) -> None:
    with pytest.raises(ValueError, match="front-end"):
        build(name, probability=1.0)(replace(make_batch(), features=None), generator)


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_described(name: str) -> None:
    part = AUGMENTATIONS[name]
    assert all(field.description for field in part.Config.model_fields.values())
    assert part.__doc__
