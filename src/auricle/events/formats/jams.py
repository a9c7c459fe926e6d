"""JAMS: one JSON file per recording (https://jams.readthedocs.io).

Events are observations of the namespace `segment_open`, labels of the whole recording those of
`tag_open` and of the other namespaces `tag_...`; tags with times count as events too, and of
Scaper's namespaces (`scaper`, `sound_event`) the foreground is read. Other
namespaces are passed over. Both open namespaces take any text as value. The recording's
name stands in `file_metadata.identifiers`, which the schema leaves to the writer, and as the title.
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

from auricle.core.errors import DataError
from auricle.core.types import Clip
from auricle.events.formats import FORMATS
from auricle.events.formats.base import (
    SCORE,
    Faults,
    Reading,
    RecordingFormat,
    check_text,
    time_fault,
)

_SUFFIX = ".jams"
_EVENTS, _TAGS, _ANY_TAGS = "segment_open", "tag_open", "tag_"
_SCAPER = ("scaper", "sound_event")
_FILENAME = "filename"
_DURATION = "duration"
_JAMS_VERSION = "0.3.4"
_TIME_DECIMALS = 9

Json = dict[str, Any]


class JamsFile(RecordingFormat):
    """A JAMS file per recording."""

    summary = "JAMS (.jams), one file per recording"
    strong = True
    weak = True
    holds = frozenset({SCORE, _DURATION})

    def claims(self, path: Path) -> bool:
        """Say whether the file is called so."""
        return self.recording_of(path.name) is not None

    def recording_of(self, name: str) -> str | None:
        """Return the name without `.jams`."""
        return name[: -len(_SUFFIX)] or None if name.casefold().endswith(_SUFFIX) else None

    def file_name(self, recording: str, *, whole: bool) -> str:
        """Return `REC.jams`; the suffix of the sound is told inside."""
        return f"{recording if whole else PurePosixPath(recording).with_suffix('')}{_SUFFIX}"

    def read(self, path: Path, recording: str, how: Reading) -> Iterator[Clip]:
        """Walk the observations; a file without any says that the recording has no event."""
        jam = _load(path)
        metadata = _mapping(jam.get("file_metadata"))
        name = _mapping(metadata.get("identifiers")).get(_FILENAME)
        if isinstance(name, str) and name:
            folder = PurePosixPath(recording).parent
            recording = (folder / PurePosixPath(name).name).as_posix()
        duration_s = metadata.get("duration")
        annotations = jam.get("annotations")
        numbers = count(1)
        empty, found = True, list[str]()
        for annotation in annotations if isinstance(annotations, list) else ():
            said = _mapping(annotation)
            if said.get("data"):
                found.append(str(said.get("namespace")))
            for observation in _observations(said):
                empty = False
                where = f"{path.name} observation {next(numbers)}"
                clip = _clip(recording, observation, duration_s, where, how.faults)
                if clip is not None:
                    yield clip
        if empty and found:  # it is not one in which nothing is
            names = ", ".join(sorted(set(found)))
            how.faults.reject(
                path.name, f"it has none of {_EVENTS}, {_TAGS} and {_SCAPER[0]}, only: {names}"
            )
        elif empty:
            yield Clip(recording)

    def write(self, path: Path, recording: str, rows: Sequence[Clip], extra: Sequence[str]) -> None:
        """Write the events and the labels without times, each in a namespace of its own."""
        check_text(recording, "name", "\0")
        duration_s = next((_number(c.extra.get(_DURATION)) for c in rows), None)
        events = [
            _observation(clip.onset_s, clip.offset_s - clip.onset_s, label, clip)
            for clip in rows
            if clip.offset_s is not None
            for label in clip.labels
        ]
        tags = [
            _observation(0.0, duration_s or 0.0, label, clip)
            for clip in rows
            if clip.offset_s is None
            for label in clip.labels
        ]
        annotations = [_annotation(_EVENTS, events)] if events or not tags else []
        annotations += [_annotation(_TAGS, tags)] if tags else []
        metadata = {
            "title": PurePosixPath(recording).name,
            "identifiers": {_FILENAME: PurePosixPath(recording).name},
            "jams_version": _JAMS_VERSION,
            **({} if duration_s is None else {"duration": duration_s}),
        }
        jam = {"annotations": annotations, "file_metadata": metadata, "sandbox": {}}
        path.write_text(json.dumps(jam, ensure_ascii=False) + "\n", encoding="utf-8")


def _load(path: Path) -> Json:
    try:
        jam = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not a JAMS file: {error}") from None
    if not isinstance(jam, dict) or "annotations" not in jam:
        raise DataError(f"{path} is not a JAMS file: it has no 'annotations'")
    return jam


def _mapping(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _observations(annotation: Json) -> Iterator[Json]:
    namespace, data = str(annotation.get("namespace")), annotation.get("data")
    tags = namespace.startswith(_ANY_TAGS)
    if not (tags or namespace in (_EVENTS, *_SCAPER)) or not isinstance(data, list):
        return
    for observation in map(_mapping, data):
        if namespace not in _SCAPER:
            yield {**observation, "tag": tags}
            continue
        value = _mapping(observation.get("value"))
        if value.get("role", "foreground") == "foreground":
            yield {**observation, "value": value.get("label"), "confidence": None}


def _clip(
    recording: str, observation: Json, duration_s: Any, where: str, faults: Faults
) -> Clip | None:
    label = observation.get("value")
    onset_s = _number(observation.get("time"))
    length_s = _number(observation.get("duration"))
    fault = None
    if not isinstance(label, str) or not label.strip():
        fault = f"the value must be a text, got {label!r}"
    elif onset_s is None or length_s is None or length_s < 0:
        fault = "time and duration must be seconds"
    else:
        fault = time_fault(onset_s, onset_s + length_s)
    if fault is not None or onset_s is None or length_s is None:
        faults.reject(where, fault or "")
        return None
    confidence = _number(observation.get("confidence"))
    extra = {} if confidence is None else {SCORE: repr(confidence)}
    if observation.get("tag") and onset_s == 0 and length_s in (0, duration_s):
        if duration_s:
            extra[_DURATION] = repr(float(duration_s))
        return Clip(recording, (str(label),), extra=extra)
    offset_s = round(onset_s + length_s, _TIME_DECIMALS)
    return Clip(recording, (str(label),), onset_s, offset_s, extra=extra)


def _number(value: Any) -> float | None:
    """Return a number, or a text that is one, as float; None where it is none or not finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _observation(onset_s: float, length_s: float, label: str, clip: Clip) -> Json:
    return {
        "time": onset_s,
        "duration": round(length_s, _TIME_DECIMALS),
        "value": label,
        "confidence": _number(clip.extra.get(SCORE)),
    }


def _annotation(namespace: str, data: Iterable[Json]) -> Json:
    return {
        "namespace": namespace,
        "annotation_metadata": {"annotation_tools": "auricle"},
        "data": list(data),
        "sandbox": {},
        "time": 0,
        "duration": None,
    }


FORMATS.add("jams", JamsFile())
