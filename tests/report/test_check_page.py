"""The page of a check: everything in it plays and shows, and nothing in it can do more."""

import base64
import io
import os
import urllib.parse
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.core.types import Clip
from auricle.data import Manifest, check
from auricle.report.check_page import write_check_page

RATE = 16000
HOSTILE = "<script>alert(1)<img src=x onerror=alert(2)>\"'&.wav"


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def sources(self, tag: str) -> list[str]:
        return [attributes["src"] or "" for name, attributes in self.tags if name == tag]


@pytest.fixture
def noise(tmp_path: Path):
    def make(name: str, seed: int, *, seconds: float = 1.0, level: float = 0.2) -> str:
        rng = np.random.default_rng(seed)
        samples = level * rng.standard_normal(round(seconds * RATE)).clip(-4, 4)
        (tmp_path / "sounds").mkdir(exist_ok=True)
        path = tmp_path / "sounds" / name
        soundfile.write(path, samples, RATE)
        return str(path)

    return make


def page_of(tmp_path: Path, clips: list[Clip], **how: object) -> Page:
    manifest = Manifest.of(clips)
    path = tmp_path / "page.html"
    write_check_page(path, check(manifest), manifest, **how)  # type: ignore[arg-type]
    return Page(path.read_text(encoding="utf-8"))


def decoded(source: str) -> bytes:
    return base64.b64decode(source.partition(";base64,")[2])


def test_suspects_play_and_show_side_by_side(tmp_path: Path, noise):
    twins = [noise("one.wav", 1, seconds=8), noise("two.wav", 1, seconds=8)]
    others = [Clip(noise(f"{at}.wav", at, seconds=8), ("ab"[at % 2],)) for at in range(2, 6)]
    page = page_of(tmp_path, [*others, *(Clip(path, ("a",), fold="7") for path in twins)])
    assert "2 clips are the same sound" in page.text
    assert "labels: a · fold: 7" in page.text
    assert "one.wav" in page.text
    assert "two.wav" in page.text
    sounds, pictures = page.sources("audio"), page.sources("img")
    assert len(sounds) == len(pictures) == 2
    samples, rate = soundfile.read(io.BytesIO(decoded(sounds[0])))
    assert len(samples) / rate == pytest.approx(6, abs=0.2)  # the first seconds only
    original, _ = soundfile.read(twins[0])
    count = min(len(samples), 5 * RATE)
    assert np.corrcoef(samples[:count], original[:count])[0, 1] > 0.8
    assert_png(decoded(pictures[0]))


def assert_png(content: bytes) -> None:
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    at, pixels = 8, b""
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        body = content[at + 4 : at + 8 + size]
        assert zlib.crc32(body) == int.from_bytes(content[at + 8 + size : at + 12 + size], "big")
        pixels += body[4:] if body[:4] == b"IDAT" else b""
        at += 12 + size
    rows = np.frombuffer(zlib.decompress(pixels), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    assert rows[:, 1:].max() == 255


def test_the_worst_come_first_and_one_set_of_clips_once(tmp_path: Path, noise):
    rows = [
        Clip(noise("clipped.wav", 1, level=3.0), ("a",)),
        Clip(noise("x.wav", 2), ("a",), split="train"),
        Clip(noise("y.wav", 2), ("b",), split="test"),
        Clip(noise("z.wav", 3), ("b",)),
    ]
    page = page_of(tmp_path, rows)
    order = [
        page.text.index(words) for words in ("error: leak", "error: two labels", "warning: clipped")
    ]
    assert order == sorted(order)
    # A leak, two labels and a duplicate are one suspect with two players; the loud one has one.
    assert len(page.sources("audio")) == 3
    anchors = [attributes.get("id") for tag, attributes in page.tags if tag == "a"]
    links = [attributes["href"] for tag, attributes in page.tags if "href" in attributes]
    assert {f"#{anchor}" for anchor in anchors if anchor} == set(links)


def test_hostile_names_and_labels_are_only_text(tmp_path: Path, noise):
    path = noise(HOSTILE, 1, level=3.0)
    label = "</style><script src=//evil>"
    page = page_of(tmp_path, [Clip(path, (label, "\x07\n"), group=HOSTILE)] * 2, title=label)
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
    for source in page.sources("img") + page.sources("audio"):
        assert source.startswith("data:")
    assert HOSTILE in page.text
    assert label in page.text
    policy = next(
        attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes
    )
    assert policy == "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"


@pytest.mark.skipif(os.name == "nt", reason="names are bytes on POSIX")
def test_names_that_are_no_text(tmp_path: Path, noise):
    path = os.fsdecode(os.fsencode(noise("plain.wav", 1, level=3.0)) + b"\xff.wav")
    try:
        Path(noise("other.wav", 1, level=3.0)).rename(path)
    except OSError:
        pytest.skip("this file system takes names of text only")
    page = page_of(tmp_path, [Clip(path, ("a",)), Clip(noise("b.wav", 2), ("b",))])
    assert "\\udcff" in page.text


def test_links_lead_to_the_files(tmp_path: Path, noise):
    path = noise("a b#c?ü.wav", 1, level=3.0, seconds=2)
    clips = [Clip(path, ("a",)), Clip(path, ("a",), 0.5, 1.25)]
    page = page_of(tmp_path, clips, link=True)
    whole, part = page.sources("audio")
    assert (tmp_path / urllib.parse.unquote(whole)).samefile(path)
    assert whole.startswith("./sounds/")
    assert part == f"{whole}#t=0.5,1.25"


def test_stretches_are_previewed_from_their_onset(tmp_path: Path):
    samples = np.zeros(4 * RATE)
    samples[2 * RATE :] = np.sign(np.sin(np.arange(2 * RATE) / 10))
    path = tmp_path / "half.wav"
    soundfile.write(path, samples, RATE)
    page = page_of(tmp_path, [Clip(str(path), ("a",), 2.0, 3.0)])
    sound, rate = soundfile.read(io.BytesIO(decoded(page.sources("audio")[0])))
    assert len(sound) / rate == pytest.approx(1, abs=0.15)
    assert np.abs(sound[rate // 10 : -rate // 5]).min() >= 0
    assert np.sqrt(np.mean(sound[rate // 5 : rate // 2] ** 2)) > 0.5
    assert "stretch: 2 to 3 s" in page.text


def test_bad_files_and_long_lists_are_named(tmp_path: Path, noise):
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    clips = [Clip(str(text), ("a",)), *(Clip(noise(f"{n}.wav", 1), ("a",)) for n in range(9))]
    page = page_of(tmp_path, clips)
    assert "it cannot be decoded" in page.text
    assert "is not a sound file" in page.text
    assert "and 3 more clips" in page.text
    assert len(page.sources("audio")) == 6


def test_a_full_page_goes_on_without_sound(tmp_path: Path, noise):
    clips = [Clip(noise(f"{at}.wav", at, level=3.0), ("a",)) for at in range(5)]
    page = page_of(tmp_path, clips, most_mb=0.04)
    assert 1 <= len(page.sources("audio")) < 5
    assert page.text.count("clipped") >= 5
    assert "the page is full" in page.text
    assert (tmp_path / "page.html").stat().st_size < 100_000


def test_a_page_of_nothing(tmp_path: Path):
    manifest = Manifest.of([])
    assert write_check_page(tmp_path / "page.html", check(manifest), manifest) == 0
    assert "Nothing was found." in (tmp_path / "page.html").read_text()
