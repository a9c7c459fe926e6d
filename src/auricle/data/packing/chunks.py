"""The work on a pack, in chunks that are finished or not begun, so that a killed run goes on.

A chunk is a fixed range of clips: `chunk-0000012.raw` holds the bytes of its clips one behind the
other, `chunk-0000012.json` (written after it, whole or not at all) what they are. Both stand in a
hidden folder beside the output. When all are there, their bytes are moved to where they belong in
the pack, chunk by chunk: a chunk whose `.raw` is gone has been moved, so that the work never takes
more room than the pack and one chunk for each thread.
"""

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from auricle.audio.members.h5 import HASH_BYTES
from auricle.core.errors import AudioError, ConfigError
from auricle.core.reporting import Reporter
from auricle.core.threads import in_order
from auricle.core.writing import WriteError, remove_leftovers, replacing, write_text
from auricle.data.packing.sound import CLIPS_AT_ONCE, Packed

JOB = "job.json"

EncodeClips = Callable[[range], Iterator[Packed | AudioError]]
"""Makes the bytes of a range of clips, or says why one has none; called in several threads."""


@dataclass(frozen=True)
class Entry:
    """What a chunk says of one clip: bad, or so many bytes with this hash (hex)."""

    error: str | None = None
    bytes: int = 0
    length: int = 0
    hash: str = ""
    over: int = 0
    cut: bool = False
    resampled: bool = False


class WorkFolder:
    """The hidden folder in which a pack is made."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.path = output.parent / f".{output.name}.packing"

    def begin(self, fingerprint: str, *, force: bool) -> bool:
        """Make the folder ready for a job; say whether work that is there goes on.

        Raises `ConfigError` where another job's work is in it, unless `force` drops that.
        """
        job = self.path / JOB
        try:
            if self.path.exists():
                if job.is_file() and job.read_text(encoding="utf-8") == fingerprint:
                    remove_leftovers(self.path)
                    return True
                if job.is_file() and not force:
                    raise ConfigError(
                        f"an unfinished pack of other clips or options waits in {self.path}: give "
                        "the same command as then to go on with it, or --force to drop it"
                    )
                self.remove()
            self.path.mkdir(parents=True)
            write_text(job, fingerprint)
        except OSError as error:
            raise WriteError(f"cannot write {self.path}: {error.strerror or error}") from None
        return False

    def remove(self) -> None:
        """Remove the folder and all work in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def raw(self, chunk: int) -> Path:
        """Return where the bytes of a chunk are."""
        return self.path / f"chunk-{chunk:07d}.raw"

    def entries(self, chunk: int) -> list[Entry] | None:
        """Return what a chunk says of its clips; None where it is not finished."""
        try:
            said = json.loads(self.raw(chunk).with_suffix(".json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise WriteError(f"cannot read {self.path}: {error.strerror or error}") from None
        return [Entry(**one) for one in said]

    def write(self, chunk: int, packed: Iterable[Packed | AudioError]) -> None:
        """Write a chunk: its bytes, then what they are."""
        entries: list[dict[str, Any]] = []
        with replacing(self.raw(chunk)) as temporary, temporary.open("wb") as file:
            for one in packed:
                if isinstance(one, Packed):
                    file.write(one.content)
                entries.append(asdict(_entry(one)))
        write_text(self.raw(chunk).with_suffix(".json"), json.dumps(entries))


def _entry(one: Packed | AudioError) -> Entry:
    if not isinstance(one, Packed):
        return Entry(error=str(one))
    digest = hashlib.blake2b(one.content, digest_size=HASH_BYTES).hexdigest()
    return Entry(
        bytes=len(one.content),
        length=one.length,
        hash=digest,
        over=one.over,
        cut=one.cut,
        resampled=one.resampled,
    )


def chunk_ranges(clips: int) -> list[range]:
    """Return the ranges of clips that chunks are of."""
    return [
        range(start, min(clips, start + CLIPS_AT_ONCE)) for start in range(0, clips, CLIPS_AT_ONCE)
    ]


def fill_chunks(
    work: WorkFolder, clips: int, encode: EncodeClips, *, workers: int, reporter: Reporter
) -> None:
    """Make every chunk that is not there yet, in `workers` threads. Raises `WriteError`.

    After an interrupt or an error, what was begun is dropped.
    """
    stop = threading.Event()

    def going(packed: Iterator[Packed | AudioError]) -> Iterator[Packed | AudioError]:
        for one in packed:
            if stop.is_set():
                raise _Stopped
            yield one

    def make(one: tuple[int, range]) -> int:
        chunk, indices = one
        if work.entries(chunk) is None:
            work.write(chunk, going(encode(indices)))
        return len(indices)

    chunks = enumerate(chunk_ranges(clips))
    with reporter.progress("packing clips", clips) as progress:
        for _, done in in_order(make, chunks, workers, stop=stop):
            progress.advance(done)


class _Stopped(Exception):
    """A thread gives up its chunk."""


@dataclass(frozen=True)
class Done:
    """What all chunks hold, by clip: good or not, lengths, bytes, hashes `(clips, 16)`.

    `errors` are those of the bad clips by number; the counts are those of the good ones.
    """

    good: npt.NDArray[np.bool_]
    lengths: npt.NDArray[np.int64]
    sizes_bytes: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.uint8]
    errors: dict[int, str]
    over: int
    cut: int
    resampled: int


def gather(work: WorkFolder, clips: int) -> Done:
    """Read what finished chunks say."""
    good = np.zeros(clips, dtype=np.bool_)
    lengths, sizes = np.zeros(clips, dtype=np.int64), np.zeros(clips, dtype=np.int64)
    hashes = np.zeros((clips, HASH_BYTES), dtype=np.uint8)
    errors: dict[int, str] = {}
    over = cut = resampled = 0
    for chunk, indices in enumerate(chunk_ranges(clips)):
        for index, entry in zip(indices, work.entries(chunk) or (), strict=True):
            if entry.error is not None:
                errors[index] = entry.error
                continue
            good[index] = True
            lengths[index], sizes[index] = entry.length, entry.bytes
            hashes[index] = np.frombuffer(bytes.fromhex(entry.hash), dtype=np.uint8)
            over += entry.over > 0
            cut += entry.cut
            resampled += entry.resampled
    return Done(good, lengths, sizes, hashes, errors, over, cut, resampled)


def move_chunks(
    work: WorkFolder,
    done: Done,
    place: Callable[[int], tuple[Path, int]],
    reporter: Reporter,
) -> None:
    """Write the bytes of every clip to its place, a file and an offset (bytes), and drop the chunk.

    Raises `WriteError`.
    """
    clips = len(done.good)
    with reporter.progress("joining clips", clips) as progress:
        for chunk, indices in enumerate(chunk_ranges(clips)):
            raw = work.raw(chunk)
            if raw.exists():
                try:
                    _move(raw, indices, done, place)
                except OSError as error:
                    raise WriteError(
                        f"cannot write {work.path}: {error.strerror or error}"
                    ) from None
            progress.advance(len(indices))


def _move(raw: Path, indices: range, done: Done, place: Callable[[int], tuple[Path, int]]) -> None:
    files: dict[Path, BinaryIO] = {}
    with ExitStack() as opened, raw.open("rb") as source:
        for index in indices:
            if not done.good[index]:
                continue
            path, offset = place(index)
            if path not in files:
                files[path] = opened.enter_context(path.open("r+b"))
            files[path].seek(offset)
            files[path].write(source.read(int(done.sizes_bytes[index])))
        for file in files.values():  # on the disk, before the chunk goes
            file.flush()
            os.fsync(file.fileno())
    raw.unlink()
