"""The page of networks is what is counted; `make check` compares all of it."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from auricle.artifact.catalogue import Entry, examine

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def page(load_tool) -> ModuleType:
    return load_tool("models_page")


def test_a_network_is_a_row_of_its_family(page):
    text = page.render([examine(name, 527) for name in ("cnn6", "small_resnet", "cnn14")])
    assert text.index("## panns") < text.index("| cnn14 |") < text.index("| cnn6 |")
    assert text.index("| cnn6 |") < text.index("## small_resnet") < text.index("| small_resnet |")
    row = next(line for line in text.splitlines() if line.startswith("| cnn6 |"))
    for cell in ("4,837,455", "9.93 G", "0.76 s", "mAP 0.343 on AudioSet", "panns/cnn6\\*"):
        assert f"| {cell} |" in row
    heading = next(line for line in text.splitlines() if line.startswith("| model |"))
    assert row.count("|") == heading.count("|")


def test_a_page_with_gaps_is_refused(page):
    lost = Entry(
        "vit_base", "image", "a paper", "image_16k", 16000, 5.0, note="needs the extra 'm'"
    )
    with pytest.raises(ValueError, match="vit_base needs the extra 'm'"):
        page.render([lost])


def test_a_page_changed_by_hand_fails(page, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(page, "PAGE", tmp_path / "models.md")
    monkeypatch.setattr(page, "candidates", lambda wanted: ["small_resnet"])
    monkeypatch.setattr(sys, "argv", ["models_page.py"])
    assert page.main() == 0
    monkeypatch.setattr(sys, "argv", ["models_page.py", "--check"])
    assert page.main() == 0
    text = page.PAGE.read_text(encoding="utf-8")
    page.PAGE.write_text(text.replace("| small_resnet |", "| large_resnet |"), encoding="utf-8")
    assert page.main() == 1
    assert "run: make models-page" in capsys.readouterr().err


def test_every_network_stands_on_the_page():
    from auricle.models import MODELS

    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    missing = [name for name in MODELS if not MODELS[name].tiny and f"| {name} |" not in text]
    assert not missing, "run: make models-page"
