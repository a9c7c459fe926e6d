"""What a reader is, and what it knows of the archive that it reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from auricle.data.config import DataConfig
from auricle.data.manifest import Manifest


@dataclass(frozen=True)
class About:
    """What is known of a layout, or of one published archive.

    `summary` is one line for lists and help; `licence`, `citation` and `home` (a web page) are
    those of the archive (None: a layout that anybody may use); `totals` are published counts by
    what is counted (`{"clips": 8732}`), compared with what is found. `experimental`: the reader
    was not yet run on the archive's own metadata.
    """

    summary: str
    licence: str | None = None
    citation: str | None = None
    home: str | None = None
    totals: Mapping[str, int] = field(default_factory=dict)
    experimental: bool = False

    def differences(self, found: Mapping[str, int]) -> Iterator[str]:
        """Write a note for each published total that what was `found` differs from."""
        for what, total in self.totals.items():
            if what in found and found[what] != total:
                yield (
                    f"{found[what]:,} {what} found, where {total:,} are published: the copy is not "
                    "the whole archive, or not this version of it"
                )


class Reader(Protocol):
    """One layout of a data set."""

    about: About

    def claims(self, path: Path, config: DataConfig) -> bool:
        """Say whether `path` looks like this layout; `reader=auto` takes the first that does."""
        ...

    def read(self, path: Path, config: DataConfig) -> Manifest:
        """Read the clips at `path`. Raises `DataError`."""
        ...
