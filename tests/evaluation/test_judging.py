"""Which clips count: none that the classifier was trained on."""

from dataclasses import replace

import pytest

from auricle.core.errors import DataError
from auricle.core.types import Clip
from auricle.data import DataConfig, Manifest, write_manifest
from auricle.data.names import PACKED_NAME
from auricle.evaluation.selection import select_clips

SPLITS = ("train", "train", "validation", "test", "test")


@pytest.fixture
def manifest(tmp_path):
    clips = []
    for number, split in enumerate(SPLITS):
        path = tmp_path / f"{number}.wav"
        path.write_bytes(b"")
        clips.append(Clip(str(path), ("ab"[number % 2],), split=split))
    return Manifest(tuple(clips), ("a", "b"))


@pytest.fixture
def run_manifest(tmp_path, manifest):
    write_manifest(tmp_path / "run" / "manifest.csv", manifest)
    return tmp_path / "run" / "manifest.csv"


def unsplit(manifest):
    return replace(manifest, clips=tuple(replace(clip, split=None) for clip in manifest.clips))


def paths(selection):
    return [clip.path[-5] for clip in selection.clips]


def test_the_runs_own_test_clips_are_the_default(manifest, run_manifest):
    chosen = select_clips(unsplit(manifest), run_manifest, None, DataConfig())
    assert paths(chosen) == ["3", "4"]
    assert "2 test clips of the run's own manifest" in chosen.why


@pytest.mark.parametrize(("split", "expected"), [("train", "01"), ("validation", "2")])
def test_a_split_is_the_runs_own_whatever_the_data_say(manifest, run_manifest, split, expected):
    shuffled = tuple(replace(clip, split="test") for clip in manifest.clips)
    data = replace(manifest, clips=shuffled)
    assert paths(select_clips(data, run_manifest, split, DataConfig())) == list(expected)


def test_shards_of_the_data_are_known_by_what_their_clips_were_called(manifest, run_manifest):
    """The files in a shard have names of their own: trained clips looked new."""
    packed = [
        Clip(f"/p/shard-000000.tar::000{at}.flac", clip.labels, extra={PACKED_NAME: f"{at}.wav"})
        for at, clip in enumerate(manifest.clips)
    ]
    chosen = select_clips(replace(manifest, clips=packed), run_manifest, None, DataConfig())
    assert list(chosen.clips) == packed[3:]


def test_clips_that_the_run_knows_are_left_out_of_other_data(manifest, run_manifest, tmp_path):
    new = Clip(str(tmp_path / "n.wav"), ("a",))
    data = replace(manifest, clips=(*unsplit(manifest).clips[:3], new))
    chosen = select_clips(data, run_manifest, None, DataConfig())
    assert [clip.path for clip in chosen.clips] == [new.path]
    assert "3 of files or groups that it has heard are left out" in chosen.why


def test_nothing_but_seen_clips_is_an_error(manifest, run_manifest):
    data = replace(manifest, clips=unsplit(manifest).clips[:3])
    with pytest.raises(DataError, match="has seen every clip"):
        select_clips(data, run_manifest, None, DataConfig())


def test_without_a_manifest_all_clips_count_and_a_split_is_the_datas(manifest):
    assert len(select_clips(unsplit(manifest), None, None, DataConfig()).clips) == 5
    chosen = select_clips(manifest, None, "test", DataConfig())
    assert paths(chosen) == ["3", "4"]
    assert "cannot be told" in chosen.why


def test_a_data_set_that_has_moved_is_still_known(manifest, run_manifest, tmp_path):
    moved = tuple(
        replace(clip, path=str(tmp_path / "elsewhere" / clip.path[-5:]), split=None)
        for clip in manifest.clips
    )
    chosen = select_clips(replace(manifest, clips=moved), run_manifest, None, DataConfig())
    assert paths(chosen) == ["3", "4"]


def test_a_new_file_of_a_known_group_is_not_new(manifest, tmp_path):
    known = tuple(replace(clip, group="anna") for clip in manifest.clips[:3])
    write_manifest(tmp_path / "run" / "manifest.csv", replace(manifest, clips=known))
    new = [Clip(str(tmp_path / f"n{g}.wav"), ("a",), group=g) for g in ("anna", "bert")]
    data = replace(manifest, clips=tuple(new))
    chosen = select_clips(data, tmp_path / "run" / "manifest.csv", None, DataConfig())
    assert [clip.group for clip in chosen.clips] == ["bert"]


def test_a_split_that_nobody_knows_is_refused(manifest):
    with pytest.raises(DataError, match="neither the classifier nor the data set"):
        select_clips(unsplit(manifest), None, "test", DataConfig())


def test_another_stretch_of_a_known_file_is_not_new(manifest, run_manifest):
    stretch = replace(manifest.clips[0], onset_s=1.0, offset_s=2.0, split=None)
    data = replace(manifest, clips=(stretch,))
    with pytest.raises(DataError, match="has seen every clip"):
        select_clips(data, run_manifest, None, DataConfig())
