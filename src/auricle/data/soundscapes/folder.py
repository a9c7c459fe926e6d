"""A folder of soundscapes: whole files only, the same bytes whoever makes them, resumable."""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from auricle.audio.encoding import encode
from auricle.core.errors import ConfigError, DataError
from auricle.core.threads import in_order
from auricle.core.types import Label
from auricle.core.writing import remove_leftovers, replacing, write_json, write_text
from auricle.data.soundscapes.mixer import Mixer, Source
from auricle.data.soundscapes.record import Soundscape
from auricle.events import write_labels
from auricle.events.formats.base import check_text

AUDIO = "audio"
LABELS = "labels.tsv"
RECORDS = "soundscapes.jsonl"
SETTINGS = "mix.json"
"""Written first: what the folder is being made of."""

_PARTS = ".parts"


@dataclass
class MixReport:
    """What a folder of soundscapes holds, and what went wrong.

    `events` and `seconds` count by label; `bad` tells of sources that could not be used, by path;
    `unplaced` counts events for which there was no room.
    """

    soundscapes: int = 0
    events: Counter[Label] = field(default_factory=Counter[Label])
    seconds: dict[Label, float] = field(default_factory=dict[Label, float])
    bad: dict[str, str] = field(default_factory=dict[str, str])
    unplaced: int = 0

    def add(self, record: Soundscape) -> None:
        """Count a soundscape and its events."""
        self.soundscapes += 1
        for event in record.events:
            self.events[event.label] += 1
            heard_s = event.length / record.sample_rate
            self.seconds[event.label] = self.seconds.get(event.label, 0.0) + heard_s


def mix_folder(
    folder: str | Path,
    mixer: Mixer,
    count: int,
    *,
    suffix: Literal["flac", "wav"] = "flac",
    workers: int | None = None,
    resume: bool = False,
    force: bool = False,
    strict: bool = False,
    progress: Callable[[], None] | None = None,
) -> MixReport:
    """Make `count` soundscapes in a folder: `audio/`, `labels.tsv` and `soundscapes.jsonl`.

    Files are 16 bit; `workers` threads make them side by side (default: one per processor), and
    `progress` is called after each. `soundscapes.jsonl` has a `Soundscape` a line. The labels are
    written last: a folder without them is not finished, and `resume` goes on with it, or makes
    more where `count` has grown. `force` makes it anew; files that are not ours stay. `strict`
    stops at the first source that cannot be used.

    Raises `ConfigError` for a folder that holds something else, `DataError` where too many sources
    are bad, `WriteError`.
    """
    folder = Path(folder)
    for label in {source.label for source in mixer.events}:
        check_text(label, "label")  # before the work, not after it
    settings = _settings(mixer, suffix)
    _prepare(folder, settings, resume=resume, force=force)
    job = _Job(folder, mixer, suffix, strict)
    _restore(job, count)
    for _ in in_order(job.make, range(count), workers):
        if progress is not None:
            progress()
    return _finish(job, count)


@dataclass(frozen=True)
class _Job:
    folder: Path
    mixer: Mixer
    suffix: Literal["flac", "wav"]
    strict: bool

    def sound(self, name: str) -> Path:
        return self.folder / AUDIO / f"{name}.{self.suffix}"

    def part(self, number: int) -> Path:
        return self.folder / _PARTS / f"{number}.json"

    def make(self, number: int) -> None:
        """Make one soundscape where it is not there yet; its part comes after its sound."""
        if self.part(number).exists():
            return
        mixed = self.mixer.make(number)
        if mixed.bad and self.strict:
            raise DataError(next(iter(mixed.bad.values())))
        sound = encode(mixed.samples, mixed.record.sample_rate, self.suffix)
        with replacing(self.sound(mixed.record.name)) as temporary:
            temporary.write_bytes(sound)
        self.write_part(mixed.record, mixed.bad, mixed.unplaced)

    def write_part(self, record: Soundscape, bad: Mapping[str, str], unplaced: int) -> None:
        """Say of a soundscape that it is done, and what it is."""
        lines = (record.to_json(), json.dumps({"bad": dict(bad), "unplaced": unplaced}))
        write_text(self.part(record.number), "\n".join(lines))

    def read_part(self, number: int) -> tuple[Soundscape, dict[str, str], int]:
        """Read what `write_part` wrote."""
        record, faults = self.part(number).read_text(encoding="utf-8").splitlines()
        told = json.loads(faults)
        return Soundscape.from_json(record), told["bad"], told["unplaced"]


def _restore(job: _Job, count: int) -> None:
    """Make parts again of the records of a finished mix; drop the sounds beyond `count`."""
    records = job.folder / RECORDS
    if records.exists():
        try:
            with records.open(encoding="utf-8") as file:
                for line in file:
                    record = Soundscape.from_json(line)
                    if job.sound(record.name).exists():
                        job.write_part(record, {}, 0)
        except (ValueError, ConfigError) as error:
            raise ConfigError(
                f"{records} is damaged ({error}): --force makes the mix anew"
            ) from None
    for part in (job.folder / _PARTS).glob("*.json"):
        if int(part.stem) >= count:
            record, _, _ = job.read_part(int(part.stem))
            job.sound(record.name).unlink(missing_ok=True)
            part.unlink()


def _finish(job: _Job, count: int) -> MixReport:
    """Write records and labels out of the parts, which then go."""
    folder, report = job.folder, MixReport()
    with (
        replacing(folder / RECORDS) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        for number in range(count):
            record, bad, unplaced = job.read_part(number)
            file.write(record.to_json() + "\n")
            report.add(record)
            report.bad.update(bad)
            report.unplaced += unplaced
    records = (job.read_part(number)[0] for number in range(count))
    rows = (clip for record in records for clip in record.labels(f".{job.suffix}"))
    write_labels(folder / LABELS, rows, "tsv")
    shutil.rmtree(folder / _PARTS)
    return report


def _settings(mixer: Mixer, suffix: str) -> dict[str, Any]:
    return {
        "format": suffix,
        **mixer.config.model_dump(mode="json"),
        "events": _digest(mixer.events),
        "backgrounds": _digest(mixer.backgrounds),
    }


def _digest(sources: Sequence[Source]) -> str:
    """Return how many sources there are, and a hash of which."""
    digest = hashlib.blake2b(digest_size=8)
    for source in sources:
        parts = (os.path.abspath(source.path), source.label, source.onset_s, source.offset_s)
        digest.update(repr(parts).encode("utf-8", "backslashreplace"))
    return f"{len(sources)} sounds, {digest.hexdigest()}"


def _prepare(folder: Path, settings: dict[str, Any], *, resume: bool, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"output: {folder} is a file, not a folder")
    there = folder / SETTINGS
    if force:
        _remove_ours(folder)
    elif there.exists():
        _require_same(there, settings, resume=resume)
    elif folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(f"{folder} holds other files: name a new folder for the soundscapes")
    (folder / LABELS).unlink(missing_ok=True)
    for part in (folder, folder / AUDIO, folder / _PARTS):
        part.mkdir(parents=True, exist_ok=True)
        remove_leftovers(part)
    write_json(there, settings)


def _require_same(there: Path, settings: dict[str, Any], *, resume: bool) -> None:
    folder = there.parent
    if not resume:
        state = "is finished" if (folder / LABELS).exists() else "is not finished"
        raise ConfigError(
            f"{folder} holds a mix that {state}: --resume goes on with it, --force makes it anew"
        )
    try:
        before = json.loads(there.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{there} cannot be read ({error}): --force makes the mix anew") from None
    changed = [key for key in settings if before.get(key) != settings[key]]
    if changed:
        key = changed[0]
        raise ConfigError(
            f"{folder} was begun with another '{key}' ({before.get(key)}, now {settings[key]}): "
            "--resume needs the same settings; --force makes the mix anew"
        )


def _remove_ours(folder: Path) -> None:
    if (folder / SETTINGS).exists():
        for path in (folder / AUDIO).glob("soundscape_*.*"):
            path.unlink()
        shutil.rmtree(folder / _PARTS, ignore_errors=True)
        for name in (RECORDS, LABELS, SETTINGS):
            (folder / name).unlink(missing_ok=True)
    elif folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(
            f"{folder} holds files that are no mix: --force replaces a mix only; name a new folder"
        )
