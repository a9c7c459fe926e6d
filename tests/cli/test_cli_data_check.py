"""`auricle data check`: what it ends with, what it writes, what it refuses."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.data import DataConfig, read_dataset
from auricle.evaluation.scores import ScoreTable, write_scores


@pytest.fixture
def suspicious(tone_folder: Path, tmp_path: Path, tone) -> Path:
    """The tones, one of them copied as OGG into another class."""
    data = Path(shutil.copytree(tone_folder, tmp_path / "data"))
    rng = np.random.default_rng(0)
    noise = 0.2 * rng.standard_normal(16000)
    soundfile.write(data / "low" / "burst.wav", noise, 16000)
    soundfile.write(data / "high" / "burst again.ogg", 0.8 * noise, 16000)
    return data


def test_the_status_says_how_bad_it_is(cli, suspicious, tone_folder, tmp_path: Path, tone):
    assert cli("data", "check", suspicious).status == 1
    assert cli("data", "check", suspicious, "--fail-on", "error").status == 1
    noted = Path(shutil.copytree(tone_folder, tmp_path / "noted"))
    tone(noted / "low" / "long.wav", seconds=5)
    assert cli("data", "check", noted).status == 1
    assert cli("data", "check", noted, "--fail-on", "note").status == 1
    assert cli("data", "check", noted, "--fail-on", "warning").status == 0
    assert cli("data", "check", tone_folder).status == 0


def test_report_page_and_cache(cli, suspicious, tmp_path: Path):
    words = ("--output", tmp_path / "report.json", "--html", tmp_path / "page.html")
    words += ("--cache", tmp_path / "cache", "--workers", 1)
    first = cli("data", "check", suspicious, *words)
    assert "nearly the same sound is labelled high, low" in first.out
    assert "saved:" in first.out
    assert "sounds to play)" in first.out
    report = json.loads((tmp_path / "report.json").read_text())
    kinds = {finding["kind"] for finding in report["findings"]}
    assert {"two_labels", "near_duplicate"} <= kinds
    rows = next(one["rows"] for one in report["findings"] if one["kind"] == "two_labels")
    clips = read_dataset(suspicious, DataConfig()).clips
    assert sorted(Path(clips[row].path).stem for row in rows) == ["burst", "burst again"]
    assert "data:audio/" in (tmp_path / "page.html").read_text()
    again = cli("data", "check", suspicious, *words, "--quiet")
    assert again.out == first.out


def test_links_need_no_sound_in_the_page(cli, suspicious, tmp_path: Path):
    cli("data", "check", suspicious, "--html", tmp_path / "page.html", "--link")
    text = (tmp_path / "page.html").read_text()
    assert "data:audio/" not in text
    assert "./data/high/burst%20again.ogg" in text


def test_scores_point_to_wrong_labels(cli, tone_folder, tmp_path: Path):
    manifest = read_dataset(tone_folder, DataConfig())
    clips, labels = list(manifest.clips), manifest.labels
    truth = np.array([labels.index(clip.labels[0]) for clip in clips])
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 0.1, (len(clips), len(labels)))
    scores[np.arange(len(clips)), truth] = 0.8
    table, wrong = tmp_path / "labels.csv", 5
    given = truth.copy()
    given[wrong] = (truth[wrong] + 1) % 3
    with table.open("w", newline="") as file:
        rows = [[clip.path, labels[at]] for clip, at in zip(clips, given, strict=True)]
        csv.writer(file).writerows([["path", "label"], *rows])
    paths = tuple(clip.path for clip in clips)
    folds = ("1",) * len(clips)
    made = ScoreTable(labels, paths, folds, given, scores.astype(np.float32))
    write_scores(tmp_path / "scores.csv", made)
    outcome = cli("data", "check", table, "--scores", tmp_path, "--output", tmp_path / "r.json")
    assert outcome.status == 1
    (finding,) = json.loads((tmp_path / "r.json").read_text())["findings"]
    assert finding["kind"] == "label_error"
    assert finding["paths"] == [clips[wrong].path]
    assert f"heard as '{labels[truth[wrong]]}'" in finding["detail"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--link"], "name the page with --html FILE"),
        (["--workers", "0"], "--workers must be at least 1"),
        (["--html", "."], "is a folder; name a file"),
        (["--cache", "."], "is a folder; name a file"),
        (["--output", "."], "is a folder; name a file"),
        (["--scores", "nowhere.csv"], "cannot be read"),
        (["--fail-on", "sometimes"], "fail"),
        (["--htlm", "x"], "did you mean '--html'?"),
    ],
)
def test_what_is_refused_before_any_work(refused, tone_folder, words, message):
    assert message in refused("data", "check", tone_folder, *words)


def test_a_table_is_no_cache(refused, tone_folder, tmp_path: Path):
    table = tmp_path / "labels.csv"
    table.write_text("path,label\nx.wav,a\n" * 100)
    assert "is no cache" in refused("data", "check", tone_folder, "--cache", table)
    assert table.read_text().startswith("path,label")
