"""Whose folder it is: clips of one set of options never lie among those of another."""

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from auricle.core.errors import DataError
from auricle.core.writing import remove_leftovers, write_json

STATE = ".auricle-cut.json"


def claim_folder(folder: Path, options: Mapping[str, Any], clips: Collection[Path]) -> None:
    """Make `folder` ready for the `clips` cut with `options`, or for the rest of them.

    Raises `DataError` where it holds clips of other options, naming one, clips that are not among
    these, since their labels or recordings changed, or anything else; and `WriteError`.
    """
    state = folder / STATE
    if state.is_file() and any(entry.name != STATE for entry in folder.iterdir()):
        _compare(state, json.loads(json.dumps(dict(options))))
        places = [folder, *(entry for entry in folder.iterdir() if entry.is_dir())]
        for place in places:
            remove_leftovers(place)
        _require_known(places, {os.fspath(clip) for clip in clips})
        return
    if folder.is_file():
        raise DataError(f"{folder} is a file, where a folder for the clips is needed")
    if folder.is_dir() and any(entry.name != STATE for entry in folder.iterdir()):
        raise DataError(
            f"{folder} holds something that was not cut here: name a folder that is empty or new"
        )
    write_json(state, dict(options))


def _require_known(places: Collection[Path], clips: Collection[str]) -> None:
    """Refuse clips that are there and would be in no table."""
    suffixes = {os.path.splitext(clip)[1] for clip in clips}
    for place in places:
        with os.scandir(place) as entries:
            for entry in entries:
                if os.path.splitext(entry.name)[1] in suffixes and entry.path not in clips:
                    raise DataError(
                        f"{entry.path} was cut by labels or of a recording that are no longer "
                        "there: name another folder, or delete that one"
                    )


def _compare(state: Path, options: Mapping[str, Any]) -> None:
    try:
        before = json.loads(state.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{state} cannot be read: {error}; delete the folder") from None
    for name, value in options.items():
        if before.get(name) != value:
            raise DataError(
                f"{state.parent} holds clips that were cut with {name} {before.get(name)}, and now "
                f"it is {value}: name another folder, or delete that one"
            )
