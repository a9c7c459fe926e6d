"""`auricle record FOLDER --label NAME`."""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from auricle.cli.files import check_folder, emit
from auricle.cli.outcome import say_next, start_reporter
from auricle.core.errors import ConfigError
from auricle.core.reporting import Reporter

if TYPE_CHECKING:
    from auricle.audio.microphone import Microphone
    from auricle.data.recording import Take


def record(
    folder: Path | None = None,
    /,
    *,
    label: str | None = None,
    length: float | None = None,
    count: int = 1,
    pause: float = 0.0,
    device: str | None = None,
    sample_rate: int = 16000,
    channels: int = 1,
    bits: Literal[16, 24] = 16,
    list_devices: bool = False,
    quiet: bool = False,
) -> int:
    """Record labelled clips from a microphone into a folder per class.

    Without --length, Enter ends a clip. Ctrl-C ends the recording: the clip under way is dropped,
    those before it are kept.

    Parameters
    ----------
    folder
        Data set to record into; the clips go to FOLDER/LABEL.
    label
        Class of the clips.
    length
        Seconds of a clip (default: until Enter is pressed).
    count
        How many clips.
    pause
        Seconds between two clips.
    device
        Microphone, by a part of its name (default: the system's).
    sample_rate
        Samples per second, Hz.
    channels
        1 is mono.
    bits
        Bits of a sample.
    list_devices
        List the microphones.
    quiet
        Show no level meter; say nothing but errors and the result.
    """
    from auricle.audio.microphone import Microphone, find_device, input_devices
    from auricle.data.recording import class_folder

    if list_devices:
        return _list()
    if folder is None or label is None:
        raise ConfigError("say where and what to record: auricle record FOLDER --label NAME")
    if length is not None and not 0 < length < 1e6:
        raise ConfigError(f"--length must be above 0 seconds, got {length:g}")
    if count < 1 or not 0 <= pause < 1e6:
        raise ConfigError("--count must be at least 1, --pause at least 0 seconds")
    class_folder(folder, label)
    check_folder(folder)
    if length is None and not sys.stdin.isatty():
        raise ConfigError("there is no keyboard to end a clip with: give --length SECONDS")
    reporter = start_reporter(quiet)
    with Microphone(
        find_device(device, input_devices()), sample_rate=sample_rate, channels=channels
    ) as microphone:
        reporter.say(_opened(microphone))
        session = _Session(microphone, folder, label, reporter, show=not quiet)
        session.run(length, count, pause, bits)
    return 0


def _list() -> int:
    from auricle.audio.microphone import MicrophoneError, input_devices

    devices = input_devices()
    if not devices:
        raise MicrophoneError("no microphone found: connect one, then list again")
    rows = [
        ("*" if one.default else "", one.name, one.system, one.channels, one.sample_rate)
        for one in devices
    ]
    emit(("", "name", "system", "channels", "own rate (Hz)"), rows, None)
    return 0


def _opened(microphone: "Microphone") -> str:
    text = f"recording from {microphone.device} at {microphone.sample_rate} Hz"
    if microphone.device_rate != microphone.sample_rate:
        text += f", resampled from {microphone.device_rate} Hz, which it gives"
    return text


class _Session:
    """Clips of one class from one microphone, one after the other."""

    def __init__(
        self, microphone: "Microphone", folder: Path, label: str, reporter: Reporter, *, show: bool
    ) -> None:
        self._microphone = microphone
        self._folder = folder
        self._label = label
        self._reporter = reporter
        self._show = show
        self._saved: list[Take] = []

    def run(self, length: float | None, count: int, pause: float, bits: Literal[16, 24]) -> None:
        keyboard = Keyboard() if length is None else None
        try:
            for number in range(1, count + 1):
                if number > 1:
                    self._wait(pause)
                stop = keyboard.next_line() if keyboard else lambda: False
                self._take(f"{self._label} {number} of {count}", length, stop, bits)
        except KeyboardInterrupt:
            self._reporter.warn(
                f"interrupted: {len(self._saved)} clips are saved, the one under way is not"
            )
            raise

    def _take(
        self, name: str, length: float | None, stop: Callable[[], bool], bits: Literal[16, 24]
    ) -> None:
        from auricle.data.recording import record_take
        from auricle.report.meter import LevelMeter

        what = name if length is not None else f"{name} (Enter ends it)"
        with LevelMeter(what) as meter:
            take = record_take(
                self._microphone,
                self._folder,
                self._label,
                length_s=length,
                stop=stop,
                bits=bits,
                watch=meter if self._show else None,
            )
        self._saved.append(take)
        say_next(f"saved: {take.path} ({take.duration_s:.1f} s, peak {take.peak_db:.1f} dB)")
        for problem in take.problems:
            self._reporter.warn(f"{take.path.name}: {problem}")

    def _wait(self, pause: float) -> None:
        """Let sound pass unheard; what came between two clips is not in the second."""
        left = pause * self._microphone.sample_rate
        blocks = self._microphone.blocks()
        while left > 0:
            left -= next(blocks).shape[1]


class Keyboard:
    """Counts the lines that come in at the keyboard, in a thread of its own."""

    def __init__(self) -> None:
        self._lines = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        # Not through sys.stdin, whose lock would be held when the program ends.
        handle = sys.stdin.fileno()
        with suppress(OSError):  # the terminal was closed
            while content := os.read(handle, 1024):
                self._lines += content.count(b"\n")
        self._lines = sys.maxsize  # nobody is there any more to end a clip

    def next_line(self) -> Callable[[], bool]:
        """Return what says whether a line came since this call."""
        before = min(self._lines, sys.maxsize - 1)
        return lambda: self._lines > before
