"""UrbanSound8K: 8,732 slices of up to 4 s out of field recordings, in ten official folds.

The archive holds `metadata/UrbanSound8K.csv` (a widespread copy has the table and the folders of
the folds side by side) with the columns `slice_file_name, fsID, start, end,
salience, fold, classID, class`, and each slice in `audio/fold{N}/`. `start` and `end` say where in
the recording on Freesound the slice was cut, not where in the slice anything is. `fsID` names that
recording and is declared as the group; five of them stand in two folds, see `FoldGroups`. The
authors ask to keep their ten folds, since figures on other splits are not comparable
(urbansounddataset.weebly.com/urbansound8k.html).
"""

from collections.abc import Iterator
from pathlib import Path

from auricle.core.errors import DataError
from auricle.data.config import DataConfig
from auricle.data.manifest import Manifest
from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.rows import (
    FoldGroups,
    Gatherer,
    audio_base,
    locate,
    refuse_columns,
)

_NAME = "UrbanSound8K.csv"
_PLACES = ("metadata", "")
_COLUMNS = ("slice_file_name", "fsID", "fold", "class")
_EXTRA = ("start", "end", "salience", "classID")


class UrbanSound8KReader:
    """UrbanSound8K as published: `metadata/UrbanSound8K.csv` and `audio/fold1/` to `fold10/`."""

    about = About(
        "UrbanSound8K: urban sounds, 10 official folds, the Freesound recording as group",
        licence="CC BY-NC 3.0",
        citation=(
            "J. Salamon, C. Jacoby and J. P. Bello, A Dataset and Taxonomy for Urban Sound "
            "Research, ACM Multimedia 2014, doi 10.1145/2647868.2655045"
        ),
        home="https://urbansounddataset.weebly.com/urbansound8k.html",
        totals={"clips": 8732, "classes": 10},
    )

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether the archive's table is there, or is `path`."""
        return config.table is None and _table(path) is not None

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read the slices with their official folds and their recordings as groups."""
        refuse_columns(config, "the columns of UrbanSound8K are fixed")
        table = _table(path)
        if table is None:
            raise DataError(f"{path} is not UrbanSound8K: it must hold metadata/{_NAME}")
        gather = Gatherer(self.about, config)
        rows = list(_rows(table, gather))
        groups = FoldGroups(((row["fsID"], row["fold"]) for row in rows), config)
        root = table.parent.parent if table.parent.name == _PLACES[0] else table.parent
        audio = root / "audio"
        base = audio_base(config, audio if audio.is_dir() else root)
        clips = (
            gather.clip(
                locate(base, f"fold{row['fold']}/{row['slice_file_name']}"),
                (row["class"],),
                fold=row["fold"],
                group=groups.group(row["fsID"], row["fold"]),
                extra={key: row[key] for key in _EXTRA if key in row},
            )
            for row in rows
        )
        return gather.manifest(clips, path, grouped=True, notes=groups.notes())


def _table(path: Path) -> Path | None:
    if path.is_file():
        return path if path.name == _NAME else None
    places = (path / place / _NAME for place in _PLACES)
    return next((place for place in places if place.is_file()), None)


def _rows(table: Path, gather: Gatherer) -> Iterator[dict[str, str]]:
    for where, row in gather.rows(table, _COLUMNS):
        if all(row[column] for column in _COLUMNS):
            yield row
        else:
            gather.rejected.append(f"{where}: name, fsID, fold or class is empty")


READERS.add("urbansound8k", UrbanSound8KReader())
