"""Soundscapes: what was drawn is what is heard, and what the labels say."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.core.errors import DataError
from auricle.core.types import Clip, FloatArray
from auricle.data.soundscapes import (
    MixConfig,
    Mixed,
    Mixer,
    Soundscape,
    Source,
    audible,
    render,
    sources_of,
)
from auricle.data.soundscapes.record import PlacedEvent

RATE = 8000
Write = Callable[..., Source]


def noise(seconds: float, seed: int = 0, level: float = 0.1, rate: int = RATE) -> FloatArray:
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal(round(seconds * rate))).astype(np.float32)


def padded(samples: FloatArray, before: int = 2000, after: int = 3000) -> FloatArray:
    return np.pad(samples, (before, after))


def config(**options: Any) -> MixConfig:
    return MixConfig.model_validate({"length_s": 4.0, "sample_rate": RATE, **options})


def of_events(mixed: Mixed) -> FloatArray:
    """The soundscape less its background, which the record makes again."""
    alone = mixed.record.model_copy(update={"events": ()})
    return mixed.samples - render(alone)


def db(power: float) -> float:
    return 10 * float(np.log10(power))


def ratio_db(mixed: Mixed, event: PlacedEvent) -> float:
    """The level of what is no background over that of the background, where the event lies."""
    extent = slice(event.onset, event.onset + event.length)
    heard = of_events(mixed)
    return db(power(heard[extent]) / power((mixed.samples - heard)[extent]))


def power(samples: FloatArray) -> float:
    return float(np.square(samples, dtype=np.float64).mean())


@pytest.mark.parametrize("over", ["noise", "sounds"])
def test_each_event_has_its_ratio_and_nothing_sounds_outside_the_labels(
    over: str, events: list[Source], backgrounds: list[Source]
) -> None:
    grounds = backgrounds if over == "sounds" else []
    mixer = Mixer(events, grounds, config(max_overlap=1, min_events=3, min_snr_db=-5))
    ratios = []
    for number in range(12):
        mixed = mixer.make(number)
        record, heard = mixed.record, of_events(mixed)
        inside = np.zeros(record.length, bool)
        for event in record.events:
            extent = slice(event.onset, event.onset + event.length)
            assert ratio_db(mixed, event) == pytest.approx(event.snr_db, abs=0.01)
            sounding = np.flatnonzero(np.abs(heard[extent]) > 1e-7)
            assert sounding[0] <= 3  # the fade begins near nothing
            assert sounding[-1] >= event.length - 4
            assert not inside[extent].any()
            inside[extent] = True
            ratios.append(event.snr_db)
        assert not heard[~inside].any()
        assert len(mixed.samples) == 4 * RATE
    assert min(ratios) < 2
    assert max(ratios) > 14


def test_a_record_makes_the_same_sound_again(
    events: list[Source], backgrounds: list[Source]
) -> None:
    mixer = Mixer(events, backgrounds, config(min_pitch=-3, max_pitch=3, max_snr_db=60))
    for number in range(8):
        mixed = mixer.make(number)
        again = Soundscape.from_json(mixed.record.to_json())
        assert again == mixed.record
        assert np.array_equal(render(again), mixed.samples)


def test_the_level_of_the_background_is_as_asked(
    events: list[Source], backgrounds: list[Source]
) -> None:
    mixer = Mixer(events, backgrounds, config(min_events=0, max_events=0, background_db=-27))
    for number in range(6):
        mixed = mixer.make(number)
        assert db(power(mixed.samples)) == pytest.approx(-27, abs=0.01)
        assert mixed.record.labels(".wav") == [Clip(f"soundscape_{number:06d}.wav")]


def test_a_background_goes_round_without_a_jump(write: Write) -> None:
    time_s = np.arange(RATE) / RATE
    tone = write("hum", "hum", 0.3 * np.sin(2 * np.pi * 50 * time_s).astype(np.float32))
    mixer = Mixer([], [tone], config(max_events=0, min_events=0, length_s=10))
    samples = mixer.make(0).samples
    steps = np.abs(np.diff(samples))
    assert steps.max() < 3 * np.median(steps)
    assert len(samples) == 10 * RATE


@pytest.mark.parametrize("offset_s", [None, 500.0])
def test_a_long_background_is_read_in_part_from_different_places(
    offset_s: float | None, write: Write
) -> None:
    ramp = np.linspace(0.1, 0.5, 70 * RATE, dtype=np.float32)
    # A label that ends past its file, as some of AudioSet do, is of the file alone.
    source = replace(write("hum", "long", ramp), offset_s=offset_s)
    mixer = Mixer([], [source], config(max_events=0, min_events=0))
    made = [mixer.make(number) for number in range(10)]
    assert not any(mixed.bad for mixed in made)
    starts = {mixed.record.background.source_start for mixed in made}
    assert len(starts) == 10
    assert max(starts) <= 66 * RATE
    assert max(starts) - min(starts) > 20 * RATE


def test_pitch_is_that_of_a_record_played_faster(write: Write) -> None:
    time_s = np.arange(2 * RATE) / RATE
    tone = write("tone", "a", (0.5 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32))
    for semitones in (-12.0, 5.0, 12.0):
        mixer = Mixer(
            [tone], [],
            config(min_events=1, max_events=1, min_pitch=semitones, max_pitch=semitones,
                   min_snr_db=60, max_snr_db=60, length_s=20),
        )  # fmt: skip
        mixed = mixer.make(1)
        (event,) = mixed.record.events
        factor = 2 ** (semitones / 12)
        assert event.length == pytest.approx(2 * RATE / factor, abs=2)
        heard = mixed.samples[event.onset : event.onset + event.length]
        spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)), 1 << 18))
        assert spectrum.argmax() * RATE / (1 << 18) == pytest.approx(440 * factor, rel=1e-3)


def test_silence_around_an_event_is_no_part_of_it(write: Write) -> None:
    source = write("bark", "a", padded(noise(0.5), 2000, 3000))
    mixed = Mixer([source], [], config(min_events=1, max_events=1, length_s=20)).make(0)
    (event,) = mixed.record.events
    assert (event.source_start, event.source_stop) == (2000, 6000)
    assert event.length == 4000


@settings(max_examples=50, deadline=None)
@given(before=st.integers(0, 5000), size=st.integers(200, 5000), after=st.integers(0, 5000))
def test_what_is_heard_is_found_to_the_frame(before: int, size: int, after: int) -> None:
    start, stop = audible(padded(noise(size / RATE), before, after), RATE, 40.0) or (-1, -1)
    assert before - 80 < start <= before
    assert before + size <= stop < before + size + 80
    assert audible(np.zeros(size, np.float32), RATE, 40.0) is None


def test_what_is_heard_depends_on_the_threshold() -> None:
    quiet_tail = np.concatenate([noise(0.5), 0.003 * noise(0.5)])  # 50 dB down
    assert audible(quiet_tail, RATE, 40.0) == (0, 4000)
    assert audible(quiet_tail, RATE, 60.0) == (0, 8000)


def test_an_event_at_the_end_is_cut_and_so_is_its_label(write: Write) -> None:
    source = write("siren", "a", noise(3.9))
    mixer = Mixer([source], [], config(min_events=1, max_events=1))
    cut = 0
    for number in range(20):
        mixed = mixer.make(number)
        (event,) = mixed.record.events
        assert event.onset + event.length <= mixed.record.length
        assert event.length >= 0.1 * RATE
        cut += event.onset + event.length == mixed.record.length
        assert ratio_db(mixed, event) == pytest.approx(event.snr_db, abs=0.01)
    assert cut > 10


def test_an_event_cut_in_its_pause_ends_before_the_pause(write: Write) -> None:
    bark = noise(0.5)
    source = write("bark", "twice", np.concatenate([bark, np.zeros(3 * RATE, np.float32), bark]))
    mixer = Mixer([source], [], config(min_events=1, max_events=1, length_s=4.0))
    lengths = {mixer.make(number).record.events[0].length for number in range(30)}
    assert 4000 in lengths
    assert all(length <= 4000 or length > 3.5 * RATE for length in lengths)


def test_a_longer_event_is_cut_to_a_drawn_stretch(write: Write) -> None:
    source = write("rain", "a", noise(10.0))
    mixer = Mixer([source], [], config(min_events=1, max_events=1, max_event_s=0.5, length_s=20))
    events = [mixer.make(number).record.events[0] for number in range(20)]
    assert {event.source_stop - event.source_start for event in events} == {4000}
    assert max(event.source_start for event in events) > 5 * RATE
    whole = Mixer([source], [], config(min_events=1, max_events=1)).make(0).record.events[0]
    assert whole.source_stop - whole.source_start == 4 * RATE


@pytest.mark.parametrize("most", [1, 2])
def test_no_more_events_at_once_than_allowed(most: int, events: list[Source]) -> None:
    mixer = Mixer(events, [], config(min_events=8, max_events=8, max_overlap=most))
    counts, unplaced = [], 0
    for number in range(10):
        mixed = mixer.make(number)
        sounding = np.zeros(mixed.record.length, int)
        for event in mixed.record.events:
            sounding[event.onset : event.onset + event.length] += 1
        counts.append(sounding.max())
        unplaced += mixed.unplaced
        assert len(mixed.record.events) + mixed.unplaced == 8
    assert max(counts) == most
    assert (unplaced > 0) == (most == 1)


def test_a_loud_soundscape_is_scaled_as_a_whole(events: list[Source]) -> None:
    mixer = Mixer(events, [], config(min_events=1, max_events=1, min_snr_db=60, max_snr_db=60))
    mixed = mixer.make(0)
    assert mixed.record.scale < 1
    assert np.abs(mixed.samples).max() == pytest.approx(0.99, abs=1e-5)
    assert ratio_db(mixed, mixed.record.events[0]) == pytest.approx(60, abs=0.05)


def test_an_event_in_digital_silence_is_heard(write: Write, events: list[Source]) -> None:
    gap = np.concatenate([noise(0.5, 1), np.zeros(int(3.0 * RATE), np.float32), noise(0.5, 2)])
    mixer = Mixer(events, [write("rain", "gap", gap)], config(min_events=3, max_events=3))
    for number in range(5):
        mixed = mixer.make(number)
        assert all(0 < event.gain < 1e3 for event in mixed.record.events)
        assert np.isfinite(mixed.samples).all()


def test_classes_are_heard_alike_often(write: Write) -> None:
    many = [write("many", str(take), noise(0.2, take)) for take in range(20)]
    mixer = Mixer([*many, write("one", "a", noise(0.2))], [], config(min_events=10, max_events=10))
    labels = [event.label for number in range(20) for event in mixer.make(number).record.events]
    assert 0.38 < labels.count("one") / len(labels) < 0.62


@pytest.mark.parametrize(("colour", "rise_db"), [("white", 3.01), ("pink", 0.0), ("brown", -3.01)])
def test_noise_has_its_colour(colour: str, rise_db: float) -> None:
    mixer = Mixer([], [], config(min_events=0, max_events=0, colour=colour, length_s=30))
    spectrum = np.square(np.abs(np.fft.rfft(mixer.make(0).samples)))
    edges = [round(hz * 30) for hz in (60, 120, 240, 480, 960, 1920, 3840)]
    octaves = [db(spectrum[a:b].sum()) for a, b in pairwise(edges)]
    assert np.diff(octaves) == pytest.approx(rise_db, abs=0.7)


def test_clips_with_one_label_are_events() -> None:
    clips = [
        Clip("a.wav", ("bark",), 1.0, 2.0, group="dog 1"),
        Clip("b.wav", ()),
        Clip("c.wav", ("bark", "cry")),
    ]
    sources, others = sources_of(clips)
    assert sources == [Source("a.wav", "bark", 1.0, 2.0, "dog 1")]
    assert others == 2


def test_a_strong_label_is_the_part_that_is_taken(write: Write) -> None:
    whole = write("bark", "a", np.concatenate([noise(1.0), 0.5 * noise(1.0, 5), noise(1.0)]))
    part = Source(whole.path, "bark", 1.0, 2.0, "dog 1")
    (event,) = Mixer([part], [], config(min_events=1, max_events=1)).make(0).record.events
    assert (event.source_start, event.source_stop) == (8000, 16000)
    assert event.group == "dog 1"


def test_one_channel_may_be_taken(write: Write) -> None:
    both = np.stack([noise(0.5, 1), np.zeros(4000, np.float32)], axis=1)
    source = write("bark", "stereo", both)
    one = Mixer([source], [], config(min_events=1, max_events=1, channel=0)).make(0)
    assert one.record.events[0].channel == 0
    assert np.array_equal(render(one.record), one.samples)
    with pytest.raises(DataError, match="is silent"):
        Mixer([source], [], config(min_events=1, channel=1)).make(0)


def test_nothing_to_place_is_refused() -> None:
    with pytest.raises(DataError, match="no event to place"):
        Mixer([], [], config())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_events": 6}, "must not be above max_events"),
        ({"min_pitch": 1}, "must not be above max_pitch"),
        ({"length_s": 0}, "greater than or equal to 0.1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        config(**options)
