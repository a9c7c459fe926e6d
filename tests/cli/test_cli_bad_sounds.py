"""Sound files that are bad or odd: told and skipped among good ones, answered where they can be."""

import csv
import json
import math
import os
import shutil
from pathlib import Path

import pytest

BAD = {
    "text.wav": "not a sound file",
    "zero bytes.wav": "is empty (0 bytes)",
    "cut.wav": "cut short",
    "cut.ogg": "cut short",
    "cut.mp3": "cut short",
    "cut.flac": "cut short",
    "nan.wav": "NaN",
    "no samples.wav": "no samples",
    "damaged.flac": "damaged.flac",
}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def best(path: Path) -> dict[str, dict[str, float]]:
    """Scores of a predictions file by file name and label."""
    found: dict[str, dict[str, float]] = {}
    for row in rows_of(path):
        found.setdefault(Path(row["path"]).name, {})[row["label"]] = float(row["score"])
    return found


def test_every_bad_file_is_known(bad_sounds):
    assert {path.name for path in bad_sounds.iterdir()} == set(BAD)


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("command", ["predict", "detect", "embed"])
def test_a_bad_file_alone_is_an_error(refused, trained, bad_sounds, tmp_path, command, name):
    output = tmp_path / "out.csv"
    message = refused(command, trained, bad_sounds / name, "--output", output)
    assert BAD[name] in message
    assert str(bad_sounds / name) in message
    assert not output.exists()


@pytest.mark.parametrize("command", ["predict", "detect", "embed"])
def test_a_bad_file_among_good_ones_is_told_skipped_and_counted(
    cli, trained, bad_sounds, odd_sounds, tmp_path, command
):
    extra = ["--threshold", "0"] if command == "detect" else []
    outcome = cli(command, trained, odd_sounds, *extra, "--output", tmp_path / "without.csv")
    assert outcome.status == 0
    outcome = cli(
        command, trained, bad_sounds, odd_sounds, *extra, "--output", tmp_path / "with.csv"
    )
    assert outcome.status == 1
    assert f"{len(BAD)} of {len(BAD) + len(list(odd_sounds.iterdir()))} files" in outcome.err
    for name in BAD:
        assert outcome.err.count(str(bad_sounds / name)) == 1
    # The answers of the good ones are the same, bit for bit, whatever stood beside them.
    assert (tmp_path / "with.csv").read_bytes() == (tmp_path / "without.csv").read_bytes()


def test_skips_can_be_allowed_but_are_told_even_when_quiet(cli, trained, bad_sounds, odd_sounds):
    files = (bad_sounds / "text.wav", odd_sounds / "plain.wav")
    outcome = cli("predict", trained, *files, "--allow-skips", "--quiet")
    assert outcome.status == 0
    assert "text.wav is not a sound file" in outcome.err
    assert "1 of 2 files were skipped" in outcome.err


def test_strict_stops_at_the_first(refused, trained, bad_sounds, odd_sounds):
    files = (odd_sounds / "plain.wav", bad_sounds / "text.wav", bad_sounds / "nan.wav")
    assert "text.wav" in refused("predict", trained, *files, "--strict")


@pytest.mark.parametrize("command", ["predict", "detect", "embed"])
def test_only_bad_files_are_an_error(refused, trained, bad_sounds, tmp_path, command):
    output = tmp_path / "out.csv"
    message = refused(command, trained, bad_sounds, "--allow-skips", "--output", output)
    assert f"none of the {len(BAD)} files can be used" in message
    assert not output.exists()


@pytest.mark.parametrize("suffix", ["wav", "ogg", "mp3", "flac"])
def test_a_truncated_file_is_used_where_that_is_allowed(done, trained, bad_sounds, suffix):
    outcome = done("predict", trained, bad_sounds / f"cut.{suffix}", "--allow-truncated")
    assert f"cut.{suffix}" in outcome.out


def test_odd_files_are_answered(done, trained, odd_sounds, tmp_path):
    done("predict", trained, odd_sounds, "--output", tmp_path / "out.csv")
    scores = best(tmp_path / "out.csv")
    assert set(scores) == {path.name for path in odd_sounds.iterdir()}
    for by_label in scores.values():
        assert sum(by_label.values()) == pytest.approx(1, abs=1e-5)
    plain = scores["plain.wav"]
    assert scores["eight channels.wav"] == pytest.approx(plain, abs=1e-4)
    assert scores["192 kHz.wav"] == pytest.approx(plain, abs=1e-2)
    assert all(math.isfinite(score) for score in scores["silence.wav"].values())


def test_names_are_shown_letter_by_letter(done, trained, odd_sounds):
    name = "mehr Töne – 音 [b]x :dog:.wav"
    assert name in done("predict", trained, odd_sounds / name).out


def test_labels_are_shown_letter_by_letter(done, copied, odd_sounds):
    labels = ["[red]low[/red]", ":dog:", "a\\[b]c"]
    config = json.loads((copied / "config.json").read_text())
    config["spec"]["labels"] = labels
    (copied / "config.json").write_text(json.dumps(config))
    shown = done("predict", copied, odd_sounds / "plain.wav").out
    assert all(label in shown for label in labels)


def test_a_newline_in_a_name_keeps_messages_on_one_line(refused, cli, trained, tmp_path, tone):
    assert r"no\nfile.wav" in refused("predict", trained, tmp_path / "no\nfile.wav")
    tone(tmp_path / "two\nlines.wav")
    (tmp_path / "bad\n\x1b[31mname.wav").write_text("text")
    outcome = cli("predict", trained, tmp_path, "--output", tmp_path / "out.csv")
    assert outcome.status == 1
    assert r"bad\n\x1b[31mname.wav" in outcome.err
    assert {row["path"] for row in rows_of(tmp_path / "out.csv")} == {
        str(tmp_path / "two\nlines.wav")
    }


@pytest.fixture
def undecodable(tmp_path, tone) -> Path:
    """A sound whose name is not text, as copied from an old disk."""
    path = Path(os.fsdecode(bytes(tmp_path) + b"/a\xff.wav"))
    try:
        return tone(tmp_path / "a.wav").rename(path)
    except OSError:
        pytest.skip("this file system takes names of text only")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_name_that_is_not_text_survives(done, trained, undecodable, tmp_path, suffix):
    output = tmp_path / f"out{suffix}"
    done("predict", trained, undecodable, "--output", output, "--top-k", 1)
    if suffix == ".csv":
        (row,) = rows_of(output)
    else:
        row = json.loads(output.read_text(encoding="utf-8"))
    assert Path(row["path"]) == undecodable


def test_a_name_that_is_not_text_is_shown_escaped(run_cli, trained, undecodable):
    outcome = run_cli("predict", trained / "model.onnx", undecodable, "--quiet")
    assert outcome.returncode == 0, outcome.stderr
    assert r"a\udcff.wav" in outcome.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--top-k", "0"], "top_k must be at least 1"),
        (["--top-k", "-1"], "top_k must be at least 1"),
        (["--top-k", "three"], "--top-k"),
        (["--batch-size", "0"], "batch_size must be at least 1"),
        (["--batch-size", "-16"], "batch_size must be at least 1"),
        (["--hop-s", "-1"], "'hop_s' = -1.0"),
        (["--hop-s", "nan"], "'hop_s' = nan"),
        (["--hop-s", "99"], "hop_s (99.0) must not exceed window_s (1.0)"),
        (["--device", "gpu"], "did you mean 'cpu'"),
        (["--topk", "1"], "did you mean '--top-k'"),
        (["--output", "x.xls"], ".csv, .tsv, .jsonl, .parquet"),
        (["--output", "x"], ".csv, .tsv, .jsonl, .parquet"),
    ],
)
def test_numbers_and_names_that_cannot_be(refused, trained, odd_sounds, options, words):
    assert words in refused("predict", trained, odd_sounds / "plain.wav", *options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--threshold", "2"], "threshold must be a probability"),
        (["--threshold", "nan"], "threshold must be a probability"),
        (["--min-gap-s", "-1"], "min_gap_s' = -1.0"),
        (["--min-length-s", "-1"], "min_length_s' = -1.0"),
    ],
)
def test_limits_of_events_that_cannot_be(refused, trained, odd_sounds, options, words):
    assert words in refused("detect", trained, odd_sounds / "plain.wav", *options)


@pytest.mark.parametrize("command", ["predict", "detect", "embed"])
def test_paths_that_mean_nothing(refused, trained, tmp_path, command):
    output = ("--output", tmp_path / "out.csv")
    assert "name at least one sound file" in refused(command, trained, *output)
    assert "does not exist" in refused(command, trained, tmp_path / "nowhere.wav", *output)
    assert "matches no sound files" in refused(command, trained, tmp_path / "*.wav", *output)
    (tmp_path / "empty").mkdir()
    assert "holds no sound files" in refused(command, trained, tmp_path / "empty", *output)


def test_more_labels_than_there_are(done, trained, odd_sounds, tmp_path):
    done(
        "predict", trained, odd_sounds / "plain.wav", "--top-k", 99, "--output", tmp_path / "o.csv"
    )
    assert [row["rank"] for row in rows_of(tmp_path / "o.csv")] == ["1", "2", "3"]


@pytest.fixture
def new_tones_and_a_bad_one(tone_folder, bad_sounds, tmp_path) -> Path:
    """Clips that the trained run has not seen."""
    folder = Path(shutil.copytree(tone_folder, tmp_path / "new"))
    for path in list(folder.glob("*/*.wav")):
        path.rename(path.with_name(f"new {path.name}"))
    shutil.copy(bad_sounds / "cut.ogg", folder / "low" / "cut.ogg")
    return folder


def test_evaluating_with_a_bad_clip(cli, refused, trained, new_tones_and_a_bad_one, tmp_path):
    data, output = new_tones_and_a_bad_one, ("--output", tmp_path / "result")
    outcome = cli("evaluate", trained, data, *output)
    assert outcome.status == 1
    assert "low/cut.ogg is cut short" in outcome.err
    result = json.loads((tmp_path / "result" / "result.json").read_text())
    assert result["metrics"]["accuracy"]["count"] == 36
    assert cli("evaluate", trained, data, "--allow-skips", "--quiet").status == 0
    assert "cut.ogg" in refused("evaluate", trained, data, "--strict")
