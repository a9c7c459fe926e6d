"""Microphones: a made-up sounddevice, and PortAudio itself where a file can play the device."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from auricle.audio import microphone
from auricle.audio.microphone import (
    InputDevice,
    Microphone,
    MicrophoneError,
    find_device,
    input_devices,
    load_backend,
)
from auricle.core.errors import AudioError, MissingExtra

RATE = 16000
USB = InputDevice(3, "USB Audio: (hw:1,0)", "ALSA", 2, 48000, default=False)
BUILT_IN = InputDevice(0, "Built-in Microphone", "ALSA", 1, 16000, default=True)
SAME = InputDevice(5, "USB Audio: (hw:1,0)", "JACK", 2, 48000, default=False)


def ramp(samples: int, channels: int = 1) -> np.ndarray:
    """Every number of 16 bits in turn, as float32 `(time, channels)`."""
    numbers = (np.arange(samples * channels).reshape(samples, channels) * 7) % 65536 - 32768
    return (numbers / 32768).astype(np.float32)


def take(blocks, samples: int) -> np.ndarray:
    taken = np.empty((0, 0), np.float32)
    for block in blocks:
        taken = block if not taken.size else np.concatenate([taken, block], axis=1)
        if taken.shape[1] >= samples:
            return taken[:, :samples]
    raise AssertionError("the microphone ended")


def test_what_comes_in_goes_out_bit_for_bit(fake_sound):
    fake_sound.sound = ramp(5000, 2)
    with Microphone(USB, sample_rate=48000, channels=2, backend=fake_sound) as mic:
        taken = take(mic.blocks(), 5000)
    np.testing.assert_array_equal(taken, fake_sound.sound.T)
    assert mic.device_rate == 48000
    assert fake_sound.opened[0]["device"] == USB.index
    assert fake_sound.streams[0].closed


def test_a_rate_that_the_device_lacks_is_resampled(fake_sound):
    t = np.arange(3 * 48000) / 48000
    fake_sound.sound = (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)[:, None]
    fake_sound.rates = {48000}
    with Microphone(USB, backend=fake_sound) as mic:
        taken = take(mic.blocks(), 2 * RATE)[0]
    assert mic.device_rate == 48000
    spectrum = np.abs(np.fft.rfft(taken[RATE : 2 * RATE]))
    assert spectrum.argmax() == 440
    assert abs(np.abs(taken[RATE:]).max() - 0.5) < 0.01


def test_lost_sound_is_counted(fake_sound):
    fake_sound.sound = ramp(RATE)
    fake_sound.overflow_at = {1, 3}
    with Microphone(BUILT_IN, backend=fake_sound, block_s=0.1) as mic:
        take(mic.blocks(), RATE)
    assert mic.overflows == 2


def test_the_device_is_closed_whatever_happens(fake_sound):
    def interrupted() -> None:
        raise KeyboardInterrupt

    mic = Microphone(BUILT_IN, backend=fake_sound)
    with pytest.raises(KeyboardInterrupt), mic:
        interrupted()
    assert fake_sound.streams[0].closed
    with pytest.raises(MicrophoneError, match="only inside its 'with' block"):
        next(mic.blocks())


def test_a_device_that_goes_away_is_told(fake_sound):
    fake_sound.sound = ramp(2000)
    fake_sound.dies = True
    with (
        Microphone(BUILT_IN, backend=fake_sound) as mic,
        pytest.raises(MicrophoneError, match=r"Built-in Microphone \(ALSA\) stopped .* unplugged"),
    ):
        take(mic.blocks(), 10_000)


def test_a_device_in_use_is_told(fake_sound):
    fake_sound.rates = set()
    with pytest.raises(MicrophoneError, match="cannot be recorded from: Invalid sample rate"):
        Microphone(USB, backend=fake_sound).__enter__()
    with pytest.raises(MicrophoneError, match="Another program may use it"):
        Microphone(BUILT_IN, backend=fake_sound).__enter__()


def test_samples_that_are_no_numbers_are_refused(fake_sound):
    fake_sound.sound = np.full((RATE, 1), np.nan, np.float32)
    with (
        Microphone(BUILT_IN, backend=fake_sound) as mic,
        pytest.raises(MicrophoneError, match="no numbers"),
    ):
        next(mic.blocks())


@pytest.mark.parametrize(
    "how", [{"channels": 2}, {"channels": 0}, {"sample_rate": 0}, {"block_s": 0}]
)
def test_figures_out_of_range_are_refused(fake_sound, how):
    with pytest.raises(AudioError):
        Microphone(BUILT_IN, backend=fake_sound, **how)


def test_devices_are_those_that_record(fake_sound):
    names = [(one.name, one.default) for one in input_devices(fake_sound)]
    assert names == [("Built-in Microphone", True), ("USB Audio: (hw:1,0)", False)]


@pytest.mark.parametrize(
    ("name", "found"),
    [(None, BUILT_IN), ("usb", USB), ("built-in microphone", BUILT_IN), ("ALSA", BUILT_IN)],
)
def test_a_device_is_found_by_its_name(name, found):
    assert find_device(name, [USB, BUILT_IN]) is found


def test_a_name_that_fits_several_needs_the_system():
    with pytest.raises(MicrophoneError, match=r"fits 2 microphones.*\(ALSA\).*\(JACK\)"):
        find_device("usb", [BUILT_IN, USB, SAME])
    assert find_device("USB Audio: (hw:1,0) (jack)", [BUILT_IN, USB, SAME]) is SAME


def test_no_such_device_and_none_at_all_are_told():
    with pytest.raises(MicrophoneError, match="did you mean 'Built-in Microphone'"):
        find_device("Built-in Microfone", [USB, BUILT_IN])
    with pytest.raises(MicrophoneError, match="no microphone found"):
        find_device(None, [])


def test_without_the_extra_the_install_line_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingExtra, match=r"auricle\[mic\]"):
        load_backend()


def test_without_portaudio_the_remedy_is_told(monkeypatch, tmp_path):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MicrophoneError, match="apt-get install libportaudio2"):
        load_backend()


def test_importing_loads_no_library():
    code = "import sys, auricle.audio.microphone; assert 'sounddevice' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert microphone.BLOCK_S > 0


def test_a_real_capture_path_gives_what_was_played(alsa_microphone: dict[str, str], tmp_path: Path):
    # Nothing paces the file, so that ALSA drops what does not fit its buffer: blocks are long.
    played = tmp_path / "taken.npy"
    code = f"""
import numpy as np
from auricle.audio.microphone import Microphone, find_device, input_devices
with Microphone(find_device("wavmic", input_devices()), block_s=4) as mic:
    taken = np.empty(0, np.float32)
    for block in mic.blocks():
        taken = np.concatenate([taken, block[0]])
        if len(taken) >= 150_000:
            break
np.save({str(played)!r}, taken[:150_000])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=alsa_microphone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = np.fromfile(alsa_microphone["PLAYED"], "<i2")[:150_000] / np.float32(32768)
    np.testing.assert_array_equal(np.load(played), expected)
