"""The Python examples of the documentation do what they say, in the order in which they stand."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/api.md")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder_of_the_examples(
    tmp_path: Path,
    tone_folder: Path,
    tone: Callable[..., Path],
) -> Path:
    """A working folder with what the pages say is there."""
    shutil.copytree(tone_folder, tmp_path / "dataset")
    tone(tmp_path / "bark.ogg", hz=300, seconds=1.5, sample_rate=44100)
    tone(tmp_path / "night.flac", hz=900, seconds=6.0, sample_rate=22050)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_examples_run(page: str, folder_of_the_examples: Path):
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    assert blocks
    script = folder_of_the_examples / "examples.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script],
        cwd=script.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (folder_of_the_examples / "runs" / "dogs" / "model.safetensors").is_file()


def test_every_public_name_has_an_example():
    import auricle

    examples = "\n".join(BLOCK.findall((ROOT / "docs" / "api.md").read_text(encoding="utf-8")))
    for name in auricle.__all__:
        assert name.startswith("__") or f"auricle.{name}(" in examples
