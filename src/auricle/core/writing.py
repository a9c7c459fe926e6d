"""Safe writing: a file is whole or absent, never half written.

Outputs go to a temporary name beside the target, are flushed to the disk and renamed.
"""

import csv
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from auricle.core.errors import AuricleError

_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}\.part")  # as `tempfile` names them below


class WriteError(AuricleError):
    """Output could not be written (full disk, no permission). What was there is untouched."""


@contextmanager
def replacing(path: str | Path) -> Generator[Path, None, None]:
    """Yield a temporary path; when the block ends well, it is renamed to `path`.

    The parent folder is made. On any error the temporary file is removed and the old file
    stays. Raises `WriteError` when the operating system refuses (full disk, read-only).
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _flush_to_disk(temporary)
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
        _flush_names(path.parent)
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: str | Path) -> Generator[Path, None, None]:
    """Yield a temporary folder; when the block ends well it takes the place of `path`.

    A crash between the two renames leaves the old folder under `path` + `.old`, which
    `recover_folder` puts back. Raises `WriteError` as `replacing` does.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _flush_to_disk(file)
        _flush_names(temporary)
        temporary.chmod(0o777 & ~_umask())
        old = path.with_name(path.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        if path.exists():
            os.replace(path, old)
        os.replace(temporary, path)
        _flush_names(path.parent)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
            recover_folder(path)


def recover_folder(path: str | Path) -> Path:
    """Undo a replacement that was killed between its two renames; return `path`."""
    path = Path(path)
    old = path.with_name(path.name + ".old")
    if not path.exists() and old.exists():
        os.replace(old, path)
    return path


def remove_leftovers(folder: str | Path, *, of: str | None = None) -> None:
    """Remove the temporary files and folders that killed writers left in `folder`.

    `of`: those of the file or folder of that name only, where others may be at work.
    """
    for path in Path(folder).glob(".*.part"):
        if not _TEMPORARY.fullmatch(path.name):
            continue
        if of is not None and path.name[1 : -len(".12345678.part")] != of:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text to `path`, whole or not at all."""
    with replacing(path) as temporary:
        # The name of a file need not be text; escaped this way, it reads back from JSON.
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON to `path`, whole or not at all. NaN becomes null."""
    write_text(path, json.dumps(_without_nan(value), indent=2, ensure_ascii=False) + "\n")


def write_csv(
    path: str | Path, header: Sequence[str], rows: Iterable[Sequence[Any]], delimiter: str = ","
) -> None:
    """Write a table to `path`, whole or not at all. Names of files are kept byte for byte."""
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        # Given both ends of a line, the writer puts quotes around a cell that holds either.
        writer = csv.writer(_LineFeeds(file), delimiter=delimiter, lineterminator="\r\n")
        writer.writerow(header)
        writer.writerows(rows)


class _LineFeeds:
    """Takes lines that end in "\\r\\n" and writes them with the "\\n" alone."""

    def __init__(self, file: TextIO) -> None:
        self.file = file

    def write(self, line: str) -> None:
        self.file.write(line[:-2] + "\n")


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return value


def _flush_to_disk(path: Path) -> None:
    # "r+b": Windows refuses to flush a file that is open for reading only.
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _flush_names(folder: Path) -> None:
    """Make renames in `folder` last through a power cut, where the system can."""
    if os.name == "nt":  # Windows opens no folder
        return
    # Some network file systems refuse; the rename itself has happened by now.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    # The umask can only be read by setting it.
    mask = os.umask(0)
    with suppress(OSError):
        os.umask(mask)
    return mask
