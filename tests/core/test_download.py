"""Downloads against a server on this machine that cuts, lies, refuses and resumes."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from auricle.core.download import Checksum, DownloadError, cache_folder, download
from auricle.core.reporting import Silent

CONTENT = bytes(range(256)) * 400
MD5 = Checksum("md5", hashlib.md5(CONTENT, usedforsecurity=False).hexdigest())


@dataclass
class Server:
    """What the server sends, what it was asked, and where it cuts the connection."""

    content: bytes = CONTENT
    cuts: list[int] = field(default_factory=list)
    """After how many bytes of content each answer ends; then answers are whole."""
    statuses: list[int] = field(default_factory=list)
    """What the first requests are answered with, before files are sent."""
    ranges: bool = True
    shift: int = 0
    """How far off a range is sent."""
    etag: str | None = '"one"'
    asked: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        self.asked.append(wanted)
        if self.statuses:
            handler.send_error(self.statuses.pop(0))
            return
        start = 0
        condition = handler.headers.get("If-Range")
        if wanted and self.ranges and condition in (None, self.etag):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(self.content):
                handler.send_error(416)
                return
            handler.send_response(206)
            last = len(self.content) - 1
            sent = f"bytes {start + self.shift}-{last}/{len(self.content)}"
            handler.send_header("Content-Range", sent)
        else:
            handler.send_response(200)
        if self.etag:
            handler.send_header("ETag", self.etag)
        handler.send_header("Content-Length", str(len(self.content) - start))
        handler.end_headers()
        end = self.cuts.pop(0) if self.cuts else len(self.content)
        handler.wfile.write(self.content[start:end])


@pytest.fixture
def server(serve_answers) -> Server:
    state = Server()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        state.answer(handler)  # looked up each time: tests replace it

    state.url = f"{serve_answers(answer)}/Cnn14_mAP%3D0.431.pth?download=1"
    return state


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "file.pth"


@pytest.fixture
def fetch(server: Server, target: Path) -> Callable[..., None]:
    return lambda **how: download(server.url, target, wait_s=0, **how)


def leftovers(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path != target)


def test_a_file_comes_whole_and_checked(fetch, server, target):
    fetch(checksum=MD5, size_bytes=len(CONTENT))
    assert target.read_bytes() == CONTENT
    assert leftovers(target) == []
    assert server.asked == [None]


@pytest.mark.parametrize("checksum", [MD5, None])
def test_a_cut_connection_goes_on_where_it_was(fetch, server, target, checksum):
    server.cuts = [1000, 60_000]
    fetch(checksum=checksum)
    assert target.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000-", "bytes=60000-"]


def test_a_server_without_ranges_sends_all_again(fetch, server, target):
    server.ranges, server.cuts = False, [1000]
    fetch(checksum=MD5)
    assert target.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000-"]


def test_a_file_that_changed_meanwhile_is_sent_again(fetch, server, target):
    server.cuts = [1000]
    answer = server.answer

    def change_then_answer(handler: BaseHTTPRequestHandler) -> None:
        answer(handler)
        server.content, server.etag = CONTENT[::-1], '"two"'

    server.answer = change_then_answer  # type: ignore[method-assign]
    fetch()
    assert target.read_bytes() == CONTENT[::-1]


def test_what_came_is_kept_for_the_next_call(fetch, server, target):
    server.cuts = [1000]
    with pytest.raises(DownloadError, match=r"broke off after 1,000 of 102,400 bytes"):
        fetch(checksum=MD5, attempts=1)
    assert not target.exists()
    assert leftovers(target) == [".file.pth.partial"]
    fetch(checksum=MD5)
    assert server.asked == [None, "bytes=1000-"]
    assert target.read_bytes() == CONTENT
    assert leftovers(target) == []


def test_without_a_checksum_nothing_is_kept(fetch, server, target):
    server.cuts = [1000]
    with pytest.raises(DownloadError, match="broke off"):
        fetch(attempts=1)
    assert leftovers(target) == []


def test_what_was_kept_of_another_file_is_fetched_again(fetch, server, target):
    target.parent.mkdir()
    (target.parent / ".file.pth.partial").write_bytes(b"x" * 1000)
    fetch(checksum=MD5)
    assert server.asked == ["bytes=1000-", None]
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("kept", [CONTENT, CONTENT + b"more"])
def test_what_was_kept_is_whole_or_more_than_that(fetch, server, target, kept):
    target.parent.mkdir()
    (target.parent / ".file.pth.partial").write_bytes(kept)
    fetch(checksum=MD5)
    assert target.read_bytes() == CONTENT


def test_a_wrong_range_is_not_taken(fetch, server, target):
    server.cuts, server.shift = [1000], 1
    with pytest.raises(DownloadError, match=r"the range '1001-\d+/\d+' instead of 1000-"):
        fetch(checksum=MD5, attempts=2)
    assert not target.exists()


def test_other_bytes_than_promised_are_thrown_away(fetch, server, target):
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(DownloadError, match=rf"md5 \w+ instead of {MD5.value}; nothing"):
        fetch(checksum=MD5)
    with pytest.raises(DownloadError, match=r"102,400 bytes instead of 7"):
        fetch(size_bytes=7)
    assert leftovers(target) == []
    assert not target.exists()


def test_the_old_file_stays_until_the_new_one_is_whole(fetch, server, target):
    target.parent.mkdir()
    target.write_bytes(b"old")
    server.content = b"not it"
    with pytest.raises(DownloadError):
        fetch(checksum=MD5)
    assert target.read_bytes() == b"old"


def test_a_server_that_says_no_is_asked_once(fetch, server, target):
    server.statuses = [404]
    with pytest.raises(DownloadError, match="failed: Not Found"):
        fetch()
    assert server.asked == [None]


def test_a_server_that_is_not_well_is_asked_again(fetch, server, target):
    server.statuses = [503, 500]
    fetch()
    assert target.read_bytes() == CONTENT
    server.statuses = [503, 503]
    with pytest.raises(DownloadError, match="failed: 503"):
        fetch(attempts=2)


def test_no_server_at_all(target):
    # Port 9 on this machine: nobody listens, and the refusal comes at once.
    with pytest.raises(DownloadError, match="refused"):
        download("http://127.0.0.1:9/x.zip", target)


def test_a_host_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch, target: Path):
    hang = threading.Event()

    def connect(*_: object, **__: object) -> None:
        hang.wait()
        raise OSError

    monkeypatch.setattr("socket.create_connection", connect)
    try:
        with pytest.raises(DownloadError, match=r"no connection within 0\.05 s"):
            download("http://example.invalid/x.zip", target, timeout_s=0.05)
    finally:
        hang.set()


def test_progress_counts_megabytes_also_when_resumed(fetch, server, target):
    server.content = CONTENT * 30
    server.cuts = [1_500_000]
    totals: list[int] = []
    steps: list[int] = []

    class Counting(Silent):
        @contextmanager
        def progress(self, what: str, total: int) -> Iterator["Counting"]:
            assert what == "fetching Cnn14_mAP%3D0.431.pth (MB)"
            totals.append(total)
            steps.append(0)
            yield self

        def advance(self, steps_done: int = 1, note: str = "") -> None:
            steps[-1] += steps_done

    fetch(reporter=Counting())
    assert totals == [3, 3]
    assert steps == [1, 3]


def test_downloads_are_kept_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("AURICLE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("AURICLE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert cache_folder().is_relative_to(tmp_path)
