"""AudioSet with its labels of whole segments: 10 s out of videos, 527 classes, several a segment.

The lists are `eval_segments.csv`, `balanced_train_segments.csv` and
`unbalanced_train_segments.csv` (research.google.com/audioset/download.html); the totals are those
of their own second lines. AudioSet holds no sound. Published copies call a segment's file by its
video (YTID) in several ways, in any folders and containers: with `Y` before it, so that no name
begins with a dash (audioset_tagging_cnn, `utils/dataset.py`), with nothing around it, or with its
start behind it, in milliseconds (as the strong labels name it) or seconds and end (as DESED does).

The video is declared as the group. Labels are the display names, out of a
`class_labels_indices.csv` beside the list where there is one, in AudioSet's order.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from auricle.core.audioset import audioset_ids, audioset_labels
from auricle.core.errors import DataError
from auricle.core.types import Clip
from auricle.data.config import DataConfig
from auricle.data.labels import read_label_names
from auricle.data.manifest import Manifest
from auricle.data.readers import READERS
from auricle.data.readers.base import About
from auricle.data.readers.labelled import LabelGatherer, SoundIndex
from auricle.data.readers.rows import audio_base, refuse_columns
from auricle.events import FORMATS, read_labels

_LISTS = {
    "balanced_train_segments.csv": "train",
    "unbalanced_train_segments.csv": "train",
    "eval_segments.csv": "test",
}
_FOLDERS = ("", "metadata", "csv")
_NAMES = "class_labels_indices.csv"


class AudioSetReader:
    """AudioSet's lists of segments, or one of them, and sounds below the same folder."""

    about = About(
        "AudioSet: labels of whole 10 s segments, 527 classes, the video as group",
        licence="CC BY 4.0 (labels; the sound is that of the videos)",
        citation=(
            "J. F. Gemmeke et al., Audio Set: An ontology and human-labeled dataset for audio "
            "events, ICASSP 2017, doi 10.1109/ICASSP.2017.7952261"
        ),
        home="https://research.google.com/audioset/download.html",
        totals={"train clips": 22_160 + 2_041_789, "test clips": 20_371, "classes": 527},
        experimental=True,
    )

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether a list of segments is there."""
        return config.table is None and bool(_lists(path))

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read every list that is there; evaluation is the test part."""
        refuse_columns(config, "the columns of AudioSet's lists are fixed")
        lists = _lists(path)
        if not lists:
            raise DataError(f"{path} is no list of AudioSet's segments, and holds none")
        sounds = SoundIndex(audio_base(config, path if path.is_dir() else path.parent))
        gather = LabelGatherer(self.about, config)
        names = _names(lists[0])

        def clips() -> Iterator[Clip]:
            for table in lists:
                yield from gather.clips(
                    read_labels(table, "audioset", faults=gather.faults),
                    sounds,
                    candidates=_called,
                    split=_LISTS.get(table.name),
                    group=lambda name: name,
                    names=names,
                )

        manifest = gather.manifest(clips(), path, grouped=True)
        return _in_published_order(manifest, names)


def _lists(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if FORMATS["audioset"].claims(path) else []
    places = (path / folder / name for folder in _FOLDERS for name in _LISTS)
    return [place for place in places if place.is_file()]


def _called(row: Clip) -> tuple[str, ...]:
    """Return what published copies call the file of a segment."""
    video = row.path
    start, end = float(row.extra["start_seconds"]), float(row.extra["end_seconds"])
    stems = (
        video,
        f"{video}_{start * 1000:.0f}",
        f"{video}_{start:.3f}_{end:.3f}",
        f"{video}_{start:.0f}_{end:.0f}",
        f"{video}_{start:.0f}",
    )
    return tuple(f"{prefix}{stem}" for stem in stems for prefix in ("Y", ""))


def _names(table: Path) -> dict[str, str]:
    beside = table.parent / _NAMES
    if beside.is_file():
        return read_label_names(beside)
    return dict(zip(audioset_ids(), audioset_labels(), strict=True))


def _in_published_order(manifest: Manifest, names: dict[str, str]) -> Manifest:
    known = [name for name in dict.fromkeys(names.values()) if name in manifest.labels]
    strange = [label for label in manifest.labels if label not in set(known)]
    return replace(manifest, labels=(*known, *strange))


READERS.add("audioset", AudioSetReader())
