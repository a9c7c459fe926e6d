"""`auricle data download` as people use it."""

import hashlib
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler

import pytest

from auricle.core.download import Checksum
from auricle.data import archives as catalogue
from auricle.data.archives import Archive, File, Package
from auricle.data.readers.base import About


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def beeps(tone_folder, serve_http, tmp_path, monkeypatch):
    """A data set `beeps` on a server of this machine."""
    (tmp_path / "www").mkdir()
    path = tmp_path / "www" / "beeps.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for sound in tone_folder.rglob("*.wav"):
            archive.write(sound, f"beeps-master/{sound.relative_to(tone_folder).as_posix()}")
    handler = partial(Quiet, directory=str(path.parent))
    url = f"{serve_http(handler)}/beeps.zip"
    file = File(url, 1, Checksum("sha256", hashlib.sha256(path.read_bytes()).hexdigest()))
    about = About("tones", licence="CC BY 9.9", citation="Nobody, 2026", home="https://example.org")
    known = {"beeps": Archive(about, (Package((file,), strip=1),), 1), **catalogue.archives()}
    monkeypatch.setattr(catalogue, "archives", lambda: known)


def test_a_data_set_is_fetched_and_can_be_used(beeps, done, tmp_path):
    out = done("data", "download", "beeps", tmp_path / "beeps").out
    assert out.index("licence: CC BY 9.9") < out.index("saved: ")
    assert "cite: Nobody, 2026" in out
    assert "36 clips of 3 classes" in done("data", "show", tmp_path / "beeps", "--clips", 0).out
    assert "holds it already" in done("data", "download", "beeps", tmp_path / "beeps").out


def test_the_list_names_licences_and_who_checked(done):
    out = done("data", "download", "--list").out
    for text in (
        "esc50",
        "CC BY-NC",
        "fsd50k",
        "speech_commands_v2",
        "not fetched",
        "never fetched",
    ):
        assert text in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("esc5O", "x"), "did you mean 'esc50'"),
        (("esc50",), "data download NAME FOLDER"),
        (("gtzan", "x"), "nobody licenses the music"),
        (("esc50", ".."), "holds something else"),
    ],
)
def test_what_cannot_be_had_is_told(refused, tmp_path, monkeypatch, words, message):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert message in refused("data", "download", *words)
    assert [path.name for path in tmp_path.rglob("*")] == ["here"]
