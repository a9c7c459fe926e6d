"""What `survey` counts and which clips `draw_clips` shows."""

import random
from pathlib import Path

import numpy as np
import pytest

from auricle.core.types import Clip
from auricle.data import DataConfig, Manifest, draw_clips, survey, thumbnails


@pytest.fixture
def three(tmp_path: Path, tone) -> Manifest:
    """Files of 1 s and 2 s at other rates, an event inside one, and what is broken."""
    one = tone(tmp_path / "one.wav", seconds=1.0)
    two = tone(tmp_path / "two.flac", seconds=2.0, sample_rate=44100, channels=2)
    bad = tmp_path / "bad.wav"
    bad.write_text("no sound")
    clips = [
        Clip(str(one), ("a",), split="train"),
        Clip(str(two), ("a", "b"), split="test"),
        Clip(str(two), ("b",), onset_s=0.5, offset_s=0.75, split="test"),
        Clip(str(two), ("b",), onset_s=1.5, offset_s=9.0, split="test"),
        Clip(str(two), (), split="validation"),
        Clip(str(bad), ("a",), split="train"),
        Clip(str(one), ("a",), onset_s=3.0, split="train"),
    ]
    return Manifest.of(clips, missing=("gone.wav",), rejected=("row 7: no label",))


def test_what_is_there_is_counted(three):
    overview = survey(three)
    assert (overview.clips, overview.files, overview.files_read) == (7, 3, 3)
    assert (overview.part, overview.parts) == ("split", ("train", "validation", "test"))
    views = {view.label: view for view in overview.classes}
    assert views["a"].by_part == {"train": 3, "test": 1}
    assert views["b"].clips == 3
    assert views[None].clips == 1
    assert views["b"].total_s == pytest.approx(2 + 0.25 + 0.5)
    assert views["a"].total_s == pytest.approx((1 + 2) / 2 * 4)  # two of four could be measured
    assert overview.sample_rates == {16000: 1, 44100: 1}
    assert overview.channels == {1: 1, 2: 1}
    lengths = overview.durations
    assert lengths is not None
    assert (lengths.clips, lengths.least_s, lengths.most_s) == (5, 0.25, 2.0)
    assert lengths.median_s == pytest.approx(1.0)
    assert sum(lengths.histogram) == 5


def test_bad_files_and_rows_are_listed(three):
    bad = survey(three).bad
    assert len(bad) == 4
    assert "gone.wav" in bad[0]
    assert bad[1] == "row 7: no label"
    assert any("is not a sound file" in line for line in bad)
    assert any("starts at 3 s, where the file ends" in line for line in bad)


def test_of_many_files_some_are_opened(tmp_path, tone):
    paths = [tone(tmp_path / f"{index}.wav", seconds=0.1) for index in range(30)]
    manifest = Manifest.of([Clip(str(path), ("a",)) for path in paths])
    overview = survey(manifest, most_files=7)
    assert (overview.files, overview.files_read) == (30, 7)
    assert overview.classes[0].clips == 30
    assert overview.classes[0].total_s == pytest.approx(3.0)
    assert overview == survey(manifest, most_files=7)


def test_nothing_at_all_is_no_error():
    overview = survey(Manifest.of([], labels=("a",)))
    assert overview.durations is None
    assert overview.classes[0].total_s is None


def clips_of(label: str, count: int) -> list[Clip]:
    return [Clip(f"data/{label}/{index}.wav", (label,)) for index in range(count)]


def test_the_draw_depends_on_seed_and_names_only():
    clips = clips_of("a", 50) + clips_of("b", 3)
    manifest = Manifest.of(clips)
    drawn = draw_clips(manifest, ("a", "b"), 4, seed=1)
    assert [len(drawn["a"]), len(drawn["b"])] == [4, 3]
    shuffled = random.Random(0).sample(clips, len(clips))
    assert draw_clips(Manifest.of(shuffled), ("a", "b"), 4, seed=1) == drawn
    assert draw_clips(manifest, ("a", "b"), 4, seed=2) != drawn
    more = Manifest.of([*clips, Clip("data/a/new.wav", ("a",))])
    kept = [clip for clip in draw_clips(more, ("a",), 4, seed=1)["a"] if clip in drawn["a"]]
    assert len(kept) >= 3


def test_every_clip_is_drawn_alike():
    manifest = Manifest.of(clips_of("a", 10))
    counts = np.zeros(10)
    for seed in range(1000):
        for clip in draw_clips(manifest, ("a",), 2, seed=seed)["a"]:
            counts[int(Path(clip.path).stem)] += 1
    assert counts.sum() == 2000
    assert counts.min() > 150
    assert counts.max() < 250


def test_clips_of_several_labels_stand_under_each():
    clip = Clip("x.wav", ("a", "b"))
    other = Clip("y.wav", ())
    drawn = draw_clips(Manifest.of([clip, other]), ("a", "b", None), 2)
    assert drawn == {"a": [clip], "b": [clip], None: [other]}


def test_thumbnails_show_the_stretch_and_tell_what_is_bad(three):
    clips = {"b": [three.clips[2]], "a": [three.clips[0], three.clips[5]]}
    shown = thumbnails(clips, DataConfig(), bands=12, columns=20)
    event = shown["b"][0]
    assert event.spectrogram_db is not None
    assert event.spectrogram_db.shape == (12, 20)
    assert event.seen_s == pytest.approx(0.25)
    assert event.high_hz == 22050
    assert [one.problem is None for one in shown["a"]] == [True, False]
