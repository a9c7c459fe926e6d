"""Seventy clips to pack, in chunks that are small."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.core.types import Clip
from auricle.data import Manifest
from auricle.data.packing import chunks

RATE = 8000


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CLIPS_AT_ONCE", 32)


@pytest.fixture
def sounds(tmp_path: Path) -> Callable[..., list[str]]:
    """Write int16 noise of given lengths (samples); return the paths."""

    def make(*lengths: int, seed: int = 0) -> list[str]:
        rng = np.random.default_rng(seed)
        (tmp_path / "src" / "a").mkdir(parents=True, exist_ok=True)
        paths = []
        for at, length in enumerate(lengths):
            path = tmp_path / "src" / "a" / f"{at}.wav"
            soundfile.write(path, rng.integers(-30000, 30000, length).astype(np.int16), RATE)
            paths.append(str(path))
        return paths

    return make


@pytest.fixture
def labelled(sounds: Callable[..., list[str]]) -> Manifest:
    """Seventy clips of their own lengths: three chunks."""
    paths = sounds(*(400 + 13 * at for at in range(70)))
    return Manifest.of(
        (
            Clip(
                path,
                (f"c{at % 3}",),
                split="train" if at % 4 else "test",
                fold=str(at % 5),
                group=f"g {at // 2}",
                extra={"note": f"ä {at}"},
            )
            for at, path in enumerate(paths)
        ),
        labels=("c2", "c0", "c1"),
        group_declared=True,
    )


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Every file of a pack, or every dataset of one in HDF5."""
    h5py = pytest.importorskip("h5py")

    def of(path: Path) -> dict[str, bytes]:
        if path.is_dir():
            return {file.name: file.read_bytes() for file in path.iterdir()}
        with h5py.File(path, "r") as file:
            return {
                name: repr(file[name][()].tolist() if file[name].shape else file[name][()]).encode()
                for name in file
            }

    return of
