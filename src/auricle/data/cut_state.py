"""Whose folder it is: clips of one set of options never lie among those of another."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auricle.core.errors import DataError
from auricle.core.writing import remove_leftovers, write_json

STATE = ".auricle-cut.json"


def claim_folder(folder: Path, options: Mapping[str, Any]) -> None:
    """Make `folder` ready for clips cut with `options`, or for the rest of them.

    Raises `DataError` where it holds clips of other options, naming one, or anything else; and
    `WriteError`.
    """
    state = folder / STATE
    if state.is_file() and any(entry.name != STATE for entry in folder.iterdir()):
        _compare(state, json.loads(json.dumps(dict(options))))
        for place in (folder, *(entry for entry in folder.iterdir() if entry.is_dir())):
            remove_leftovers(place)
        return
    if folder.is_file():
        raise DataError(f"{folder} is a file, where a folder for the clips is needed")
    if folder.is_dir() and any(entry.name != STATE for entry in folder.iterdir()):
        raise DataError(
            f"{folder} holds something that was not cut here: name a folder that is empty or new"
        )
    write_json(state, dict(options))


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
