"""Archives of other people are unpacked with suspicion.

Refused are paths that lead out of the folder, links, devices, encrypted files, and archives that
swell to more than any sound does. A ZIP may come in several volumes (`.z01`, `.z02`, ..., `.zip`),
which the standard library does not read: they are laid end to end, and the positions of the files,
which count from the start of a volume, are put right. Reference: PKWARE APPNOTE 6.3, sections 4.3.1
and 8.
"""

import io
import lzma
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from auricle.core.errors import DataError
from auricle.core.writing import WriteError

MOST_TIMES = 40
"""How many times its own size an archive may unpack to; sound comes to less than 10."""
_ALWAYS_ALLOWED_BYTES = 1 << 30
_BLOCK_BYTES = 1 << 20

Progress = Callable[[int], None]
"""Told how many more bytes of the archive were read."""


Place = Callable[[PurePosixPath], PurePosixPath | None]
"""Says where in the folder a path of the archive goes; None leaves it out."""

# With these the readers of the standard library meet bytes that are not as they should be.
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    EOFError,
    ArithmeticError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def below(top: int) -> Place:
    """Take `top` folders off the front of every path; what lies above them is left out."""
    return lambda inside: PurePosixPath(*inside.parts[top:]) if inside.parts[top:] else None


_ALL = below(0)


def unpack(
    volumes: Sequence[Path],
    folder: Path,
    place: Place = _ALL,
    *,
    progress: Progress | None = None,
) -> int:
    """Unpack a ZIP (all its volumes, the last one last) or a TAR into `folder`; count the files.

    `place` says which files, and where to. Raises `DataError` for what is no whole archive and for
    what is refused, before that file is written, and `WriteError`.
    """
    size = sum(path.stat().st_size for path in volumes)
    writer = _Writer(folder, place, max(_ALWAYS_ALLOWED_BYTES, MOST_TIMES * size))
    progress = progress or (lambda read: None)
    try:
        if len(volumes) > 1 or zipfile.is_zipfile(volumes[0]):
            _unpack_zip(volumes, writer, progress)
        else:
            _unpack_tar(volumes[0], writer, progress)
    except _DAMAGE as error:
        raise DataError(
            f"{volumes[-1].name} is not a whole archive that can be unpacked here: {error}"
        ) from None
    return writer.files


class _Writer:
    """Writes the files of an archive below a folder, and counts."""

    def __init__(self, folder: Path, place: Place, most_bytes: int) -> None:
        self._folder = folder
        self._place = place
        self._left_bytes = most_bytes
        self.files = 0

    def place(self, name: str) -> Path | None:
        """Return where a member goes, None for one that is left out.

        Raises `DataError` for a path that leads outside or means something else elsewhere.
        """
        inside = PurePosixPath(name)
        bad = "\\" in name or "\0" in name or re.match(r"[A-Za-z]:", name)
        if bad or inside.is_absolute() or ".." in inside.parts:
            raise DataError(f"the archive holds a path that leads outside: {name!r}")
        target = self._place(inside)
        return None if target is None else self._folder / target

    def write(self, name: str, source: IO[bytes]) -> None:
        target = self.place(name)
        if target is None:
            return
        with _explained(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            file = target.open("wb")
        with file:
            while block := source.read(_BLOCK_BYTES):
                self._left_bytes -= len(block)
                if self._left_bytes < 0:
                    raise DataError(
                        f"the archive unpacks to more than {MOST_TIMES} times its size: it is "
                        "no archive of sounds, and may be meant to fill the disk"
                    )
                with _explained(target):
                    file.write(block)
                    file.flush()
        self.files += 1


@contextmanager
def _explained(target: Path) -> Generator[None]:
    """Tell a disk that cannot be written from an archive that cannot be read."""
    try:
        yield
    except OSError as error:
        raise WriteError(f"cannot unpack to {target}: {error.strerror or error}") from None


def _unpack_zip(volumes: Sequence[Path], writer: _Writer, progress: Progress) -> None:
    with _open_zip(volumes) as members:
        for member in members.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DataError(f"the archive holds a link or device: {member.filename!r}")
            if member.flag_bits & 1:
                raise DataError(f"the archive is encrypted: {member.filename!r}")
            if member.is_dir():
                writer.place(member.filename)
                continue
            with members.open(member) as source:
                writer.write(member.filename, source)
            progress(member.compress_size)


@contextmanager
def _open_zip(volumes: Sequence[Path]) -> Generator[zipfile.ZipFile]:
    if len(volumes) == 1:
        with zipfile.ZipFile(volumes[0]) as members:
            yield members
        return
    joined = _Joined(volumes)
    with joined, zipfile.ZipFile(joined) as members:
        # zipfile took all positions for those of the volume in which the directory starts.
        assumed = joined.starts[bisect_right(joined.starts, members.start_dir) - 1]
        for member in members.infolist():
            if member.volume >= len(volumes):
                raise DataError(f"volume {member.volume + 1} of {volumes[-1].name} is missing")
            member.header_offset += joined.starts[member.volume] - assumed
            # It also noted where each member must end, by the same positions.
            for name in {"_end_offset"}.intersection(dir(member)):
                setattr(member, name, None)
        yield members


class _Joined(io.RawIOBase):
    """Files as one, end to end; `starts` are the positions at which each begins."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = [path.open("rb") for path in paths]
        sizes = [path.stat().st_size for path in paths]
        self.starts = [sum(sizes[:index]) for index in range(len(sizes))]
        self._size = sum(sizes)
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = self._size - self._at
        left = max(0, left if size is None or size < 0 else min(size, left))
        pieces: list[bytes] = []
        while left:
            index = bisect_right(self.starts, self._at) - 1
            file = self._files[index]
            file.seek(self._at - self.starts[index])
            piece = file.read(left)
            if not piece:
                break
            pieces.append(piece)
            self._at += len(piece)
            left -= len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        for file in self._files:
            file.close()
        super().close()


def _unpack_tar(path: Path, writer: _Writer, progress: Progress) -> None:
    with path.open("rb") as file, tarfile.open(fileobj=file, mode="r|*") as members:
        read = 0
        for member in members:
            if member.isdir():
                writer.place(member.name)
                continue
            if not member.isreg():
                raise DataError(f"the archive holds a link or device: {member.name!r}")
            source = members.extractfile(member)
            if source is None:
                continue
            with source:
                writer.write(member.name, source)
            progress(file.tell() - read)
            read = file.tell()
