"""AudioSet's strong labels: events with onset and offset in 10 s segments, about 450 classes.

`audioset_train_strong.tsv` and `audioset_eval_strong.tsv` have the columns `segment_id
start_time_seconds end_time_seconds label` (research.google.com/audioset/download_strong.html);
tables derived from them, as in DESED, have `filename onset offset event_label`. The name of a
segment is the video (YTID), a line below and the start in milliseconds; published copies have `Y`
before it or not, in any container. Labels are ids of AudioSet's ontology, which become names by
`mid_to_display_name.tsv`, `class_labels.tsv` or `class_labels_indices.csv` beside the table, else
by the 527 names that we know; an id without a name stays. The video is declared as the group.
"""

from collections.abc import Iterator
from pathlib import Path

from auricle.core.audioset import audioset_ids, audioset_labels
from auricle.core.errors import DataError
from auricle.core.types import Clip
from auricle.data.config import NO_COLUMN, DataConfig
from auricle.data.manifest import Manifest
from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.labelled import LabelGatherer, SoundIndex, names_beside
from auricle.data.readers.rows import audio_base, refuse_columns
from auricle.data.wording import listed, plural
from auricle.events import FORMATS, find_format, read_labels

_NAMES = ("mid_to_display_name.tsv", "class_labels.tsv", "class_labels_indices.csv")
_FOLDERS = ("", "metadata")


class AudioSetStrongReader:
    """AudioSet's strong labels: a table of events, or a folder with such tables, and sounds."""

    about = About(
        "AudioSet strong labels: events with times in 10 s segments, the video as group",
        licence="CC BY 4.0 (labels; the sound is that of the videos)",
        citation=(
            "S. Hershey et al., The benefit of temporally-strong labels in audio event "
            "classification, ICASSP 2021, arXiv 2105.07031"
        ),
        home="https://research.google.com/audioset/download_strong.html",
        totals={"train recordings": 103_463, "test recordings": 16_996},
        experimental=True,
    )

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether a table with AudioSet's columns, or of its name and form, is there."""
        return config.table is None and bool(_tables(path))

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read the events; a table with 'eval' in its name is the test part."""
        refuse_columns(config, "the columns of AudioSet's strong labels are fixed")
        tables = _tables(path)
        if not tables:
            raise DataError(f"{path} is no table of AudioSet's strong labels, and holds none")
        sounds = SoundIndex(audio_base(config, path if path.is_dir() else path.parent))
        gather = LabelGatherer(self.about, config)
        names, source = names_beside(tables[0].parent, _NAMES)
        names = names or dict(zip(audioset_ids(), audioset_labels(), strict=True))

        def clips() -> Iterator[Clip]:
            for table in tables:
                yield from gather.clips(
                    read_labels(table, "audioset_strong", faults=gather.faults),
                    sounds,
                    candidates=_called,
                    split=_split(table),
                    group=_video,
                    names=names,
                )

        manifest = gather.manifest(clips(), path, grouped=True)
        found: dict[str, set[str]] = {}
        for clip in manifest.clips:
            if clip.split is not None:
                found.setdefault(f"{clip.split} recordings", set()).add(clip.path)
        nameless = [label for label in manifest.labels if label.startswith(("/m/", "/g/", "/t/"))]
        notes = [
            f"labels were named by {source.name}"
            if source
            else "labels were named by AudioSet's 527 display names"
        ]
        if nameless:
            notes.append(
                f"{plural(len(nameless), 'id')} without a name kept: {listed(nameless)}; "
                f"{_NAMES[0]} beside the table names them"
            )
        notes += [
            f"{table.name} is the {split} part; --data.split none leaves that open"
            for table in tables
            if (split := _split(table)) and config.split != NO_COLUMN
        ]
        notes += self.about.differences({what: len(paths) for what, paths in found.items()})
        return manifest.noting(*notes)


def _tables(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if _is_strong(path) else []
    found: list[Path] = []
    for folder in _FOLDERS:
        found += sorted(file for file in (path / folder).glob("*.tsv") if _is_strong(file))
    return found


def _is_strong(path: Path) -> bool:
    if path.suffix.lower() not in (".tsv", ".txt"):
        return False
    try:
        if FORMATS["audioset_strong"].claims(path):
            return True
        name = path.name.lower()
        return "audioset" in name and "strong" in name and find_format(path) == "tsv"
    except DataError:
        return False


def _split(table: Path) -> str | None:
    name = table.stem.lower()
    return "test" if "eval" in name else "train" if "train" in name else None


def _called(row: Clip) -> tuple[str, ...]:
    return f"Y{row.path}", row.path


def _video(name: str) -> str:
    """Return the video of a segment `VIDEO_30000`, of a file or not."""
    return name.rpartition("_")[0] or name


READERS.add("audioset_strong", AudioSetStrongReader())
