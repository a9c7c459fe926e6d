"""Packs: what went in comes out, and what is there is not replaced unasked."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle import audio
from auricle.core.errors import AudioError, ConfigError, DataError
from auricle.core.types import Clip, Waveform
from auricle.data import (
    DataConfig,
    Manifest,
    PackOptions,
    apply_splits,
    first_clips,
    open_pack,
    pack,
)
from auricle.data.names import PACKED_NAME
from auricle.data.packing.sound import to_int16
from auricle.data.readers import read_dataset

h5py = pytest.importorskip("h5py")

RATE = 8000


def read(path: Path, **options: object) -> Manifest:
    return read_dataset(path, DataConfig.model_validate(options))


def told(manifest: Manifest) -> list[Clip]:
    """The rows, but for where their sound lies; shards also say what it was called before."""
    return [
        replace(clip, path="", extra={k: v for k, v in clip.extra.items() if k != PACKED_NAME})
        for clip in manifest.clips
    ]


@pytest.mark.parametrize("name", ["out.h5", "shards"])
def test_what_goes_in_comes_out(labelled: Manifest, tmp_path: Path, name: str):
    output = tmp_path / name
    report = pack(labelled, output, workers=2)
    back = read(output)
    assert report.clips == len(back.clips) == 70
    assert report.bad == ()
    assert told(back) == told(labelled)
    assert (back.labels, back.group_declared) == (labelled.labels, True)
    for clip, packed in zip(labelled.clips, back.clips, strict=True):
        np.testing.assert_array_equal(
            audio.load(packed.path).samples, audio.load(clip.path).samples
        )
    assert not list(tmp_path.glob(".*"))


def test_the_arrays_of_a_pack_agree(labelled: Manifest, tmp_path: Path):
    pack(labelled, tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5", "r") as file:
        assert [label.decode() for label in file["labels"]] == ["c2", "c0", "c1"]
        names = [name.decode() for name in file["names"]]
        assert names == [Path(clip.path).name for clip in labelled.clips]
        for at, clip in enumerate(labelled.clips):
            assert list(file["targets"][at]) == [label in clip.labels for label in labelled.labels]
            start, end = file["starts"][at], file["starts"][at + 1]
            samples, rate = soundfile.read(clip.path, dtype="int16")
            assert rate == file.attrs["sample_rate"] == RATE
            np.testing.assert_array_equal(file["waveforms"][start:end], samples)
            assert file["fold"][at].decode() == clip.fold
        config = json.loads(file["config"][()])
        assert config["options"]["sample_rate"] == RATE


def test_events_of_a_file_share_its_sound(sounds: Callable[..., list[str]], tmp_path: Path):
    one, two, three = sounds(RATE, RATE, RATE)
    manifest = Manifest.of(
        [
            Clip(one, ("dog",), 0.25, 0.5),
            Clip(two, ("cat",), 0.0, 1.0),
            Clip(one, ("cat",), 0.125, 0.75),
            Clip(three, ()),
        ],
        multi_label=True,
    )
    pack(manifest, tmp_path / "out.h5")
    packed = open_pack(tmp_path / "out.h5")
    assert len(packed) == 3
    assert packed.labels == ("cat", "dog")
    assert packed.targets.tolist() == [[1, 1], [1, 0], [0, 0]]
    back = read(tmp_path / "out.h5")
    assert back.multi_label
    assert sorted(map(repr, told(back))) == sorted(map(repr, told(manifest)))


def test_the_stretch_of_each_row_can_be_a_clip(sounds: Callable[..., list[str]], tmp_path: Path):
    (path,) = sounds(RATE)
    stretches = [(0.0, 0.25), (0.25, 0.5), (0.5, None), (0.25, 0.5000001)]
    manifest = Manifest.of(
        Clip(path, (f"c{at}",), *stretch) for at, stretch in enumerate(stretches)
    )
    pack(manifest, tmp_path / "out.h5", PackOptions(unit="row"))
    back = read(tmp_path / "out.h5")
    for clip, packed in zip(manifest.clips, back.clips, strict=True):
        length_s = None if clip.offset_s is None else clip.offset_s - clip.onset_s
        wanted = audio.load(path, offset_s=clip.onset_s, duration_s=length_s).samples
        assert (packed.onset_s, packed.offset_s) == (0.0, None)
        np.testing.assert_array_equal(audio.load(packed.path).samples, wanted)


def test_stretches_that_become_clips_are_still_split_by_their_file(
    sounds: Callable[..., list[str]], tmp_path: Path
):
    rows = [
        Clip(path, ("ab"[at % 2],), start, start + 0.25)
        for at, path in enumerate(sounds(*[RATE] * 12))
        for start in (0.0, 0.25, 0.5, 0.75)
    ]
    manifest = Manifest.of(rows)
    pack(manifest, tmp_path / "out.h5", PackOptions(unit="row"))
    back = read(tmp_path / "out.h5")
    assert back.group_declared
    assert [clip.group for clip in back.clips] == [Path(clip.path).name for clip in rows]
    # Who says splits or folds has decided.
    pack(apply_splits(manifest, DataConfig(), 0), tmp_path / "given.h5", PackOptions(unit="row"))
    assert not read(tmp_path / "given.h5").group_declared


def test_clips_of_one_length_are_rows(sounds: Callable[..., list[str]], tmp_path: Path):
    short, long = sounds(RATE // 2, 2 * RATE)
    rows = [Clip(short, ("a",)), Clip(long, ("b",), 0.5, 1.5), Clip(long, ("a",), 1.25, 2.0)]
    report = pack(Manifest.of(rows), tmp_path / "out.h5", PackOptions(length_s=1.0))
    assert report.cut == 1
    packed = open_pack(tmp_path / "out.h5")
    assert packed.values.shape == (2, RATE)
    assert not packed.values[0, RATE // 2 :].any()
    for path, name in ((short, "0.wav"), (long, "1.wav")):
        wanted = audio.load(path).samples[:RATE]
        np.testing.assert_array_equal(audio.load(f"{tmp_path / 'out.h5'}::{name}").samples, wanted)
    times = [(clip.onset_s, clip.offset_s) for clip in read(tmp_path / "out.h5").clips]
    assert times == [(0.0, None), (0.5, 1.0)]  # what was cut away has no row


def test_another_rate_is_that_of_load(sounds: Callable[..., list[str]], tmp_path: Path):
    (path,) = sounds(RATE)
    manifest = Manifest.of([Clip(path, ("a",))])
    report = pack(manifest, tmp_path / "out.h5", PackOptions(sample_rate=5000))
    assert (report.sample_rate, report.resampled) == (5000, 1)
    wanted, over = to_int16(audio.load(path, 5000).samples, "clip")
    np.testing.assert_array_equal(open_pack(tmp_path / "out.h5").clip(0), wanted)
    assert report.over == (over > 0)


def test_samples_beyond_full_scale(tmp_path: Path):
    path = tmp_path / "loud.wav"
    sound = np.array([0.5, -2.0, 1.0, 4.0, -1.0], dtype=np.float32)
    soundfile.write(path, sound, RATE, subtype="FLOAT")
    manifest = Manifest.of([Clip(str(path), ("a",))])
    report = pack(manifest, tmp_path / "a.h5")
    assert report.over == 1
    assert open_pack(tmp_path / "a.h5").clip(0).tolist() == [16384, -32768, 32767, 32767, -32768]
    pack(manifest, tmp_path / "b.h5", PackOptions(peaks="scale"))
    assert open_pack(tmp_path / "b.h5").clip(0).tolist() == [4096, -16384, 8192, 32767, -8192]


def test_every_int16_survives_the_way_to_float_and_back():
    every = np.arange(-32768, 32768).astype(np.int16)
    there, over = to_int16(every.astype(np.float32) / 32768, "clip")
    np.testing.assert_array_equal(there, every)
    assert over == 0


@pytest.mark.parametrize("name", ["out.h5", "shards"])
def test_bad_clips_are_left_out_and_told(labelled: Manifest, tmp_path: Path, name: str):
    whole = Path(labelled.clips[3].path)
    whole.write_bytes(whole.read_bytes()[:60])
    Path(labelled.clips[40].path).write_text("no sound")
    Path(labelled.clips[69].path).unlink()
    report = pack(labelled, tmp_path / name, workers=2)
    assert [path for path, _ in report.bad] == [labelled.clips[at].path for at in (3, 40, 69)]
    assert report.clips == 67
    kept = [clip for at, clip in enumerate(labelled.clips) if at not in (3, 40, 69)]
    back = read(tmp_path / name)
    for clip, packed in zip(kept, back.clips, strict=True):
        assert packed.labels == clip.labels
        np.testing.assert_array_equal(
            audio.load(packed.path).samples, audio.load(clip.path).samples
        )


def test_nothing_to_pack_is_an_error(labelled: Manifest, tmp_path: Path):
    for clip in labelled.clips:
        Path(clip.path).write_bytes(b"")
    with pytest.raises(DataError, match="none of the 70 clips"):
        pack(labelled, tmp_path / "out.h5", PackOptions(sample_rate=RATE))
    with pytest.raises(DataError, match="no clip can be read"):
        pack(labelled, tmp_path / "out.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["src"]


# --- outputs


def test_what_is_there_is_replaced_only_by_force(labelled: Manifest, tmp_path: Path):
    for name in ("out.h5", "shards"):
        pack(labelled, tmp_path / name)
        with pytest.raises(ConfigError, match="--force"):
            pack(labelled, tmp_path / name)
        pack(first_clips(labelled, 3), tmp_path / name, force=True)
        assert len(read(tmp_path / name).clips) == 3


def test_what_is_not_ours_is_never_replaced(labelled: Manifest, tmp_path: Path):
    (tmp_path / "a.h5").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").touch()
    (tmp_path / "b.h5").mkdir()
    for name in ("a.h5", "folder", "b.h5", "c.zip"):
        with pytest.raises(ConfigError):
            pack(labelled, tmp_path / name, force=True)
    assert (tmp_path / "a.h5").read_text() == "mine"


def test_a_small_copy_holds_some_of_all(labelled: Manifest):
    small = first_clips(labelled, 30)
    assert len(small.clips) == 30
    assert {clip.labels for clip in small.clips} == {clip.labels for clip in labelled.clips}
    assert {clip.fold for clip in small.clips} == set("01234")
    assert {clip.split for clip in small.clips} == {"train", "test"}
    order = [clip.path for clip in labelled.clips]
    assert [order.index(clip.path) for clip in small.clips] == sorted(
        order.index(clip.path) for clip in small.clips
    )
    assert len(first_clips(labelled, 10**9).clips) == 70


def test_a_pack_can_be_packed_again(labelled: Manifest, tmp_path: Path):
    pack(labelled, tmp_path / "a.h5")
    pack(read(tmp_path / "a.h5"), tmp_path / "shards", PackOptions(shard_clips=20))
    pack(read(tmp_path / "shards"), tmp_path / "b.h5")
    first, last = open_pack(tmp_path / "a.h5"), open_pack(tmp_path / "b.h5")
    np.testing.assert_array_equal(first.values, last.values)
    np.testing.assert_array_equal(first.targets, last.targets)
    assert told(read(tmp_path / "b.h5")) == told(labelled)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_pack_that_was_cut_short_is_told_as_one(labelled: Manifest, tmp_path: Path, share: float):
    path = tmp_path / "out.h5"
    pack(labelled, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: round(share * len(whole))])
    with pytest.raises(DataError, match="cut short"):
        read(path)


def test_hdf5_of_other_programs_is_told_as_such(tmp_path: Path):
    with h5py.File(tmp_path / "theirs.h5", "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(DataError, match="did not write"):
        read(tmp_path / "theirs.h5")


def test_every_pack_of_a_data_set_is_split_as_its_files(
    sounds: Callable[..., list[str]], tmp_path: Path
):
    clips = [Clip(path, ("ab"[at % 2],)) for at, path in enumerate(sounds(*[400] * 40))]
    clips[7] = replace(clips[7], path=shutil.copy(clips[7].path, tmp_path / "src"))
    files = Manifest.of(clips)
    pack(files, tmp_path / "a.h5")
    pack(read(tmp_path / "a.h5"), tmp_path / "shards", PackOptions(shard_clips=20))
    pack(read(tmp_path / "shards"), tmp_path / "again.h5")
    drawn = [clip.split for clip in apply_splits(files, DataConfig(), 5).clips]
    for name in ("a.h5", "shards", "again.h5"):
        packed = apply_splits(read(tmp_path / name), DataConfig(), 5)
        assert [clip.split for clip in packed.clips] == drawn, name


def test_odd_names(tmp_path: Path, sounds: Callable[..., list[str]]):
    (path,) = sounds(100)
    names = [
        "ä b/ c.wav",
        "x::y.wav",
        "x/y.wav",
        "日本.v2.wav",
        "a b/same.wav",
        "c d/same.wav",
        "'q\".wav",
    ]
    clips = []
    for name in names:
        there = tmp_path / "odd" / name
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(Path(path).read_bytes())
        clips.append(Clip(str(there), ('|\\a,\t"b', "日本")))
    manifest = Manifest.of(clips, multi_label=True)
    for output in (tmp_path / "out.h5", tmp_path / "shards"):
        pack(manifest, output)
        back = read(output)
        assert told(back) == told(manifest)
        assert len({clip.path for clip in back.clips}) == len(names)
        for clip in back.clips:
            assert len(audio.load(clip.path).samples) == 100


class Halves:
    """An encoder that gives each sound's first samples, two by two, and refuses short sounds."""

    sample_rate = 4000
    bins = 2
    dtype = "<f4"

    def __init__(self) -> None:
        self.config = {"halves": True}

    def encode(self, sounds: list[Waveform]) -> list[np.ndarray | AudioError]:
        return [
            AudioError("too short")
            if len(sound.samples) < 300
            else sound.samples[: len(sound.samples) // 2 * 2].reshape(-1, 2)
            for sound in sounds
        ]


def test_features_in_place_of_sound(labelled: Manifest, tmp_path: Path):
    report = pack(labelled, tmp_path / "out.h5", encoder=Halves(), workers=2)
    packed = open_pack(tmp_path / "out.h5")
    assert (packed.kind, packed.sample_rate, packed.values.dtype) == ("features", 4000, "<f4")
    assert 0 < len(report.bad) < 70
    assert len(packed) == report.clips == 70 - len(report.bad)
    good = [clip for clip in labelled.clips if clip.path not in dict(report.bad)]
    for at, clip in enumerate(good):
        wanted = audio.load(clip.path, 4000).samples
        np.testing.assert_array_equal(packed.clip(at).ravel(), wanted[: len(wanted) // 2 * 2])
    assert json.loads(packed.config_text())["encoder"] == {"halves": True}
    with pytest.raises(DataError, match="holds features"):
        read(tmp_path / "out.h5")
    with pytest.raises(ConfigError, match="HDF5"):
        pack(labelled, tmp_path / "shards", encoder=Halves())
    with pytest.raises(ConfigError, match="4000 Hz"):
        pack(labelled, tmp_path / "x.h5", PackOptions(sample_rate=8000), encoder=Halves())
