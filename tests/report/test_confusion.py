"""Pictures of results: drawn from the JSON alone, whatever the classes are called."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from auricle.core.errors import DataError, MissingExtra
from auricle.core.writing import WriteError
from auricle.report import draw_confusion

Write = Callable[..., Path]

FIGURE = {"value": 0.9, "low": 0.85, "high": 0.94, "count": 400, "groups": 304}


@pytest.fixture
def matrix(tmp_path: Path) -> Write:
    """Write the JSON of a result with this confusion matrix."""

    def write(confusion: Sequence[Sequence[int]], labels: Sequence[str] | None = None) -> Path:
        names = labels or [f"class {index}" for index in range(len(confusion))]
        return save(
            tmp_path,
            {
                "metrics": {"accuracy": FIGURE},
                "per_class": {name: {"support": 1} for name in names},
                "confusion": np.asarray(confusion).tolist(),
                "labels": list(names),
            },
        )

    return write


def save(folder: Path, tree: dict[str, Any]) -> Path:
    path = folder / "result.json"
    path.write_text(json.dumps(tree), encoding="utf-8")
    return path


def pixels(png: Path) -> np.ndarray:
    return np.asarray(Image.open(png).convert("RGB")).astype(np.int16)


def dark_area(png: Path) -> int:
    """How many pixels have the colour of a full row."""
    return int((np.abs(pixels(png) - [8, 48, 107]).max(axis=-1) <= 3).sum())


def test_colours_are_shares_of_a_row_and_not_counts(matrix: Write, tmp_path: Path) -> None:
    both, one = tmp_path / "both.png", tmp_path / "one.png"
    draw_confusion(matrix([[1000, 0], [0, 10]]), both)
    draw_confusion(matrix([[1000, 0], [5, 5]]), one)
    # The rare class is as dark as the common one where all of it is right.
    assert dark_area(both) == pytest.approx(2 * dark_area(one), rel=0.15)


def test_a_mistake_is_seen_where_it_was_made(matrix: Write, tmp_path: Path) -> None:
    up, down = tmp_path / "up.png", tmp_path / "down.png"
    draw_confusion(matrix([[0, 9], [0, 9]], ["a", "b"]), up)
    draw_confusion(matrix([[9, 0], [9, 0]], ["a", "b"]), down)
    assert dark_area(up) == pytest.approx(dark_area(down), rel=0.05)
    assert (pixels(up) != pixels(down)).any()


@pytest.mark.parametrize("classes", [1, 2, 10, 50, 101, 230])
def test_any_number_of_classes_is_drawn(classes: int, matrix: Write, tmp_path: Path) -> None:
    png = tmp_path / "confusion.png"
    names = [f"a class with a very long name indeed, number {index}" for index in range(classes)]
    draw_confusion(matrix(np.eye(classes, dtype=int) * 40, names), png)
    height, width, _ = pixels(png).shape
    assert 400 < height < 5000
    assert 600 < width < 5000
    # The diagonal is there: a cell of each class, less what its number covers.
    assert dark_area(png) > 2000


def test_names_in_any_script_and_with_signs_are_drawn(matrix: Write, tmp_path: Path) -> None:
    # `$` would begin a formula, and no font may hold the others.
    labels = ["$\\frac{$", "犬の鳴き声", "лай собаки", "🐕", "", "_x^y_"]
    draw_confusion(matrix(np.eye(6, dtype=int), labels), tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")


def test_a_class_without_clips_is_blank(matrix: Write, tmp_path: Path) -> None:
    draw_confusion(matrix([[0, 0], [0, 0]]), tmp_path / "confusion.png")
    assert dark_area(tmp_path / "confusion.png") < 3000  # the end of the colour scale alone


@pytest.mark.parametrize("labels", [1, 3, 100])
def test_many_labels_are_bars_of_average_precision(labels: int, tmp_path: Path) -> None:
    def draw(precision: float | None) -> int:
        figures = {"average_precision": precision, "support": 5}
        tree = {
            "metrics": {"mean_average_precision": {**FIGURE, "low": None, "groups": None}},
            "per_class": {f"label {index} $": figures for index in range(labels)},
            "confusion": None,
            "labels": [f"label {index} $" for index in range(labels)],
        }
        draw_confusion(save(tmp_path, tree), tmp_path / "bars.png")
        image = pixels(tmp_path / "bars.png")
        return int((np.abs(image - [0x3B, 0x77, 0xB5]).max(axis=-1) <= 3).sum())

    assert draw(0.8) == pytest.approx(2 * draw(0.4), rel=0.05)
    assert draw(None) == 0


def test_drawing_touches_no_global_state(matrix: Write, tmp_path: Path) -> None:
    source = matrix([[3, 1], [0, 4]])
    code = (
        "import sys\n"
        "from auricle.report import draw_confusion\n"
        "assert 'matplotlib' not in sys.modules, 'imported before anything is drawn'\n"
        f"draw_confusion({str(source)!r}, {str(tmp_path / 'c.png')!r})\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    assert dark_area(tmp_path / "c.png") > 0


def test_without_matplotlib_the_install_line_is_named(
    matrix: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"Confusion pictures .*pip install 'auricle\[train\]'"):
        draw_confusion(matrix([[1]]), tmp_path / "confusion.png")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"labels": ["a"], "confusion": [[1, 2]], "metrics": {}, "per_class": {}}',
        '{"labels": [], "confusion": [], "metrics": {}, "per_class": {}}',
    ],
)
def test_files_that_are_no_result_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(DataError, match="not the result of an evaluation"):
        draw_confusion(tmp_path / "result.json", tmp_path / "confusion.png")
    with pytest.raises(DataError, match="does not exist"):
        draw_confusion(tmp_path / "nothing.json", tmp_path / "confusion.png")


def test_a_full_disk_leaves_the_old_picture(
    matrix: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    png = tmp_path / "confusion.png"
    png.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WriteError, match="No space left"):
        draw_confusion(matrix([[1]]), png)
    assert png.read_bytes() == b"old"
    assert {file.name for file in tmp_path.iterdir()} == {"confusion.png", "result.json"}
