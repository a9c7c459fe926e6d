"""Archives from a server on this machine that cuts, lies and refuses; and archives that attack."""

import errno
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest

from auricle.core.download import Checksum, DownloadError
from auricle.core.errors import DataError
from auricle.core.writing import WriteError
from auricle.data import DataConfig, read_dataset, unpacking
from auricle.data.archives import Archive, File, Package, archives, fsdd_table
from auricle.data.fetching import RECORD, fetch_archive
from auricle.data.readers.base import About
from auricle.data.unpacking import below, unpack

ABOUT = About("beeps", licence="CC0")
BEEPS = {f"beeps-1/high/{n}.wav": np.random.default_rng(n).bytes(50_000) for n in range(4)}


def zipped(files: dict[str, bytes], **how) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, **how) as archive:
        for name, inside in files.items():
            archive.writestr(name, inside)
    return content.getvalue()


def tarred(files: dict[str, bytes | tarfile.TarInfo], mode: str = "w:gz") -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as archive:
        for name, inside in files.items():
            if isinstance(inside, tarfile.TarInfo):
                archive.addfile(inside)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(inside)
            archive.addfile(info, io.BytesIO(inside))
    return content.getvalue()


@dataclass
class Server:
    """What lies where, after how many bytes answers end, and statuses that come first."""

    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        name, wanted = handler.path.strip("/"), handler.headers.get("Range")
        self.asked.append((name, wanted))
        if self.statuses or name not in self.files:
            handler.send_error(self.statuses.pop(0) if self.statuses else 404)
            return
        content = self.files[name]
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        handler.send_response(206 if wanted else 200)
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start : self.cuts.pop(0) if self.cuts else None])


@pytest.fixture
def server(serve_answers) -> Server:
    state = Server()
    state.url = serve_answers(state.answer)
    return state


@pytest.fixture
def offer(server: Server) -> Callable[..., Archive]:
    """Put a file on the server, and return the archive that it is."""

    def put(content: bytes, name: str = "beeps.zip", *, checked: bool = True, strip: int = 1):
        server.files[name] = content
        checksum = Checksum("sha256", hashlib.sha256(content).hexdigest()) if checked else None
        file = File(f"{server.url}/{name}", 1, checksum)
        return Archive(ABOUT, (Package((file,), strip=strip),), 1)

    return put


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != RECORD
    }


STRIPPED = {name.removeprefix("beeps-1/"): content for name, content in BEEPS.items()}


@pytest.mark.parametrize("pack", [zipped, tarred, lambda files: tarred(files, "w:xz")])
def test_an_archive_is_fetched_checked_and_unpacked(offer, server, tmp_path, pack):
    archive = offer(pack(BEEPS), "beeps.bin")
    assert fetch_archive("beeps", archive, tmp_path / "beeps")
    assert files_in(tmp_path / "beeps") == STRIPPED
    record = json.loads((tmp_path / "beeps" / RECORD).read_text())
    assert (record["archive"], record["licence"]) == ("beeps", "CC0")
    ((url, said),) = record["files"].items()
    assert url == f"{server.url}/beeps.bin"
    assert said["sha256"] == archive.files[0].checksum.value
    assert [path.name for path in tmp_path.iterdir()] == ["beeps"]
    assert not fetch_archive("beeps", archive, tmp_path / "beeps")
    assert len(server.asked) == 1


def test_a_cut_download_goes_on_in_the_next_call(offer, server, tmp_path):
    archive = offer(zipped(BEEPS))
    server.cuts = [100_000, 120_000, 130_000, 150_000]
    with pytest.raises(DownloadError, match="broke off after 150,000"):
        fetch_archive("beeps", archive, tmp_path / "beeps", wait_s=0)
    assert not (tmp_path / "beeps").exists()
    fetch_archive("beeps", archive, tmp_path / "beeps", wait_s=0)
    assert server.asked[-1] == ("beeps.zip", "bytes=150000-")
    assert files_in(tmp_path / "beeps") == STRIPPED


def test_of_several_files_those_that_came_are_kept(offer, server, tmp_path):
    one = offer(zipped(BEEPS), "one.zip")
    two = offer(zipped({"top/two.txt": b"2"}), "two.zip")
    both = Archive(ABOUT, one.packages + two.packages, 1)
    server.files.pop("two.zip")
    with pytest.raises(DownloadError, match="Not Found"):
        fetch_archive("both", both, tmp_path / "both")
    offer(zipped({"top/two.txt": b"2"}), "two.zip")
    fetch_archive("both", both, tmp_path / "both", keep=True)
    assert [name for name, _ in server.asked] == ["one.zip", "two.zip", "two.zip"]
    assert files_in(tmp_path / "both") == {**STRIPPED, "two.txt": b"2"}
    kept = sorted(path.name for path in (tmp_path / "both.download").iterdir())
    assert kept == ["one.zip", "two.zip"]


def test_a_file_that_was_put_there_is_taken_if_it_fits(offer, server, tmp_path):
    archive = offer(zipped(BEEPS))
    place = tmp_path / "beeps.download"
    place.mkdir()
    (place / "beeps.zip").write_bytes(b"another")
    with pytest.raises(DataError, match=r"has the sha256 .* instead of .* delete it"):
        fetch_archive("beeps", archive, tmp_path / "beeps")
    (place / "beeps.zip").write_bytes(server.files["beeps.zip"])
    fetch_archive("beeps", archive, tmp_path / "beeps")
    assert server.asked == []


def test_other_bytes_than_published_are_refused(offer, server, tmp_path):
    archive = offer(zipped(BEEPS))
    server.files["beeps.zip"] = zipped({"beeps-1/evil.wav": b"x"})
    with pytest.raises(DownloadError, match=r"sha256 .* instead of"):
        fetch_archive("beeps", archive, tmp_path / "beeps", wait_s=0)
    assert not (tmp_path / "beeps").exists()


def test_without_a_checksum_what_came_is_told(offer, tmp_path):
    said = []

    class Reporter:
        say = warn = said.append

        def progress(self, what, total):
            from auricle.core.reporting import Silent

            return Silent().progress(what, total)

    archive = offer(zipped(BEEPS), checked=False)
    fetch_archive("beeps", archive, tmp_path / "beeps", reporter=Reporter())
    digest = json.loads((tmp_path / "beeps" / RECORD).read_text())["files"]
    assert any(next(iter(digest.values()))["sha256"] in line for line in said)
    assert "no checksum of beeps.zip is published" in said[0]


def test_damage_inside_leaves_nothing(offer, tmp_path):
    content = bytearray(zipped(BEEPS))
    content[len(content) // 2] ^= 255
    with pytest.raises(DataError, match="not a whole archive"):
        fetch_archive("beeps", offer(bytes(content)), tmp_path / "beeps")
    assert not (tmp_path / "beeps").exists()
    cut = tarred(BEEPS)[:100_000]
    with pytest.raises(DataError, match="not a whole archive"):
        fetch_archive("beeps", offer(cut, "beeps.tar.gz"), tmp_path / "beeps")
    with pytest.raises(DataError, match="not a whole archive"):
        fetch_archive("beeps", offer(b"<html>sorry</html>", "page.zip"), tmp_path / "beeps")
    assert not (tmp_path / "beeps").exists()


def test_nothing_of_anybody_is_overwritten(offer, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "text.txt").write_text("mine")
    for target in ("thesis", "thesis/text.txt"):
        with pytest.raises(DataError, match=r"holds something else|is a file"):
            fetch_archive("beeps", offer(zipped(BEEPS)), tmp_path / target)
    fetch_archive("beeps", offer(zipped(BEEPS)), tmp_path / "beeps")
    with pytest.raises(DataError, match="holds something else"):
        fetch_archive("other", offer(zipped(BEEPS)), tmp_path / "beeps")
    assert (tmp_path / "thesis" / "text.txt").read_text() == "mine"


def test_a_full_disk_is_told_before_and_during(offer, tmp_path, monkeypatch):
    archive = offer(zipped(BEEPS))
    with pytest.raises(DataError, match=r"needs about 1000000\.0 GB .* GB left"):
        fetch_archive("beeps", replace(archive, unpacked_megabytes=10**9), tmp_path / "beeps")

    real = Path.open

    def full(path: Path, mode: str = "r", **how):
        if path.suffix == ".wav":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, mode, **how)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(WriteError, match=r"cannot unpack to .*wav: No space left"):
        fetch_archive("beeps", archive, tmp_path / "beeps")
    assert [path.name for path in tmp_path.iterdir()] == ["beeps.download"]


@pytest.mark.parametrize(
    "pack",
    [
        lambda: zipped({"é.wav": b"1"}).replace("é".encode(), b"\xc3("),
        lambda: tarred(BEEPS, "w:bz2")[:1000] + bytes(1000),
        lambda: zipped(BEEPS)[:-4] + b"\xff" * 4,
    ],
)
def test_damage_of_any_kind_is_told_as_such(tmp_path, pack):
    (tmp_path / "a.bin").write_bytes(pack())
    with pytest.raises(DataError, match="not a whole archive"):
        unpack([tmp_path / "a.bin"], tmp_path / "in")


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "name", ["../up.wav", "/etc/up.wav", "a/../../up.wav", "a\\..\\up.wav", "C:/up.wav"]
)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_paths_that_lead_outside_are_refused(tmp_path, name, pack):
    (tmp_path / "a.bin").write_bytes(pack({"fine.wav": b"1", name: b"2"}))
    (tmp_path / "in" / "deep").mkdir(parents=True)
    with pytest.raises(DataError, match="leads outside"):
        unpack([tmp_path / "a.bin"], tmp_path / "in" / "deep")
    assert [path.name for path in (tmp_path / "in").rglob("*.wav")] == ["fine.wav"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_of_a_tar_are_refused(tmp_path, kind):
    members = {"x": link("x", "/etc", kind), "x/evil": b"1"}
    (tmp_path / "a.tar").write_bytes(tarred(members))
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="link or device: 'x'"):
        unpack([tmp_path / "a.tar"], tmp_path / "in")
    assert list((tmp_path / "in").iterdir()) == []


def test_links_and_secrets_of_a_zip_are_refused(tmp_path):
    for attributes, flags, message in ((0o120777 << 16, 0, "link"), (0, 1, "encrypted")):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            info = zipfile.ZipInfo("x")
            info.external_attr = attributes
            archive.writestr(info, "/etc")
            archive.infolist()[0].flag_bits |= flags
        (tmp_path / "a.zip").write_bytes(content.getvalue())
        with pytest.raises(DataError, match=message):
            unpack([tmp_path / "a.zip"], tmp_path)


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_bombs_are_refused(tmp_path, pack, monkeypatch):
    monkeypatch.setattr(unpacking, "_ALWAYS_ALLOWED_BYTES", 10_000)
    (tmp_path / "bomb.bin").write_bytes(pack({"zeros.wav": bytes(30_000_000)}))
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="meant to fill the disk"):
        unpack([tmp_path / "bomb.bin"], tmp_path / "in")
    assert sum(path.stat().st_size for path in (tmp_path / "in").iterdir()) < 3_000_000


def in_volumes(content: bytes, sizes: list[int]) -> list[bytes]:
    """Cut a ZIP into volumes: positions count from their volume, whose number stands beside."""
    starts = np.cumsum([0, *sizes]).tolist()
    content = bytearray(content)
    end = content.rindex(b"PK\x05\x06")
    entry = int.from_bytes(content[end + 16 : end + 20], "little")

    def place(position: int) -> tuple[bytes, bytes]:
        volume = max(index for index, start in enumerate(starts) if start <= position)
        return volume.to_bytes(2, "little"), (position - starts[volume]).to_bytes(4, "little")

    directory = place(entry)
    while content[entry : entry + 4] == b"PK\x01\x02":
        volume, at = place(int.from_bytes(content[entry + 42 : entry + 46], "little"))
        content[entry + 34 : entry + 36], content[entry + 42 : entry + 46] = volume, at
        lengths = [
            int.from_bytes(content[entry + at : entry + at + 2], "little") for at in (28, 30, 32)
        ]
        entry += 46 + sum(lengths)
    content[end + 4 : end + 6] = place(end)[0]
    content[end + 6 : end + 8], content[end + 16 : end + 20] = directory
    return [
        bytes(content[start:stop]) for start, stop in zip(starts, [*starts[1:], None], strict=True)
    ]


@pytest.mark.parametrize("sizes", [[90_000, 60_000], [50_000] * 3, [199_900], [200_300]])
def test_a_zip_in_volumes_is_put_together(tmp_path, sizes):
    pieces = in_volumes(zipped(BEEPS), sizes)
    volumes = [tmp_path / f"b.z{index + 1:02}" for index in range(len(pieces) - 1)]
    volumes.append(tmp_path / "b.zip")
    for path, piece in zip(volumes, pieces, strict=True):
        path.write_bytes(piece)
    read = []
    assert unpack(volumes, tmp_path / "in", below(1), progress=read.append) == 4
    assert files_in(tmp_path / "in") == STRIPPED
    assert 0.9 < sum(read) / sum(map(len, pieces)) <= 1
    with pytest.raises(DataError, match=r"volume \d of b\.zip is missing|not a whole archive"):
        unpack(volumes[1:], tmp_path / "less")


@pytest.mark.skipif(shutil.which("zip") is None, reason="Info-ZIP's zip is not installed")
def test_volumes_of_the_program_that_makes_them(tmp_path):
    for name, content in BEEPS.items():
        (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / name).write_bytes(content)
    command = ["zip", "-q", "-r", "-s", "64k", tmp_path / "b.zip", "beeps-1"]
    subprocess.run(command, cwd=tmp_path / "src", check=True)
    volumes = [*sorted(tmp_path.glob("b.z[0-9]*")), tmp_path / "b.zip"]
    assert len(volumes) >= 4
    assert unpack(volumes, tmp_path / "in", below(1)) == 4
    assert files_in(tmp_path / "in") == STRIPPED


def test_an_archive_with_other_files_is_refused(offer, tmp_path):
    # The same as: find . -printf '%P\\0' ... | xargs -0 sha256sum | sha256sum
    lines = (f"{hashlib.sha256(c).hexdigest()}  {n[5:]}\n" for n, c in sorted(STRIPPED.items()))
    right = hashlib.sha256("".join(lines).encode()).hexdigest()
    archive = offer(zipped(BEEPS), checked=False)
    for expected in ("0" * 64, right):
        package = replace(archive.packages[0], sums={"high": expected})
        of_commit = replace(archive, packages=(package,))
        if expected == right:
            assert fetch_archive("beeps", of_commit, tmp_path / "beeps")
            continue
        with pytest.raises(DataError, match=r"high/ of beeps\.zip is not what was published"):
            fetch_archive("beeps", of_commit, tmp_path / "beeps")
        assert not (tmp_path / "beeps").exists()


def test_fsdd_becomes_a_data_set(tmp_path, tone):
    for name in ("0_george_0", "0_george_7", "9_théo_12"):
        tone(tmp_path / "recordings" / f"{name}.wav", seconds=0.2)
    fsdd_table(tmp_path)
    manifest = read_dataset(tmp_path, DataConfig(group="speaker", split="none"))
    assert manifest.labels == ("0", "9")
    assert {clip.group for clip in manifest.clips} == {"george", "théo"}
    assert [clip.split for clip in read_dataset(tmp_path, DataConfig()).clips] == [
        "test",
        "train",
        "train",
    ]


def test_what_is_not_licensed_is_not_fetched(tmp_path):
    with pytest.raises(DataError, match="nobody licenses the music"):
        fetch_archive("gtzan", archives()["gtzan"], tmp_path / "gtzan")


def test_the_catalogue_is_in_order():
    for name, archive in archives().items():
        assert archive.about.licence, name
        assert archive.about.citation, name
        assert bool(archive.files) != bool(archive.why_not), name
        for file in archive.files:
            assert file.url.startswith("https://"), name
            digits = {"md5": 32, "sha256": 64}
            if file.checksum is not None:
                assert len(file.checksum.value) == digits[file.checksum.algorithm], name
        unchecked = [f for p in archive.packages for f in p.files if not f.checksum and not p.sums]
        assert not unchecked or archive.checked_by == "nobody", name
        assert len({file.name for file in archive.files}) == len(archive.files), name
