"""DESED: sound events of homes, ten classes, real and synthetic 10 s recordings.

The layout is that of the baseline of DCASE Task 4 (DCASE-REPO/DESED_task,
`recipes/dcase2023_task4_baseline/confs/default.yaml`) and of the package `desed`
(github.com/turpaultn/DESED): `metadata/train/weak.tsv` (labels of whole recordings),
`metadata/train/synthetic21_train/soundscapes.tsv`, `metadata/validation/validation.tsv`,
`metadata/eval/public.tsv` (events), and the sounds of each table in the folder of its name below
`audio/`, perhaps with `_16k` behind it; the synthetic part may stand in `dcase_synth/`. Tables of
2019 end in .csv, and are tab-separated as well.

Lists without labels (unlabel_in_domain) and of durations are not read, and a row that a second
list repeats counts once.
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
from auricle.data.readers.folder import SPLIT_NAMES, entries, is_sound
from auricle.data.readers.labelled import LabelGatherer, SoundIndex
from auricle.data.readers.rows import refuse_columns
from auricle.data.wording import listed
from auricle.events import find_format, read_labels

_ROOTS = ("", "dcase_synth", "dataset", "real", "synthetic")
_KNOWN = (
    "train/weak",
    "train/audioset_strong",
    "train/synthetic*/soundscapes",
    "validation/validation",
    "validation/synthetic*/soundscapes",
    "eval/public",
)
_SUFFIXES = (".tsv", ".csv")
_OTHER_RATES = ("", "_16k")
_STRONG_REAL = "strong_label_real"


class DesedReader:
    """DESED as its tools lay it out: tables below metadata/, sounds below audio/."""

    about = About(
        "DESED: events of homes, 10 classes, weak and strong labels in one set",
        licence="MIT (tables and tools); recordings as AudioSet's videos and Freesound's clips say",
        citation=(
            "N. Turpault, R. Serizel, A. Parag Shah and J. Salamon, Sound event detection in "
            "domestic environments with weakly labeled data and soundscape synthesis, DCASE 2019"
        ),
        home="https://project.inria.fr/desed/",
        totals={"weak recordings": 1578, "validation recordings": 1168, "classes": 10},
        experimental=True,
    )

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether one of DESED's tables stands where DESED has it, and sounds beside it."""
        if config.table is not None or not path.is_dir():
            return False
        return any(
            next((root / "metadata").glob(f"{known}{suffix}"), None)
            for root in _roots(path)
            for known in _KNOWN
            for suffix in _SUFFIXES
        )

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read every table with labels; the folder above it says the split."""
        refuse_columns(config, "the columns of DESED's tables are fixed")
        gather = LabelGatherer(self.about, config)
        passed_over: list[str] = []
        found: dict[str, set[str]] = {}

        def clips() -> Iterator[Clip]:
            seen: set[tuple[object, ...]] = set()
            for root, table in _tables(path):
                named = table.relative_to(root / "metadata")
                form = _format(table)
                if form is None:
                    passed_over.append(named.as_posix())
                    continue
                read = gather.clips(
                    read_labels(table, form, faults=gather.faults),
                    SoundIndex(_sounds_of(root, named, config)),
                    split=SPLIT_NAMES.get(named.parts[0].lower()),
                )
                for clip in read:
                    found.setdefault(named.stem, set()).add(clip.path)
                    key = (clip.path, clip.onset_s, clip.offset_s, clip.labels)
                    if key not in seen:
                        seen.add(key)
                        yield clip

        manifest = gather.manifest(clips(), path)
        counts = {f"{name} recordings": len(paths) for name, paths in found.items()}
        notes = list(self.about.differences(counts))
        if passed_over:
            notes.append(f"tables without labels were not read: {listed(passed_over)}")
        return manifest.noting(*notes)


def _roots(path: Path) -> list[Path]:
    return [path / name for name in _ROOTS if (path / name / "metadata").is_dir()]


def _tables(path: Path) -> Iterator[tuple[Path, Path]]:
    roots = _roots(path)
    if not roots:
        raise DataError(f"{path} is not DESED: it has no folder metadata/")
    for root in roots:
        for table in sorted((root / "metadata").rglob("*")):
            if table.suffix.lower() in _SUFFIXES and table.is_file():
                yield root, table


def _format(table: Path) -> str | None:
    open_table(table)  # one that is empty or broken is not one without labels
    try:
        form = find_format(table)
    except DataError:
        return None
    return form if form in ("tsv", "csv", "weak") else None


def _sounds_of(root: Path, named: Path, config: DataConfig) -> Path:
    """Return the folder with the sounds of a table: `audio/`, then as the table is called.

    Tables number their sounds alike, so one whose folder is not there finds none in another's.
    """
    audio = root / "audio"
    if config.audio_root is not None:
        audio = Path(config.audio_root)
        if not audio.is_dir():
            raise DataError(f"--audio-root {audio} is not a folder")
    inside = named.with_suffix("")
    names = [inside]
    if "strong" in inside.name:
        names.append(inside.with_name(_STRONG_REAL))
    places = [audio / f"{name}{rate}" for name in names for rate in _OTHER_RATES]
    # `validation/eval_dcase2018` lists some of the recordings of validation/.
    places.append(audio / inside.parent)
    flat = any(map(is_sound, entries(audio))) if audio.is_dir() else False
    return next((place for place in places if place.is_dir()), audio if flat else places[0])


READERS.add("desed", DesedReader())
