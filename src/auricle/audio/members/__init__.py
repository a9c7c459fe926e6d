"""Sound inside containers: `CONTAINER::MEMBER` is understood wherever a sound file is.

`pack.h5::dog/1.wav`, `shard-000000.tar::0000000-1.flac`. A type of container is one file and one
line here; it is told by the suffix of the container.
"""

import os
from collections.abc import Callable
from io import BufferedIOBase
from typing import TYPE_CHECKING, TypeAlias

from auricle.core.registry import Registry

if TYPE_CHECKING:
    from auricle.audio.decode import Decoder

SEPARATOR = "::"

OpenMember: TypeAlias = "Callable[[str, str], BufferedIOBase | Decoder]"
"""Opens a member, given the path of its container and its name: a seekable binary file that holds
a sound file (closed by the reader), or a `Decoder` where the container holds samples. Raises
`UnreadableAudio` for a container that is broken and a name that it does not have, `MissingExtra`
where a library is not installed. Any thread of any process, forked ones too, may call it."""

CONTAINERS: Registry[OpenMember] = Registry("container", __name__, ("h5", "tar"))
"""How members are opened, by the suffix of their container, in lower case."""


def join_member(container: str | os.PathLike[str], member: str) -> str:
    """Return the path of a member of a container."""
    return f"{os.fspath(container)}{SEPARATOR}{member}"


def split_member(path: str | os.PathLike[str]) -> tuple[str, str] | None:
    """Return the container and the name that `path` is made of; None for an ordinary path.

    A path names a member only where its container exists as a file with a suffix of
    `CONTAINERS`; every other name with `::` in it is the name of an ordinary file.
    """
    text = os.fspath(path)
    at = text.find(SEPARATOR)
    while at >= 0:
        container = text[:at]
        suffix = os.path.splitext(container)[1].lower()
        if suffix in CONTAINERS and os.path.isfile(container):
            return container, text[at + len(SEPARATOR) :]
        at = text.find(SEPARATOR, at + 1)
    return None


def open_member(path: str | os.PathLike[str]) -> "BufferedIOBase | Decoder | None":
    """Open the member that `path` names; None for an ordinary path. Raises as `OpenMember`."""
    inside = split_member(path)
    if inside is None:
        return None
    container, member = inside
    return CONTAINERS[os.path.splitext(container)[1].lower()](container, member)
