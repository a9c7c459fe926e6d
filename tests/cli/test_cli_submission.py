"""`auricle predict --submission` as a competitor uses it."""

import csv
from pathlib import Path

import pytest


@pytest.fixture
def asked(tone, tmp_path: Path) -> Path:
    """A competition whose sample asks about three sounds, one of them damaged."""
    folder = tmp_path / "competition"
    tone(folder / "audio_files" / "b.wav", hz=300)
    tone(folder / "audio_files" / "a b.wav", hz=3000)
    (folder / "audio_files" / "bad.wav").write_text("no sound")
    (folder / "sample_submission.csv").write_text("id,target\nb,low\na b.wav,low\nbad.wav,none\n")
    return folder


def filled(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text(encoding="utf-8").splitlines()))


def test_every_id_keeps_its_row_and_a_bad_sound_what_the_sample_says(cli, trained, asked):
    output = asked / "submission.csv"
    sample = asked / "sample_submission.csv"
    outcome = cli("predict", trained, "--submission", sample, "--output", output)
    assert outcome.status == 1, outcome.err
    rows = filled(output)
    assert [row[0] for row in rows] == ["id", "b", "a b.wav", "bad.wav"]
    assert rows[3] == ["bad.wav", "none"]
    for row in rows[1:3]:
        assert row[1] in {"high", "low", "noisy low"}
    assert "bad.wav" in outcome.err
    assert "left as sample_submission.csv has them" in outcome.err
    lenient = cli(
        "predict", trained, asked / "audio_files", "--submission", sample, "--allow-skips",
        "--output", output, "--quiet",
    )  # fmt: skip
    assert lenient.status == 0, lenient.err
    assert filled(output) == rows


def test_the_sample_itself_is_never_written_over(cli, trained, asked, message_of):
    sample = asked / "sample_submission.csv"
    before = sample.read_text()
    outcome = cli("predict", trained, "--submission", sample, "--output", sample)
    assert "is the sample submission itself" in message_of(outcome)
    assert sample.read_text() == before


def test_the_labels_are_those_of_plain_predict(done, trained, asked):
    (asked / "sample_submission.csv").write_text("id,target\nb,low\na b.wav,low\n")
    output = asked / "submission.csv"
    done("predict", trained, "--submission", asked / "sample_submission.csv", "--output", output)
    plain = asked / "plain.csv"
    sounds = [asked / "audio_files" / name for name in ("b.wav", "a b.wav")]
    done("predict", trained, *sounds, "--top-k", 1, "--output", plain)
    assert [row[1] for row in filled(output)[1:]] == [row[2] for row in filled(plain)[1:]]


def test_a_column_for_each_class_gets_probabilities(done, trained, asked):
    sample = asked / "wide.csv"
    sample.write_text("id,low,high,noisy low\nb,0,0,0\na b.wav,0,0,0\n")
    done("predict", trained, "--submission", sample, "--output", asked / "out.csv")
    for row in filled(asked / "out.csv")[1:]:
        assert sum(map(float, row[1:])) == pytest.approx(1, abs=1e-4)


def test_mistakes_are_told_before_a_sound_is_heard(refused, trained, asked):
    sample = asked / "sample_submission.csv"
    assert "one folder" in refused("predict", trained, asked, asked, "--submission", sample)
    assert "goes with --submission" in refused("predict", trained, sample, "--audio-root", asked)
    assert "not a folder" in refused("predict", trained, sample, "--submission", sample)
    wide = asked / "wide.csv"
    wide.write_text("id,low,hihg\nb,0,0\n")
    assert "did you mean 'high'" in refused("predict", trained, "--submission", wide)
    wide.write_text("id,low,high\nb,0,0\n")
    said = refused("predict", trained, "--submission", wide, "--abstain-below", 0.5)
    assert "--abstain-below" in said
