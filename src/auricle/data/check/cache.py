"""Measurements that outlive the run: a check of millions of clips goes on where it was killed.

One SQLite file. A clip is known by its path, its stretch, and the size and time of change of its
file, so that a file that changed is measured again. Rows are committed every few seconds: a killed
run loses only those; SQLite puts a half-written file in order when it is opened next.
"""

import hashlib
import os
import sqlite3
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from auricle.audio.members import split_member
from auricle.core.errors import DataError
from auricle.core.types import Clip
from auricle.core.writing import WriteError
from auricle.data.check.records import RECORD, Fault, Measured

_APPLICATION = 0x61757263  # "aurc", SQLite's mark of whose file it is
_VERSION = 2
"""Is raised where a measurement or the fingerprint changes: older caches are then emptied."""

_COMMIT_EVERY_S = 2.0


class MeasureCache:
    """The open cache. Used by one thread."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._committed = time.monotonic()

    def find(self, clip: Clip) -> Measured | Fault | None:
        """Return what an earlier run measured of a clip, None where that is not known."""
        key = _key(clip)
        if key is None:
            return None
        with _explained(self._path):
            row = self._connection.execute(
                "SELECT fault, detail, record, landmarks FROM clips WHERE key = ?", (key,)
            ).fetchone()
        if row is None:
            return None
        fault, detail, record, landmarks = row
        if fault is not None:
            return Fault(fault, detail)
        marks = np.frombuffer(landmarks, "<u4").astype(np.uint32, copy=False)
        return Measured(np.frombuffer(record, RECORD)[:1].reshape(()), marks)

    def keep(self, clip: Clip, result: Measured | Fault) -> None:
        """Remember what was measured of a clip. Raises `WriteError` (full disk)."""
        key = _key(clip)
        if key is None:
            return
        if isinstance(result, Fault):
            row = (key, result.kind, result.detail, None, None)
        else:
            landmarks = result.landmarks.astype("<u4").tobytes()
            row = (key, None, None, result.record.tobytes(), landmarks)
        with _explained(self._path):
            self._connection.execute("INSERT OR REPLACE INTO clips VALUES (?, ?, ?, ?, ?)", row)
            if time.monotonic() - self._committed > _COMMIT_EVERY_S:
                self._connection.commit()
                self._committed = time.monotonic()


@contextmanager
def measure_cache(path: str | Path | None) -> Generator[MeasureCache | None, None, None]:
    """Open the cache file `path`, made where it is not there (None: no cache).

    Raises `DataError` for a file that is something else, `WriteError` where it cannot be written.
    """
    if path is None:
        yield None
        return
    path = Path(path)
    with _explained(path):
        connection = _connect(path)
    with closing(connection):
        try:
            yield MeasureCache(path, connection)
        finally:
            with _explained(path):
                connection.commit()


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = not path.exists() or path.stat().st_size == 0
    connection = sqlite3.connect(path)
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if not fresh and application != _APPLICATION:
        connection.close()
        raise _no_cache(path)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != _VERSION:
        connection.execute("DROP TABLE IF EXISTS clips")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS clips "
        "(key BLOB PRIMARY KEY, fault TEXT, detail TEXT, record BLOB, landmarks BLOB) WITHOUT ROWID"
    )
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.commit()
    return connection


@contextmanager
def _explained(path: Path) -> Generator[None, None, None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise WriteError(f"cannot write the cache {path}: {error}") from error
    except sqlite3.DatabaseError:
        raise _no_cache(path) from None
    except OSError as error:
        raise WriteError(f"cannot write the cache {path}: {error.strerror or error}") from error


def _no_cache(path: Path) -> DataError:
    return DataError(
        f"{path} is no cache of 'auricle data check'; name another file with --cache, or remove it"
    )


def _key(clip: Clip) -> bytes | None:
    """Return what a clip is known by; None where its file cannot be looked at."""
    inside = split_member(clip.path)  # what lies in a pack changes with the pack
    try:
        status = os.stat(clip.path if inside is None else inside[0])
    except (OSError, ValueError):
        return None
    what = f"{clip.onset_s!r} {clip.offset_s!r} {status.st_size} {status.st_mtime_ns}\0"
    name = os.fsencode(os.path.abspath(clip.path))
    return hashlib.blake2b(what.encode() + name, digest_size=16).digest()
