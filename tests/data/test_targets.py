"""Targets against a sum over samples, and against the decoder that turns frames into events."""

import itertools
import json
import math
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.core.errors import ConfigError, DataError
from auricle.core.types import Clip
from auricle.core.writing import WriteError
from auricle.data import targets as targets_module
from auricle.data.targets import (
    FrameGrid,
    gather_labels,
    read_targets,
    write_targets,
)
from auricle.events import decode_events

LABELS = ("dog", "cat", "owl")


def event(path: str, label: str, onset_s: float, offset_s: float | None) -> Clip:
    return Clip(path, (label,), onset_s, offset_s)


def strong_of(clips: Sequence[Clip], grid: FrameGrid, labels: Sequence[str] = LABELS) -> np.ndarray:
    rows = gather_labels(clips, labels)
    return rows.strong(rows.spans(grid), 0, len(rows.files))


def weak_of(clips: Sequence[Clip], grid: FrameGrid, labels: Sequence[str] = LABELS) -> np.ndarray:
    rows = gather_labels(clips, labels)
    return rows.weak(rows.spans(grid), 0, len(rows.files))


def marked(clips: Sequence[Clip], grid: FrameGrid) -> list[int]:
    return np.flatnonzero(strong_of(clips, grid)[0, :, 0]).tolist()


# --- which frames an event marks

TEN_MS = FrameGrid.covering(1.0, 0.01, 16000)


@pytest.mark.parametrize(
    ("onset_s", "offset_s", "first", "last"),
    [
        (0.0, 1.0, 0, 99),
        (0.29, 0.57, 29, 56),  # neither is a binary fraction: 0.29 / 0.01 is 28.999...
        (0.07, 0.14, 7, 13),
        (0.101, 0.109, 10, 10),  # within a frame
        (0.109, 0.111, 10, 11),  # across a border
        (0.5, 0.5, 50, 50),  # no length, on a border
        (0.505, 0.505, 50, 50),
        (0.999, 7.0, 99, 99),  # cut
        (0.95, None, 95, 99),  # to the end
    ],
)
def test_an_event_marks_every_frame_that_it_overlaps(onset_s, offset_s, first, last):
    found = marked([event("a", "dog", onset_s, offset_s)], TEN_MS)
    assert found == list(range(first, last + 1))


@pytest.mark.parametrize("onset_s", [1.0, 1.5, 1e9, 1e308])
def test_an_event_that_begins_after_the_clip_counts_nowhere(onset_s: float):
    clips = [event("a", "dog", onset_s, onset_s * 1.1), event("a", "cat", 0.2, 0.3)]
    assert not strong_of(clips, TEN_MS)[:, :, 0].any()
    assert weak_of(clips, TEN_MS).tolist() == [[0, 1, 0]]


def brute_force(clips: Sequence[Clip], grid: FrameGrid) -> np.ndarray:
    """Overlap of intervals in exact numbers, frame by frame."""
    files = list(dict.fromkeys(clip.path for clip in clips))
    found = np.zeros((len(files), grid.frames, len(LABELS)), np.uint8)
    end = Fraction(grid.clip_samples)
    for clip, label in ((one, label) for one in clips for label in one.labels):
        onset = Fraction(str(clip.onset_s)) * grid.sample_rate
        offset = end if clip.offset_s is None else Fraction(str(clip.offset_s)) * grid.sample_rate
        offset = min(offset, end)
        for k in range(grid.frames):
            left, right = k * grid.hop_samples, (k + 1) * grid.hop_samples
            point = onset == offset and left <= onset < right and onset < end
            if point or max(left, onset) < min(right, offset):
                found[files.index(clip.path), k, LABELS.index(label)] = 1
    return found


# Times as people write them, to a millisecond: exact in decimals, not in binary.
times = st.integers(0, 2500).map(lambda ms: ms / 1000)


@st.composite
def clips_of(draw: st.DrawFn) -> list[Clip]:
    made = []
    for path in draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=12)):
        held = draw(st.sets(st.sampled_from(LABELS), max_size=2))
        onset, offset = sorted((draw(times), draw(times)))
        made.append(Clip(path, tuple(sorted(held)), onset, draw(st.sampled_from((offset, None)))))
    return made


@given(
    clips=clips_of(),
    clip_s=st.sampled_from([0.01, 0.5, 1.0, 1.005, 2.0]),
    hop_s=st.sampled_from([0.01, 0.02, 0.032, 0.25]),
    rate=st.sampled_from([8000, 16000, 32000, 44100]),
    more=st.sampled_from([0, 1, 7, -3]),
)
def test_frames_are_those_of_exact_arithmetic(clips, clip_s, hop_s, rate, more):
    if not (hop_s * rate).is_integer():
        hop_s = round(hop_s * rate) / rate
    grid = FrameGrid.covering(clip_s, hop_s, rate)
    grid = FrameGrid(rate, grid.hop_samples, grid.clip_samples, max(1, grid.frames + more))
    expected = brute_force(clips, grid)
    assert np.array_equal(strong_of(clips, grid), expected)
    if more >= 0:  # every moment of the clip has a frame
        assert np.array_equal(weak_of(clips, grid), expected.max(axis=1))


@given(clips_of())
def test_what_is_decoded_again_covers_the_events_and_no_frame_more(clips):
    grid = FrameGrid.covering(3.0, 0.01, 16000)
    files = list(dict.fromkeys(clip.path for clip in clips))
    for file, values in zip(files, strong_of(clips, grid), strict=True):
        found = decode_events(values.astype(np.float32), LABELS, grid.hop_s)
        for clip in clips:
            offset_s = 3.0 if clip.offset_s is None else clip.offset_s
            for label in clip.labels if clip.path == file else ():
                around = [
                    one
                    for one in found
                    if one.label == label
                    and one.onset_s <= clip.onset_s + 1e-9
                    and one.offset_s >= offset_s - 1e-9
                ]
                assert len(around) == 1
        for one in found:
            own = [clip for clip in clips if clip.path == file and one.label in clip.labels]
            assert any(clip.onset_s < one.onset_s + grid.hop_s for clip in own)


def test_the_grid_fits_a_front_end_that_centres_its_frames():
    frontends = pytest.importorskip("auricle.frontends")
    preset = frontends.FRONTENDS["logmel_32k"]
    frontend = preset.build(preset.config)
    assert frontend.frame_period_s is not None
    grid = FrameGrid.covering(10.0, frontend.frame_period_s, frontend.sample_rate)
    frames = frontend.frame_count(grid.clip_samples)
    centred = FrameGrid(grid.sample_rate, grid.hop_samples, grid.clip_samples, frames)
    whole = strong_of([event("a", "dog", 0, None)], centred)
    assert whole.shape[1] == frames
    assert whole.sum() == grid.frames  # frames behind the end of the clip hold nothing


# --- hops and lengths


def test_a_hop_is_counted_in_samples():
    assert FrameGrid.covering(10, 0.01, 32000) == FrameGrid(32000, 320, 320_000, 1000)
    assert FrameGrid.covering(1.005, 0.01, 16000).frames == 101
    assert FrameGrid.covering(10, 0.01, 32000).hop_s == 0.01
    assert FrameGrid.covering(10, 441 / 44100, 44100).hop_samples == 441


@pytest.mark.parametrize(
    ("clip_s", "hop_s", "rate", "words"),
    [
        (10, 0.01, 22050, "whole number of samples.*220.5.*--hop-samples"),
        (0, 0.01, 16000, "length of a clip"),
        (math.nan, 0.01, 16000, "length of a clip"),
        (math.inf, 0.01, 16000, "length of a clip"),
        (1e9, 0.01, 16000, "length of a clip"),
        (10, 0, 16000, "length of a hop"),
        (10, -0.01, 16000, "length of a hop"),
        (10, 0.01, 0, "sample rate"),
    ],
)
def test_lengths_that_make_no_sense_are_refused(clip_s, hop_s, rate, words):
    with pytest.raises(ConfigError, match=words):
        FrameGrid.covering(clip_s, hop_s, rate)


# --- files and classes


@given(clips_of(), st.randoms(use_true_random=False))
def test_rows_may_come_in_any_order(clips, random):
    """Whether the table is sorted by file or not: each file keeps its own labels."""
    grid = FrameGrid.covering(2.0, 0.25, 8000)
    shuffled = random.sample(clips, len(clips))
    by_file = {}
    for rows in (clips, shuffled):
        table = gather_labels(rows, LABELS)
        assert table.files == tuple(dict.fromkeys(clip.path for clip in rows))
        values = table.strong(table.spans(grid), 0, len(table.files))
        for file, own in zip(table.files, values, strict=True):
            alone = strong_of([clip for clip in rows if clip.path == file], grid)[0]
            assert np.array_equal(own, alone)
            assert np.array_equal(by_file.setdefault(file, own), own)


def test_a_file_without_an_event_has_a_row():
    clips = [Clip("a"), event("b", "cat", 0, 1), Clip("c")]
    assert weak_of(clips, TEN_MS).tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert not strong_of(clips, TEN_MS)[[0, 2]].any()


def test_a_label_that_is_no_class_is_named():
    with pytest.raises(DataError, match="a: the label 'fox' is not one of the classes"):
        gather_labels([event("a", "fox", 0, 1)], LABELS)


def test_a_row_without_an_end_lasts_as_long_as_its_file():
    asked = []

    def duration_s(path: str) -> float | None:
        asked.append(path)
        return {"short": 0.5, "long": 9.0}.get(path)

    clips = [event(path, "dog", 0.1, None) for path in ("short", "long", "unknown")]
    rows = gather_labels([*clips, event("timed", "dog", 0, 1)], LABELS, duration_s=duration_s)
    values = rows.strong(rows.spans(TEN_MS), 0, 4)[:, :, 0]
    assert values.sum(axis=1).tolist() == [40, 90, 90, 100]
    assert asked == ["short", "long", "unknown"]


# --- on the disk


@settings(max_examples=25)  # each flushes five files to the disk
@given(clips=clips_of(), block=st.sampled_from([1, 50, 500, 10**6]))
def test_what_is_written_is_read_back(tmp_path_factory, clips, block):
    folder = tmp_path_factory.mktemp("targets") / "out"
    grid = FrameGrid.covering(1.5, 0.05, 8000)
    rows = gather_labels(clips, LABELS)
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(targets_module, "_BLOCK_BYTES", block)
        written = write_targets(folder, rows, grid, progress=seen.append)
    saved = read_targets(folder)
    assert (saved.files, saved.labels, saved.grid) == (rows.files, LABELS, grid)
    assert saved.strong is not None
    assert saved.weak is not None
    assert np.array_equal(saved.strong, strong_of(clips, grid))
    assert np.array_equal(np.load(folder / "weak.npy"), weak_of(clips, grid))
    assert saved.strong.dtype == saved.weak.dtype == np.uint8
    assert sum(seen) == 2 * len(rows.files)
    stretches = [clip for clip in clips for _ in clip.labels]
    assert written.late == sum(clip.onset_s >= 1.5 for clip in stretches)
    assert written.stretches == len(stretches) - written.late
    assert written.cut == sum(
        clip.onset_s < 1.5 and (clip.offset_s or 0) > 1.5 for clip in stretches
    )


def test_odd_names_come_back(tmp_path):
    names = ["a,b.wav", 'quo"te.wav', "new\nline.wav", "ü 音.wav", " blank .wav", "\udce9.wav"]
    labels = ("Male speech, man", 'say "hi"', "tab\there")
    clips = [event(name, label, 0, 1) for name, label in zip(names, itertools.cycle(labels))]
    write_targets(tmp_path / "out", gather_labels(clips, labels), TEN_MS, kinds=("weak",))
    saved = read_targets(tmp_path / "out")
    assert (saved.files, saved.labels) == (tuple(names), labels)
    assert saved.strong is None


def test_a_folder_in_use_is_refused(tmp_path):
    rows = gather_labels([event("a", "dog", 0, 1)], LABELS)
    out = tmp_path / "out"
    write_targets(out, rows, TEN_MS)
    with pytest.raises(ConfigError, match="not empty: use --force"):
        write_targets(out, rows, TEN_MS)
    write_targets(out, rows, FrameGrid.covering(2.0, 0.1, 8000), force=True)
    assert read_targets(out).grid.clip_s == 2.0
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match=r"more than targets \(thesis.txt\)"):
        write_targets(out, rows, TEN_MS, force=True)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a file"):
        write_targets(tmp_path / "file", rows, TEN_MS)
    (tmp_path / "other" / "deep").mkdir(parents=True)
    with pytest.raises(ConfigError, match="more than targets"):
        write_targets(tmp_path / "other", rows, TEN_MS, force=True)
    assert (out / "thesis.txt").read_text() == "years of work"


def test_nothing_to_write_is_refused(tmp_path):
    for rows in (gather_labels([], LABELS), gather_labels([Clip("a")], ())):
        with pytest.raises(DataError, match="at least one file and one class"):
            write_targets(tmp_path / "out", rows, TEN_MS)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    rows = gather_labels([event(f"{at}", "dog", 0, 1) for at in range(100)], LABELS)
    out = tmp_path / "out"
    write_targets(out, rows, TEN_MS)
    before = (out / "strong.npy").read_bytes()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, old[1]))
    try:
        with pytest.raises(WriteError, match="cannot write"):
            write_targets(out, rows, FrameGrid.covering(2.0, 0.01, 16000), force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (out / "strong.npy").read_bytes() == before
    assert os.listdir(tmp_path) == ["out"]


KILLED = """
import sys
from auricle.core.types import Clip
from auricle.data.targets import FrameGrid, gather_labels, write_targets
rows = gather_labels((Clip(str(at), ("dog",), 0, 1) for at in range(100_000)), ("dog",))
grid = FrameGrid.covering(10, 0.01, 16000)
write_targets(sys.argv[1], rows, grid, progress=lambda done: print(done, flush=True))
"""


def test_a_killed_writer_leaves_no_targets_and_the_next_clears_up(tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(out)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    for _ in range(3):
        process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    assert not out.exists()
    assert list(tmp_path.glob(".out.*.part"))
    (tmp_path / ".outer.abcdefgh.part").touch()  # of another writer
    write_targets(out, gather_labels([event("a", "dog", 0, 1)], LABELS), TEN_MS)
    assert sorted(os.listdir(tmp_path)) == [".outer.abcdefgh.part", "out"]


def test_parts_that_do_not_fit_together_are_refused(tmp_path):
    out = tmp_path / "out"
    clips = [event("a", "dog", 0, 1), event("b", "cat", 0, 1)]

    def fresh() -> Path:
        write_targets(out, gather_labels(clips, LABELS), TEN_MS, force=True)
        return out

    np.save(fresh() / "weak.npy", np.zeros((3, 3), np.uint8))
    with pytest.raises(DataError, match=r"weak.npy must be uint8 of the shape \(2, 3\)"):
        read_targets(out)
    np.save(fresh() / "strong.npy", np.zeros((2, 100, 3)))
    with pytest.raises(DataError, match=r"strong.npy must be uint8"):
        read_targets(out)
    (fresh() / "files.csv").write_text("row,path\n1,b\n0,a\n")  # sorted by somebody
    with pytest.raises(DataError, match="not numbered in their order"):
        read_targets(out)
    (fresh() / "targets.json").write_text(json.dumps({"sample_rate": 1}))
    with pytest.raises(DataError, match="no targets that can be read"):
        read_targets(out)
    with pytest.raises(DataError, match="no targets that can be read"):
        read_targets(tmp_path)
