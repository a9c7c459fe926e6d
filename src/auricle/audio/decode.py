"""Decoding with libsndfile, and the choice between it and PyAV.

A decoder is opened for one read of one stretch and closed; nothing is shared between threads.
"""

import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BufferedIOBase
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import numpy as np
import soundfile

from auricle.audio.containers import Container, inspect
from auricle.audio.members import open_member
from auricle.core.errors import MissingExtra, TruncatedAudio, UnreadableAudio
from auricle.core.types import FloatArray

REMEDY = (
    "get a whole copy, or allow truncated files (--allow-truncated, allow_truncated=True) "
    "to use what is there"
)

_AV_SUFFIXES = (".aac", ".m4a", ".mp4", ".webm")
_UNKNOWN_FRAMES = 1 << 62
"""libsndfile gives 2**63 - 1 frames where a header leaves the length open."""

_BAD_SEEK = 39
"""libsndfile's SFE_BAD_SEEK."""

_MP3_SLACK_FRAMES = 1152
"""Some encoders count the MP3 frame that holds the header itself."""


class Decoder(Protocol):
    """One open sound file. `frames` is None where the container does not declare it."""

    container: str
    codec: str
    sample_rate: int
    channels: int
    frames: int | None

    def stream(
        self, start_frame: int, count: int | None, block_frames: int, *, allow_truncated: bool
    ) -> Iterator[FloatArray]:
        """Yield the stretch as float32 blocks `(channels, frames)`; count None: to the end.

        Raises `TruncatedAudio` where the end is missing (unless allowed) and `UnreadableAudio`
        where the inside is damaged.
        """
        ...


def examine(path: str | os.PathLike[str], *, thorough: bool) -> Container:
    """Look at a file's container without decoding it.

    Raises `UnreadableAudio` for what is no file, cannot be opened, or is empty.
    """
    try:
        # Before opening: to open a pipe would wait for a writer.
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise UnreadableAudio(f"{path} is a folder; name a sound file")
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableAudio(f"{path} is not a regular file; save the sound to a file first")
        with open(path, "rb") as file:
            if status.st_size == 0:
                raise UnreadableAudio(f"{path} is empty (0 bytes); get a whole copy")
            return inspect(file, status.st_size, thorough=thorough)
    except FileNotFoundError:
        raise UnreadableAudio(f"{path} does not exist; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or error
        raise UnreadableAudio(f"{path} cannot be opened: {reason}") from None


@contextmanager
def open_decoder(
    path: str | os.PathLike[str], *, allow_truncated: bool, thorough: bool
) -> Generator[Decoder, None, None]:
    """Check the container and open a decoder.

    `thorough` is for reads of the whole file: every page of an Ogg file is checked. A `path` may
    name a member of a container (`auricle.audio.members`). Raises `TruncatedAudio` (unless
    allowed), `UnreadableAudio` and `MissingExtra`.
    """
    member = open_member(path)
    if member is None:
        container = examine(path, thorough=thorough)
        with _open_file(path, None, container, allow_truncated) as decoder:
            yield decoder
    elif isinstance(member, BufferedIOBase):
        with member:
            container = _examine_member(path, member, thorough=thorough)
            with _open_file(path, member, container, allow_truncated) as decoder:
                yield decoder
    else:
        yield member


def _examine_member(
    path: str | os.PathLike[str], member: BufferedIOBase, *, thorough: bool
) -> Container:
    size = member.seek(0, os.SEEK_END)
    if size == 0:
        raise UnreadableAudio(f"{path} is empty (0 bytes); get a whole copy")
    member.seek(0)
    return inspect(cast("BinaryIO", member), size, thorough=thorough)


@contextmanager
def _open_file(
    path: str | os.PathLike[str],
    member: BufferedIOBase | None,
    container: Container,
    allow_truncated: bool,
) -> Generator[Decoder, None, None]:
    """Open a decoder over a file, or over the `member` of a container that holds one."""
    if container.cut_short and not allow_truncated:
        raise TruncatedAudio(f"{path} is cut short: {container.cut_short}; {REMEDY}")
    if container.damage:
        raise UnreadableAudio(
            f"{path} is damaged: {container.damage}; get a whole copy or re-encode it"
        )
    if not container.needs_av:
        try:
            file = soundfile.SoundFile(_source(path, member))
        except (soundfile.SoundFileError, TypeError):
            # TypeError: soundfile asks for the format of a file named .raw. What libsndfile says
            # is about itself ("possibly a pipe?"); what the file is not helps more.
            pass
        else:
            with file:
                yield SoundfileDecoder(path, file, container, member)
            return
    if find_spec("av") is None:
        if container.needs_av or Path(path).suffix.lower() in _AV_SUFFIXES:
            raise MissingExtra(
                f"{path}: reading M4A, AAC, MP4, WebM, and MP3 or WAV that hide their length,", "av"
            )
        raise UnreadableAudio(refusal(path, container))
    from auricle.audio.decode_av import open_av

    with open_av(path, container, member) as decoder:
        yield decoder


def _source(path: str | os.PathLike[str], member: BufferedIOBase | None) -> Any:
    """Return what libsndfile opens, from its start: a name, or the member of a container.

    Where names are bytes, they need not be text.
    """
    if member is not None:
        member.seek(0)
        return member
    # soundfile takes bytes too, which its hints leave out.
    return os.fspath(path) if os.name == "nt" else os.fsencode(path)


def refusal(path: str | os.PathLike[str], container: Container) -> str:
    """Say that no decoder takes a file."""
    if container.name == "unknown":
        return f"{path} is not a sound file: its content is no known format; export it again"
    return f"{path} looks like {container.name}, but nothing in it can be decoded; get a whole copy"


class SoundfileDecoder:
    """A `Decoder` over libsndfile."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        file: soundfile.SoundFile,
        container: Container,
        member: BufferedIOBase | None = None,
    ) -> None:
        self._path = path
        self._member = member
        self._file = file
        self._looks_like = container
        self.container = file.format
        self.codec = file.subtype
        self.sample_rate = file.samplerate
        self.channels = file.channels
        self.frames = file.frames if file.frames < _UNKNOWN_FRAMES else None

    def stream(
        self, start_frame: int, count: int | None, block_frames: int, *, allow_truncated: bool
    ) -> Iterator[FloatArray]:
        """See `Decoder.stream`."""
        wanted = None if self.frames is None else max(0, self.frames - start_frame)
        if count is not None:
            wanted = count if wanted is None else min(wanted, count)
        if start_frame and wanted != 0:
            self._seek(start_frame)
        done = 0
        while wanted is None or done < wanted:
            size = block_frames if wanted is None else min(block_frames, wanted - done)
            block, failed = self._read(size)
            done += len(block)
            if len(block):
                yield block.T
            if failed:
                self._explain(start_frame + done, allow_truncated=allow_truncated)
            if len(block) < size:
                break
        if wanted is not None and self._looks_like.counts_frames:
            self._check_count(start_frame + done, start_frame + wanted, allow_truncated)

    def _seek(self, frame: int) -> None:
        try:
            self._file.seek(frame)
        except soundfile.SoundFileError:
            raise UnreadableAudio(
                f"{self._path} is damaged or cut short: libsndfile cannot go to "
                f"{frame / self.sample_rate:.2f} s; get a whole copy"
            ) from None

    def _read(self, frames: int) -> tuple[FloatArray, bool]:
        """Read up to `frames`; say whether an error cut the block off."""
        block = np.empty((frames, self.channels), dtype=np.float32)
        if self.container in ("FLAC", "MP3"):
            # These raise on damage and keep to themselves how much came before it: NaN, which
            # they cannot decode to, marks what they did not write.
            block.fill(np.nan)
        try:
            return block[: len(self._file.read(out=block))], False
        except soundfile.LibsndfileError as error:
            unwritten = np.isnan(block[:, 0])
            decoded = block[: unwritten.argmax() if unwritten.any() else 0]
            # soundfile seeks after each read, which fails at an end that was not declared.
            return decoded, not (self.frames is None and error.code == _BAD_SEEK)

    def _explain(self, frame: int, *, allow_truncated: bool) -> None:
        """Raise what a decoding error at `frame` means, unless it is an allowed truncation."""
        where = f"libsndfile stops at {frame / self.sample_rate:.2f} s"
        if self.frames is not None:
            where += f" of {self.frames / self.sample_rate:.2f} s"
        if self.container != "FLAC" or self._end_is_there():
            raise self._damaged(where)
        if not allow_truncated:
            raise TruncatedAudio(f"{self._path} is cut short: {where}; {REMEDY}")

    def _end_is_there(self) -> bool:
        """Say whether the last frame decodes: if it does, the damage lies inside."""
        if self.frames is None:
            return False
        try:
            with soundfile.SoundFile(_source(self._path, self._member)) as file:
                file.seek(self.frames - 1)
                return len(file.read(1, dtype="float32")) == 1
        except soundfile.SoundFileError:
            return False

    def _check_count(self, frames: int, expected: int, allow_truncated: bool) -> None:
        slack = _MP3_SLACK_FRAMES if self.container == "MP3" else 0
        if frames >= expected - slack:
            return
        where = f"its header declares {self.frames} frames and {frames} can be decoded"
        if self._looks_like.end_is_there:
            raise self._damaged(where)
        if not allow_truncated:
            raise TruncatedAudio(f"{self._path} is cut short: {where}; {REMEDY}")

    def _damaged(self, where: str) -> UnreadableAudio:
        return UnreadableAudio(
            f"{self._path} is damaged: {where}; get a whole copy or re-encode it"
        )
