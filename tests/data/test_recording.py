"""Recorded clips: exact, whole or absent, never in each other's way."""

import errno
import signal
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.audio.microphone import Microphone, find_device, input_devices
from auricle.core.errors import DataError
from auricle.core.writing import WriteError
from auricle.data.recording import record_take, to_pcm


@pytest.fixture
def microphone(fake_sound):
    device = find_device("built-in", input_devices(fake_sound))
    with Microphone(device, backend=fake_sound) as microphone:
        yield microphone


def noise(seconds: float, channels: int = 1, level: int = 8000) -> np.ndarray:
    rng = np.random.default_rng(0)
    numbers = rng.integers(-level, level, (round(seconds * 16000), channels))
    return (numbers / 32768).astype(np.float32)


def test_what_was_heard_is_what_is_saved(fake_sound, microphone, tmp_path):
    fake_sound.sound = noise(2)
    levels = []
    take = record_take(
        microphone, tmp_path, "dog", length_s=1.2345, watch=lambda *now: levels.append(now)
    )
    saved, rate = soundfile.read(take.path, dtype="int16")
    assert rate == 16000
    np.testing.assert_array_equal(saved, np.round(fake_sound.sound[:19752, 0] * 32768))
    assert soundfile.info(take.path).subtype == "PCM_16"
    assert take.path.parent == tmp_path / "dog"
    assert take.duration_s == pytest.approx(1.2345)
    assert levels[-1][0] == pytest.approx(1.2345)
    assert take.problems == []


@pytest.mark.parametrize("bits", [16, 24])
def test_numbers_of_a_device_come_back_exactly(tmp_path, bits):
    edge = 1 << (bits - 1)
    numbers = np.array([[-edge, edge - 1, 0, 1, -1, 77], [5, 4, 3, 2, 1, 0]])
    with wave.open(str(tmp_path / "x.wav"), "wb") as file:
        file.setparams((2, bits // 8, 16000, 0, "NONE", ""))
        file.writeframes(to_pcm((numbers / edge).astype(np.float32), bits))
    saved, _ = soundfile.read(tmp_path / "x.wav", dtype="int32")
    np.testing.assert_array_equal(saved.T >> (32 - bits), numbers)


def test_what_is_beyond_full_scale_is_cut_not_wrapped():
    loud = np.array([[1.5, -1.5, 1.0]], np.float32)
    assert np.frombuffer(to_pcm(loud, 16), "<i2").tolist() == [32767, -32768, 32767]


def test_a_clip_ends_when_told(fake_sound, microphone, tmp_path):
    answers = iter([False, False, True])
    take = record_take(microphone, tmp_path, "a", stop=lambda: next(answers))
    assert take.duration_s == pytest.approx(3 * 0.05)


@pytest.mark.parametrize(
    ("level", "message"), [(0, "is the microphone muted"), (100, "too quiet: its peak is -50 dB")]
)
def test_too_quiet_is_told(fake_sound, microphone, tmp_path, level, message):
    fake_sound.sound = np.full((16000, 1), level / 32768, np.float32)
    (problem,) = record_take(microphone, tmp_path, "a", length_s=0.5).problems
    assert message in problem


def test_clipped_and_lost_sound_is_told(fake_sound, microphone, tmp_path):
    fake_sound.sound = noise(1)
    fake_sound.sound[:100] = 32767 / 32768
    fake_sound.overflow_at = {2}
    problems = record_take(microphone, tmp_path, "a", length_s=1).problems
    assert "clipped: 0.6% of the samples" in problems[0]
    assert "lost 1 times" in problems[1]


def test_clips_never_take_each_others_place(fake_sound, microphone, tmp_path):
    paths = {record_take(microphone, tmp_path, "a b", length_s=0.05).path for _ in range(40)}
    assert len(paths) == 40
    assert len(list((tmp_path / "a b").iterdir())) == 40


def test_an_interrupted_clip_leaves_nothing(fake_sound, microphone, tmp_path):
    fake_sound.before_read = lambda read: read == 3 and signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        record_take(microphone, tmp_path, "a", length_s=60)
    assert list((tmp_path / "a").iterdir()) == []


def test_a_full_disk_leaves_nothing_and_is_told(fake_sound, microphone, tmp_path, monkeypatch):
    real = Path.open

    def full(path: Path, *how, **more):
        file = real(path, *how, **more)
        if path.suffix == ".part":
            write = file.write
            file_size = [0]

            class Full:
                def __getattr__(self, name):
                    return getattr(file, name)

                def __enter__(self):
                    return self

                def __exit__(self, *error):
                    file.close()

                def write(self, content):
                    file_size[0] += len(content)
                    if file_size[0] > 5000:
                        raise OSError(errno.ENOSPC, "No space left on device")
                    return write(content)

            return Full()
        return file

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(WriteError, match="No space left"):
        record_take(microphone, tmp_path, "a", length_s=5)
    assert list((tmp_path / "a").iterdir()) == []


@pytest.mark.parametrize(
    "label", ["", " ", "y" * 300, "../up", "a/b", "a\\b", ".hidden", "tab\there", " dog"]
)
def test_labels_that_are_no_folder_are_refused(microphone, tmp_path, label):
    with pytest.raises(DataError, match=r"the name of a folder"):
        record_take(microphone, tmp_path / "in", label, length_s=1)
    assert not (tmp_path / "in").exists()


@pytest.mark.parametrize("length_s", [1e-9, 140_000.0])
def test_lengths_that_are_no_clip_are_refused(microphone, tmp_path, length_s):
    with pytest.raises(DataError, match=r"at least one sample, and at most \d+ s"):
        record_take(microphone, tmp_path / "in", "a", length_s=length_s)
    assert not (tmp_path / "in").exists()
