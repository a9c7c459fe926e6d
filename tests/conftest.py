"""Shared fixtures: real data where `AURICLE_DATA` names it, and small sounds made on the spot."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import soundfile

# A busy machine is no failure; in CI the same examples come every time.
hypothesis.settings.register_profile("auricle", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("auricle")


def pytest_configure() -> None:
    """Let Ctrl-C reach the tests of it where a shell started them in the background, deaf to it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End every run with how many tests were left out, zero included."""
    skipped = len(terminalreporter.stats.get("skipped", []))
    terminalreporter.write_line(f"tests skipped: {skipped}")


@pytest.fixture(scope="session")
def auricle_data() -> Path:
    """The folder that `AURICLE_DATA` names (it holds `data/` and `parity/`).

    Where `CI` is true a missing folder is a failure: there, no test on real data is left out.
    """
    folder = os.environ.get("AURICLE_DATA")
    if folder and Path(folder, "data").is_dir():
        return Path(folder)
    missing = f"AURICLE_DATA names no folder that holds 'data': {folder!r}"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def esc10(auricle_data: Path) -> Path:
    return auricle_data / "data" / "esc10"


@pytest.fixture(scope="session")
def fsdd(auricle_data: Path) -> Path:
    return auricle_data / "data" / "fsdd"


@pytest.fixture(scope="session")
def parity(auricle_data: Path) -> Path:
    return auricle_data / "parity"


def write_tone(
    path: Path,
    *,
    hz: float = 440.0,
    seconds: float = 1.0,
    sample_rate: int = 16000,
    channels: int = 1,
    level: float = 0.3,
    seed: int = 0,
    **how: str,
) -> Path:
    """Write a tone with a little noise to `path` and return it."""
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    rng = np.random.default_rng(seed)
    sound = level * np.sin(2 * np.pi * hz * t) + 0.01 * rng.standard_normal(len(t))
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.repeat(sound[:, None], channels, axis=1).astype(np.float32)
    with soundfile.SoundFile(path, "w", sample_rate, channels, **how) as file:
        # libsndfile crashes on one long buffer of Vorbis: write in blocks.
        for start in range(0, len(samples), 65536):
            file.write(samples[start : start + 65536])
    return path


@pytest.fixture(scope="session")
def tone() -> Callable[..., Path]:
    """`write_tone` as a fixture."""
    return write_tone


@pytest.fixture(scope="session")
def tone_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder per class (`high`, `low`, `noisy low`), 12 clips of 0.8 s each."""
    root = tmp_path_factory.mktemp("tones")
    for index, (label, hz) in enumerate({"high": 3000, "low": 300, "noisy low": 900}.items()):
        for take in range(12):
            write_tone(
                root / label / f"{label}-{take}.wav",
                hz=hz * (1 + 0.02 * take),
                seconds=0.8,
                seed=100 * index + take,
            )
    return root


@pytest.fixture(scope="session")
def run_cli() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the real command line in a fresh process: `run_cli("train", folder, ...)`."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COLUMNS": "120", **options.pop("env", {})}  # type: ignore[dict-item]
        return subprocess.run(
            [sys.executable, "-m", "auricle", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            env=environment,
            **options,  # type: ignore[arg-type]
        )

    return run


@pytest.fixture
def serve_http() -> Iterator[Callable[..., str]]:
    """Start servers on this machine: `serve_http(handler)` gives the address."""
    servers: list[ThreadingHTTPServer] = []

    def start(handler: Callable[..., BaseHTTPRequestHandler]) -> str:
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def serve_answers(serve_http) -> Callable[[Callable[[BaseHTTPRequestHandler], None]], str]:
    """Start a server on this machine whose answers a function sends; give its address."""

    def start(answer: Callable[[BaseHTTPRequestHandler], None]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return serve_http(Handler)

    return start


class FakeSound:
    """What is used of the module sounddevice: two microphones that give `sound` and then silence.

    `rates` are those that a device can be opened at (None: any); `overflow_at` the reads before
    which sound was lost; a device that `dies` raises where its sound ends.
    """

    class PortAudioError(Exception):
        pass

    def __init__(self) -> None:
        self.sound = np.zeros((16000, 1), np.float32)
        self.rates: set[int] | None = None
        self.overflow_at: set[int] = set()
        self.dies = False
        self.before_read: Callable[[int], None] = lambda read: None
        self.opened: list[dict[str, object]] = []
        self.streams: list[FakeStream] = []
        self.default = type("Default", (), {"device": [0, 2]})

    def query_devices(self) -> list[dict[str, object]]:
        names = [("Built-in Microphone", 1, 16000.0), ("Speaker", 0, 48000.0), ("HDMI", 0, 48000.0)]
        names.append(("USB Audio: (hw:1,0)", 2, 48000.0))
        keys = ("name", "max_input_channels", "default_samplerate")
        return [{"hostapi": 0, **dict(zip(keys, row, strict=True))} for row in names]

    def query_hostapis(self) -> list[dict[str, object]]:
        return [{"name": "ALSA"}]

    def InputStream(self, **how: object) -> "FakeStream":
        if self.rates is not None and how["samplerate"] not in self.rates:
            raise self.PortAudioError("Invalid sample rate", -9997)
        self.opened.append(how)
        self.streams.append(FakeStream(self))
        return self.streams[-1]


class FakeStream:
    def __init__(self, module: FakeSound) -> None:
        self._module = module
        self._at = self._reads = 0
        self.closed = False

    def start(self) -> None:
        pass

    def read(self, frames: int) -> tuple[np.ndarray, bool]:
        module = self._module
        module.before_read(self._reads)
        block = module.sound[self._at : self._at + frames]
        self._at += len(block)
        self._reads += 1
        if len(block) < frames and module.dies:
            raise module.PortAudioError("Device unplugged", -9985)
        return np.pad(
            block, ((0, frames - len(block)), (0, 0))
        ), self._reads - 1 in module.overflow_at

    def abort(self, ignore_errors: bool = True) -> None:
        pass

    def close(self, ignore_errors: bool = True) -> None:
        self.closed = True


@pytest.fixture
def fake_sound() -> FakeSound:
    return FakeSound()


@pytest.fixture
def alsa_microphone(tmp_path: Path) -> dict[str, str]:
    """The environment in which PortAudio has a microphone `wavmic` that plays the file `PLAYED`.

    It is a file that ALSA plays, so nothing paces it: a recording of an hour takes seconds.
    """
    played = tmp_path / "played.raw"
    noise = np.random.default_rng(0).integers(-20000, 20000, 20 * 16000, dtype=np.int16)
    played.write_bytes(noise.astype("<i2").tobytes())
    config = tmp_path / "asound.conf"
    config.write_text(
        "</usr/share/alsa/alsa.conf>\n"
        "pcm.wavraw {type file slave.pcm null file /dev/null "
        f'infile "{played}" format raw}}\n'
        "pcm.wavmic {type plug slave {pcm wavraw format S16_LE rate 16000 channels 1}}\n"
    )
    environment = {**os.environ, "ALSA_CONFIG_PATH": str(config), "PLAYED": str(played)}
    code = "import sounddevice; assert 'wavmic' in str(sounddevice.query_devices())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("no PortAudio with ALSA (libportaudio2) on this machine")
    return environment
