"""Sound files in tar archives, uncompressed, as WebDataset shards hold them.

An archive is walked once in a process, and a member is then read where it lies.
"""

import io
import os
import tarfile
from collections.abc import Iterable
from functools import lru_cache
from io import BufferedIOBase

from auricle.audio.files import AUDIO_SUFFIXES
from auricle.audio.members import CONTAINERS, ContainerType
from auricle.core.errors import UnreadableAudio, nearest

_MOST_ARCHIVES = 4096
"""Archives whose lists of members are kept, of about 200 bytes a member."""


def open_tar_member(container: str, member: str) -> BufferedIOBase:
    """Open a sound file in a tar archive. See `OpenMember`."""
    try:
        places = _sounds(container)
        if member not in places:
            guess = nearest(member, list(places)[:10_000])
            hint = f"did you mean '{guess}'?" if guess else f"it holds {len(places)} sounds"
            raise UnreadableAudio(f"{container} has no sound '{member}'; {hint}")
        offset, size = places[member]
        with open(container, "rb") as file:
            file.seek(offset)
            content = file.read(size)
    except OSError as error:
        raise UnreadableAudio(f"{container} cannot be read: {error.strerror or error}") from None
    return io.BytesIO(content)  # one that is cut short is told as any other file that is


def list_tar_members(container: str) -> Iterable[str]:
    """Return the names of the sounds in a tar archive. See `ContainerType`."""
    try:
        return _sounds(container)
    except OSError as error:
        raise UnreadableAudio(f"{container} cannot be read: {error.strerror or error}") from None


def _sounds(container: str) -> dict[str, tuple[int, int]]:
    status = os.stat(container)
    return _places(container, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=_MOST_ARCHIVES)
def _places(container: str, changed_ns: int, size_bytes: int) -> dict[str, tuple[int, int]]:
    """Return where the sounds of an archive lie: offset and size (bytes), by name."""
    places: dict[str, tuple[int, int]] = {}
    try:
        # "r:": compressed archives cannot be read in the middle.
        with tarfile.open(container, "r:") as archive:
            while (entry := archive.next()) is not None:
                archive.members = []  # pyright: ignore[reportAttributeAccessIssue]
                if entry.isreg() and _is_sound(entry.name):
                    places[entry.name] = (entry.offset_data, entry.size)
    except (tarfile.TarError, EOFError) as error:
        if not places:
            raise UnreadableAudio(
                f"{container} is not an uncompressed tar archive ({error}); make it again"
            ) from None
    return places


def _is_sound(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES


CONTAINERS.add(".tar", ContainerType(open_tar_member, list_tar_members))
