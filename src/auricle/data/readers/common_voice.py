"""Common Voice, for telling languages or dialects apart: tables of sentences read aloud.

A language's folder holds `train.tsv`, `dev.tsv` and `test.tsv` (or `validated.tsv` alone) with the
columns `client_id, path, ..., accents, variant, locale`, and the sounds in `clips/`; a release is a
folder of such folders (github.com/common-voice/cv-dataset). `client_id` stands for the speaker and
is declared as the group. Releases before the ninth call the column `accent`.

The label is the `locale` where several languages are read, and else the accent; `--data.label`
names any other column. Clips without a label are left out and counted.
"""

from collections.abc import Iterator
from pathlib import Path

from auricle.core.errors import DataError
from auricle.core.tables import open_table
from auricle.core.types import Clip
from auricle.data.config import DataConfig
from auricle.data.manifest import Manifest
from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.folder import SPLIT_NAMES, entries
from auricle.data.readers.rows import Gatherer, audio_base, locate, refuse_columns
from auricle.data.wording import listed, plural

_SPLITS = ("train", "dev", "test")
_WHOLE = "validated"
_COLUMNS = ("client_id", "path")
_ACCENTS = ("accents", "accent", "variant")


class CommonVoiceReader:
    """Common Voice as published: one language's folder, or a folder of several."""

    about = About(
        "Common Voice tables: languages (locale) or dialects (accents), the speaker as group",
        licence="CC0 1.0",
        citation=(
            "R. Ardila et al., Common Voice: A Massively-Multilingual Speech Corpus, LREC 2020, "
            "arXiv 1912.06670"
        ),
        home="https://commonvoice.mozilla.org/en/datasets",
        experimental=True,
    )

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether a table of speakers and clips is there, or in a folder of a language."""
        return config.table is None and path.is_dir() and bool(_languages(path))

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read the official splits, with the speaker as group."""
        refuse_columns(config, "the columns of Common Voice are fixed", allowed=("label",))
        languages = _languages(path)
        if not languages:
            raise DataError(
                f"{path} is not Common Voice: neither it nor a folder in it holds train.tsv or "
                "validated.tsv with the columns client_id and path"
            )
        label = config.label or _label(languages)
        notes = [f"the column '{label}' is the label; --data.label COLUMN takes another"]
        gather = Gatherer(self.about, config)
        return gather.manifest(
            _clips(languages, label, config, gather, notes), path, grouped=True, notes=notes
        )


def _languages(path: Path) -> dict[Path, list[Path]]:
    """Return the folders of languages with the tables to read in each."""
    if tables := _tables(path):
        return {path: tables}
    below = {entry: _tables(entry) for entry in sorted(entries(path)) if entry.is_dir()}
    return {folder: tables for folder, tables in below.items() if tables}


def _tables(folder: Path) -> list[Path]:
    splits = [path for name in _SPLITS if (path := folder / f"{name}.tsv").is_file()]
    found = splits or [path for path in (folder / f"{_WHOLE}.tsv",) if path.is_file()]
    return found if any(set(_COLUMNS) <= set(_header(path)) for path in found) else []


def _header(path: Path) -> tuple[str, ...]:
    try:
        return open_table(path).header
    except DataError:
        return ()


def _label(languages: dict[Path, list[Path]]) -> str:
    """Choose the locale where there are several languages, else the accent."""
    header = _header(next(iter(languages.values()))[0])
    if len(languages) > 1:
        return "locale"
    found = [name for name in _ACCENTS if name in header]
    if not found:
        raise DataError(
            f"{next(iter(languages))} is one language and its table has no accents: say what tells "
            f"its clips apart with --data.label COLUMN; it has {listed(header, shown=12)}"
        )
    return found[0]


def _clips(
    languages: dict[Path, list[Path]],
    label: str,
    config: DataConfig,
    gather: Gatherer,
    notes: list[str],
) -> Iterator[Clip | None]:
    bare = 0
    for folder, tables in languages.items():
        # The option stands for clips/ of one language, or for the folder of several.
        base = audio_base(config, folder / "clips")
        if config.audio_root is not None and len(languages) > 1:
            base = base / folder.name / "clips"
        for table in tables:
            for where, row in gather.rows(table, (*_COLUMNS, label)):
                path, speaker, said = row.pop("path"), row.pop("client_id"), row.pop(label)
                if not path:
                    gather.rejected.append(f"{folder.name}/{where}: the path is empty")
                elif not said:
                    bare += 1
                else:
                    yield gather.clip(
                        locate(base, path),
                        (said,),
                        split=SPLIT_NAMES.get(table.stem),
                        group=speaker,
                        extra={name: cell for name, cell in row.items() if cell},
                    )
    if bare:
        notes.append(f"{plural(bare, 'clip')} whose '{label}' is empty left out")


READERS.add("common_voice", CommonVoiceReader())
