"""Sound files in Arrow and Parquet tables, as Hugging Face `datasets` stores them.

A column of structs `{bytes, path}` holds one encoded file a row. `data-00000.arrow::12/dog.wav` is
row 12; what stands behind the row is for people. Arrow files are mapped into memory. Of a Parquet
file the group of rows around the one asked for is read, and the last few groups are kept, so that
reading in order is fast and reading at random is not.
"""

import io
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from io import BufferedIOBase
from typing import Any

from auricle.audio.members import CONTAINERS, ContainerType
from auricle.core.errors import MissingExtra, UnreadableAudio

_KEPT_GROUPS = 2  # of about 100 clips each, as `datasets` writes them
_KEPT_FILES = 256


def row_name(row: int, name: str) -> str:
    """Return the member that stands for a row; `name` is the sound's own, which may be empty."""
    base = os.path.basename(name.replace("\\", "/"))
    return f"{row}/{base}" if base else str(row)


def audio_columns(schema: Any) -> list[str]:
    """Return the columns of an Arrow schema that hold encoded sound files."""
    return [
        field.name
        for field in schema
        if hasattr(field.type, "get_field_index") and field.type.get_field_index("bytes") >= 0
    ]


def arrow_stream(source: Any) -> Any:
    """Return the reader of an Arrow stream, the form that `datasets` writes."""
    import pyarrow

    return pyarrow.ipc.open_stream(source)


def open_row(container: str, member: str) -> BufferedIOBase:
    """Open the sound file of a row. See `OpenMember`."""
    number = member.partition("/")[0]
    if not number.isdecimal():
        raise UnreadableAudio(f"{container} has rows, and no sound called '{member}'")
    with _told(container):
        content = _bytes(container, int(number))
    if content is None:
        raise UnreadableAudio(f"{container} holds no sound in row {number}")
    return io.BytesIO(content)


def list_rows(container: str) -> Iterator[str]:
    """List the rows of a table. See `ContainerType`."""
    with _told(container):
        key = _key(container)
        if _is_arrow(container):
            rows = len(_arrow(*key))
        else:
            rows = next(iter(reversed(_parquet(*key)[1])), 0)
    yield from map(str, range(rows))


@contextmanager
def _told(container: str) -> Generator[None, None, None]:
    """Turn what pyarrow raises into errors for people."""
    if find_spec("pyarrow") is None:
        raise MissingExtra(f"{container}: reading Arrow and Parquet", "data")
    import pyarrow

    try:
        yield
    except (OSError, pyarrow.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise UnreadableAudio(f"{container} cannot be read: {reason}") from None


def _key(container: str) -> tuple[str, int, int]:
    status = os.stat(container)
    return container, status.st_mtime_ns, status.st_size


def _is_arrow(container: str) -> bool:
    return container.lower().endswith(".arrow")


def _bytes(container: str, row: int) -> bytes | None:
    key = _key(container)
    if _is_arrow(container):
        column, at = _arrow(*key), row
    else:
        metadata, ends = _parquet(*key)
        group = next((number for number, end in enumerate(ends) if row < end), 0)
        at = row - (ends[group - 1] if group else 0)
        column = _group(*key, group, metadata) if ends else ()
    if at >= len(column):
        raise UnreadableAudio(f"{container} has no row {row}")
    cell = column[at].as_py()
    return None if cell is None else cell["bytes"]


@lru_cache(maxsize=_KEPT_FILES)
def _arrow(path: str, changed_ns: int, size_bytes: int) -> Any:
    """Return the audio column of an Arrow file, which stays on the disk."""
    import pyarrow

    with pyarrow.memory_map(path) as source:
        return _column(arrow_stream(source).read_all(), path)


@lru_cache(maxsize=_KEPT_FILES)
def _parquet(path: str, changed_ns: int, size_bytes: int) -> tuple[Any, tuple[int, ...]]:
    """Return the metadata of a Parquet file, and the row after the last of each group."""
    import pyarrow.parquet

    metadata = pyarrow.parquet.read_metadata(path)
    ends: list[int] = []
    for group in range(metadata.num_row_groups):
        ends.append((ends[-1] if ends else 0) + metadata.row_group(group).num_rows)
    return metadata, tuple(ends)


@lru_cache(maxsize=_KEPT_GROUPS)
def _group(path: str, changed_ns: int, size_bytes: int, group: int, metadata: Any) -> Any:
    import pyarrow.parquet

    # A file of its own for each read, and no threads: callers may be threads or forked.
    with pyarrow.parquet.ParquetFile(path, metadata=metadata) as file:
        columns = audio_columns(file.schema_arrow)[:1]
        return _column(file.read_row_group(group, columns=columns, use_threads=False), path)


def _column(table: Any, path: str) -> Any:
    columns = audio_columns(table.schema)
    if not columns:
        raise UnreadableAudio(f"{path} has no column of sounds (structs of bytes and path)")
    return table.column(columns[0])


for suffix in (".arrow", ".parquet"):
    CONTAINERS.add(suffix, ContainerType(open_row, list_rows))
