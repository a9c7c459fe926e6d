"""Sound inside containers: `CONTAINER::MEMBER` is understood wherever a sound file is.

`pack.h5::dog/1.wav`, `shard-000000.tar::0000000-1.flac`. A type of container is one file and one
line here; it is told by the suffix of the container.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True)
class ContainerType:
    """One type of container: `open` opens a member, `names` lists those that are sounds.

    `names` is given the path of a container and raises what `open` raises.
    """

    open: OpenMember
    names: Callable[[str], Iterable[str]]


CONTAINERS: Registry[ContainerType] = Registry("container", __name__, ("h5", "tar", "arrow"))
"""The types of containers by their suffix, in lower case."""


def join_member(container: str | os.PathLike[str], member: str) -> str:
    """Return the path of a member of a container."""
    return f"{os.fspath(container)}{SEPARATOR}{member}"


def split_member(path: str | os.PathLike[str]) -> tuple[str, str] | None:
    """Return the container and the name that `path` is made of; None for an ordinary path.

    A path names a member only where its container exists as a file with a suffix of
    `CONTAINERS`; every other name with `::` in it is the name of an ordinary file.
    """
    return next((split for split in _splits(os.fspath(path)) if os.path.isfile(split[0])), None)


def member_as_file(path: str) -> str:
    """Name a member as a file in a folder that is called as its container; files as they are.

    So what is drawn or matched by name is the same for files and for a pack of them. Only the
    name counts: nothing is looked for on the disk.
    """
    return next((os.sep.join(split) for split in _splits(path)), path)


def _splits(path: str) -> Iterator[tuple[str, str]]:
    """Yield what may be a container and its member, the shortest container first."""
    at = path.find(SEPARATOR)
    while at >= 0:
        container = path[:at]
        if os.path.splitext(container)[1].lower() in CONTAINERS:
            yield container, path[at + len(SEPARATOR) :]
        at = path.find(SEPARATOR, at + 1)


def open_member(path: str | os.PathLike[str]) -> "BufferedIOBase | Decoder | None":
    """Open the member that `path` names; None for an ordinary path. Raises as `OpenMember`."""
    inside = split_member(path)
    if inside is None:
        return None
    container, member = inside
    return _type_of(container).open(container, member)


def is_container(path: str | os.PathLike[str]) -> bool:
    """Say whether a path is that of a file whose suffix says that it holds members."""
    suffix = os.path.splitext(path)[1].lower()
    return suffix in CONTAINERS and os.path.isfile(path)


def members_of(container: str | os.PathLike[str]) -> Iterator[str]:
    """Yield the paths of all sounds in a container. Raises as `OpenMember`."""
    text = os.fspath(container)
    yield from (join_member(text, name) for name in _type_of(text).names(text))


def _type_of(container: str) -> ContainerType:
    return CONTAINERS[os.path.splitext(container)[1].lower()]
