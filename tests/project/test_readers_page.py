"""The page of readers names every registered reader, as it describes itself."""

from auricle.data import READERS


def test_the_page_lists_the_readers_that_are_registered(load_tool):
    page = load_tool("readers_page")
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.fill(text) == text, "run: make readers-page"
    assert all(f"| `{name}` |" in text for name in READERS)
