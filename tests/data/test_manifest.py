import json
import math
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.core.errors import DataError, MissingExtra
from auricle.core.types import Clip
from auricle.core.writing import WriteError
from auricle.data import Manifest, read_manifest, write_manifest

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")

words = st.text(
    st.characters(exclude_categories=("Cs",)) | st.sampled_from('|\\,;"\t\n\r ={[\0'), min_size=1
)
times = st.floats(0, 1e6, allow_nan=False)
clips = st.builds(
    Clip,
    # Surrogates are the bytes of a name that is no UTF-8.
    path=st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from("\udcff\udc80|\n"))
    .map(lambda name: "/sounds/" + name.replace("/", "_"))
    .filter(lambda path: os.path.abspath(path) == path),  # "." and ".." are no file names
    labels=st.lists(words | st.just(""), max_size=3, unique=True).map(tuple),
    onset_s=times,
    offset_s=st.none() | times,
    split=st.sampled_from([None, "train", "validation", "test"]),
    fold=st.none() | words,
    group=st.none() | words,
    extra=st.fixed_dictionaries({"mic": st.just("") | words, "take": words, "": words}),
)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet", ".CSV"])
@settings(max_examples=80, deadline=None)
@given(clips=st.lists(clips, max_size=6))
def test_a_manifest_reads_back_unchanged(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, clips: list[Clip]
):
    path = tmp_path_factory.mktemp("manifest") / f"manifest{suffix}"
    manifest = Manifest(
        tuple(clips),
        tuple(sorted({label for clip in clips for label in clip.labels})),
        multi_label=any(len(clip.labels) != 1 for clip in clips),
        group_declared=any(clip.group is not None for clip in clips),
    )
    write_manifest(path, manifest)
    assert read_manifest(path) == manifest


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_more_rows_than_a_block_holds_read_back_unchanged(tmp_path: Path, suffix: str):
    made = [
        Clip(f"/d/{at}.wav", (f"c{at % 5}",), offset_s=at + 0.1, group=f"g{at % 700}")
        for at in range(20001)
    ]
    write_manifest(tmp_path / f"m{suffix}", Manifest.of(made))
    assert list(read_manifest(tmp_path / f"m{suffix}").clips) == made


def test_a_form_can_be_turned_into_another(tmp_path: Path):
    clips = (
        Clip(str(tmp_path / "a|b.wav"), ("x", "y|z"), 0.5, None, "train", None, "g", {"mic": ""}),
        Clip("/far/caf\udce9.wav", (), fold="1", extra={"mic": "left\nright"}),
    )
    manifest = Manifest(clips, ("x", "y|z"), multi_label=True, group_declared=True)
    for before, after in zip(SUFFIXES, SUFFIXES[1:] + SUFFIXES[:1], strict=True):
        write_manifest(tmp_path / f"m{before}", manifest)
        manifest = read_manifest(tmp_path / f"m{before}")
        assert manifest.clips == clips, after


def test_sounds_may_start_from_another_folder(tmp_path: Path):
    clips = (Clip(str(tmp_path / "in" / "a.wav"), ("x",)), Clip("/far/b.wav", ("y",)))
    write_manifest(tmp_path / "m.csv", Manifest(clips, ("x", "y")))
    found = [clip.path for clip in read_manifest(tmp_path / "m.csv", "/else").clips]
    assert found == ["/else/in/a.wav", "/far/b.wav"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_a_manifest_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, suffix: str):
    path = tmp_path / f"m{suffix}"
    write_manifest(path, Manifest.of([Clip("/old.wav", ("x",))]))
    old = path.read_bytes()
    # A lone half of a pair of surrogates is no byte of any name, and no text.
    made = [Clip(f"/{at}.wav", ("x",), extra={"note": "a"}) for at in range(9000)]
    with pytest.raises(DataError, match="no text that this form can hold"):
        write_manifest(path, Manifest.of([*made, Clip("/\ud800.wav", ("x",))]))
    assert path.read_bytes() == old
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


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


HEAD = b"path,onset_s,offset_s,labels,split,fold,group\n"
ROW = '{"path": "a", "onset_s": 0, "offset_s": null, "labels": %s, "split": null, "fold": null, '


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.csv", HEAD + b"a,0,,Gr\xf6\xdfe,,,\n", r"line 2: a label is not UTF-8"),
        ("m.csv", HEAD + b'"a\nb",0,,x,,,\nc,nan,,x,,,\n', r"line 4: onset.*'nan'"),
        ("m.csv", HEAD + b"a,0,inf,x,,,\n", r"line 2: onset.*'inf'"),
        ("m.csv", HEAD + b'a,0,,"x,,,\n', "cannot be read"),
        ("m.csv", HEAD.replace(b"\n", b",mic,mic\n"), "two columns called 'mic'"),
        ("m.csv", b"", "not a manifest: it has no column 'path'"),
        ("m.tsv", HEAD.replace(b",fold", b"").replace(b",", b"\t"), "no column 'fold'"),
        ("m.jsonl", b"\n{", r"m.jsonl line 2: not JSON"),
        ("m.jsonl", b"[1]\n", "line 1: not a row of a manifest"),
        ("m.jsonl", ROW.encode() % b"[]" + b'"x": 1}\n', "line 1: .* it has no 'group'"),
        ("m.jsonl", ROW.encode() % b'"x"' + b'"group": 1}\n', "labels must be a list of texts"),
        (
            "m.jsonl",
            (ROW % "[]").replace(": 0,", ": true,").encode() + b'"group": 1}\n',
            "onset_s must be seconds, got True",
        ),
        ("m.parquet", b"PAR1 and no more", "cannot be read"),
        ("m.xlsx", b"", r"must be one of \.csv, \.tsv, \.jsonl, \.parquet"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, name: str, content: bytes, message: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_manifest(tmp_path / name)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_nothing(tmp_path: Path, suffix: str):
    resource = pytest.importorskip("resource")  # Windows has none
    manifest = Manifest.of(Clip(f"/{hash(at * 0.1)}.wav", ("x",)) for at in range(20000))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20000, before[1]))
    try:
        with pytest.raises(WriteError, match="cannot write"):
            write_manifest(tmp_path / f"m{suffix}", manifest)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_a_spreadsheet_may_have_saved_it(tmp_path: Path):
    text = "\ufeffpath;onset_s;offset_s;labels;split;fold;group\r\na.wav;0;1.5;x|y;train;;\r\n\r\n"
    (tmp_path / "m.csv").write_bytes(text.encode())
    assert list(read_manifest(tmp_path / "m.csv").clips) == [
        Clip(str(tmp_path / "a.wav"), ("x", "y"), 0.0, 1.5, "train")
    ]


def test_json_of_another_program_is_read(tmp_path: Path):
    rows = (
        {"path": "a.wav", "labels": [], "onset_s": 1, "offset_s": 2, "split": None, "fold": 3,
         "group": "", "year": 1999, "tags": ["p", "ü"]},
        {"path": "b.wav", "labels": ["x"], "onset_s": 0, "offset_s": None, "split": "test",
         "fold": "4", "group": None},
    )  # fmt: skip
    (tmp_path / "m.jsonl").write_text("\n\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert list(read_manifest(tmp_path / "m.jsonl").clips) == [
        Clip(str(tmp_path / "a.wav"), (), 1.0, 2.0, None, "3", None,
             {"year": "1999", "tags": '["p", "ü"]'}),
        Clip(str(tmp_path / "b.wav"), ("x",), 0.0, None, "test", "4", None,
             {"year": "", "tags": ""}),
    ]  # fmt: skip


def test_without_pyarrow_parquet_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"auricle\[data\]"):
        write_manifest(tmp_path / "m.parquet", Manifest.of([Clip("/a.wav")]))
    assert not list(tmp_path.iterdir())
