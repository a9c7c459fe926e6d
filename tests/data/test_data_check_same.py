"""The same sound twice in a data set, in files that differ in every byte."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.core.types import Clip
from auricle.data import CheckReport, DataConfig, Finding, check, read_dataset
from auricle.data.check.sameness import exact_copies

RATE = 22050


@pytest.fixture
def noise() -> Callable[[int], np.ndarray]:
    def make(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        level = np.interp(np.linspace(0, 50, 2 * RATE), np.arange(51), rng.random(51))
        return 0.3 * level * rng.standard_normal(2 * RATE).clip(-3, 3)

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def run(name: str, samples: np.ndarray, rate: int = RATE) -> str:
        soundfile.write(tmp_path / name, samples, rate)
        return str(tmp_path / name)

    return run


@pytest.fixture
def others(noise, write) -> list[Clip]:
    """Six clips that have nothing to do with each other."""
    return [Clip(write(f"other{at}.wav", noise(100 + at)), ("ab"[at % 2],)) for at in range(6)]


def find(report: CheckReport, kind: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.kind == kind]


def test_re_encoded_louder_and_later_is_nearly_the_same(make_manifest, noise, write, others):
    sound = noise(1)
    later = np.concatenate([np.zeros(round(0.3 * RATE)), 0.5 * sound])
    twins = (write("one.flac", sound), write("two.mp3", later))
    clips = [*others, Clip(twins[0], ("a",)), Clip(twins[1], ("a",))]
    report = check(make_manifest(clips), workers=2)
    assert [one.kind for one in report.findings] == ["near_duplicate"]
    (finding,) = report.findings
    assert (finding.paths, finding.rows, finding.severity) == (twins, (6, 7), "warning")
    assert "0.30 s later in the second" in finding.detail
    assert "correlation 0.9" in finding.detail


def test_two_labels_and_two_sides_of_nearly_one_sound(make_manifest, noise, write, others):
    sound = noise(1)
    twins = write("one.wav", sound), write("two.ogg", 0.7 * sound)
    rows = [Clip(twins[0], ("a",), split="train"), Clip(twins[1], ("b",), split="test")]
    report = check(make_manifest([*others, *rows]))
    assert {one.kind: one.severity for one in report.findings} == {
        "two_labels": "error",
        "leak": "error",
        "near_duplicate": "warning",
    }
    assert "nearly the same sound is labelled a, b" in find(report, "two_labels")[0].detail
    assert "nearly the same sound is in test, train" in find(report, "leak")[0].detail


def test_a_declared_group_makes_it_a_note(make_manifest, noise, write, others):
    sound = noise(1)
    rows = [Clip(write(name, sound), ("a",), group="g") for name in ("one.wav", "two.ogg")]
    report = check(make_manifest([*others, *rows], group_declared=True))
    assert [(one.kind, one.severity) for one in report.findings] == [("near_duplicate", "note")]
    assert "all of the group 'g'" in report.findings[0].detail
    assert report.problems == ()


def test_several_near_copies_are_one_finding(make_manifest, noise, write, others):
    sound = noise(1)
    paths = [write(f"copy{at}.ogg", (0.9 - 0.2 * at) * sound) for at in range(4)]
    report = check(make_manifest([*others, *(Clip(path, ("a",)) for path in paths)]))
    assert [one.paths for one in report.findings] == [tuple(paths)]
    assert "4 clips are nearly the same sound (correlation" in report.findings[0].detail


def test_exact_copies_are_told_once(make_manifest, noise, write, others):
    sound = noise(1)
    paths = [write("one.wav", sound), write("two.wav", sound), write("three.ogg", sound)]
    report = check(make_manifest([*others, *(Clip(path, ("a",)) for path in paths)]))
    assert [one.paths for one in find(report, "duplicate")] == [tuple(paths[:2])]
    assert [one.paths for one in find(report, "near_duplicate")] == [(paths[0], paths[2])]


def test_stretches_of_a_file_that_overlap_are_no_news(make_manifest, noise, write, others):
    path = write("long.wav", np.concatenate([noise(1), noise(2)]))
    rows = [Clip(path, ("a",), 0.0, 3.0), Clip(path, ("b",), 1.0, 4.0)]
    assert not check(make_manifest([*others, *rows])).findings


def test_a_loop_in_one_file_is_news(make_manifest, noise, write, others):
    path = write("loop.wav", np.concatenate([noise(1), noise(1)]))
    rows = [Clip(path, ("a",), 0.0, 2.0), Clip(path, ("a",), 2.0, 4.0)]
    assert [one.kind for one in check(make_manifest([*others, *rows])).findings] == ["duplicate"]


def test_samples_that_are_no_numbers(make_manifest, noise, tmp_path: Path, others):
    sound = noise(1)
    sound[7] = np.nan
    soundfile.write(tmp_path / "nan.wav", sound, RATE, subtype="FLOAT")
    report = check(make_manifest([*others, Clip(str(tmp_path / "nan.wav"), ("a",))]))
    assert [(one.kind, one.severity) for one in report.findings] == [("not_finite", "error")]


def test_digits_by_one_speaker_are_no_copies(fsdd: Path):
    """FSDD: 0.4 s long, fifty times each digit by each speaker, all recorded one by one."""
    manifest = read_dataset(fsdd, DataConfig())
    some = [clip for clip in manifest.clips if "jackson" in clip.path or "george" in clip.path]
    assert len(some) > 600
    assert {one.kind for one in check(type(manifest).of(some)).findings} <= {"length"}


def test_copies_are_known_by_content_not_by_silence():
    from auricle.data.check.measuring import Measures
    from auricle.data.check.records import RECORD

    records = np.zeros(5, RECORD)
    records["content"] = [7, 9, 7, 9, 7]
    records["peak"] = [0.5, 0, 0.5, 0, 0.5]
    measured = np.array([True, True, True, True, False])
    nothing = np.empty(0, np.uint32)
    found = exact_copies(Measures(records, measured, nothing, np.zeros(6, np.int64)))
    assert found == [[0, 2]]
