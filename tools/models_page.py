"""Write docs/models.md: every network, counted, with what was published of it.

python tools/models_page.py            # write the page
python tools/models_page.py --check    # fail where the page says anything else
"""

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from itertools import groupby
from pathlib import Path

from auricle.artifact.catalogue import Entry, Wanted, candidates, entries
from auricle.cli.models import AUDIOSET_CLASSES, HEADER, UNVERIFIED, row_of
from pages import write_or_check

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "models.md"

INTRODUCTION = f"""\
# Networks

<!-- Written by tools/models_page.py (make models-page); do not edit by hand. -->

Every network is a preset: `auricle train DATA --model NAME` trains it, and
`auricle.create_model(NAME, classes)` is the bare module. `auricle models` prints this list and
filters it, by `--family`, `--frontend`, `--sample-rate`, `--max-parameters`, `--max-macs`,
`--frame-scores` and `--published`; `--sort` orders it and `--output` writes it.
`auricle models NAME` shows one network: its options with their values and meaning, those of its
front-end and of the augmentations, and its layers with output shapes, parameters, multiply-adds
and memory.

All numbers are counted by running the network on tensors without values, with a head for the
{AUDIOSET_CLASSES} classes of AudioSet:

- **parameters**: all of them, those of a front-end that has some included.
- **MACs per 10 s**: multiplications with their addition in convolutions, matrix products and
  recurrences for 10 s of sound. A front-end without parameters is not counted. A network of fixed
  input is counted for as many inputs as 10 s hold.
- **frame**: time between the frames of the front-end (none for images).
- **sees**: the sound that one frame of the network depends on, before frames are pooled into one
  vector; statistics of the whole clip that are given back to every frame (squeeze and excitation,
  attentive pooling) are left aside. *all*: attention or recurrence mixes all frames, or the input
  is fixed.
- **shortest**: the shortest sound that network and front-end take; a shorter one is padded.
- **published figure**: as its source states it; it was not measured here.
- **checkpoint**: what `--pretrained` takes. {UNVERIFIED}.
"""


def main() -> int:
    """Write the page, or check it; return the exit status."""
    wanted = Wanted()

    def fill(text: str) -> str:
        return render(list(entries(candidates(wanted), wanted, AUDIOSET_CLASSES)))

    return write_or_check(PAGE, fill, "models-page", __doc__ or "")


def render(listed: Sequence[Entry]) -> str:
    """Return the page. Raises `ValueError` where a network could not be counted."""
    uncounted = [f"{entry.name} {entry.note}" for entry in listed if entry.counted is None]
    if uncounted:
        raise ValueError(f"install what is missing (make setup): {'; '.join(uncounted)}")
    by_family = sorted(listed, key=lambda entry: (entry.family, entry.name))
    sections = [
        render_family(family, list(members))
        for family, members in groupby(by_family, key=lambda entry: entry.family)
    ]
    return "\n".join([INTRODUCTION, *sections])


def render_family(family: str, members: Sequence[Entry]) -> str:
    """Return the section of one family."""
    about = (import_module(f"auricle.models.{family}").__doc__ or "").split("\n", maxsplit=1)[0]
    columns = (*HEADER, "frame scores")
    lines = [f"## {family}", "", about, "", _line(columns), f"|{'---|' * len(columns)}"]
    for entry in members:
        assert entry.counted is not None
        lines.append(_line([*row_of(entry), "yes" if entry.counted.frame_scores else ""]))
    lines.append("")
    lines += [f"- Networks: {source}." for source in _distinct(e.source for e in members)]
    figures = _distinct(e.figure_source for e in members if e.figure)
    lines += [f"- Published figures: {source}." for source in figures]
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[object]) -> str:
    written = (f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells)
    plain = (cell.replace("|", "/").replace("*", "\\*") for cell in written)
    return f"| {' | '.join(plain)} |"


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(text.rstrip(".") for text in texts if text))


if __name__ == "__main__":
    sys.exit(main())
