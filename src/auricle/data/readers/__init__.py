"""Readers: one way in which labelled sound arrives is one file and one line here."""

from pathlib import Path

from auricle.core.errors import DataError, nearest
from auricle.core.registry import Registry
from auricle.data.config import DataConfig
from auricle.data.labels import choose_labels
from auricle.data.manifest import Manifest
from auricle.data.readers.base import Reader

# In the order in which `reader=auto` asks them: layouts that leave no doubt first. A table can hold
# folds, splits and groups that folders cannot, so where both are there the table is read.
_MODULES = (
    "manifest",
    "pack",
    "esc50",
    "esc10",
    "urbansound8k",
    "gtzan",
    "speech_commands",
    "speech_commands_12",
    "fsd50k",
    "common_voice",
    "audioset",
    "audioset_strong",
    "desed",
    "raven",
    "jams",
    "audacity",
    "hf",
    "competition",
    "webdataset",
    "list",
    "table",
    "folder",
)
READERS: Registry[Reader] = Registry("reader", __name__, _MODULES)


def reader_names() -> tuple[str, ...]:
    """Return the names of all readers, in the order in which `reader=auto` asks them."""
    return tuple(sorted(READERS, key=_MODULES.index))


def read_dataset(path: str | Path, config: DataConfig, *, lenient: bool = False) -> Manifest:
    """Read the clips of a data set, and name, keep and order its classes as `config` says.

    The choices that were made are in the manifest's `notes`; `lenient` is that of
    `choose_labels`. Raises `DataError` where nothing usable is found and `UnknownName` for a
    reader that does not exist.
    """
    return choose_labels(_read(Path(path), config), config, lenient=lenient)


def _read(path: Path, config: DataConfig) -> Manifest:
    if not path.exists():
        parent = path.parent
        here = [entry.name for entry in parent.iterdir()] if parent.is_dir() else []
        guess = nearest(path.name, here)
        hint = f"; did you mean '{parent / guess}'?" if guess else ""
        raise DataError(f"data set not found: {path}{hint}")
    if config.reader != "auto":
        return READERS[config.reader].read(path, config)
    for name in reader_names():
        reader = READERS[name]
        if reader.claims(path, config):
            return reader.read(path, config)
    raise DataError(
        f"{path} is no data set: it must be a folder of class folders, a folder with a table, "
        "or a table (.csv, .tsv) that names sound files and their labels"
    )
