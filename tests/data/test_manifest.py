import math
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.core.errors import DataError
from auricle.core.types import Clip
from auricle.data import Manifest, read_manifest, write_manifest
from auricle.data.manifest import sorted_labels

words = st.text(
    st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from('|\\,;"\t\n '), min_size=1
)
times = st.floats(0, 1e6, allow_nan=False)
clips = st.builds(
    Clip,
    path=words.map(lambda name: "/sounds/" + name.replace("/", "_")),
    labels=st.lists(words, max_size=3, unique=True).map(tuple),
    onset_s=times,
    offset_s=st.none() | times,
    split=st.sampled_from([None, "train", "validation", "test"]),
    fold=st.none() | words,
    group=st.none() | words,
    extra=st.fixed_dictionaries({"mic": st.just("") | words, "take": words}),
)


@settings(max_examples=80, deadline=None)
@given(clips=st.lists(clips, max_size=6))
def test_a_manifest_reads_back_unchanged(tmp_path_factory: pytest.TempPathFactory, clips):
    path = tmp_path_factory.mktemp("manifest") / "manifest.csv"
    # "." and ".." are no file names.
    clips = [clip for clip in clips if os.path.abspath(clip.path) == clip.path]
    manifest = Manifest(
        tuple(clips),
        sorted_labels(clips),
        multi_label=any(len(clip.labels) != 1 for clip in clips),
        group_declared=any(clip.group is not None for clip in clips),
    )
    write_manifest(path, manifest)
    assert read_manifest(path) == manifest


def test_sounds_beside_the_manifest_move_with_it(tmp_path: Path):
    here = tmp_path / "here"
    here.mkdir()
    clips = (Clip(str(here / "a b" / "ü.wav"), ("x",)), Clip("/far/b.wav", ("y",)))
    write_manifest(here / "manifest.csv", Manifest(clips, ("x", "y")))
    moved = here.rename(tmp_path / "there")
    found = [clip.path for clip in read_manifest(moved / "manifest.csv").clips]
    assert found == [str(moved / "a b" / "ü.wav"), "/far/b.wav"]


def test_its_columns_are_those_of_the_design(tmp_path: Path):
    clip = Clip("/a.wav", ("x", "y|z"), 0.5, math.pi, "train", "1", "g", {"mic": "left"})
    write_manifest(tmp_path / "m.csv", Manifest((clip,), ("x", "y|z"), multi_label=True))
    assert (tmp_path / "m.csv").read_text() == (
        "path,onset_s,offset_s,labels,split,fold,group,mic\n"
        "/a.wav,0.5,3.141592653589793,x|y\\|z,train,1,g,left\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\na.wav,x\n", "not a manifest: it has no column 'onset_s'"),
        ("path,onset_s,offset_s,labels,split,fold,group\na,soon,,x,,,\n", "line 2: onset.*'soon'"),
        ("path,onset_s,offset_s,labels,split,fold,group\na,0,\n", "line 2: not as many cells"),
        ('path,onset_s,offset_s,labels,split,fold,group\n"a,0,\n', "cannot be read"),
    ],
)
def test_what_is_no_manifest(tmp_path: Path, text: str, message: str):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_manifest(tmp_path / "m.csv")


def test_a_manifest_that_does_not_exist(tmp_path: Path):
    with pytest.raises(DataError, match="cannot be read"):
        read_manifest(tmp_path / "m.csv")


def test_an_extra_column_with_one_of_our_names_is_refused(tmp_path: Path):
    clip = Clip("/a.wav", ("x",), extra={"fold": "1"})
    with pytest.raises(DataError, match="cannot be called 'fold'"):
        write_manifest(tmp_path / "m.csv", Manifest((clip,), ("x",)))


def test_a_manifest_is_a_data_set_too(table, read, tmp_path: Path):
    path = table("path,label,speaker\na.wav,x,bob\nb.wav,y,eve\n", "a.wav", "b.wav")
    manifest = read(path, group="speaker")
    write_manifest(tmp_path / "manifest.csv", manifest)
    again = read(tmp_path / "manifest.csv")
    assert again.clips == manifest.clips
    assert again.group_declared
