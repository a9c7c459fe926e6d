"""ESC-50 and its subset ESC-10: 5-second clips of environmental sound in five official folds.

The archive (github.com/karolpiczak/ESC-50) holds `meta/esc50.csv` with the columns `filename, fold,
target, category, esc10, src_file, take` and the clips in `audio/`. A file's name is
`{fold}-{source recording}-{take}-{class}.wav`. Clips of one class cut from one
recording (`src_file`) stand in one fold; the recording is declared as the group, so that a
validation part drawn from the training folds shares none with them. Four recordings with two kinds
of sound stand in two folds, see `FoldGroups`.

Earlier copies have no table but folders with a number (`001 - Dog bark` in ESC-10, `101 - Dog` in
ESC-50) and `{fold}-{source recording}-{take}.ogg` in them; fold and recording are read from the
name. A copy that has a table of its own beside its folders is left to the reader `table`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from auricle.core.errors import DataError
from auricle.data.config import DataConfig
from auricle.data.manifest import Manifest
from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.folder import entries, is_sound
from auricle.data.readers.rows import (
    FoldGroups,
    Gatherer,
    audio_base,
    locate,
    refuse_columns,
)

CITATION = (
    "K. J. Piczak, ESC: Dataset for Environmental Sound Classification, ACM Multimedia 2015, "
    "doi 10.1145/2733373.2806390"
)
HOME = "https://github.com/karolpiczak/ESC-50"
_COLUMNS = ("filename", "fold", "category", "esc10", "src_file", "take")
_FOLDER = re.compile(r"(\d{3}) - (.+)")
_NAME = re.compile(r"([1-5])-(\d+)-([A-Z])(-\d+)?\.\w+")
_FIRST_OF_ESC50 = 101
"""ESC-10 numbers its folders from 001, ESC-50 from 101."""


class _Row(NamedTuple):
    """A clip of the archive, before its file is looked for."""

    path: str
    label: str
    fold: str
    recording: str
    extra: dict[str, str]


class EscReader:
    """ESC-50, or ESC-10 alone, as published: `meta/esc50.csv` and `audio/`."""

    def __init__(self, about: About, *, only_esc10: bool) -> None:
        self.about = about
        self._only_esc10 = only_esc10

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether `path` holds the official table, or the numbered folders and no table."""
        if not path.is_dir() or config.table is not None:
            return False
        if (path / "meta" / "esc50.csv").is_file():
            return not self._only_esc10
        return bool(self._folders(path)) and not any(path.glob("*.[ct]sv"))

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read the clips with their official folds and their source recordings as groups."""
        refuse_columns(config, "the columns of ESC-50 are fixed")
        from_table = (path / "meta" / "esc50.csv").is_file()
        if not from_table and not self._folders(audio_base(config, path)):
            raise DataError(
                f"{path} is not ESC-50: it must hold meta/esc50.csv, or nothing but folders called "
                f"'{1 if self._only_esc10 else _FIRST_OF_ESC50:03d} - Dog' and so on"
            )
        gather = Gatherer(self.about, config)
        if from_table:
            rows = list(self._from_table(path, config, gather))
        else:
            rows = list(self._from_folders(path, config, gather))
        groups = FoldGroups(((row.recording, row.fold) for row in rows), config)
        clips = (
            gather.clip(
                row.path,
                (row.label,),
                fold=row.fold,
                group=groups.group(row.recording, row.fold),
                extra=row.extra,
            )
            for row in rows
        )
        return gather.manifest(clips, path, grouped=True, notes=groups.notes())

    def _from_table(self, path: Path, config: DataConfig, gather: Gatherer) -> Iterator[_Row]:
        base = audio_base(config, path / "audio")
        for where, row in gather.rows(path / "meta" / "esc50.csv", _COLUMNS):
            if self._only_esc10 and row["esc10"].lower() != "true":
                continue
            if not all(row[key] for key in ("filename", "category", "fold", "src_file")):
                gather.rejected.append(f"{where}: filename, category, fold or src_file is empty")
                continue
            extra = {key: row[key] for key in ("target", "esc10", "take") if key in row}
            sound = locate(base, row["filename"])
            yield _Row(sound, row["category"], row["fold"], row["src_file"], extra)

    def _from_folders(self, path: Path, config: DataConfig, gather: Gatherer) -> Iterator[_Row]:
        for folder, label in sorted(self._folders(audio_base(config, path)).items()):
            for file in sorted(filter(is_sound, entries(folder))):
                name = _NAME.fullmatch(file.name)
                if name is None:
                    gather.rejected.append(f"{file}: the name is not FOLD-RECORDING-TAKE")
                else:
                    yield _Row(str(file), label, name[1], name[2], {"take": name[3]})

    def _folders(self, path: Path) -> dict[Path, str]:
        """Return the class folders with their labels; none where any folder is named otherwise."""
        found: dict[Path, str] = {}
        for folder in entries(path):
            if not folder.is_dir():
                continue
            name = _FOLDER.fullmatch(folder.name)
            if name is None or (int(name[1]) < _FIRST_OF_ESC50) != self._only_esc10:
                return {}
            found[folder] = name[2].strip()
        return found


READERS.add(
    "esc50",
    EscReader(
        About(
            "ESC-50: environmental sounds, 5 official folds, source recordings as groups",
            licence="CC BY-NC 3.0",
            citation=CITATION,
            home=HOME,
            totals={"clips": 2000, "classes": 50},
        ),
        only_esc10=False,
    ),
)
