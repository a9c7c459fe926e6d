"""Sound in containers is the sound of the file that was put there, and hostile ones are refused."""

import io
import multiprocessing
import os
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle import audio
from auricle.audio.members import is_container, members_of, split_member
from auricle.core.errors import AudioError, DataError, TruncatedAudio, UnreadableAudio
from auricle.core.types import Clip
from auricle.data import Manifest, open_pack, pack

h5py = pytest.importorskip("h5py")


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


@pytest.fixture
def archive(tmp_path: Path, tone: Callable[..., Path]) -> Path:
    """A tar file with sounds of several formats, and what is no sound beside them."""
    path = tmp_path / "sounds.tar"
    with tarfile.open(path, "w") as tar:
        for suffix in ("wav", "flac", "ogg", "mp3"):
            tone(tmp_path / f"a.{suffix}", seconds=1.5, sample_rate=22050)
            tar.add(tmp_path / f"a.{suffix}", f"in/a.{suffix}")
        add(tar, "in/a.json", b"{}")
        add(tar, "empty.wav", b"")
        add(tar, "cut.wav", (tmp_path / "a.wav").read_bytes()[:3000])
        add(tar, "text.wav", b"no sound at all " * 99)
    return path


@pytest.fixture
def made_pack(tmp_path: Path) -> Path:
    """Three sounds of other lengths, int16 at 8 kHz."""
    rng = np.random.default_rng(0)
    clips = []
    for at, length in enumerate((8000, 4001, 12345)):
        path = tmp_path / "src" / f"{at}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, rng.integers(-32768, 32768, length).astype(np.int16), 8000)
        clips.append(Clip(str(path), (f"c{at}",)))
    pack(Manifest.of(clips), tmp_path / "sounds.h5", workers=1)
    return tmp_path / "sounds.h5"


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_member_is_the_file_that_it_holds(archive: Path, tmp_path: Path, suffix: str):
    inside, outside = f"{archive}::in/a.{suffix}", tmp_path / f"a.{suffix}"
    for how in ({}, {"sample_rate": 16000}, {"offset_s": 0.5, "duration_s": 0.25}):
        np.testing.assert_array_equal(
            audio.load(inside, **how).samples, audio.load(outside, **how).samples
        )
    streamed = [list(audio.blocks(path, 16000, block_s=0.3)) for path in (inside, outside)]
    np.testing.assert_array_equal(*map(np.concatenate, streamed))
    found, wanted = audio.probe(inside), audio.probe(outside)
    assert (found.codec, found.sample_rate, found.frames) == (
        wanted.codec,
        wanted.sample_rate,
        wanted.frames,
    )


def test_av_reads_members_too(tmp_path: Path, archive: Path):
    av = pytest.importorskip("av")
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with tarfile.open(archive, "a") as tar:
        tar.add(path, "a.m4a")
    inside = audio.load(f"{archive}::a.m4a")
    np.testing.assert_array_equal(inside.samples, audio.load(path).samples)


def test_what_is_broken_inside_is_told_as_of_a_file(archive: Path):
    with pytest.raises(UnreadableAudio, match="empty"):
        audio.load(f"{archive}::empty.wav")
    with pytest.raises(TruncatedAudio, match="cut short"):
        audio.load(f"{archive}::cut.wav")
    assert len(audio.load(f"{archive}::cut.wav", allow_truncated=True).samples) > 1000
    with pytest.raises(UnreadableAudio, match="not a sound file"):
        audio.load(f"{archive}::text.wav")
    with pytest.raises(UnreadableAudio, match=r"did you mean 'in/a\.flac'"):
        audio.load(f"{archive}::in/a.flax")


def test_a_container_that_is_changed_is_read_anew(archive: Path, tone: Callable[..., Path]):
    before = audio.load(f"{archive}::in/a.wav")
    other = tone(archive.with_name("other.wav"), hz=99, seconds=0.3)
    with tarfile.open(archive, "w") as tar:
        tar.add(other, "in/a.wav")
    after = audio.load(f"{archive}::in/a.wav")
    assert len(after.samples) != len(before.samples)


def test_archives_that_cannot_be_read_in_the_middle_are_refused(archive: Path, tmp_path: Path):
    packed = tmp_path / "packed.tar"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(tmp_path / "a.wav", "a.wav")
    with pytest.raises(UnreadableAudio, match="uncompressed"):
        audio.load(f"{packed}::a.wav")
    cut = tmp_path / "cut.tar"
    cut.write_bytes(archive.read_bytes()[:100_000])
    with pytest.raises(AudioError):
        audio.load(f"{cut}::in/a.mp3")


def test_two_colons_name_an_ordinary_file_where_there_is_no_container(
    tmp_path: Path, tone: Callable[..., Path]
):
    for name in ("take::2.wav", "no.tar::2.wav", "::.wav", "a.h5::b::c.wav"):
        assert split_member(tmp_path / name) is None
        assert len(audio.load(tone(tmp_path / name)).samples) == 16000
    with pytest.raises(UnreadableAudio, match="does not exist"):
        audio.load(tmp_path / "gone.h5::x")


def test_a_container_stands_for_its_sounds(archive: Path, made_pack: Path):
    assert is_container(archive)
    found = [str(path) for path in audio.find_audio([archive])]
    assert found == list(members_of(archive))
    assert f"{archive}::in/a.wav" in found
    assert not any(path.endswith(".json") for path in found)
    assert [str(path) for path in audio.find_audio([made_pack])] == [
        f"{made_pack}::{at}.wav" for at in range(3)
    ]
    assert audio.find_audio([f"{made_pack}::1.wav"]) == [Path(f"{made_pack}::1.wav")]


# --- packs in HDF5


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_packed_clip_is_its_file_bit_for_bit(made_pack: Path, number: int):
    inside, outside = f"{made_pack}::{number}.wav", made_pack.parent / "src" / f"{number}.wav"
    for how in ({}, {"sample_rate": 16000}, {"offset_s": 0.1, "duration_s": 0.2}):
        np.testing.assert_array_equal(
            audio.load(inside, **how).samples, audio.load(outside, **how).samples
        )
    assert audio.probe(inside).frames == audio.probe(outside).frames
    streamed = np.concatenate(list(audio.blocks(inside, block_s=0.05)))
    np.testing.assert_array_equal(streamed, audio.load(outside).samples)


def test_a_name_that_is_not_there_leads_to_the_nearest(made_pack: Path):
    with pytest.raises(UnreadableAudio, match=r"did you mean '1\.wav'"):
        audio.load(f"{made_pack}::1.wave")
    with pytest.raises(UnreadableAudio):
        audio.load(f"{made_pack}::")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_read_what_this_one_has_open(made_pack: Path, method: str):
    path = f"{made_pack}::2.wav"
    wanted = audio.load(path).samples
    with multiprocessing.get_context(method).Pool(1) as pool:
        for sound in pool.map(audio.load, [path] * 3):
            np.testing.assert_array_equal(sound.samples, wanted)


def test_threads_read_side_by_side(made_pack: Path):
    paths = [f"{made_pack}::{at % 3}.wav" for at in range(60)]
    with ThreadPoolExecutor(8) as pool:
        for path, sound in zip(paths, pool.map(audio.load, paths), strict=True):
            np.testing.assert_array_equal(sound.samples, audio.load(path).samples)


def test_a_pack_that_is_replaced_is_read_anew(made_pack: Path):
    before = audio.load(f"{made_pack}::0.wav")
    other = made_pack.parent / "src" / "other.wav"
    soundfile.write(other, np.zeros(99, dtype=np.int16), 8000)
    moved = other.rename(other.with_name("0.wav"))
    pack(Manifest.of([Clip(str(moved), ("x",))]), made_pack, force=True)
    assert len(audio.load(f"{made_pack}::0.wav").samples) == 99 != len(before.samples)


def rewrite(pack: Path, name: str, **how: object) -> None:
    with h5py.File(pack, "r+") as file:
        del file[name]
        file.create_dataset(name, **how)


def rewrite_link(pack: Path) -> None:
    with h5py.File(pack, "r+") as file:
        del file["hashes"]
        file["hashes"] = h5py.SoftLink("/targets")


def external_link(pack: Path) -> None:
    other = pack.with_name("other.h5")
    with h5py.File(other, "w") as file:
        file["secret"] = np.zeros(24346, dtype="<i2")
    with h5py.File(pack, "r+") as file:
        del file["waveforms"]
        file["waveforms"] = h5py.ExternalLink(str(other), "/secret")


def external_storage(pack: Path) -> None:
    secret = pack.with_name("secret")
    secret.write_bytes(os.urandom(2 * 24346))
    rewrite(pack, "waveforms", shape=(24346,), dtype="<i2", external=str(secret))


def virtual(pack: Path) -> None:
    layout = h5py.VirtualLayout(shape=(24346,), dtype="<i2")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=(24346,))
    with h5py.File(pack, "r+") as file:
        del file["waveforms"]
        file.create_virtual_dataset("waveforms", layout)


def cut(pack: Path) -> None:
    content = pack.read_bytes()
    pack.write_bytes(content[: len(content) * 3 // 4])


def of_attribute(name: str, value: object) -> Callable[[Path], None]:
    def harm(pack: Path) -> None:
        with h5py.File(pack, "r+") as file:
            file.attrs[name] = value

    return harm


HARMS: dict[str, Callable[[Path], None]] = {
    "external link": external_link,
    "external storage": external_storage,
    "virtual": virtual,
    "cut": cut,
    "noise": lambda pack: pack.write_bytes(os.urandom(5000)),
    "nothing": lambda pack: pack.write_bytes(b""),
    "soft link": rewrite_link,
    "strings": lambda pack: rewrite(pack, "waveforms", shape=(24346,), dtype=h5py.string_dtype()),
    "floats": lambda pack: rewrite(pack, "waveforms", data=np.zeros(24346)),
    "compressed": lambda pack: rewrite(
        pack, "waveforms", data=np.zeros(24346, "<i2"), compression="gzip"
    ),
    "starts past the end": lambda pack: rewrite(
        pack, "starts", data=np.array([0, 8000, 10**12, 24346])
    ),
    "negative lengths": lambda pack: rewrite(pack, "lengths", data=np.array([8000, -5, 3])),
    "order past the end": lambda pack: rewrite(pack, "name_order", data=np.array([0, 1, 99])),
    "labels missing": lambda pack: rewrite(pack, "labels", data=np.zeros(3)),
    "endless labels": lambda pack: rewrite(
        pack, "labels", shape=(10**13,), chunks=(1,), dtype=h5py.string_dtype()
    ),
    "too few names": lambda pack: rewrite(pack, "names", data=np.array([b"0.wav"])),
    "other program": of_attribute("format", "other"),
    "newer": of_attribute("version", 99),
    "version in words": of_attribute("version", "one"),
    "other kind": of_attribute("kind", "pictures"),
    "no rate": of_attribute("sample_rate", 0),
}


@pytest.mark.parametrize("harm", HARMS)
def test_hostile_packs_are_refused(made_pack: Path, harm: str):
    HARMS[harm](made_pack)
    with pytest.raises(DataError) as raised:
        open_pack(made_pack)
    assert str(made_pack) in str(raised.value)
    with pytest.raises(UnreadableAudio):
        audio.load(f"{made_pack}::0.wav")
