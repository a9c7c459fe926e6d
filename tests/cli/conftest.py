"""One tiny trained run, bad files of every kind, and the command line in this process."""

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from auricle.cli import main

TINY = ("--model", "small_resnet_tiny", "--train.batch_size", "8", "--train.workers", "0")

# What an install without the extra 'train' lacks. A finder that refuses would raise where Python
# itself says None, so the names are taken away from the finder that would find them.
WITHOUT_TORCH = """
import sys
from importlib.machinery import PathFinder
absent = {"torch", "torchvision", "accelerate", "safetensors", "onnx", "onnxscript", "matplotlib"}
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, path=None, target=None: (
    None if name.partition(".")[0] in absent else find(name, path, target)
)
from auricle.cli import main
status = main(sys.argv[1:])
assert not absent & set(sys.modules), absent & set(sys.modules)
sys.exit(status)
"""


@dataclass(frozen=True)
class Outcome:
    """What a command ended with and said."""

    status: int
    out: str
    err: str


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Give the processes that tests start one thread each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("COLUMNS", "200")
        yield


def run_here(*arguments: object) -> Outcome:
    """Run the command line in this process: importing torch again for each costs seconds."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([str(argument) for argument in arguments])
    return Outcome(status, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def cli() -> Callable[..., Outcome]:
    return run_here


@pytest.fixture(scope="session")
def done() -> Callable[..., Outcome]:
    """Run a command that must end well."""

    def run(*arguments: object) -> Outcome:
        outcome = run_here(*arguments)
        assert outcome.status == 0, outcome.err
        return outcome

    return run


@pytest.fixture(scope="session")
def message_of() -> Callable[..., str]:
    """Check that a command ended with one line of error for people; return the line."""

    def check(outcome: Outcome | subprocess.CompletedProcess[str], status: int = 2) -> str:
        if isinstance(outcome, subprocess.CompletedProcess):
            outcome = Outcome(outcome.returncode, outcome.stdout, outcome.stderr)
        assert "Traceback" not in outcome.err
        errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, outcome.err
        assert outcome.err.splitlines()[-1] == errors[0]
        assert outcome.status == status, outcome.err
        return errors[0]

    return check


@pytest.fixture(scope="session")
def refused(message_of) -> Callable[..., str]:
    """Run a command that must be refused: status 2 and one line, which is returned."""
    return lambda *arguments, status=2: message_of(run_here(*arguments), status)


@pytest.fixture(scope="session")
def trained(tone_folder, tmp_path_factory, done) -> Path:
    """The run folder of two epochs on tones, with its ONNX file. Copy it to change it."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    done("train", tone_folder, *TINY, "--epochs", 2, "--output", folder)
    done("export", folder, folder / "model.onnx")
    return folder


@pytest.fixture
def copied(trained, tmp_path) -> Path:
    """A copy of the trained run that a test may damage."""
    return Path(shutil.copytree(trained, tmp_path / "copied"))


@pytest.fixture
def run_without_torch() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in a process that has the light install only."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    return run


def _halved(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.fixture(scope="session")
def bad_sounds(tmp_path_factory, tone) -> Path:
    """Files that are named like sound and cannot be used, each for another reason."""
    folder = tmp_path_factory.mktemp("bad sounds")
    (folder / "text.wav").write_text("this is no sound\n" * 50)
    (folder / "zero bytes.wav").touch()
    for suffix in ("wav", "ogg", "mp3", "flac"):
        tone(folder / f"cut.{suffix}", seconds=3)
        _halved(folder / f"cut.{suffix}")
    soundfile.write(folder / "nan.wav", np.full(16000, np.nan), 16000, subtype="FLOAT")
    soundfile.write(folder / "no samples.wav", np.empty(0), 16000)
    (folder / "damaged.flac").write_bytes(b"fLaC" + os.urandom(4000))
    return folder


@pytest.fixture(scope="session")
def odd_sounds(tmp_path_factory, tone) -> Path:
    """Files that are unusual and must be answered all the same."""
    folder = tmp_path_factory.mktemp("odd sounds")
    tone(folder / "plain.wav")
    tone(folder / "short.wav", seconds=0.05)
    tone(folder / "eight channels.wav", channels=8)
    sound, rate = soundfile.read(folder / "plain.wav")
    soundfile.write(folder / "192 kHz.wav", soxr.resample(sound, rate, 192_000), 192_000)
    tone(folder / "mehr Töne – 音 [b]x :dog:.wav")
    soundfile.write(folder / "silence.wav", np.zeros(16000), 16000)
    return folder
