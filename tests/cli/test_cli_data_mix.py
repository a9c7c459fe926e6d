"""`auricle data mix`: options, splits, faults, and a kill in the middle."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

SMALL = ("--length", 2, "--sample-rate", 8000)
FEW = ("--count", 4, *SMALL)


def records(folder: Path) -> list[dict]:
    lines = (folder / "soundscapes.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def table(tone_folder: Path, tmp_path: Path) -> Path:
    """A table over the tones with a split and a group for each."""
    rows = ["path,label,split,group"]
    for index, path in enumerate(sorted(tone_folder.rglob("*.wav"))):
        split = ("train", "train", "validation", "test")[index % 4]
        rows.append(f"{path},{path.parent.name},{split},take {index}")
    table = tmp_path / "table.csv"
    table.write_text("\n".join(rows) + "\n")
    return table


def test_a_mix_has_sounds_labels_and_records(done, tone_folder, tmp_path):
    out = tmp_path / "out"
    outcome = done(
        "data", "mix", tone_folder, out, *FEW, "--events-per-clip", "2-3", "--snr", "-5-10",
        "--pitch", "-2-2", "--seed", 7,
    )  # fmt: skip
    assert "4 soundscapes" in outcome.out
    assert str(out / "labels.tsv") in outcome.out
    lines = (out / "labels.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "filename\tonset\toffset\tevent_label"
    made = records(out)
    assert len(lines) - 1 == sum(len(one["events"]) for one in made)
    assert all(2 <= len(one["events"]) <= 3 for one in made)
    figures = [event for one in made for event in one["events"]]
    assert all(-5 <= event["snr_db"] <= 10 and -2 <= event["pitch"] <= 2 for event in figures)
    assert min(event["pitch"] for event in figures) < 0
    for one in made:
        info = soundfile.info(out / "audio" / f"{one['name']}.flac")
        assert (info.samplerate, info.frames, info.subtype) == (8000, 16000, "PCM_16")
    again = tmp_path / "again"
    done(
        "data", "mix", tone_folder, again, *FEW, "--events-per-clip", "2-3", "--snr", "-5-10",
        "--pitch", "-2-2", "--seed", 7, "--workers", 1,
    )  # fmt: skip
    assert content(again) == content(out)


def test_a_mix_is_checked_and_read_as_any_data_set(cli, done, tone_folder, tmp_path):
    done("data", "mix", tone_folder, tmp_path / "out", *FEW)
    outcome = cli("data", "check", tmp_path / "out")
    assert outcome.status in {0, 1}, outcome.err
    assert "noisy low" in outcome.out


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_part_hears_its_own_clips_only(split, done, table, tmp_path):
    out = tmp_path / "out"
    done("data", "mix", table, out, *SMALL, "--count", 10, "--split", split)
    rows = [line.split(",") for line in table.read_text().splitlines()[1:]]
    own = {path: group for path, _, part, group in rows if part == split}
    used = {event["path"]: event["group"] for one in records(out) for event in one["events"]}
    assert used.items() <= own.items()
    assert used


def test_parts_are_the_same_whatever_the_seed_of_the_mix(done, tone_folder, tmp_path):
    used = {}
    for split, seed in (("train", 1), ("test", 2)):
        out = tmp_path / split
        done(
            "data", "mix", tone_folder, out, *SMALL, "--count", 20, "--split", split, "--seed", seed
        )
        used[split] = {event["path"] for one in records(out) for event in one["events"]}
    assert not used["train"] & used["test"]


def test_labels_of_the_data_set_may_be_the_background(done, tone_folder, tmp_path):
    out = tmp_path / "out"
    done("data", "mix", tone_folder, out, *FEW, "--background-labels", "noisy low,low")
    for one in records(out):
        assert Path(one["background"]["path"]).parent.name in {"noisy low", "low"}
        assert {event["label"] for event in one["events"]} == {"high"}


def test_a_folder_may_be_the_background(done, tone_folder, tmp_path, tone):
    tone(tmp_path / "street" / "deep" / "hum.flac", hz=100, seconds=1.0)
    out = tmp_path / "out"
    done("data", "mix", tone_folder, out, *FEW, "--background", tmp_path / "street")
    assert {Path(one["background"]["path"]).name for one in records(out)} == {"hum.flac"}


def test_sounds_left_out_end_with_status_1(cli, tone_folder, tmp_path):
    import shutil

    data = Path(shutil.copytree(tone_folder, tmp_path / "data"))
    for path in sorted((data / "high").iterdir())[1:]:
        soundfile.write(path, np.zeros(800), 8000)
    outcome = cli("data", "mix", data, tmp_path / "out", *SMALL, "--count", 8)
    assert outcome.status == 1
    assert "is silent" in outcome.err
    assert "sounds could not be used; others were taken" in outcome.err
    outcome = cli("data", "mix", data, tmp_path / "two", *SMALL, "--count", 8, "--allow-skips")
    assert outcome.status == 0
    outcome = cli("data", "mix", data, tmp_path / "three", *SMALL, "--count", 8, "--strict")
    assert outcome.status == 2


def test_rows_without_a_file_end_with_status_1(cli, refused, table, tmp_path):
    table.write_text(table.read_text() + "gone.wav,low,train,a\n")
    outcome = cli("data", "mix", table, tmp_path / "out", *FEW)
    assert outcome.status == 1
    assert "gone.wav" in outcome.err
    assert cli("data", "mix", table, tmp_path / "two", *FEW, "--allow-skips").status == 0
    assert "gone.wav" in refused("data", "mix", table, tmp_path / "three", *FEW, "--strict")
    assert not (tmp_path / "three").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--snr", "loud"), "--snr must be a number or LOW-HIGH"),
        (("--snr", "20-0"), "--snr: the lower end comes first"),
        (("--pitch", "2--2"), "--pitch: the lower end comes first"),
        (("--events-per-clip", "1.5-2"), "min_events"),
        (("--count", 0), "--count must be at least 1"),
        (("--workers", 0), "--workers must be at least 1"),
        (("--length", -1), "length_s"),
        (("--split", "tset"), "did you mean 'test'?"),
        (("--background", "nowhere"), "--background must be a folder"),
        (("--background-labels", "lwo"), "did you mean 'low'?"),
        (("--background-labels", "low,high,noisy low"), "no event to place"),
        (("--background", ".", "--background-labels", "low"), "not both"),
    ],
)
def test_mistakes_are_told_in_a_line(options, words, refused, tone_folder, tmp_path):
    out = tmp_path / "out"
    assert words in refused("data", "mix", tone_folder, out, *options)
    assert not out.exists()


def test_another_folder_is_not_overwritten(refused, tone_folder, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    message = refused("data", "mix", tone_folder, tmp_path, *FEW)
    assert "name a new folder" in message
    assert content(tmp_path) == {"mine.txt": b"mine"}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_killed_mix_is_resumed_to_the_same_bytes(done, refused, tone_folder, tmp_path):
    options = ("--count", "40", "--length", "5", "--sample-rate", "44100")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done("data", "mix", tone_folder, whole, *options)
    process = subprocess.Popen(
        [sys.executable, "-m", "auricle", "data", "mix", tone_folder, killed, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ},
    )
    while len(list(killed.glob("audio/*.flac"))) < 3:  # until there is something to lose
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.01)
            break
    process.kill()
    process.wait()
    if (killed / "labels.tsv").exists():
        pytest.fail("the mix was finished before the kill: make it longer")
    assert "--resume" in refused("data", "mix", tone_folder, killed, *options)
    done("data", "mix", tone_folder, killed, *options, "--resume")
    assert content(killed) == content(whole)


def test_esc10_events_over_its_rain_and_sea(done, esc10, tmp_path):
    out = tmp_path / "out"
    done(
        "data", "mix", esc10, out, "--count", 6, "--background-labels", "rain,sea_waves",
        "--split", "test", "--snr", "0-20", "--pitch", "-2-2", "--quiet",
    )  # fmt: skip
    made = records(out)
    assert len(made) == 6
    for one in made:
        paths = [one["background"]["path"], *(event["path"] for event in one["events"])]
        assert all(Path(path).name.startswith("5-") for path in paths)  # fold 5 is the test part


def test_help_imports_no_torch(run_without_torch):
    done = run_without_torch("data", "mix", "--help")
    assert done.returncode == 0, done.stderr
    assert "--events-per-clip" in done.stdout
