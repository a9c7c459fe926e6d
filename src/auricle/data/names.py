"""What files are called within their data set: the same wherever it lies, and in a pack of it.

Draws and comparisons go by these names, so that a data set that was moved, copied to another
system or packed is split as before, and a classifier is never judged on what it was trained on.
"""

import os
import unicodedata
from collections.abc import Iterable, Iterator

from auricle.audio.members import member_as_file
from auricle.data.clips import Clips
from auricle.data.texts import ROWS_AT_ONCE, Column

PACKED_NAME = "packed_name"
"""The extra column of WebDataset shards that says what a clip was called before it was packed:
the files in a shard have names of their own."""


def clip_names(clips: Clips) -> list[str]:
    """Name the file of every clip from the folder that holds all files, with `/`, in NFC."""
    root = common_folder(clips.paths)
    return list(names(clips.paths, clips.extra.get(PACKED_NAME), root))


def names(paths: Column, packed: Column | None, root: str) -> Iterator[str]:
    """Name files, seen from the folder `root`, by their packed names where they have one."""
    inside = os.path.join(root, "") if root else ""
    for start in range(0, len(paths), ROWS_AT_ONCE):
        block = paths.block(start, start + ROWS_AT_ONCE)
        known = [""] * len(block) if packed is None else packed.block(start, start + ROWS_AT_ONCE)
        for path, name in zip(block, known, strict=True):
            yield name or _within(member_as_file(path), root, inside)


def paths_within(paths: Iterable[str]) -> list[str]:
    """Name files given as plain paths, as `clip_names` does."""
    paths = [member_as_file(path) for path in paths]
    root = _common(paths)
    inside = os.path.join(root, "") if root else ""
    return [_within(path, root, inside) for path in paths]


def common_folder(paths: Column) -> str:
    """Return the folder that holds all files, `""` where they lie on several drives."""
    blocks = (
        paths.block(start, start + ROWS_AT_ONCE) for start in range(0, len(paths), ROWS_AT_ONCE)
    )
    return _common(member_as_file(path) for block in blocks for path in block)


def _common(paths: Iterable[str]) -> str:
    common, inside = None, ""
    for path in paths:
        if inside and path.startswith(inside) and os.path.normpath(path) == path:
            continue
        folder = os.path.dirname(os.path.abspath(path))
        try:
            common = folder if common is None else os.path.commonpath([common, folder])
        except ValueError:
            return ""
        inside = os.path.join(common, "")
    return common or ""


def _within(path: str, root: str, inside: str) -> str:
    """Name a file from the data set's folder, with slashes and in NFC."""
    if inside and path.startswith(inside) and os.path.normpath(path) == path:
        name = path[len(inside) :]
    else:
        path = os.path.abspath(path)
        name = os.path.relpath(path, root) if root else path
    return unicodedata.normalize("NFC", name.replace(os.sep, "/"))
