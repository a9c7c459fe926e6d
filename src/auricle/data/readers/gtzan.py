"""GTZAN: 1,000 excerpts of 30 s, a folder for each of ten genres, with the fault-filtered split.

`genres/blues/blues.00000.wav` (`.au` in the first archive; `genres_original/` in a widespread
copy). The archive has no split of its own, and a random one is too good: it holds the same
recording twice and several excerpts of one artist (B. L. Sturm, The GTZAN dataset: its contents,
its faults, arXiv 1306.1461). So the lists with the faulty excerpts left out are used: 443 for
training, 197 for validation and 290 for testing; see `gtzan_splits.LICENSE.txt`. The excerpts that
are in none of them are left out; `--data.split none` reads them all, without a split.

`jazz.00054` cannot be decoded in the copies in circulation and is passed over by its name.
"""

import csv
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from auricle.core.errors import DataError
from auricle.core.types import Clip
from auricle.data.config import NO_COLUMN, DataConfig
from auricle.data.manifest import Manifest
from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.folder import entries, is_sound
from auricle.data.readers.rows import Gatherer, audio_base, refuse_columns

GENRES = (
    "blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock",
)  # fmt: skip
_FOLDERS = ("", "genres", "genres_original", "Data/genres_original")
_NAME = re.compile(r"([a-z]+)\.(\d{5})\.\w+")
_CORRUPT = ("jazz", 54)


class GtzanReader:
    """GTZAN as published: a folder for each of the ten genres, with the fault-filtered split."""

    about = About(
        "GTZAN: music genres, the fault-filtered training, validation and test lists",
        licence="none was published; the excerpts were taken from commercial recordings",
        citation=(
            "G. Tzanetakis and P. Cook, Musical Genre Classification of Audio Signals, IEEE "
            "Transactions on Speech and Audio Processing 10(5), 2002, doi 10.1109/TSA.2002.800560"
        ),
        home="http://marsyas.info/downloads/datasets.html",
        totals={"train clips": 443, "validation clips": 197, "test clips": 290, "classes": 10},
    )

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether all ten genres are there, with excerpts numbered as the archive's are."""
        return config.table is None and _genres(path) is not None

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read the excerpts that the filtered lists name, or all of them without a split."""
        refuse_columns(config, "GTZAN is a folder per genre and has no columns")
        root = _genres(audio_base(config, path))
        if root is None:
            raise DataError(
                f"{audio_base(config, path)} is not GTZAN: it must hold a folder for each of "
                f"{', '.join(GENRES)}, with sounds such as blues/blues.00000.wav"
            )
        gather = Gatherer(self.about, config)
        notes: list[str] = []
        return gather.manifest(
            self._clips(root, config, gather, notes), path, labels=GENRES, notes=notes
        )

    def _clips(
        self, root: Path, config: DataConfig, gather: Gatherer, notes: list[str]
    ) -> Iterator[Clip | None]:
        places = gtzan_splits()
        whole = config.split == NO_COLUMN
        faulty = 0
        for genre in GENRES:
            found = _numbered(root / genre, genre)
            listed = [number for at, number in places if at == genre]
            for number in sorted({*found, *(() if whole else listed)}):
                split = places.get((genre, number))
                path = found.get(number, root / genre / f"{genre}.{number:05d}.wav")
                if (genre, number) == _CORRUPT:
                    gather.skipped[split or ""] += 1
                    notes.append(f"{path.name} is known to be corrupt and was left out")
                elif split is None and not whole:
                    faulty += 1
                else:
                    yield gather.clip(str(path), (genre,), split=split)
        if faulty:
            notes.append(
                f"{faulty} excerpts that the fault-filtered lists leave out were not read; "
                "--data.split none reads all, without the official split"
            )


def gtzan_splits() -> dict[tuple[str, int], str]:
    """Return the split of each excerpt that is in a fault-filtered list, by genre and number."""
    text = files("auricle.data.readers").joinpath("gtzan_splits.csv").read_text(encoding="utf-8")
    places: dict[tuple[str, int], str] = {}
    for row in csv.DictReader(text.splitlines()):
        for stretch in row["numbers"].split():
            first, _, last = stretch.partition("-")
            for number in range(int(first), int(last or first) + 1):
                places[row["genre"], number] = row["split"]
    return places


def _genres(path: Path) -> Path | None:
    """Return the folder at or below `path` that holds the ten genres."""
    for name in _FOLDERS:
        folder = path / name
        if all((folder / genre).is_dir() for genre in GENRES) and _numbered(
            folder / GENRES[0], GENRES[0]
        ):
            return folder
    return None


def _numbered(folder: Path, genre: str) -> dict[int, Path]:
    """Return the excerpts in a genre's folder by number."""
    named = ((path, _NAME.fullmatch(path.name)) for path in sorted(entries(folder)))
    return {
        int(name[2]): path for path, name in named if name and name[1] == genre and is_sound(path)
    }


READERS.add("gtzan", GtzanReader())
