"""Soundscapes: what was drawn is what is heard, and what the labels say."""

import errno
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.core.errors import ConfigError, DataError
from auricle.core.types import Clip, FloatArray
from auricle.core.writing import WriteError
from auricle.data import DataConfig, read_dataset
from auricle.data.soundscapes import (
    MixConfig,
    Mixed,
    Mixer,
    Soundscape,
    Source,
    audible,
    mix_folder,
    render,
    sources_of,
)

RATE = 8000
Write = Callable[..., Source]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write samples to a file of a class and return it as a source."""

    def to(label: str, name: str, samples: Any, rate: int = RATE) -> Source:
        path = tmp_path / "sounds" / label / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate, subtype="FLOAT")
        return Source(str(path), label)

    return to


def noise(seconds: float, seed: int = 0, level: float = 0.1, rate: int = RATE) -> FloatArray:
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal(round(seconds * rate))).astype(np.float32)


def padded(samples: FloatArray, before: int = 2000, after: int = 3000) -> FloatArray:
    return np.pad(samples, (before, after))


@pytest.fixture
def events(write: Write) -> list[Source]:
    """Three classes of noise bursts with silence on both sides."""
    return [
        write(label, str(take), padded(noise(0.3 * (take + 1), seed=10 * index + take)))
        for index, label in enumerate(("bark", "cry", "Ö tick"))
        for take in range(3)
    ]


@pytest.fixture
def backgrounds(write: Write) -> list[Source]:
    """One shorter and one longer than the soundscapes, at a rate of their own."""
    return [
        write("rain", "short", noise(1.5, 91, rate=11025), 11025),
        write("rain", "long", noise(7.0, 92, rate=11025), 11025),
    ]


def config(**options: Any) -> MixConfig:
    return MixConfig.model_validate({"length_s": 4.0, "sample_rate": RATE, **options})


def of_events(mixed: Mixed) -> FloatArray:
    """The soundscape less its background, which the record makes again."""
    alone = mixed.record.model_copy(update={"events": ()})
    return mixed.samples - render(alone)


def db(power: float) -> float:
    return 10 * float(np.log10(power))


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
        ground = mixed.samples - heard
        inside = np.zeros(record.length, bool)
        for event in record.events:
            extent = slice(event.onset, event.onset + event.length)
            assert db(power(heard[extent]) / power(ground[extent])) == pytest.approx(
                event.snr_db, abs=0.01
            )
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


def test_a_long_background_is_read_in_part_from_different_places(write: Write) -> None:
    ramp = np.linspace(0.1, 0.5, 70 * RATE, dtype=np.float32)
    source = write("hum", "long", ramp)
    mixer = Mixer([], [source], config(max_events=0, min_events=0))
    starts = {mixer.make(number).record.background.source_start for number in range(10)}
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
        heard = of_events(mixed)[event.onset : event.onset + event.length]
        assert db(power(heard)) - db(
            power((mixed.samples - of_events(mixed))[event.onset :][: event.length])
        ) == pytest.approx(event.snr_db, abs=0.01)
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
    heard = of_events(mixed)
    (event,) = mixed.record.events
    extent = slice(event.onset, event.onset + event.length)
    ground = mixed.samples - heard
    assert db(power(heard[extent]) / power(ground[extent])) == pytest.approx(60, abs=0.05)


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


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def mixer_of(events: list[Source], backgrounds: list[Source], **options: Any) -> Mixer:
    return Mixer(events, backgrounds, config(max_pitch=2, **options))


def test_the_same_bytes_on_any_number_of_workers(
    events: list[Source], backgrounds: list[Source], tmp_path: Path
) -> None:
    for name, workers, seed in (("one", 1, 0), ("four", 4, 0), ("other", 4, 1)):
        mix_folder(tmp_path / name, mixer_of(events, backgrounds, seed=seed), 9, workers=workers)
    one, four, other = (content(tmp_path / name) for name in ("one", "four", "other"))
    assert one == four
    assert set(one) == set(other)
    assert all(one[name] != other[name] for name in one)
    names = {"labels.tsv", "mix.json", "soundscapes.jsonl"}
    assert set(one) == names | {f"audio/soundscape_{number:06d}.flac" for number in range(9)}


@pytest.mark.parametrize("suffix", ["flac", "wav"])
def test_the_labels_read_back_to_the_sample(
    suffix: Any, events: list[Source], backgrounds: list[Source], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    report = mix_folder(
        folder, mixer_of(events, backgrounds, min_events=0, max_events=2), 12, suffix=suffix
    )
    lines = (folder / "soundscapes.jsonl").read_text(encoding="utf-8").splitlines()
    records = [Soundscape.from_json(line) for line in lines]
    manifest = read_dataset(folder, DataConfig())
    found: dict[str, list[tuple[Any, ...]]] = {}
    for clip in manifest.clips:
        times = () if clip.offset_s is None else (clip.onset_s * RATE, clip.offset_s * RATE)
        found.setdefault(Path(clip.path).stem, []).append((*clip.labels, *times))
    assert not manifest.missing
    assert not manifest.rejected
    assert set(found) == {record.name for record in records}
    for record in records:
        expected = sorted(
            (event.label, event.onset, event.onset + event.length) for event in record.events
        )
        assert sorted(found[record.name]) == (expected or [()])
        samples, rate = soundfile.read(folder / "audio" / f"{record.name}.{suffix}", dtype="int16")
        assert rate == RATE
        np.testing.assert_array_equal(samples, np.rint(render(record) * np.float32(32767)))
    assert any(not record.events for record in records)
    assert report.soundscapes == 12
    assert sum(report.events.values()) == sum(len(record.events) for record in records)


class Stopped(Exception):
    pass


class Breaking(Mixer):
    """A mixer that is stopped before a certain soundscape."""

    at = 5

    def make(self, number: int) -> Mixed:
        if number >= self.at:
            raise Stopped
        return super().make(number)


def test_a_broken_mix_goes_on_to_the_same_end(
    events: list[Source], backgrounds: list[Source], tmp_path: Path
) -> None:
    mix_folder(tmp_path / "whole", mixer_of(events, backgrounds), 9)
    folder = tmp_path / "broken"
    breaking = Breaking(events, backgrounds, config(max_pitch=2))
    with pytest.raises(Stopped):
        mix_folder(folder, breaking, 9, workers=2)
    assert not (folder / "labels.tsv").exists()
    # As a kill between a sound and the note that it is done, or within a write, leaves them.
    (folder / ".parts" / "3.json").unlink()
    (folder / "audio" / ".soundscape_000007.flac.abcdefgh.part").write_bytes(b"half")
    with pytest.raises(ConfigError, match="not finished: --resume goes on"):
        mix_folder(folder, mixer_of(events, backgrounds), 9)
    with pytest.raises(ConfigError, match="begun with another 'seed'"):
        mix_folder(folder, mixer_of(events, backgrounds, seed=3), 9, resume=True)
    with pytest.raises(ConfigError, match="begun with another 'events'"):
        mix_folder(folder, mixer_of(events[:-1], backgrounds), 9, resume=True)
    report = mix_folder(folder, mixer_of(events, backgrounds), 9, resume=True)
    assert content(folder) == content(tmp_path / "whole")
    assert report.soundscapes == 9


def test_a_finished_mix_grows_and_shrinks(
    events: list[Source], backgrounds: list[Source], tmp_path: Path
) -> None:
    mixer = mixer_of(events, backgrounds)
    folder = tmp_path / "out"
    for count in (3, 9, 5):
        mix_folder(folder, mixer, count, resume=True)
        mix_folder(tmp_path / f"{count}", mixer, count)
        assert content(folder) == content(tmp_path / f"{count}")
    with pytest.raises(ConfigError, match="is finished: --resume goes on with it, --force"):
        mix_folder(folder, mixer, 5)
    (folder / "notes.txt").write_text("mine")
    mix_folder(folder, mixer_of(events, backgrounds, seed=4), 3, force=True)
    assert (folder / "notes.txt").read_text() == "mine"
    assert len(list((folder / "audio").iterdir())) == 3


def test_a_folder_of_other_files_is_left_alone(events: list[Source], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "labels.tsv").write_text("mine")
    for force in (False, True):
        with pytest.raises(ConfigError, match="name a new folder"):
            mix_folder(folder, Mixer(events, [], config()), 3, force=force)
    assert content(folder) == {"labels.tsv": b"mine"}
    with pytest.raises(ConfigError, match="is a file"):
        mix_folder(folder / "labels.tsv", Mixer(events, [], config()), 3)


def test_sounds_that_cannot_be_used_are_told_and_others_taken(
    write: Write, events: list[Source], backgrounds: list[Source], tmp_path: Path
) -> None:
    silent = write("cry", "silent", np.zeros(4000))
    broken = Source(str(tmp_path / "broken.wav"), "bark")
    Path(broken.path).write_bytes(b"no sound")
    still = write("rain", "still", np.zeros(4000))
    mixer = Mixer([*events, silent, broken], [*backgrounds, still], config(min_events=4))
    report = mix_folder(tmp_path / "out", mixer, 12)
    assert set(report.bad) == {silent.path, broken.path, still.path}
    assert "is silent" in report.bad[silent.path]
    assert report.soundscapes == 12
    lines = (tmp_path / "out" / "soundscapes.jsonl").read_text(encoding="utf-8").splitlines()
    assert all(len(json.loads(line)["events"]) >= 4 for line in lines)
    with pytest.raises(DataError, match=r"is silent|not a sound file"):
        mix_folder(tmp_path / "strict", mixer, 12, strict=True)
    with pytest.raises(DataError, match="events in a row cannot be used"):
        Mixer([broken], [], config(min_events=1)).make(0)
    with pytest.raises(DataError, match="backgrounds in a row cannot be used"):
        Mixer(events, [still], config()).make(0)


def test_nothing_to_place_is_refused() -> None:
    with pytest.raises(DataError, match="no event to place"):
        Mixer([], [], config())


def test_a_label_that_a_table_cannot_hold_is_refused_before_the_work(
    write: Write, tmp_path: Path
) -> None:
    source = Source(write("bark", "a", noise(0.5)).path, "two\nlines")
    with pytest.raises(DataError, match="label"):
        mix_folder(tmp_path / "out", Mixer([source], [], config()), 2)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_told_and_the_mix_goes_on_later(
    events: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixer = Mixer(events, [], config())
    mix_folder(tmp_path / "whole", mixer, 4)
    with monkeypatch.context() as patch:

        def full(self: Path, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(WriteError, match="No space left"):
            mix_folder(tmp_path / "out", mixer, 4)
    mix_folder(tmp_path / "out", mixer, 4, resume=True)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_events": 6}, "min_events must not be above max_events"),
        ({"min_snr_db": 30}, "min_snr_db must not be above max_snr_db"),
        ({"min_pitch": 1}, "min_pitch must not be above max_pitch"),
        ({"length_s": 0}, "greater than 0"),
        ({"max_overlap": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        config(**options)
