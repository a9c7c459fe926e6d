"""WebDataset shards: ours as the library of that name reads them, and other people's."""

import gc
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle import audio
from auricle.core.errors import DataError, UnreadableAudio
from auricle.core.types import Clip
from auricle.data import DataConfig, Manifest, PackOptions, pack, read_dataset

Entries = list[tuple[str, bytes]]


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    rng = np.random.default_rng(1)
    clips = []
    for at in range(20):
        path = tmp_path / "src" / f"take.{at}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, rng.integers(-9999, 9999, 2000 + at).astype(np.int16), 16000)
        clips.append(Clip(str(path), (("dog", "cat")[at % 2],), split="train"))
    return Manifest.of(clips)


def shard(path: Path, entries: Entries) -> Path:
    """Write a tar file of (name, content)."""
    with tarfile.open(path, "w") as archive:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def read(path: Path, **options: object) -> Manifest:
    return read_dataset(path, DataConfig.model_validate(options))


def labels_of(manifest: Manifest) -> dict[str, tuple[str, ...]]:
    return {clip.path.partition("::")[2]: clip.labels for clip in manifest.clips}


# --- ours


# The library leaves closing the shards to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_library_reads_our_shards(manifest: Manifest, tmp_path: Path):
    webdataset = pytest.importorskip("webdataset")
    pack(manifest, tmp_path / "shards", PackOptions(shard_clips=6), workers=2)
    urls = sorted(map(str, (tmp_path / "shards").glob("*.tar")))
    assert len(urls) == 4
    found = list(webdataset.WebDataset(urls, shardshuffle=False))
    gc.collect()
    assert len(found) == 20
    for clip, sample in zip(manifest.clips, found, strict=True):
        samples, rate = soundfile.read(io.BytesIO(sample["flac"]), dtype="int16")
        wanted, wanted_rate = soundfile.read(clip.path, dtype="int16")
        assert rate == wanted_rate
        np.testing.assert_array_equal(samples, wanted)
        assert manifest.labels[int(sample["cls"])] == clip.labels[0]
        said = json.loads(sample["json"])
        assert said["rows"] == [{"labels": list(clip.labels), "split": "train"}]
        assert said["name"] == Path(clip.path).name


def test_the_index_says_what_each_shard_holds(manifest: Manifest, tmp_path: Path):
    pack(manifest, tmp_path / "shards", PackOptions(shard_mb=0.02))
    index = json.loads((tmp_path / "shards" / "index.json").read_text())
    shards = sorted((tmp_path / "shards").glob("*.tar"))
    assert [one["url"] for one in index["shardlist"]] == [path.name for path in shards]
    assert sum(one["nsamples"] for one in index["shardlist"]) == 20
    for one, path in zip(index["shardlist"], shards, strict=True):
        assert one["filesize"] == path.stat().st_size <= 20_000
        with tarfile.open(path) as archive:
            names = archive.getnames()
        assert sum(name.endswith(".flac") for name in names) == one["nsamples"]
    assert index["auricle"]["labels"] == ["cat", "dog"]


def test_one_shard_of_ours_is_a_data_set(manifest: Manifest, tmp_path: Path):
    pack(manifest, tmp_path / "shards", PackOptions(shard_clips=6))
    back = read(tmp_path / "shards" / "shard-000001.tar")
    assert [clip.labels for clip in back.clips] == [clip.labels for clip in manifest.clips[6:12]]
    assert back.labels == manifest.labels
    moved = (tmp_path / "shards" / "shard-000001.tar").rename(tmp_path / "alone.tar")
    assert [clip.labels for clip in read(moved).clips] == [clip.labels for clip in back.clips]


def test_several_labels_have_no_class_number(manifest: Manifest, tmp_path: Path):
    both = Manifest.of(
        [Clip(clip.path, ("a", "b")[: at % 3]) for at, clip in enumerate(manifest.clips)]
    )
    pack(both, tmp_path / "shards")
    with tarfile.open(tmp_path / "shards" / "shard-000000.tar") as archive:
        assert not any(name.endswith(".cls") for name in archive.getnames())
    back = read(tmp_path / "shards")
    assert back.multi_label
    assert [clip.labels for clip in back.clips] == [clip.labels for clip in both.clips]


# --- other people's


def of_json(**fields: object) -> bytes:
    return json.dumps(fields).encode()


FORMS: dict[str, tuple[Entries, dict[str, object], list[tuple[str, ...]]]] = {
    "class names": ([("a.wav", b""), ("a.cls", b"dog\n"), ("b.cls", b"cat"), ("b.wav", b"")], {},
                    [("dog",), ("cat",)]),
    "numbers": ([("a.flac", b""), ("a.cls", b"10"), ("b.flac", b""), ("b.cls", b"9")], {},
                [("10",), ("9",)]),
    "a field": ([("x/a.mp3", b""), ("x/a.json", of_json(label="dog", speaker=3))], {},
                [("dog",)]),
    "a field of another name": (
        [("a.ogg", b""), ("a.json", of_json(species="owl", label=1)), ("a.cls", b"7")],
        {"label": "species"}, [("owl",)]),
    "a list": ([("a.ogg", b""), ("a.json", of_json(tags=["x", "y", "x"]))], {}, [("x", "y")]),
    "a text": ([("a.wav", b""), ("a.txt", "Hündin".encode())], {}, [("Hündin",)]),
    "separated": ([("a.wav", b""), ("a.txt", b"x; y")], {"label_separator": ";"}, [("x", "y")]),
    "suffix in parts": ([("a.left.WAV", b""), ("a.cls", b"dog")], {}, [("dog",)]),
    "others beside": ([("a.png", b""), ("a.cls", b"z"), ("b.wav", b""), ("b.cls", b"dog")], {},
                      [("dog",)]),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_labels_of_other_peoples_shards(tmp_path: Path, form: str):
    entries, options, wanted = FORMS[form]
    path = shard(tmp_path / "data.tar", entries)
    manifest = read(path, **options)
    assert [clip.labels for clip in manifest.clips] == wanted
    assert manifest.multi_label == any(len(labels) > 1 for labels in wanted)


def test_numbers_stand_in_their_order(tmp_path: Path):
    entries: Entries = []
    for at in (10, 9, 100):
        entries += [(f"{at}.wav", b""), (f"{at}.cls", str(at).encode())]
    assert read(shard(tmp_path / "x.tar", entries)).labels == ("9", "10", "100")


def test_splits_by_the_names_of_shards(tmp_path: Path):
    entry: Entries = [("a.wav", b""), ("a.cls", b"x"), ("b.wav", b""), ("b.cls", b"y")]
    for name in ("train-0", "train-1", "val-0", "extra-0"):
        shard(tmp_path / f"{name}.tar", entry)
    manifest = read(tmp_path)
    assert [clip.split for clip in manifest.clips] == [None] * 2 + ["train"] * 4 + [
        "validation"
    ] * 2
    assert any("splits" in note for note in manifest.notes)
    assert {clip.split for clip in read(tmp_path, split="none").clips} == {None}


def test_rows_that_cannot_be_used_are_told(tmp_path: Path):
    (tmp_path / "classes.txt").write_text("dog\ncat\n")
    entries: Entries = [
        ("good.wav", b""),
        ("good.cls", b"1"),
        ("none.wav", b""),
        ("past.wav", b""),
        ("past.cls", b"2"),
        ("bad.wav", b""),
        ("bad.json", b"{"),
        ("long.wav", b""),
        ("long.txt", b"a dog barks, then\nanother " * 50),
        ("odd.wav", b""),
        ("odd.json", of_json(label={"x": 1})),
        ("bytes.wav", b""),
        ("bytes.cls", b"\xff\xfe\xfd"),
    ]
    shard(tmp_path / "a.tar", entries)
    manifest = read(tmp_path)
    assert labels_of(manifest) == {"good.wav": ("cat",)}
    assert manifest.labels == ("dog", "cat")
    told = "\n".join(manifest.rejected)
    for name in ("none", "past", "bad", "long", "odd", "bytes"):
        assert f"::{name}.wav" in told
    assert len(manifest.rejected) == 6


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cut short"),
        (b"no archive " * 100, "uncompressed tar"),
        (b"\x1f\x8b" + bytes(600), "uncompressed tar"),
    ],
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes, said: str):
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(DataError, match=said):
        read(tmp_path)


def test_shards_without_sounds_or_labels(tmp_path: Path):
    shard(tmp_path / "a.tar", [("a.jpg", b""), ("a.cls", b"1")])
    with pytest.raises(DataError, match="no clip"):
        read(tmp_path)
    shard(tmp_path / "a.tar", [("a.wav", b"")])
    with pytest.raises(DataError, match=r"--data\.label"):
        read(tmp_path)


def test_damaged_packs_are_told(manifest: Manifest, tmp_path: Path):
    pack(manifest, tmp_path / "shards")
    index = tmp_path / "shards" / "index.json"
    said = json.loads(index.read_text())
    index.write_text("{")
    with pytest.raises(DataError, match=r"index\.json"):
        read(tmp_path / "shards")
    said["auricle"]["labels"] = ["dog"]
    index.write_text(json.dumps(said))
    with pytest.raises(DataError, match="'cat'"):
        read(tmp_path / "shards")


def test_a_shard_that_was_cut_short_is_no_smaller_data_set(manifest: Manifest, tmp_path: Path):
    """An archive that breaks off in a header ends there for tarfile, which says nothing."""
    pack(manifest, tmp_path / "shards", PackOptions(shard_clips=10))
    last = tmp_path / "shards" / "shard-000001.tar"
    with tarfile.open(last) as archive:
        start = next(entry for entry in archive if entry.name.startswith("0000015")).offset
    whole = last.read_bytes()
    for content in (whole[:start], whole[: start + 100], whole[:start] + b"x" * 512):
        last.write_bytes(content)
        with pytest.raises(DataError, match=r"shard-000001\.tar .*cut short"):
            read(tmp_path / "shards")
    (tmp_path / "shards" / "index.json").unlink()  # of other people's the end alone tells
    for content in (whole[: start + 100], whole[:start] + b"x" * 512):
        last.write_bytes(content)
        with pytest.raises(DataError, match=r"shard-000001\.tar .*cut short"):
            read(tmp_path / "shards")


def test_a_shard_that_is_not_there_is_missing(manifest: Manifest, tmp_path: Path):
    pack(manifest, tmp_path / "shards", PackOptions(shard_clips=10))
    first = tmp_path / "shards" / "shard-000000.tar"
    first.unlink()
    rest = read(tmp_path / "shards")
    assert rest.missing == (str(first),)
    assert len(rest.clips) == 10
    assert any("1 shard missing: shard-000000.tar" in note for note in rest.notes)


@pytest.mark.parametrize(
    "said", [{"labels": 5}, {"labels": None}, {}], ids=["number", "null", "nothing"]
)
def test_an_index_that_makes_no_sense_is_refused(manifest: Manifest, tmp_path: Path, said: dict):
    pack(manifest, tmp_path / "shards")
    index = tmp_path / "shards" / "index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "auricle": said}))
    with pytest.raises(DataError, match=r"index\.json cannot be read"):
        read(tmp_path / "shards")


def test_names_that_climb_out_name_nothing(tmp_path: Path, tone: Callable[..., Path]):
    """A member is read out of its archive, whatever its name: no path of the disk is made of it."""
    outside = tone(tmp_path / "outside.wav")
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "a.tar"
    shard(path, [("../outside.wav", b"text " * 99), ("../outside.cls", b"x")])
    manifest = read(path)
    for clip in manifest.clips:
        with pytest.raises(UnreadableAudio):
            audio.load(clip.path)
    assert len(audio.load(outside).samples)
