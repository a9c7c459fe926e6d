"""Pitch, stretch, rooms, bands, bits and codecs against physics; folders and their faults."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from auricle.augment import AUGMENTATIONS
from auricle.augment.base import Augmentation
from auricle.augment.channel import DrawnQuantise
from auricle.augment.codec import round_trip
from auricle.augment.crop import DrawnCrop, RandomCrop
from auricle.augment.folder import SoundFolder
from auricle.augment.room import convolve
from auricle.augment.section import build_augmenter, resolved_section
from auricle.core.errors import ConfigError
from auricle.tensors import Batch

MakeBatch = Callable[..., Batch]
Build = Callable[..., Augmentation[Any, Any]]
RATE = 16000


def sound(*clips: Tensor, rate: int = RATE, targets: Tensor | None = None) -> Batch:
    waveforms = torch.stack(clips)
    return Batch(waveforms, torch.full((len(clips),), waveforms.shape[1]), rate, targets)


def tone(hz: float, size: int = RATE, level: float = 0.3) -> Tensor:
    time_s = torch.arange(size, dtype=torch.float64) / RATE
    return level * torch.sin(2 * torch.pi * hz * time_s).float()


def white(size: int = RATE, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(size, generator=torch.Generator().manual_seed(seed))


def power_db(signal: Tensor) -> float:
    return float(10 * signal.double().square().mean().log10())


def peak_hz(signal: Tensor) -> float:
    spectrum = torch.fft.rfft(signal * torch.hann_window(len(signal)), 1 << 18).abs()
    return float(spectrum.argmax()) * RATE / (1 << 18)


def once(part: Augmentation[Any, Any], clip: Tensor, seed: int = 0, rate: int = RATE) -> Tensor:
    return part(sound(clip, rate=rate), torch.Generator().manual_seed(seed)).waveforms[0]


@pytest.mark.parametrize("semitones", [-12.0, -5.0, -1.0, 0.5, 2.0, 7.0, 12.0])
def test_pitch_moves_a_tone_by_the_ratio(semitones: float, build: Build) -> None:
    part = build("pitch", probability=1.0, semitones=[semitones])
    out = once(part, tone(440))
    cents = 1200 * np.log2(peak_hz(out[2000:-2000]) / 440)
    assert cents == pytest.approx(100 * semitones, abs=4)
    assert power_db(out[2000:-2000]) == pytest.approx(power_db(tone(440)), abs=0.5)


@pytest.mark.parametrize("name", ["pitch", "time_stretch"])
def test_no_step_changes_nothing(name: str, build: Build) -> None:
    options = {"semitones": [0.0]} if name == "pitch" else {"factors": [1.0]}
    part = build(name, probability=1.0, **options)
    assert torch.equal(once(part, white()), white())


@pytest.mark.parametrize("semitones", [-4.0, 4.0])
def test_pitch_leaves_onsets_where_they_are(semitones: float, build: Build) -> None:
    clip = torch.zeros(RATE)
    clip[8000:12000] = tone(600, 4000)
    out = once(build("pitch", probability=1.0, semitones=[semitones]), clip)
    envelope = out.square().unfold(0, 160, 160).mean(1).sqrt()
    inside = (envelope > 0.1).nonzero()[:, 0] * 160
    assert int(inside[0]) == pytest.approx(8000, abs=500)
    assert int(inside[-1]) == pytest.approx(12000, abs=500)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 2.0])
def test_a_stretch_keeps_pitch_and_level_and_changes_length(factor: float, build: Build) -> None:
    clip = torch.zeros(2 * RATE)
    clip[4000:12000] = tone(700, 8000)
    part = build("time_stretch", probability=1.0, factors=[factor], fill="zeros")
    batch = part.draw(sound(clip), torch.Generator().manual_seed(0))
    out = part.apply(sound(clip), replace(batch, position=torch.zeros(1))).waveforms[0]
    envelope = out.square().unfold(0, 160, 160).mean(1).sqrt()
    inside = (envelope > 0.1).nonzero()[:, 0] * 160
    assert int(inside[0]) == pytest.approx(4000 / factor, abs=600)
    assert int(inside[-1] - inside[0]) == pytest.approx(8000 / factor, abs=900)
    middle = out[int(inside[0]) + 1000 : int(inside[-1]) - 1000]
    assert peak_hz(middle) == pytest.approx(700, abs=2)
    assert power_db(middle) == pytest.approx(power_db(tone(700)), abs=0.5)


def test_a_stretch_of_noise_keeps_its_spectrum(build: Build) -> None:
    part = build("time_stretch", probability=1.0, factors=[1.2])
    out = once(part, white(4 * RATE))
    before, after = (
        torch.fft.rfft(x[:40000]).abs().square()[:20000].reshape(10, -1).mean(1).log10() * 10
        for x in (white(4 * RATE), out)
    )
    assert float((after - before).abs().max()) < 2.5


def schroeder_rt60_s(response: Tensor, rate: int) -> float:
    """Twice the time from -5 to -35 dB of the backward-integrated energy (Schroeder, 1965)."""
    energy = response.double().square().flip(0).cumsum(0).flip(0)
    decay_db = 10 * (energy / energy[0]).log10()
    start = int((decay_db <= -5).nonzero()[0])
    end = int((decay_db <= -35).nonzero()[0])
    return 2 * (end - start) / rate


@pytest.mark.parametrize("rt60_s", [0.2, 0.5, 1.2])
def test_a_simulated_room_decays_as_long_as_drawn(rt60_s: float, build: Build) -> None:
    part = build("reverb", probability=1.0, min_rt60_s=rt60_s, max_rt60_s=rt60_s, max_direct_db=0.0)
    click = torch.zeros(2 * RATE)
    click[100] = 0.5
    found = [schroeder_rt60_s(once(part, click, seed)[101:], RATE) for seed in range(5)]
    assert np.mean(found) == pytest.approx(rt60_s, rel=0.06)


@pytest.mark.parametrize("direct_db", [-6.0, 0.0, 12.0])
def test_the_direct_sound_is_as_strong_as_drawn(direct_db: float, build: Build) -> None:
    part = build("reverb", probability=1.0, min_direct_db=direct_db, max_direct_db=direct_db)
    click = torch.zeros(2 * RATE)
    click[100] = 0.5
    out = once(part, click)
    assert not out[:100].abs().gt(1e-5).any()
    direct, rest = out[100].square(), out[101:].square().sum()
    assert float(10 * (direct / rest).log10()) == pytest.approx(direct_db, abs=0.01)


def test_a_room_keeps_the_level_within_the_length(make_batch: MakeBatch, build: Build) -> None:
    batch = make_batch(8, shortest=500)
    out = build("reverb", probability=1.0)(batch, torch.Generator().manual_seed(0))
    for before, after in zip(batch.waveforms, out.waveforms, strict=True):
        assert power_db(after) == pytest.approx(power_db(before), abs=1e-3)


def test_convolution_is_numpys() -> None:
    clips, responses = torch.randn(3, 100), torch.randn(3, 37)
    for got, clip, response in zip(convolve(clips, responses), clips, responses, strict=True):
        np.testing.assert_allclose(got, np.convolve(clip, response)[:100], atol=1e-4)


def test_a_recorded_room_is_read_from_its_direct_sound_on(tmp_path: Path, build: Build) -> None:
    response = np.zeros(400, np.float32)
    response[[120, 180, 300]] = [0.5, 0.25, -0.125]  # 120 samples pass before the sound arrives
    soundfile.write(tmp_path / "hall.wav", response, RATE, subtype="FLOAT")
    part = build("reverb", probability=1.0, folder=str(tmp_path))
    click = torch.zeros(1000)
    click[10] = 1.0
    out = once(part, click)
    expected = torch.zeros(1000)
    expected[[10, 70, 190]] = torch.tensor([1.0, 0.5, -0.25])
    torch.testing.assert_close(out, expected / expected.norm(), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("passes", "kept", "lost"), [
    ("low", 300.0, 6000.0), ("high", 3000.0, 100.0),
    ("band", 1200.0, 6000.0), ("band", 1200.0, 100.0),
])  # fmt: skip
def test_a_band_limit_passes_the_band_and_no_more(
    passes: str, kept: float, lost: float, build: Build
) -> None:
    limits = {
        "min_lowpass_hz": 3000, "max_lowpass_hz": 3000,
        "min_highpass_hz": 400, "max_highpass_hz": 400,
    }  # fmt: skip
    part = build("band_limit", probability=1.0, passes=passes, **limits)
    middle = slice(4000, 12000)
    inside, outside = once(part, tone(kept))[middle], once(part, tone(lost))[middle]
    torch.testing.assert_close(inside, tone(kept)[middle], atol=2e-3, rtol=0)  # nothing delayed
    octaves = abs(np.log2(lost / (3000 if lost > 3000 else 400)))
    assert power_db(outside) - power_db(tone(lost)) == pytest.approx(-48 * octaves, abs=3)


def test_a_band_ends_at_3_db(build: Build) -> None:
    part = build(
        "band_limit", probability=1.0, passes="low", min_lowpass_hz=2000, max_lowpass_hz=2000
    )
    loss = power_db(once(part, tone(2000))[4000:12000]) - power_db(tone(2000))
    assert loss == pytest.approx(-3.01, abs=0.05)


@pytest.mark.parametrize("bits", [6, 8, 12])
def test_linear_bits_are_worth_6_db_each(bits: int, build: Build) -> None:
    part = build("quantise", law="linear")
    clip = tone(440.3, level=0.999)
    out = part.apply(sound(clip), DrawnQuantise(torch.tensor([0]), torch.tensor([bits])))
    ratio = power_db(clip) - power_db(out.waveforms[0] - clip)
    assert ratio == pytest.approx(6.02 * bits + 1.76, abs=1.0)


def test_mu_law_is_as_good_for_quiet_sounds_as_for_loud_ones(build: Build) -> None:
    part = build("quantise", law="mu_law")
    ratios = []
    for level in (0.9, 0.1, 0.02):
        clip = tone(440.3, level=level)
        out = part.apply(sound(clip), DrawnQuantise(torch.tensor([0]), torch.tensor([8])))
        ratios.append(power_db(clip) - power_db(out.waveforms[0] - clip))
    assert min(ratios) > 29
    assert max(ratios) - min(ratios) < 10


def test_what_is_beyond_full_scale_is_clipped(build: Build) -> None:
    out = once(build("quantise", probability=1.0), tone(100, level=3.0))
    assert float(out.abs().max()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100])
@pytest.mark.parametrize("codec", ["mp3", "vorbis", "opus", "gsm", "g711", "adpcm"])
def test_codecs_keep_length_and_place(codec: Any, rate: int) -> None:
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(rate))
    hz = np.fft.rfftfreq(rate, 1 / rate)
    spectrum[(hz < 300) | (hz > 2500)] = 0
    clip = np.fft.irfft(spectrum, rate).astype(np.float32)
    clip *= np.float32(0.1 / clip.std())
    out = round_trip(clip, rate, codec, 0.5)
    assert out.dtype == np.float32
    assert len(out) == len(clip)
    likeness = np.fft.irfft(np.fft.rfft(out) * np.fft.rfft(clip).conj())
    assert int(likeness.argmax()) in {0, 1, rate - 1}
    assert 0.55 < likeness.max() / float(clip @ clip) < 1.2  # GSM models a voice
    assert not np.array_equal(out, clip)


def test_more_compression_loses_more() -> None:
    clip = white(RATE).numpy()
    losses = [np.square(round_trip(clip, RATE, "mp3", level) - clip).sum() for level in (0.0, 0.9)]
    assert losses[1] > 2 * losses[0]


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(1, 40), share=st.floats(0.3, 1.0), position=st.floats(0, 1, exclude_max=True)
)
def test_a_crop_is_a_part_repeated(length: int, share: float, position: float) -> None:
    clip = torch.zeros(40)
    clip[:length] = torch.arange(1, length + 1)
    share32, position32 = torch.tensor([share]), torch.tensor([position]).clamp(max=1 - 2**-24)
    kept = max(1, int((share32 * length).ceil()))
    drawn = DrawnCrop(torch.tensor([0]), share32, position32)
    for fill in ("repeat", "zeros"):
        part = RandomCrop(RandomCrop.Config.model_validate({"min_share": 0.3, "fill": fill}))
        batch = Batch(clip[None], torch.tensor([length]), RATE)
        out = part.apply(batch, drawn).waveforms[0]
        first = int(out[0])
        assert 1 <= first <= length - kept + 1
        again = (torch.arange(length) % kept + first).float()
        again[kept:] *= fill == "repeat"
        assert torch.equal(out[:length], again)
        assert not out[length:].any()


@pytest.mark.parametrize("fill", ["repeat", "zeros"])
def test_frame_targets_are_cropped_with_the_sound(fill: str, generator: torch.Generator) -> None:
    size, frames = 8000, 100
    begin = torch.randint(0, 6000, (60, 1), generator=generator)
    place = torch.arange(size)
    waveforms = ((place >= begin) & (place < begin + 1000)).float()
    targets = (waveforms.reshape(60, frames, -1).mean(2) > 0.5).float()[..., None]
    batch = Batch(waveforms, torch.full((60,), size), 8000, targets)
    part = RandomCrop(RandomCrop.Config.model_validate({"probability": 1.0, "fill": fill}))
    out = part(batch, generator)
    assert out.targets is not None
    heard = out.waveforms.reshape(60, frames, -1).mean(2)
    marked = out.targets[..., 0]
    near = torch.nn.functional.pad(heard, (1, 1), mode="replicate").unfold(1, 3, 1)
    assert marked[(near > 0.9).all(2)].eq(1).all()
    assert marked[(near < 0.1).all(2)].eq(0).all()
    assert marked.sum() > 300


def test_brown_noise_loses_half_its_power_an_octave(build: Build) -> None:
    part = build("noise", probability=1.0, colour="brown")
    noise = part.draw(sound(torch.zeros(1 << 18)), torch.Generator().manual_seed(0)).noise
    power = torch.fft.rfft(noise).abs().square()
    edges = [round(hz / RATE * (1 << 18)) for hz in (50, 100, 200, 400, 800, 1600, 3200, 6400)]
    octaves = [10 * float(power[a:b].sum().log10()) for a, b in pairwise(edges)]
    assert np.diff(octaves) == pytest.approx(-3.01, abs=0.8)


def test_background_reaches_the_ratio_within_the_length(
    make_batch: MakeBatch, build: Build, generator: torch.Generator
) -> None:
    part = build("background_noise", probability=1.0, min_snr_db=-5, max_snr_db=30)
    batch = make_batch(20, shortest=300)
    drawn = part.draw(batch, generator)
    out = part.apply(batch, drawn)
    rows = zip(batch.waveforms, out.waveforms, batch.lengths_samples, drawn.snr_db, strict=True)
    for before, after, length, snr_db in rows:
        noise = (after - before)[:length]
        assert power_db(before[:length]) - power_db(noise) == pytest.approx(float(snr_db), abs=0.05)
    assert -5 <= drawn.snr_db.min() <= drawn.snr_db.max() <= 30
    again = part.apply(batch, drawn)  # what was drawn is not used up
    assert torch.equal(again.waveforms, out.waveforms)


def test_backgrounds_come_out_of_the_files(sound_folder: Path) -> None:
    sounds = SoundFolder(str(sound_folder), "--folder").at(8000)
    assert sorted(len(one) for one in sounds) == [2500, 9000, 30000]
    short = next(index for index in range(3) if len(sounds[index]) == 2500)
    looped = sounds.stretches([short, short], [0.0, 0.5], 6000)
    assert torch.equal(looped[0], sounds[short].repeat(3)[:6000])
    assert torch.equal(looped[1], sounds[short].roll(-1250).repeat(3)[:6000])
    whole = next(index for index in range(3) if len(sounds[index]) == 9000)
    ends = sounds.stretches([whole, whole], [0.0, 1 - 2**-24], 6000)
    assert torch.equal(ends[0], sounds[whole][:6000])
    assert torch.equal(ends[1], sounds[whole][-6000:])


def test_a_folder_is_read_alike_wherever_it_lies(sound_folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(sound_folder, tmp_path / "elsewhere")
    one, other = (SoundFolder(str(folder), "--folder").at(8000) for folder in (sound_folder, copy))
    for left, right in zip(one, other, strict=True):
        assert torch.equal(left, right)


def test_a_folder_with_faults_says_what_was_left_out(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "good.wav", white(8000).numpy(), RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(800), RATE)
    (tmp_path / "broken.wav").write_bytes(b"no sound at all")
    sounds = SoundFolder(str(tmp_path), "--augment.reverb.folder").at(RATE)
    assert len(sounds) == 1
    assert len(sounds.notes) == 1
    assert "--augment.reverb.folder: 2 of 3 files are left out" in sounds.notes[0]


def test_a_folder_larger_than_its_memory_is_read_in_part(tmp_path: Path) -> None:
    for name in "abcde":
        soundfile.write(tmp_path / f"{name}.wav", white(200_000).numpy(), RATE)
    sounds = SoundFolder(str(tmp_path), "--folder", cache_mb=2).at(RATE)
    assert 4 * sum(map(len, sounds)) == 2_000_000
    assert len(sounds) == 3
    assert "2 MB are full after 3 of 5 files" in sounds.notes[0]


def test_folders_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"--x must name a folder of sound files, got '.*nowhere'"
    ):
        SoundFolder(str(tmp_path / "nowhere"), "--x")
    with pytest.raises(ConfigError, match=r"--x: folder .* holds no sound files"):
        SoundFolder(str(tmp_path), "--x")
    (tmp_path / "broken.wav").write_bytes(b"no sound at all")
    with pytest.raises(ConfigError, match="none of the 1 sound files"):
        SoundFolder(str(tmp_path), "--x").at(RATE)


def test_a_stored_section_needs_no_folder(sound_folder: Path) -> None:
    section = {"preset": "none", "background_noise": {"folder": str(sound_folder / "gone")}}
    resolved = resolved_section(section)  # what a deployed classifier carries
    assert resolved["background_noise"]["folder"].endswith("gone")
    with pytest.raises(ConfigError, match="background_noise"):
        build_augmenter(section)


def test_parts_read_ahead_where_they_are_told_to(sound_folder: Path) -> None:
    section = {"background_noise": {"folder": str(sound_folder)}, "reverb": True}
    augmenter = build_augmenter({"preset": "none", **section})
    assert augmenter.prepare(8000) == []


def test_an_unbroken_run_and_a_resumed_one_hear_the_same(
    everything: dict[str, Any], make_batch: MakeBatch
) -> None:
    """A step's sound depends on the batch and the step's seed, not on the steps before it."""
    batches = [make_batch(6, seed=seed) for seed in range(3)]
    unbroken = build_augmenter(everything)
    for step, batch in enumerate(batches):
        expected = unbroken.waveform(batch, torch.Generator().manual_seed(step))
    resumed = build_augmenter(everything).waveform(batches[2], torch.Generator().manual_seed(2))
    assert torch.equal(resumed.waveforms, expected.waveforms)
    assert torch.equal(resumed.lengths_samples, expected.lengths_samples)


def test_every_waveform_part_takes_any_rate(build: Build) -> None:
    for name in AUGMENTATIONS:
        if AUGMENTATIONS[name].domain == "waveform":
            for rate, size in ((8000, 801), (44100, 4411), (100, 7)):
                out = build(name, probability=1.0)(
                    sound(white(size), white(size, 1), rate=rate), torch.Generator().manual_seed(0)
                )
                assert out.waveforms.shape == (2, size), name
                assert out.waveforms.isfinite().all(), name
