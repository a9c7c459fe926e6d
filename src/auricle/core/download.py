"""One downloader for all: whole files or none, resumed where they broke off, checked."""

import hashlib
import http.client
import os
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Literal

from auricle.core.errors import AuricleError
from auricle.core.reporting import Progress, Reporter, Silent
from auricle.core.writing import WriteError

CONNECT_TIMEOUT_S = 5.0
_ANSWER_TIMEOUT_S = 30.0
_BLOCK_BYTES = 1 << 20
_PASSING = (408, 425, 429, 500, 502, 503, 504)
"""HTTP statuses that another attempt may mend."""


class DownloadError(AuricleError):
    """A file could not be fetched whole."""


@dataclass(frozen=True)
class Checksum:
    """What the bytes of a file must come to, in hexadecimal digits."""

    algorithm: Literal["md5", "sha256"]
    value: str

    def of(self, path: Path) -> str:
        """Return what the file at `path` comes to."""
        with path.open("rb") as file:
            return hashlib.file_digest(file, self.algorithm).hexdigest()


@dataclass
class _Transfer:
    """A download under way: the bytes so far are in `file`, and `validator` names their source."""

    url: str
    file: IO[bytes]
    timeout_s: float
    validator: str | None = None

    @property
    def done_bytes(self) -> int:
        return self.file.seek(0, os.SEEK_END)


class _BrokeOff(Exception):
    """The connection ended before the file did, or the server was not well: try again."""


def cache_folder() -> Path:
    """Return where downloads are kept: `AURICLE_CACHE`, else the user's cache folder."""
    named = os.environ.get("AURICLE_CACHE")
    if named:
        return Path(named).expanduser()
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "auricle" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "auricle"


def download(
    url: str,
    target: Path,
    *,
    checksum: Checksum | None = None,
    size_bytes: int | None = None,
    reporter: Reporter | None = None,
    attempts: int = 4,
    wait_s: float = 1.0,
    timeout_s: float = CONNECT_TIMEOUT_S,
) -> None:
    """Fetch `url` to the file `target`, whole or not at all.

    A connection that is cut goes on where it was, by HTTP Range, up to `attempts` times with
    `wait_s` (doubled each time) between them. What came before the last one failed is kept
    beside `target` where a `checksum` can tell that the rest fits it, and the next call goes on
    from there. Raises `DownloadError` (no connection within `timeout_s`, refused, cut, other
    bytes than `checksum` or `size_bytes` say), `WriteError`.
    """
    reporter = reporter or Silent()
    with _partial_file(target, keep=checksum is not None) as file:
        transfer = _Transfer(url, file, timeout_s)
        resumed = transfer.done_bytes > 0
        _fetch(transfer, reporter, size_bytes, attempts, wait_s)
        problem = _problem(Path(file.name), checksum, size_bytes)
        if problem and resumed:  # what an earlier call left may have been of another file
            file.truncate(0)
            _fetch(transfer, reporter, size_bytes, attempts, wait_s)
            problem = _problem(Path(file.name), checksum, size_bytes)
        if problem:
            file.truncate(0)
            raise DownloadError(f"what {url} sent {problem}; nothing of it was kept")
        os.fsync(file.fileno())
        file.close()
        Path(file.name).chmod(0o644)
        os.replace(file.name, target)


def _problem(path: Path, checksum: Checksum | None, size_bytes: int | None) -> str | None:
    """Say what is wrong with a fetched file."""
    size = path.stat().st_size
    if size_bytes is not None and size != size_bytes:
        return f"has {size:,} bytes instead of {size_bytes:,}"
    if checksum is not None and (found := checksum.of(path)) != checksum.value:
        return f"has the {checksum.algorithm} {found} instead of {checksum.value}"
    return None


@contextmanager
def _partial_file(target: Path, *, keep: bool) -> Generator[IO[bytes]]:
    """Yield a file of one's own beside `target`, with what an earlier call left.

    Two processes may fetch the same file: what was left is taken by renaming it, which only one
    of them can. With `keep` it is put back when the download fails.
    """
    left = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{target.name}.", suffix=".part", dir=target.parent
        )
        os.close(handle)
        if keep and left.is_file():
            os.replace(left, name)
        file = Path(name).open("r+b")  # noqa: SIM115
    except OSError as error:
        raise WriteError(f"cannot write {target}: {error.strerror or error}") from None
    try:
        yield file
    finally:
        file.close()
        if keep and Path(name).exists() and Path(name).stat().st_size:
            os.replace(name, left)
        Path(name).unlink(missing_ok=True)


def _fetch(
    transfer: _Transfer, reporter: Reporter, size_bytes: int | None, attempts: int, wait_s: float
) -> None:
    """Fetch what is missing of the file, in as many attempts as allowed."""
    for attempt in range(1, attempts + 1):
        try:
            _attempt(transfer, reporter, size_bytes)
            return
        except _BrokeOff as error:
            if attempt == attempts:
                raise DownloadError(f"download of {transfer.url} {error}") from None
            reporter.say(f"download of {transfer.url} {error}; attempt {attempt + 1} goes on")
            time.sleep(wait_s * 2 ** (attempt - 1))


def _attempt(transfer: _Transfer, reporter: Reporter, size_bytes: int | None) -> None:
    try:
        with _ask(transfer) as answer:
            total = _start_writing(transfer, answer, size_bytes)
            try:
                _copy(transfer, answer, reporter, total)
            except (OSError, http.client.HTTPException) as error:
                raise _BrokeOff(f"broke off after {transfer.done_bytes:,} bytes: {error}") from None
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and transfer.done_bytes:  # all of it is there, or it is another file
            return
        if error.code in _PASSING:
            raise _BrokeOff(f"failed: {error.code} {error.reason}") from None
        raise DownloadError(f"download of {transfer.url} failed: {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise DownloadError(f"download of {transfer.url} failed: {reason}") from None
    if total is not None and transfer.done_bytes < total:
        raise _BrokeOff(f"broke off after {transfer.done_bytes:,} of {total:,} bytes")


def _ask(transfer: _Transfer) -> http.client.HTTPResponse:
    headers = {"User-Agent": "auricle"}
    if transfer.done_bytes:
        headers["Range"] = f"bytes={transfer.done_bytes}-"
        if transfer.validator:  # a server with another file by now sends all of it
            headers["If-Range"] = transfer.validator
    return _open(urllib.request.Request(transfer.url, headers=headers), transfer.timeout_s)


def _start_writing(
    transfer: _Transfer, answer: http.client.HTTPResponse, size_bytes: int | None
) -> int | None:
    """Place the file where the answer goes on; return the size (bytes) to come to, if stated."""
    etag = answer.headers.get("ETag") or ""
    transfer.validator = etag if etag.startswith('"') else answer.headers.get("Last-Modified")
    start = transfer.done_bytes
    ranged = answer.headers.get("Content-Range", "").removeprefix("bytes ")
    if answer.status != 206 or not ranged.startswith(f"{start}-"):
        if answer.status == 206:
            raise _BrokeOff(f"failed: the server sent the range '{ranged}' instead of {start}-")
        transfer.file.truncate(0)
        start = 0
    transfer.file.seek(start)
    stated = answer.headers.get("Content-Length")
    return size_bytes if stated is None else start + int(stated)


def _copy(
    transfer: _Transfer, answer: http.client.HTTPResponse, reporter: Reporter, total: int | None
) -> None:
    """Write what comes to the file; progress counts megabytes."""
    what = f"fetching {transfer.url.rsplit('/', 1)[-1].partition('?')[0]} (MB)"
    megabytes = (total or 0) // 10**6
    written = transfer.file.tell()
    with reporter.progress(what, megabytes) as progress:
        _advance(progress, 0, written)
        while block := answer.read1(_BLOCK_BYTES):
            try:
                transfer.file.write(block)
                transfer.file.flush()
            except OSError as error:
                raise WriteError(f"cannot write {transfer.file.name}: {error.strerror}") from None
            _advance(progress, written, written + len(block))
            written += len(block)


def _advance(progress: Progress, before_bytes: int, now_bytes: int) -> None:
    steps = now_bytes // 10**6 - before_bytes // 10**6
    if steps:
        progress.advance(steps)


def _open(request: urllib.request.Request, timeout_s: float) -> http.client.HTTPResponse:
    """Send `request`, giving up after `timeout_s` without a connection.

    It runs in a thread, since looking up a name knows no timeout. A server that was reached may
    take longer than that: archives of repositories are made when they are asked for.
    """
    reached = threading.Event()
    answers: SimpleQueue[http.client.HTTPResponse | Exception] = SimpleQueue()

    class Plain(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            self.sock.settimeout(_ANSWER_TIMEOUT_S)
            reached.set()

    class Secure(Plain, http.client.HTTPSConnection):
        pass

    class PlainHandler(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Plain, req)

    class SecureHandler(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Secure, req)

    def work() -> None:
        opener = urllib.request.build_opener(PlainHandler, SecureHandler)
        try:
            answers.put(opener.open(request, timeout=timeout_s))
        except (OSError, http.client.HTTPException) as error:
            answers.put(error)
        reached.set()

    threading.Thread(target=work, daemon=True).start()
    if not reached.wait(timeout_s):
        raise TimeoutError(f"no connection within {timeout_s:g} s")
    try:
        answer = answers.get(timeout=_ANSWER_TIMEOUT_S)
    except Empty:
        raise TimeoutError(f"no answer within {_ANSWER_TIMEOUT_S:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer
