"""The picture of a result: its confusion matrix, or its labels by average precision.

Drawn from `result.json` alone, so that a picture can be made again years later. matplotlib is
imported when something is drawn, and used without `pyplot`: no global state, no display.
"""

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from auricle.core.errors import DataError, MissingExtra
from auricle.core.writing import replacing
from auricle.report.fonts import installed_fonts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 120
_LONGEST_NAME = 30  # letters; longer ones are cut in the middle
_MOST_BARS = 60
_MOST_COUNTS = 100  # classes; beyond, a count is too small to read
_MOST_NAMES = 200
_GAMMA = 0.5  # lets a mistake of 5 % be seen beside a diagonal of 90 %


def draw_confusion(result_json: str | Path, png: str | Path) -> None:
    """Draw the confusion matrix of `result_json` to `png`, whole or not at all.

    Rows are the truth; the colour is the share of a row, the number the count of clips. For a
    multi-label result, which has no confusion matrix, the average precision of each label is
    drawn as bars. Raises `DataError` for a file that is no result, `MissingExtra` without
    matplotlib, `WriteError`.
    """
    result = _read(Path(result_json))
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("Confusion pictures", "train") from None
    figure = Figure(dpi=_DPI, layout="constrained")
    if result["confusion"] is None:
        _draw_bars(figure, result)
    else:
        _draw_matrix(figure, result)
    with replacing(png) as temporary, warnings.catch_warnings():
        # A letter that no installed font holds is drawn as a box, which is warning enough.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        figure.savefig(temporary, format="png")


def _read(path: Path) -> dict[str, Any]:
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        labels, confusion = result["labels"], result["confusion"]
        fits = confusion is None or np.shape(confusion) == (len(labels), len(labels))
        if not (labels and fits and result["metrics"] and result["per_class"]):
            raise ValueError("its labels, figures and confusion matrix do not fit together")
    except FileNotFoundError:
        raise DataError(f"there is no result to draw: {path} does not exist") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not the result of an evaluation: {error}") from None
    return result


def _draw_matrix(figure: "Figure", result: dict[str, Any]) -> None:
    from matplotlib.colors import PowerNorm

    counts = np.array(result["confusion"])
    classes = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cell_inches = _cell_inches(classes)
    names = [_short(label) for label in result["labels"]]
    name_points = float(np.clip(cell_inches * 72 * 0.42, 4, 11))
    margin_inches = 0.9 + (_width_inches(names, name_points) if classes <= _MOST_NAMES else 0)
    side_inches = classes * cell_inches + margin_inches
    figure.set_size_inches(max(side_inches + 0.8, 6.5), max(side_inches + 0.6, 4.5))

    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(_GAMMA, 0, 1), interpolation="nearest")
    bar = figure.colorbar(image, ax=axes, fraction=0.04, aspect=30, pad=0.02, shrink=0.8)
    bar.set_ticks([0, 0.05, 0.2, 0.5, 1], labels=["0", "5 %", "20 %", "50 %", "100 %"])
    bar.set_label("share of the clips of a row")
    _name_axes(axes, names, name_points, cell_inches)
    if classes <= _MOST_COUNTS:
        _write_counts(axes, counts, shares, cell_inches)
    figure.suptitle(_headline("Accuracy", result["metrics"]["accuracy"]), fontsize=12)


def _cell_inches(classes: int) -> float:
    if classes > _MOST_NAMES:
        return 12.0 / classes
    return min(float(np.clip(7.0 / classes, 0.27, 0.8)), 30.0 / classes)


def _name_axes(axes: "Axes", names: list[str], points: float, cell_inches: float) -> None:
    axes.set_xlabel("predicted")
    axes.set_ylabel("truth")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if len(names) > _MOST_NAMES:
        axes.set_xticks([])
        axes.set_yticks([])
        return
    positions = np.arange(len(names))
    fonts = installed_fonts()
    upright = _width_inches(names, points) > 0.9 * cell_inches
    axes.set_xticks(
        positions,
        names,
        rotation=90 if upright else 0,
        fontsize=points,
        family=fonts,
        parse_math=False,
    )
    axes.set_yticks(positions, names, fontsize=points, family=fonts, parse_math=False)
    # Thin lines between the cells lead the eye from a name to its row.
    between, ends = positions[1:] - 0.5, (-0.5, len(names) - 0.5)
    axes.hlines(between, *ends, color="0.88", linewidth=0.5)
    axes.vlines(between, *ends, color="0.88", linewidth=0.5)


def _width_inches(names: list[str], points: float) -> float:
    return max(map(len, names)) * points * 0.6 / 72


def _write_counts(
    axes: "Axes", counts: npt.NDArray[np.int64], shares: npt.NDArray[np.float64], cell_inches: float
) -> None:
    digits = max(2, len(str(counts.max())))
    points = float(np.clip(cell_inches * 72 / (0.62 * digits + 0.8), 3, 13))
    darkness = shares**_GAMMA
    for row, column in np.argwhere(counts).tolist():
        axes.text(
            column,
            row,
            str(counts[row, column]),
            ha="center",
            va="center",
            fontsize=points,
            color="white" if darkness[row, column] > 0.6 else "0.15",
        )


def _draw_bars(figure: "Figure", result: dict[str, Any]) -> None:
    figures = [
        (_number(row["average_precision"]), label, row["support"])
        for label, row in result["per_class"].items()
        if row["average_precision"] is not None
    ]
    figures.sort(key=lambda item: item[0], reverse=True)
    positions, note = np.arange(len(figures)), ""
    if len(figures) > _MOST_BARS:
        half = _MOST_BARS // 2
        note = f", the {half} best and {half} worst of {len(figures)}"
        figures = figures[:half] + figures[-half:]
        positions = np.concatenate([np.arange(half), np.arange(half) + half + 1])
    figure.set_size_inches(8.5, 1.4 + 0.24 * max(len(positions), 4))
    axes = figure.add_subplot()
    values = [value for value, _, _ in figures]
    axes.barh(positions, values, color="#3b77b5", height=0.7)
    for position, value in zip(positions.tolist(), values, strict=True):
        axes.text(value + 0.01, position, f"{value:.2f}", va="center", fontsize=8, color="0.25")
    names = [f"{_short(label)} ({support})" for _, label, support in figures]
    axes.set_yticks(positions, names, fontsize=9, family=installed_fonts(), parse_math=False)
    axes.set_ylim(positions.max(initial=0) + 0.6, -0.6)
    axes.set_xlim(0, 1.08)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel(f"average precision by label (clips that have it){note}")
    title = _headline("Mean average precision", result["metrics"]["mean_average_precision"])
    figure.suptitle(title, fontsize=12)


def _headline(name: str, figure: dict[str, Any]) -> str:
    value, low, high = (_number(figure[key]) for key in ("value", "low", "high"))
    over = f"{figure['count']} clips"
    if figure["groups"]:
        over += f" in {figure['groups']} groups"
    if np.isnan(low) or np.isnan(high):
        return f"{name} {value:.3f}\n{over}"
    return f"{name} {value:.3f}\n95 % interval {low:.3f} to {high:.3f}, {over}"


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _short(name: str) -> str:
    if len(name) <= _LONGEST_NAME:
        return name
    kept = _LONGEST_NAME - 1
    return f"{name[: kept - kept // 3]}…{name[-(kept // 3) :]}"
