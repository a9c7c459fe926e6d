"""The layout of a competition: `train.csv`, `sample_submission.csv` and a folder of sounds.

The sample submission says what is what: its first column is the id of a sound, and its second, if
it is the only other, the target. Columns of the same names in `train.csv` hold the truth; where the
sample has a column for each class instead, the target in `train.csv` is found by its name. The
sounds lie in `audio_files/`, `audio/`, `train_audio/`... beside the tables, and an id may leave the
suffix of its file out. The sample itself holds no truth and is never read for labels.

`auricle predict RUN --submission sample_submission.csv` fills it in.
"""

from pathlib import Path

from auricle.core.errors import DataError
from auricle.core.tables import Table, open_table
from auricle.data.config import DataConfig
from auricle.data.manifest import Manifest
from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.folder import entries
from auricle.data.readers.table import TableReader

_TRAIN = "train.csv"
TABLES = (".csv", ".tsv")


class CompetitionReader:
    """`train.csv` with the truth and `sample_submission.csv`, which says how its columns are used.

    Everything else is as with the reader `table`, whose options it takes.
    """

    about = About("a competition: train.csv, sample_submission.csv and a folder of sounds")

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether both tables are there, whatever is in them."""
        if config.table is not None or not path.is_dir():
            return False
        return find_sample(path) is not None and (path / _TRAIN).is_file()

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read the truth in `train.csv` by the columns that the sample submission names."""
        train, sample = _tables(path)
        columns = {"table": _TRAIN}
        if config.path is None and sample.header[0] in train.header:
            columns["path"] = sample.header[0]
        if config.label is None and len(sample.header) == 2 and sample.header[1] in train.header:
            columns["label"] = sample.header[1]
        named = [f"'{columns[key]}'" for key in ("path", "label") if key in columns]
        notes = [f"{sample.path.name} is not read for labels: it holds no truth"]
        if named:
            notes.append(f"{' and '.join(named)} of {_TRAIN} read as {sample.path.name} has them")
        manifest = TableReader().read(path, config.model_copy(update=columns))
        notes += [
            f"{entry.name} is not read: the truth is in {_TRAIN}"
            for entry in sorted(entries(path))
            if entry.suffix.lower() in TABLES and entry not in (train.path, sample.path)
        ]
        return manifest.noting(*notes)


def find_sample(path: Path) -> Path | None:
    """Return the sample submission in a folder: the table whose name says sample and submission."""
    if not path.is_dir():
        return None
    named = (entry for entry in sorted(entries(path)) if entry.suffix.lower() in TABLES)
    return next(
        (at for at in named if {"sample", "submission"} <= set(_words(at.stem)) and at.is_file()),
        None,
    )


def _words(stem: str) -> list[str]:
    return stem.lower().replace("-", "_").split("_")


def _tables(path: Path) -> tuple[Table, Table]:
    sample = find_sample(path)
    if sample is None or not (path / _TRAIN).is_file():
        raise DataError(
            f"{path} is not the layout of a competition: it must hold {_TRAIN} with the truth and "
            "sample_submission.csv"
        )
    return open_table(path / _TRAIN), open_table(sample)


READERS.add("competition", CompetitionReader())
