"""Shared fixtures: real data where `AURICLE_DATA` names it, and small sounds made on the spot."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import soundfile

# A busy machine is no failure; in CI the same examples come every time.
hypothesis.settings.register_profile("auricle", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("auricle")


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
