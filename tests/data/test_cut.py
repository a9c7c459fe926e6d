"""Cutting gives back what was labelled, to a sample, and never half of anything."""

import math
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from auricle.audio.encoding import encode
from auricle.core.errors import AudioError, ConfigError, DataError
from auricle.core.types import Clip
from auricle.core.writing import WriteError
from auricle.data import CutOptions, DataConfig, Manifest, cut, cutting, read_dataset
from auricle.data.cut_plan import Recording, Span, plan_recording, recordings_of

RATE = 8000
EVENTS = [
    (1.5, 2.25, "dog"),
    (4.0, 9.5, "siren"),
    (8.0, 8.5, "dog"),
    (8.000125, 8.5, "cat"),
    (15.3, 15.3, "click"),
    (19.0, 25.0, "siren"),
]


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """20 s of noise, every sample another."""
    samples = np.random.default_rng(0).integers(-20000, 20000, 20 * RATE, dtype=np.int16)
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "in" / "night.flac", samples, RATE)
    return tmp_path / "in" / "night.flac"


def labelled(path: Path, events=EVENTS, **how) -> Manifest:
    return Manifest.of([Clip(str(path), (name,), on, off, **how) for on, off, name in events])


def sound(path: Path | str) -> np.ndarray:
    return soundfile.read(path, dtype="int16")[0]


def position(clip: Clip, what: str) -> int:
    return round(float(clip.extra[f"source_{what}_s"]) * RATE)


def is_exact(result, night: Path) -> bool:
    whole = sound(night)
    return all(
        np.array_equal(sound(clip.path), whole[position(clip, "onset") : position(clip, "offset")])
        for clip in result.manifest.clips
    )


def test_a_clip_per_event_is_the_event_to_a_sample(night, tmp_path):
    result = cut(labelled(night), tmp_path / "out", CutOptions())
    assert result.layout == "folders"
    assert result.rejected == ()
    assert is_exact(result, night)
    found = sorted(
        (position(clip, "onset"), position(clip, "offset"), *clip.labels)
        for clip in result.manifest.clips
    )
    expected = [
        (round(on * RATE), max(min(round(off * RATE), 160_000), round(on * RATE) + 1), name)
        for on, off, name in EVENTS
    ]
    assert found == sorted(expected)
    for clip in result.manifest.clips:
        assert Path(clip.path).parent.name == clip.labels[0]


def test_margins_stay_inside_the_recording(night, tmp_path):
    events = [(0.2, 1.0, "a"), (19.0, 19.9, "a"), (10.0, 11.0, "a")]
    result = cut(labelled(night, events), tmp_path / "out", CutOptions(margin_s=0.5))
    spans = sorted(
        (position(clip, "onset") / RATE, position(clip, "offset") / RATE)
        for clip in result.manifest.clips
    )
    assert spans == [(0, 1.5), (9.5, 11.5), (18.5, 20.0)]
    assert is_exact(result, night)


@pytest.mark.parametrize(
    "how", [{"length_s": 5.0}, {"length_s": 2.0, "hop_s": 0.7}, {"margin_s": 0.3}]
)
def test_strong_labels_come_back_with_their_times(night, tmp_path, how):
    result = cut(labelled(night), tmp_path / "out", CutOptions(strong=True, **how))
    assert is_exact(result, night)
    seen: dict[str, set[int]] = {}
    for clip in result.manifest.clips:
        start = position(clip, "onset") + round(clip.onset_s * RATE)
        end = position(clip, "onset") + round(clip.offset_s * RATE)
        assert clip.offset_s <= len(sound(clip.path)) / RATE
        seen.setdefault(clip.labels[0], set()).update(range(start, end))
    for name in ("dog", "cat", "siren", "click"):
        expected = {
            sample
            for on, off, label in EVENTS
            if label == name
            for sample in range(
                round(on * RATE), min(max(round(off * RATE), round(on * RATE) + 1), 160_000)
            )
        }
        assert seen[name] == expected


@pytest.mark.parametrize(
    ("share", "labels"),
    [
        (1.0, {4: {"long"}}),
        (0.5, {0: {"a"}, 2: {"edge", "long"}, 4: {"long"}, 6: {"long"}}),
        (0.1, {0: {"a", "edge"}, 2: {"a", "edge", "long"}, 4: {"long"}, 6: {"long"}}),
    ],
)
def test_what_lies_in_a_window_by_its_share_counts(night, tmp_path, share, labels):
    # Of 'a' 80 % lie in the first window, of 'edge' 30 %; 'long' fills one window and halves two.
    events = [(1.2, 2.2, "a"), (1.7, 2.7, "edge"), (3.0, 7.0, "long")]
    options = CutOptions(length_s=2.0, min_share=share)
    result = cut(labelled(night, events), tmp_path / "out", options)
    found = {position(clip, "onset") // RATE: set(clip.labels) for clip in result.manifest.clips}
    assert found == labels


@pytest.mark.parametrize(
    ("ends", "last"), [("shift", (13.0, 20.0)), ("drop", (7.0, 14.0)), ("keep", (14.0, 20.0))]
)
def test_what_is_behind_the_last_window(night, tmp_path, ends, last):
    options = CutOptions(length_s=7.0, ends=ends)
    result = cut(labelled(night, [(0, 20, "a")]), tmp_path / "out", options)
    clip = result.manifest.clips[-1]
    assert (position(clip, "onset") / RATE, position(clip, "offset") / RATE) == last


@pytest.mark.parametrize(("ends", "clips"), [("shift", 1), ("keep", 1), ("drop", 0)])
def test_a_recording_shorter_than_a_window(night, tmp_path, ends, clips):
    manifest, options = labelled(night, [(0, 20, "a")]), CutOptions(length_s=30, ends=ends)
    if not clips:
        with pytest.raises(DataError, match="nothing to cut"):
            cut(manifest, tmp_path / "out", options)
        return
    result = cut(manifest, tmp_path / "out", options)
    assert len(sound(result.manifest.clips[0].path)) == 20 * RATE


@pytest.mark.parametrize("how", [{"length_s": 0.5, "hop_s": 0.25}, {"margin_s": 0.2}])
def test_no_event_sounds_in_the_background(night, tmp_path, how):
    options = CutOptions(background="rest", background_count=1000, **how)
    result = cut(labelled(night), tmp_path / "out", options)
    rest = [clip for clip in result.manifest.clips if clip.labels == ("rest",)]
    assert len(rest) >= 8
    margin = how.get("margin_s", 0)
    for clip in rest:
        start, end = (float(clip.extra[f"source_{what}_s"]) for what in ("onset", "offset"))
        assert all(end <= on - margin + 1e-9 or start >= off + margin for on, off, _ in EVENTS)
    assert is_exact(result, night)


def test_background_is_as_much_as_events_and_spread_evenly(night, tmp_path):
    manifest = labelled(night, [(0.0, 1.0, "a"), (1.0, 2.0, "b")])
    result = cut(manifest, tmp_path / "out", CutOptions(background="rest"))
    starts = [position(c, "onset") / RATE for c in result.manifest.clips if c.labels == ("rest",)]
    assert len(starts) == 2
    assert starts[0] < 11 < starts[1]
    alone = cut(
        Manifest.of([Clip(str(night))]), tmp_path / "b", CutOptions(length_s=2, background="rest")
    )
    assert alone.clips == 1


def test_windows_without_events_are_kept_where_asked(night, tmp_path):
    manifest = labelled(night, [(2.0, 3.0, "a")])
    result = cut(manifest, tmp_path / "out", CutOptions(length_s=5, keep_empty=True))
    assert result.layout == "flat"
    assert [clip.labels for clip in result.manifest.clips] == [("a",), (), (), ()]


def test_the_group_is_the_recording_and_splits_stay(night, tmp_path):
    manifest = labelled(night, split="test", fold="3")
    result = cut(manifest, tmp_path / "out", CutOptions())
    assert {(c.group, c.split, c.fold) for c in result.manifest.clips} == {("night", "test", "3")}
    declared = cut(labelled(night, group="farm"), tmp_path / "b", CutOptions())
    assert {clip.group for clip in declared.manifest.clips} == {"farm"}
    again = read_dataset(tmp_path / "out", DataConfig())
    assert again.group_declared
    assert len(again.clips) == len(EVENTS)
    assert again.labels == ("cat", "click", "dog", "siren")


def test_recordings_of_one_name_keep_apart(night, tmp_path):
    (tmp_path / "in" / "b").mkdir()
    other = tmp_path / "in" / "b" / "Night.wav"
    soundfile.write(other, sound(night)[::-1], RATE)
    odd = tmp_path / "in" / "b" / "ночь 1: a,b|c.wav"
    soundfile.write(odd, sound(night), RATE)
    events = [(1.0, 2.0, "a")]
    rows = [clip for path in (night, other, odd) for clip in labelled(path, events).clips]
    result = cut(Manifest.of(rows), tmp_path / "out", CutOptions())
    names = sorted(Path(clip.path).name for clip in result.manifest.clips)
    assert len(names) == 3
    assert names[-1] == "ночь_1_a_b_c_000001.000-000002.000.flac"
    assert len({clip.group for clip in result.manifest.clips}) == 3


def test_labels_that_are_no_folder_need_the_flat_layout(night, tmp_path):
    manifest = labelled(night, [(1.0, 2.0, "Speech/male")])
    with pytest.raises(DataError, match="cannot be the name of a folder"):
        cut(manifest, tmp_path / "out", CutOptions())
    assert not (tmp_path / "out").exists()
    result = cut(manifest, tmp_path / "out", CutOptions(layout="flat"))
    assert result.manifest.clips[0].labels == ("Speech/male",)


@pytest.mark.parametrize("label", ["manifest.csv", "犬" * 80])
def test_labels_that_no_folder_beside_the_table_has_are_refused_at_once(night, tmp_path, label):
    manifest = labelled(night, [(1.0, 2.0, "a"), (3.0, 4.0, label)])
    with pytest.raises(DataError, match="--layout flat"):
        cut(manifest, tmp_path / "out", CutOptions())
    assert not (tmp_path / "out").exists()
    assert cut(manifest, tmp_path / "out", CutOptions(layout="flat")).clips == 2


def test_recordings_with_the_longest_names_are_cut(night, tmp_path):
    paths = [night.with_name("犬" * 82 + end + ".flac") for end in "ab"]
    for path in paths:
        path.write_bytes(night.read_bytes())
    rows = [clip for path in paths for clip in labelled(path).clips]
    result = cut(Manifest.of(rows), tmp_path / "out", CutOptions())
    assert result.rejected == ()
    assert len({clip.path for clip in result.manifest.clips}) == 2 * len(EVENTS)


@pytest.mark.parametrize("form", ["wav", "ogg", "flac"])
def test_forms_and_rates(night, tmp_path, form):
    options = CutOptions(form=form, sample_rate=16000, bits=24, length_s=4.0)
    result = cut(labelled(night, [(0, 20, "a")]), tmp_path / "out", options)
    for clip in result.manifest.clips:
        info = soundfile.info(clip.path)
        assert (info.samplerate, info.frames) == (16000, 64000)
        assert info.subtype == ("VORBIS" if form == "ogg" else "PCM_24")


def test_a_long_ogg_does_not_crash():
    noise = np.random.default_rng(0).standard_normal(6_000_000).astype(np.float32)
    assert encode(noise, 44100, "ogg")[:4] == b"OggS"


def test_a_rate_that_a_form_lacks_is_told():
    with pytest.raises(AudioError, match="choose another rate"):
        encode(np.zeros(10, np.float32), 2_000_000, "flac")


def test_a_stopped_run_goes_on_and_ends_alike(night, tmp_path, monkeypatch):
    options = CutOptions(length_s=1.0, background="rest")
    whole = cut(labelled(night), tmp_path / "whole", options)
    real, written = cutting.replacing, []

    def killed_at_the_fifth(path):
        if len(written) == 5:
            raise WriteError(f"cannot write {path}: No space left on device")
        written.append(path)
        return real(path)

    monkeypatch.setattr(cutting, "replacing", killed_at_the_fifth)
    with pytest.raises(WriteError, match="No space left"):
        cut(labelled(night), tmp_path / "out", options)
    assert not (tmp_path / "out" / "manifest.csv").exists()
    left = tmp_path / "out" / "rest" / ".x.flac.abcdefgh.part"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"half")
    monkeypatch.setattr(cutting, "replacing", real)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.flac")}
    again = cut(labelled(night), tmp_path / "out", options)
    assert again.there == 5
    assert all(path.stat().st_mtime_ns == at for path, at in times.items())

    def contents(folder: Path) -> dict[str, bytes]:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }

    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert again.clips == whole.clips


def test_clips_of_other_options_never_mix(night, tmp_path):
    cut(labelled(night), tmp_path / "out", CutOptions())
    with pytest.raises(DataError, match="cut with bits 16, and now it is 24"):
        cut(labelled(night), tmp_path / "out", CutOptions(bits=24))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="not cut here"):
        cut(labelled(night), tmp_path / "other", CutOptions())
    with pytest.raises(DataError, match="is a file"):
        cut(labelled(night), tmp_path / "other" / "thesis.txt", CutOptions())


def test_clips_of_other_labels_never_mix(night, tmp_path):
    cut(labelled(night), tmp_path / "out", CutOptions())
    assert cut(labelled(night), tmp_path / "out", CutOptions()).there == len(EVENTS)
    more = cut(labelled(night, [*EVENTS, (10.0, 11.0, "dog")]), tmp_path / "out", CutOptions())
    assert (more.there, more.clips) == (len(EVENTS), len(EVENTS) + 1)
    with pytest.raises(DataError, match="no longer there: name another folder"):
        cut(labelled(night, EVENTS[1:]), tmp_path / "out", CutOptions())


def test_bad_recordings_are_left_out_and_told(night, tmp_path):
    text = tmp_path / "in" / "text.wav"
    text.write_text("no sound")
    broken = tmp_path / "in" / "broken.flac"
    content = night.read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    rows = [clip for path in (text, broken, night) for clip in labelled(path).clips]
    result = cut(Manifest.of(rows), tmp_path / "out", CutOptions())
    told = "\n".join(result.rejected)
    assert "text.wav is not a sound file" in told
    assert "broken.flac is cut short" in told
    assert "of its 6 clips are missing" in told
    of = [clip.group for clip in result.manifest.clips]
    assert of.count("night") == 6
    assert 1 <= of.count("broken") < 6
    assert is_exact(result, night)
    with pytest.raises(DataError, match=r"nothing can be cut: .*text\.wav"):
        cut(labelled(text), tmp_path / "b", CutOptions())
    with pytest.raises(DataError, match=r"text\.wav is not a sound file"):
        cut(Manifest.of(rows), tmp_path / "c", CutOptions(), strict=True)
    with pytest.raises(DataError, match=r"broken\.flac is cut short"):
        cut(Manifest.of(rows[6:]), tmp_path / "d", CutOptions(), strict=True)


def test_events_past_the_end_are_told(night, tmp_path):
    result = cut(labelled(night, [(1, 2, "a"), (21, 22, "b")]), tmp_path / "out", CutOptions())
    assert result.clips == 1
    assert "'b' at 21 s lies past the end (20.000 s)" in result.rejected[0]


def test_a_label_of_the_whole_file_is_in_every_window(night, tmp_path):
    result = cut(Manifest.of([Clip(str(night), ("a",))]), tmp_path / "out", CutOptions(length_s=6))
    assert [clip.labels for clip in result.manifest.clips] == [("a",)] * 4


def test_memory_stays_flat(monkeypatch):
    minutes = 120
    monkeypatch.setattr(
        cutting,
        "_blocks",
        lambda *how: (np.zeros(30 * RATE, np.float32) for _ in range(2 * minutes)),
    )
    recording = Recording(
        "x", "x", [Span(10.0 * index, 10.0 * index + 1, ("a",)) for index in range(6 * minutes)]
    )
    options = CutOptions(length_s=3.0, hop_s=1.0)
    cuts, _ = plan_recording(recording, 60 * minutes * RATE, RATE, options, 3.0, one_label=True)
    job = cutting._Job(recording, RATE, cuts, ())
    tracemalloc.start()
    sizes = [
        len(samples)
        for _, samples in cutting._stretches(job, range(len(cuts)), DataConfig(), threading.Event())
    ]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(sizes) == len(cuts) > 1000
    assert set(sizes) == {3 * RATE}
    assert peak < 8_000_000  # the whole is 230 MB


@given(
    total=st.integers(1, 400),
    length=st.integers(1, 60),
    hop=st.integers(1, 60),
    ends=st.sampled_from(["shift", "keep", "drop"]),
    events=st.lists(st.tuples(st.integers(0, 420), st.integers(0, 80)), max_size=12),
)
def test_windows_have_what_a_slow_count_finds(total, length, hop, ends, events):
    spans = [Span(on, on + long, (f"{index % 3}",)) for index, (on, long) in enumerate(events)]
    options = CutOptions(length_s=length, hop_s=hop, ends=ends, keep_empty=True, min_share=0.3)
    cuts, late = plan_recording(Recording("x", "x", spans), total, 1, options, 1, one_label=True)
    kept = [span for span in spans if span.onset_s < total]
    assert len(late) == len(spans) - len(kept)
    for one in cuts:
        assert 0 <= one.start < one.end <= total
        assert one.end - one.start <= length
        if ends != "keep" and total >= length:
            assert one.end - one.start == length
        labels = set()
        for span in kept:
            end = max(min(span.offset_s, total), span.onset_s + 1)
            inside = min(one.end, end) - max(one.start, span.onset_s)
            if inside > 0 and inside + 1e-6 >= 0.3 * min(end - span.onset_s, one.end - one.start):
                labels.update(span.labels)
        assert set(one.labels) == labels
    if not spans and ends != "drop" and hop <= length:
        assert set().union(*(range(one.start, one.end) for one in cuts)) == set(range(total))


@given(
    events=st.lists(st.tuples(st.integers(0, 90), st.integers(1, 40)), min_size=1, max_size=15),
    margin=st.integers(0, 10),
)
def test_clips_around_events_hold_all_that_sounds_in_them(events, margin):
    spans = [Span(on, on + long, (f"{index}",)) for index, (on, long) in enumerate(events)]
    options = CutOptions(margin_s=margin, min_share=0.5, layout="flat")
    cuts, _ = plan_recording(Recording("x", "x", spans), 200, 1, options, 1, one_label=False)
    for one in cuts:
        labels = {
            span.labels[0]
            for span in spans
            if (inside := min(one.end, span.offset_s) - max(one.start, span.onset_s)) > 0
            and inside >= 0.5 * min(span.offset_s - span.onset_s, one.end - one.start)
        }
        assert set(one.labels) == labels
    assert set().union(*(one.labels for one in cuts)) == {span.labels[0] for span in spans}


def test_rows_of_a_recording_need_not_stand_together():
    rows = [Clip("a/x.wav", ("1",), 3, 4), Clip("b.wav", ("2",)), Clip("a/x.wav", ("3",), 1, 2)]
    first, second = recordings_of(Manifest.of(rows))
    assert [span.labels for span in sorted(first.spans)] == [("3",), ("1",)]
    assert second.spans[0].offset_s is None


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"length_s": 0}, "length_s must be above 0"),
        ({"length_s": math.nan}, "length_s must be above 0"),
        ({"hop_s": 1}, "give length_s"),
        ({"length_s": 1, "margin_s": 1}, "leave length_s out"),
        ({"margin_s": -1}, "margin_s must be at least 0"),
        ({"min_share": 0}, "min_share"),
        ({"keep_empty": True}, "keep_empty is about windows"),
        ({"length_s": 1, "keep_empty": True, "background": "x"}, "background or keep_empty"),
        ({"layout": "folders", "strong": True}, "use layout flat"),
        ({"background_count": -1}, "background_count"),
        ({"sample_rate": 0}, "sample_rate"),
    ],
)
def test_options_that_make_no_sense_are_refused(how, message):
    with pytest.raises(ConfigError, match=message):
        CutOptions(**how)
