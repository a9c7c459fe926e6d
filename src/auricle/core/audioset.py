"""The 527 classes of AudioSet, in the order in which published networks score them.

The list is Google's `class_labels_indices.csv`, unchanged; `audioset_labels.LICENSE.txt` beside
it states source and licence.
"""

import csv
import functools
from importlib.resources import files

from auricle.core.types import Label

AUDIOSET_CLASSES = 527


def audioset_labels() -> tuple[Label, ...]:
    """Return the display names, such as `Speech`; the order is the published one, not sorted."""
    return tuple(name for _, name in _rows())


def audioset_ids() -> tuple[str, ...]:
    """Return the machine identifiers, such as `/m/09x0r`, in the order of `audioset_labels`."""
    return tuple(identifier for identifier, _ in _rows())


@functools.cache
def _rows() -> tuple[tuple[str, str], ...]:
    table = files("auricle.core").joinpath("audioset_labels.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(table.splitlines())
    return tuple((row["mid"], row["display_name"]) for row in rows)
