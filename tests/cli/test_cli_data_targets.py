"""`auricle data targets` as a user types it."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from auricle.data.targets import read_targets

EVENTS = (
    "filename\tonset\toffset\tevent_label\n"
    "b.wav\t0.5\t1.0\tdog\n"
    "a.wav\t0.29\t0.31\tcat\n"
    "b.wav\t0.0\t12.5\tcat\n"
    "c.wav\t\t\t\n"
    "b.wav\t11.0\t11.5\tdog\n"
)


@pytest.fixture
def events(tmp_path) -> Path:
    path = tmp_path / "events.tsv"
    path.write_text(EVENTS)
    return path


def test_a_label_file_without_its_sounds(done, events, tmp_path):
    outcome = done("data", "targets", events, tmp_path / "out", "--without-audio")
    saved = read_targets(tmp_path / "out")
    assert (saved.files, saved.labels) == (("b.wav", "a.wav", "c.wav"), ("cat", "dog"))
    assert saved.weak is not None
    assert saved.strong is not None
    assert saved.weak.tolist() == [[1, 1], [1, 0], [0, 0]]
    assert saved.strong.shape == (3, 1000, 2)
    assert np.flatnonzero(saved.strong[1, :, 0]).tolist() == [29, 30]
    assert saved.strong[0].sum(axis=0).tolist() == [1000, 50]
    assert "strong.npy: 3 x 1,000 x 2 (files, frames, classes)" in outcome.out
    assert "3 labels of 3 files; 1,000 frames of 320 samples at 32,000 Hz in 10 s" in outcome.out
    assert "cut at the end of the clip (10 s): 1 event" in outcome.err
    assert "since they begin after the clip's 10 s: 1 event;" in outcome.err


def test_hop_rate_and_length_are_options(done, events, tmp_path):
    how = ("--sample-rate", 8000, "--hop-samples", 200, "--clip-s", 1.5, "--only", "strong")
    done("data", "targets", events, tmp_path / "out", "--without-audio", *how)
    saved = read_targets(tmp_path / "out")
    assert (saved.grid.frames, saved.grid.hop_s) == (60, 0.025)
    assert saved.weak is None
    assert sorted(os.listdir(tmp_path / "out")) == [
        "files.csv",
        "labels.csv",
        "strong.npy",
        "targets.json",
    ]


def test_a_front_end_says_rate_hop_and_frames(done, refused, events, tmp_path):
    out = tmp_path / "out"
    done("data", "targets", events, out, "--without-audio", "--frontend", "logmel_16k")
    saved = read_targets(out)
    assert (saved.grid.sample_rate, saved.grid.frames) == (16000, 1001)
    again = ("data", "targets", events, tmp_path / "other", "--without-audio")
    assert "leave --hop-s out" in refused(*again, "--frontend", "logmel_16k", "--hop-s", 0.01)
    assert "no frames in time" in refused(*again, "--frontend", "image_16k")
    assert "did you mean 'logmel_16k'" in refused(*again, "--frontend", "logmel_16")


def test_classes_names_and_background(done, events, tmp_path):
    (tmp_path / "classes.txt").write_text("Hund\nKatze\n")
    (tmp_path / "names.csv").write_text("id,label\ndog,Hund\ncat,Katze\n")
    out = tmp_path / "out"
    how = ("--classes", tmp_path / "classes.txt", "--label-names", tmp_path / "names.csv")
    done("data", "targets", events, out, "--without-audio", *how)
    assert read_targets(out).labels == ("Hund", "Katze")
    done(
        *("data", "targets", events, out, "--without-audio", *how),
        *("--background", "Katze", "--force", "--only", "weak"),
    )
    saved = read_targets(out)
    assert saved.labels == ("Hund",)
    assert saved.weak is not None
    assert saved.weak.tolist() == [[1], [0], [0]]


def test_a_folder_of_sounds_has_weak_targets(done, tone_folder, tmp_path):
    outcome = done("data", "targets", tone_folder, tmp_path / "out")
    saved = read_targets(tmp_path / "out")
    assert saved.strong is None
    assert saved.weak is not None
    assert saved.weak.sum(axis=0).tolist() == [12, 12, 12]
    assert [Path(path).parent.name for path in saved.files] == [
        saved.labels[int(row.argmax())] for row in saved.weak
    ]
    assert "--only strong" in outcome.err


def test_a_label_without_times_ends_with_its_sound(done, tone_folder, tmp_path):
    how = ("--only", "strong", "--clip-s", 1, "--sample-rate", 16000)
    done("data", "targets", tone_folder, tmp_path / "out", *how)
    strong = read_targets(tmp_path / "out").strong
    assert strong is not None
    assert (strong.sum(axis=(1, 2)) == 80).all()  # 0.8 s of 1 s
    assert (strong.max(axis=2)[:, :80] == 1).all()


def test_files_and_rows_that_cannot_be_used_are_told_and_counted(cli, tone, tmp_path):
    tone(tmp_path / "a.wav")
    table = tmp_path / "clips.csv"
    table.write_text("path,label,onset,offset\na.wav,x,0,0.5\nb.wav,y,0,1\na.wav,y,2,1\n")
    outcome = cli("data", "targets", table, tmp_path / "out")
    assert outcome.status == 1
    assert "b.wav" in outcome.err
    assert "files and rows left out: 2" in outcome.err
    assert read_targets(tmp_path / "out").labels == ("x",)
    again = ("--force", "--allow-skips", "--quiet")
    assert cli("data", "targets", table, tmp_path / "out", *again).status == 0


def test_mistakes_are_told_before_any_work(refused, events, tone_folder, tmp_path):
    out = tmp_path / "out"
    start = ("data", "targets", events, out, "--without-audio")
    assert "whole number of samples" in refused(*start, "--sample-rate", 22050)
    assert "give one of them" in refused(*start, "--hop-s", 0.01, "--hop-samples", 320)
    for length in (0, -1, "nan", "inf", 1e300):
        assert "length of a clip" in refused(*start, "--clip-s", length)
    assert "at least 1" in refused(*start, "--hop-samples", 0)
    assert "sample rate" in refused(*start, "--sample-rate", 0)
    assert "is a file" in refused("data", "targets", events, events, "--without-audio")
    assert "not found" in refused("data", "targets", tmp_path / "none.tsv", out, "--without-audio")
    assert "label" in refused("data", "targets", tone_folder, out, "--without-audio")
    assert "--without-audio" in refused("data", "targets", events, out)
    (tmp_path / "empty.tsv").write_text("filename\tonset\toffset\tevent_label\n")
    assert "no row" in refused("data", "targets", tmp_path / "empty.tsv", out, "--without-audio")
    assert not out.exists()


def test_targets_are_replaced_only_when_asked(done, refused, events, tmp_path):
    out = tmp_path / "out"
    start = ("data", "targets", events, out, "--without-audio")
    done(*start)
    assert "--force" in refused(*start)
    done(*start, "--force", "--clip-s", 5)
    assert read_targets(out).grid.clip_s == 5


def test_a_manifest_is_a_label_file_too(done, tmp_path):
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        "path,onset_s,offset_s,labels,split,fold,group\na.wav,0.0,1.0,x|y,train,,\n"
        "b.wav,0.0,,,test,,\n"
    )
    done("data", "targets", manifest, tmp_path / "out", "--without-audio", "--clip-s", 2)
    saved = read_targets(tmp_path / "out")
    assert [Path(path).name for path in saved.files] == ["a.wav", "b.wav"]
    assert saved.strong is not None
    assert saved.strong.sum(axis=1).tolist() == [[100, 100], [0, 0]]


def test_the_strong_labels_of_audioset(done, auricle_data, tmp_path):
    """Against sums over the table that are made without any of our code."""
    folder = auricle_data / "data" / "audioset_strong"
    table = folder / "audioset_strong_eval_top110.tsv"
    out = tmp_path / "out"
    classes = ("--classes", folder / "selected_classes.txt")
    done("data", "targets", table, out, "--without-audio", "--only", "weak", *classes)
    saved = read_targets(out)
    with table.open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    pairs = {(row["filename"], row["event_label"]) for row in rows}
    wanted = (folder / "selected_classes.txt").read_text().split()
    assert saved.weak is not None
    assert saved.labels == tuple(wanted)
    assert saved.files == tuple(dict.fromkeys(row["filename"] for row in rows))
    assert saved.weak.shape == (15_646, 110)
    assert saved.weak.sum(axis=0).tolist() == [
        sum(label == name for _, label in pairs) for name in wanted
    ]
    assert json.loads((out / "targets.json").read_text())["shapes"] == {"weak": [15_646, 110]}
