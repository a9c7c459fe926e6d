"""The page of readers names every registered reader, as it describes itself."""

import importlib.util
from pathlib import Path

from auricle.data import READERS

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_lists_the_readers_that_are_registered():
    spec = importlib.util.spec_from_file_location("readers_page", ROOT / "tools/readers_page.py")
    assert spec is not None
    assert spec.loader is not None
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.fill(text) == text, "run: make readers-page"
    assert all(f"| `{name}` |" in text for name in READERS)
