"""`auricle data cut` as people use it."""

import numpy as np
import pytest
import soundfile


@pytest.fixture
def recordings(tmp_path):
    """Two recordings with Audacity labels beside them."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name, seed in (("night", 0), ("day", 1)):
        noise = np.random.default_rng(seed).integers(-9000, 9000, 30 * 8000, dtype=np.int16)
        soundfile.write(folder / f"{name}.wav", noise, 8000)
    (folder / "night.txt").write_text("1.5\t2.25\tdog\n10.0\t14.5\tcat\n", encoding="utf-8")
    (folder / "day.txt").write_text("3.0\t3.5\tdog\n", encoding="utf-8")
    return folder


def test_events_become_a_folder_per_class(done, recordings, tmp_path):
    outcome = done("data", "cut", recordings, tmp_path / "out", "--margin", 0.25)
    assert "3 clips in a folder per class" in outcome.out
    sounds = sorted(path.name for path in (tmp_path / "out" / "dog").iterdir())
    assert sounds == ["day_000002.750-000003.750.flac", "night_000001.250-000002.500.flac"]
    shown = done("data", "show", tmp_path / "out", "--clips", 0)
    assert "3 clips of 2 classes" in shown.out
    assert "group" in shown.err
    again = done("data", "cut", recordings, tmp_path / "out", "--margin", 0.25)
    assert "3 of them there before" in again.out


def test_windows_with_several_labels_are_flat(done, recordings, tmp_path):
    options = ("--length", 15, "--min-share", 0.1, "--background", "none", "--format", "wav")
    outcome = done("data", "cut", recordings, tmp_path / "out", *options)
    assert "4 clips in one folder" in outcome.out
    table = (tmp_path / "out" / "manifest.csv").read_text()
    assert "night_000000.000-000015.000.wav,0.0,,cat|dog" in table


def test_one_sound_file_and_its_labels(done, recordings, tmp_path):
    night = recordings / "night.wav"
    done("data", "cut", night, tmp_path / "a", "--labels", recordings / "night.txt", "--strong")
    assert (tmp_path / "a" / "manifest.csv").read_text().count(",cat,") == 1
    done("data", "cut", night, tmp_path / "b", "--length", 10, "--keep-empty")
    assert len(list((tmp_path / "b").glob("*.flac"))) == 3


def test_what_is_left_out_is_told(cli, recordings, tmp_path):
    (recordings / "day.wav").write_text("no sound")
    with (recordings / "night.txt").open("a") as file:
        file.write("40\t41\tdog\n")
    outcome = cli("data", "cut", recordings, tmp_path / "out")
    assert outcome.status == 1
    assert "day.wav is not a sound file" in outcome.err
    assert "at 40 s lies past the end" in outcome.err
    assert "2 clips" in outcome.out
    assert cli("data", "cut", recordings, tmp_path / "out", "--allow-skips").status == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--hop", 1), "give length_s"),
        (("--length", 1, "--labels", "x.txt"), "--labels is for one sound file"),
        (("--layout", "heap"), "layout"),
        (("--workers", 0), "--workers must be at least 1"),
        (("--strict",), "--strict: 1 row cannot be used"),
    ],
)
def test_what_makes_no_sense_is_refused(refused, recordings, tmp_path, options, message):
    if options == ("--strict",):
        (recordings / "day.txt").write_text("5.0\t3.5\ta\n")
    assert message in refused("data", "cut", recordings, tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()


def test_a_run_that_made_nothing_is_in_nobodys_way(refused, done, recordings, tmp_path):
    command = ("data", "cut", recordings, tmp_path / "out")
    assert "channel 4 does not exist" in refused(*command, "--data.channel", 4)
    assert "3 clips" in done(*command).out


def test_the_light_install_cuts(run_without_torch, recordings, tmp_path):
    cut = run_without_torch("data", "cut", recordings, tmp_path / "out")
    assert cut.returncode == 0, cut.stderr
    assert len(list((tmp_path / "out").rglob("*.flac"))) == 3
