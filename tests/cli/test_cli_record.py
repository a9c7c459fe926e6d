"""`auricle record` with a made-up microphone, and with PortAudio where there is one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.audio import microphone


@pytest.fixture
def device(fake_sound, monkeypatch):
    """A microphone that gives two seconds of noise."""
    numbers = np.random.default_rng(0).integers(-9000, 9000, (32000, 1))
    fake_sound.sound = (numbers / 32768).astype(np.float32)
    monkeypatch.setattr(microphone, "load_backend", lambda: fake_sound)
    return fake_sound


def clips(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.wav"))


def test_clips_of_a_length_are_recorded_into_their_class(device, done, tmp_path):
    outcome = done("record", tmp_path, "--label", "dog", "--length", 0.5, "--count", 3)
    saved = clips(tmp_path / "dog")
    assert len(saved) == 3
    assert outcome.out.count("saved: ") == 3
    assert "recording from Built-in Microphone (ALSA) at 16000 Hz" in outcome.err
    assert {soundfile.info(path).frames for path in saved} == {8000}
    heard = {tuple(soundfile.read(path, dtype="int16")[0][:9].tolist()) for path in saved}
    expected = np.round(device.sound[:24000:8000, 0] * 32768).astype(int).tolist()
    assert sorted(first for first, *_ in heard) == sorted(expected)
    assert device.streams[0].closed


def test_what_was_recorded_is_a_data_set(device, done, tmp_path):
    for label in ("dog", "cat"):
        done("record", tmp_path, "--label", label, "--length", 0.3, "--count", 2)
        device.sound = device.sound[::-1].copy()
    assert "4 clips of 2 classes" in done("data", "show", tmp_path, "--clips", 0).out


def test_a_pause_is_left_out(device, done, tmp_path):
    done("record", tmp_path, "--label", "a", "--length", 0.1, "--count", 2, "--pause", 0.5)
    starts = {soundfile.read(path, dtype="int16")[0][0] for path in clips(tmp_path)}
    assert starts == {round(float(device.sound[at, 0]) * 32768) for at in (0, 9600)}


def test_ctrl_c_drops_the_clip_under_way_only(device, cli, tmp_path):
    device.before_read = lambda read: read == 15 and signal.raise_signal(signal.SIGINT)
    outcome = cli("record", tmp_path, "--label", "a", "--length", 0.5, "--count", 9)
    assert outcome.status == 130
    assert "1 clips are saved, the one under way is not" in outcome.err
    assert outcome.err.splitlines()[-1] == "error: interrupted"
    assert len(list((tmp_path / "a").iterdir())) == 1
    assert device.streams[0].closed


def test_enter_ends_a_clip(device, done, tmp_path, monkeypatch):
    ours, theirs = os.openpty()
    with os.fdopen(theirs) as keyboard:
        monkeypatch.setattr(sys, "stdin", keyboard)
        device.before_read = lambda read: read == 7 and os.write(ours, b"\n")
        done("record", tmp_path, "--label", "a")
        os.close(ours)
    (saved,) = clips(tmp_path)
    assert soundfile.info(saved).duration >= 0.4


def test_another_device_form_and_rate(device, done, tmp_path):
    form = ("--channels", 2, "--bits", 24, "--sample-rate", 48000)
    device.sound = np.repeat(device.sound, 2, axis=1)
    done("record", tmp_path, "--label", "a", "--length", 0.2, "--device", "usb", *form)
    info = soundfile.info(clips(tmp_path)[0])
    assert (info.channels, info.subtype, info.samplerate, info.frames) == (2, "PCM_24", 48000, 9600)


def test_warnings_name_the_clip(device, done, tmp_path):
    device.sound[:] = 0
    err = done("record", tmp_path, "--label", "a", "--length", 0.2, "--quiet").err
    assert f"{clips(tmp_path)[0].name}: nothing but zeros" in err


def test_microphones_are_listed(device, done):
    out = done("record", "--list-devices").out
    assert "Built-in Microphone" in out
    assert "Speaker" not in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--label", "a"), "no keyboard to end a clip"),
        (("--length", 1), "--label NAME"),
        (("--label", "../a", "--length", 1), "cannot be the name of a folder"),
        (("--label", "a", "--length", 0), "--length must be above 0"),
        (("--label", "a", "--length", "nan"), "--length must be above 0"),
        (("--label", "a", "--length", 1, "--count", 0), "--count must be at least 1"),
        (("--label", "a", "--length", 1, "--device", "webcam"), "no microphone is called"),
        (("--label", "a", "--length", 1, "--channels", 5), "5 cannot be recorded"),
        (("--label", "a", "--length", 1, "--bits", 12), "bits"),
    ],
)
def test_what_makes_no_sense_is_refused(device, refused, tmp_path, monkeypatch, options, message):
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert message in refused("record", tmp_path / "in", *options)
    assert not (tmp_path / "in").exists()


def test_no_microphone_is_told(device, refused, tmp_path, monkeypatch):
    monkeypatch.setattr(device, "query_devices", list)
    assert "no microphone found" in refused("record", tmp_path, "--label", "a", "--length", 1)
    assert "no microphone found" in refused("record", "--list-devices")


def test_a_read_only_folder_is_told_before_recording(device, refused, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *how: False)
    assert "no permission" in refused("record", tmp_path, "--label", "a", "--length", 1)
    assert device.streams == []


def test_the_real_capture_path_saves_what_was_played(alsa_microphone, tmp_path):
    # Nothing paces the file that ALSA plays, so that blocks must be as long as its buffer.
    code = (
        "import sys; from auricle.audio import microphone; microphone.BLOCK_S = 4.0; "
        "from auricle.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = ["record", tmp_path / "in", "--label", "a", "--device", "wavmic", "--length", "3"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, command), "--count", "2"],
        env=alsa_microphone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    played = np.fromfile(alsa_microphone["PLAYED"], "<i2")
    heard = {soundfile.read(path, dtype="int16")[0].tobytes() for path in clips(tmp_path)}
    # The second clip begins with the block after the one in which the first ended.
    assert heard == {played[at : at + 48000].tobytes() for at in (0, 64000)}
