import csv
import subprocess
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from auricle.core.errors import DataError
from auricle.data import demo
from auricle.data.demo import demo_dataset

SOUNDS = {
    "001 - Dog bark/1-100032-A.ogg": b"woof",
    "001 - Dog bark/2-7-B.ogg": b"wuff",
    "010 - Fire crackling/5-9-A.ogg": b"crack",
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "esc10.zip"
    with zipfile.ZipFile(path, "w") as members:
        members.writestr("ESC-10-553c8f1/README.md", "hello")
        for name, content in SOUNDS.items():
            members.writestr(f"ESC-10-553c8f1/{name}", content)
    return path


@pytest.fixture
def checksum(tmp_path: Path) -> str:
    folder = tmp_path / "expected"
    for name, content in SOUNDS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return demo.folder_checksum(folder, folder.rglob("*.ogg"))


@pytest.fixture
def serve(serve_answers) -> Callable[..., str]:
    """Serve bytes over HTTP: `serve(content, stated=length it claims)` gives the URL."""

    def start(content: bytes, *, stated: int | None = None, status: int = 200) -> str:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header("Content-Length", str(stated or len(content)))
            handler.end_headers()
            handler.wfile.write(content)

        return f"{serve_answers(answer)}/esc10.zip"

    return start


@pytest.fixture
def said() -> list[str]:
    return []


def fetch(target: Path, url: str, checksum: str) -> None:
    demo.fetch_esc10(target, lambda _: None, url, checksum=checksum, clips=len(SOUNDS))


def test_esc10_comes_with_the_table_that_its_names_spell(archive, checksum, serve, tmp_path):
    target = tmp_path / "cache" / "esc10"
    fetch(target, serve(archive.read_bytes()), checksum)
    with (target / "esc10.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[-1] == {
        "filename": "010 - Fire crackling/5-9-A.ogg",
        "fold": "5",
        "target": "9",
        "category": "fire_crackling",
        "src_file": "9",
        "take": "A",
    }
    assert (target / rows[0]["filename"]).read_bytes() == b"woof"
    assert not (target / "README.md").exists()


def test_the_table_of_the_real_esc10_is_the_published_one(esc10: Path, tmp_path: Path):
    for sound in esc10.rglob("*.ogg"):
        copy = tmp_path / sound.relative_to(esc10)
        copy.parent.mkdir(exist_ok=True)
        copy.symlink_to(sound)
    demo._write_esc10_table(tmp_path, sorted(tmp_path.rglob("*.ogg")))
    ours, theirs = (
        path.read_text().splitlines() for path in (tmp_path / "esc10.csv", esc10 / "esc10.csv")
    )
    assert sorted(ours) == sorted(theirs)


def test_the_checksum_is_that_of_the_real_esc10(esc10: Path):
    sounds = list(esc10.rglob("*.ogg"))
    assert len(sounds) == demo.ESC10_CLIPS
    assert demo.folder_checksum(esc10, sounds) == demo.ESC10_CHECKSUM


def test_other_sounds_than_published_are_refused(archive, serve, tmp_path):
    target = tmp_path / "esc10"
    with pytest.raises(DataError, match="not ESC-10 as it was published: 3 clips with checksum"):
        fetch(target, serve(archive.read_bytes()), "0" * 64)
    assert not target.exists()


@pytest.mark.parametrize("keep", [0, 10, 300])
def test_a_cut_connection_leaves_nothing_behind(archive, checksum, serve, tmp_path, keep: int):
    content = archive.read_bytes()
    target = tmp_path / "cache" / "esc10"
    with pytest.raises(DataError, match=r"download of .* (failed|broke off)"):
        fetch(target, serve(content[:keep], stated=len(content)), checksum)
    assert not target.exists()


@pytest.mark.parametrize("content", [b"<html>log in</html>", b"PK\3\4 and no more"])
def test_what_is_no_archive_is_refused(checksum, serve, tmp_path, content: bytes):
    with pytest.raises(DataError, match="not a whole archive"):
        fetch(tmp_path / "esc10", serve(content), checksum)


def test_a_damaged_archive_is_refused(archive, checksum, serve, tmp_path):
    content = bytearray(archive.read_bytes())
    content[content.index(b"wuff")] ^= 1
    with pytest.raises(DataError, match="not a whole archive"):
        fetch(tmp_path / "esc10", serve(bytes(content)), checksum)


def test_a_server_that_says_no(checksum, serve, tmp_path):
    with pytest.raises(DataError, match="failed: Not Found"):
        fetch(tmp_path / "esc10", serve(b"gone", status=404), checksum)


def test_no_server_at_all(checksum, tmp_path):
    # Port 9 on this machine: nobody listens, and the refusal comes at once.
    with pytest.raises(DataError, match="refused"):
        fetch(tmp_path / "esc10", "http://127.0.0.1:9/x.zip", checksum)


# --- which data set is taken


def test_the_users_data_come_first(tmp_path: Path, said):
    data = demo_dataset(str(tmp_path), tmp_path / "cache", said.append, environment={})
    assert (data.path, data.folds) == (tmp_path, None)
    with pytest.raises(DataError, match="no such file or folder"):
        demo_dataset(str(tmp_path / "x"), tmp_path / "cache", said.append, environment={})


def test_then_esc10_where_auricle_data_names_it(esc10: Path, auricle_data: Path, said, tmp_path):
    environment = {"AURICLE_DATA": str(auricle_data)}
    data = demo_dataset(None, tmp_path, said.append, environment=environment)
    assert (data.path, data.options) == (esc10, {"data.group": "src_file"})
    assert not said


def test_what_was_fetched_is_not_fetched_again(archive, checksum, serve, tmp_path, said):
    kept = tmp_path / "esc10-553c8f17"
    fetch(kept, serve(archive.read_bytes()), checksum)
    data = demo_dataset(
        None,
        tmp_path,
        said.append,
        environment={"AURICLE_DATA": "/nowhere"},
        url="http://127.0.0.1:9",
    )
    assert data.path == kept
    assert "holds no ESC-10" in said[0]
    assert len(said) == 1


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / demo.ARCADE_WHEEL
    names = [f"coin{at}.wav" for at in range(1, 6)] + [f"hit{at}.wav" for at in range(1, 6)]
    names += ["hit1.ogg", "hit1.mp3", *(f"laser{at}.wav" for at in range(1, 5)), "laser1.ogg"]
    names += ["License.txt", "5.wav"]
    with zipfile.ZipFile(path, "w") as members:
        for name in names:
            members.writestr(f"arcade/resources/assets/sounds/{name}", name)
        members.writestr("arcade/resources/assets/music/coin6.wav", "music")
    return path


def test_arcade_sounds_are_classes_of_five_without_reencodings(wheel: Path, tmp_path: Path, read):
    target = tmp_path / "arcade"
    assert demo.unpack_arcade(wheel, target) == {"coin": 5, "hit": 5}
    manifest = read(target)
    assert manifest.labels == ("coin", "hit")
    assert len(manifest.clips) == 10
    assert all(clip.path.endswith(".wav") for clip in manifest.clips)
    assert not manifest.notes


def test_without_a_connection_the_arcade_sounds_are_taken_and_said_so(
    wheel: Path, tmp_path: Path, said, monkeypatch: pytest.MonkeyPatch
):
    calls = []

    def pip(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        calls.append(command)
        folder = Path(command[command.index("--dest") + 1])
        (folder / demo.ARCADE_WHEEL).write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    for _ in range(2):
        data = demo_dataset(
            None, tmp_path / "cache", said.append, environment={}, url="http://127.0.0.1:9/x.zip"
        )
    assert len(calls) == 1
    assert data.folds == 5
    assert "CC0" in data.why
    assert "refused" in data.why
    assert any("ESC-10 cannot be had" in line for line in said)


def test_where_nothing_can_be_had_the_error_names_the_way_out(
    tmp_path: Path, said, monkeypatch: pytest.MonkeyPatch
):
    def pip(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, 1, "", "ERROR: no index\n")

    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(DataError, match=r"ERROR: no index.*--data DIR"):
        demo_dataset(
            None, tmp_path / "cache", said.append, environment={}, url="http://127.0.0.1:9/x.zip"
        )
