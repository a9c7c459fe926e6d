import importlib.util
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from auricle.core.types import Clip
from auricle.data import DataConfig, Manifest, read_dataset


@pytest.fixture(scope="session")
def reader_layouts() -> dict[str, Callable[[Path], Any]]:
    """What makes a tiny copy of a data set below a folder, by the name of its reader."""
    path = Path(__file__).with_name("reader_layouts.py")
    spec = importlib.util.spec_from_file_location("reader_layouts", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.LAYOUTS


@pytest.fixture
def touch(tmp_path: Path) -> Callable[..., Path]:
    """Make empty files below a fresh folder `data`: readers never open a sound."""

    def make(*names: str) -> Path:
        root = tmp_path / "data"
        root.mkdir(exist_ok=True)
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        return root

    return make


@pytest.fixture
def table(touch: Callable[..., Path]) -> Callable[..., Path]:
    """Write a table (text or bytes) beside empty sound files; return the table's path."""

    def make(text: str | bytes, *sounds: str, name: str = "clips.csv") -> Path:
        path = touch(*sounds) / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return make


@pytest.fixture
def read() -> Callable[..., Manifest]:
    """`read_dataset` with the options of `DataConfig` as keywords."""

    def run(path: Path, /, **options: object) -> Manifest:
        return read_dataset(path, DataConfig.model_validate(options))

    return run


@pytest.fixture(scope="session")
def make_manifest() -> Callable[..., Manifest]:
    """A manifest of clips that need not exist."""

    def make(clips: Iterable[Clip], **fields: object) -> Manifest:
        clips = tuple(clips)
        labels = tuple(sorted({label for clip in clips for label in clip.labels}))
        return Manifest(clips, labels, **fields)  # type: ignore[arg-type]

    return make
