"""The page of augmentations is what is registered."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_what_is_registered():
    spec = importlib.util.spec_from_file_location("page", ROOT / "tools" / "augmentation_page.py")
    assert spec is not None
    assert spec.loader is not None
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.fill(text) == text, "run: make augmentation-page"
    assert page.fill(text.replace("### codec", "### kodek")) == text
