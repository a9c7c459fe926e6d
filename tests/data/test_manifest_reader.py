"""The reader 'manifest': what the data commands write is a data set."""

from collections.abc import Callable
from pathlib import Path

import pytest

from auricle.core.errors import DataError
from auricle.core.types import Clip
from auricle.data import READERS, DataConfig, Manifest, write_manifest

HEAD = "path,onset_s,offset_s,labels,split,fold,group"


@pytest.fixture
def rows(touch: Callable[..., Path]) -> Callable[..., Path]:
    """Write a manifest of some rows beside the sounds a.wav, b.wav and `sub/ü c.wav`."""

    def write(*lines: str, head: str = HEAD, name: str = "clips.csv") -> Path:
        path = touch("a.wav", "b.wav", "sub/ü c.wav") / name
        path.write_text("\n".join([head, *lines, ""]), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_form_is_taken_for_a_manifest(rows, read, suffix: str):
    root = rows("a.wav,0,,x|y,,,").parent
    made = Manifest.of(
        [
            Clip(str(root / "a.wav"), ("x", "y\\|"), group="g", split="train"),
            Clip(str(root / "sub" / "ü c.wav"), (), 0.5, 1.5, split="test"),
        ],
        group_declared=True,
    )
    path = root / f"other{suffix}"
    write_manifest(path, made)
    assert READERS["manifest"].claims(path, DataConfig())
    found = read(path)
    assert found.clips == made.clips
    assert (found.labels, found.multi_label, found.group_declared) == (made.labels, True, True)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.csv", "path,label\na.wav,x\n"),
        ("m.csv", ""),
        ("m.jsonl", '{"path": "a.wav"}\n'),
        ("m.jsonl", "["),
        ("m.parquet", "PAR1"),
        ("m.txt", HEAD),
    ],
)
def test_other_tables_are_left_to_other_readers(touch, name: str, text: str):
    path = touch("a.wav") / name
    path.write_text(text)
    assert not READERS["manifest"].claims(path, DataConfig())


def test_a_folder_with_a_manifest_alone_is_one(rows, read):
    folder = rows("a.wav,0,,x|y,,,", name="manifest.csv").parent
    assert read(folder).labels == ("x", "y")
    (folder / "clips.csv").write_text("path,label\na.wav,z\n")
    assert not READERS["manifest"].claims(folder, DataConfig())
    assert READERS["manifest"].claims(folder, DataConfig(table="manifest.csv"))


def test_what_cannot_be_used_is_told_row_by_row(rows, read):
    path = rows(
        "a.wav,0,,x,train,1,",
        "gone.wav,0,,x,train,1,",
        "gone.wav,1,2,x,train,1,",
        "a.wav,-1,,x,train,1,",
        "a.wav,2,1.5,x,train,1,",
        "a.wav,2,2,x,train,1,",
        "b.wav,0,,y,test,,",
        ",0,,y,test,2,",
        "b.wav,0,,y,test,2,",
        "b.wav,0,,y,test,2,",
        "sub,0,,y,test,2,",
    )
    manifest = read(path)
    assert [Path(clip.path).name for clip in manifest.clips] == ["a.wav", "b.wav"]
    assert manifest.missing == (str(path.parent / "gone.wav"), str(path.parent / "sub"))
    assert list(manifest.rejected) == [
        "clips.csv row 4: the onset is negative",
        "clips.csv row 5: the offset is not after the onset",
        "clips.csv row 6: the offset is not after the onset",
        "clips.csv row 7: the fold is empty",
        "clips.csv row 8: the path is empty",
    ]
    notes = " ".join(manifest.notes)
    assert "2 files missing" in notes
    assert "5 rows left out" in notes
    assert "1 row repeated another and left out" in notes


def test_events_at_the_same_time_are_no_repetition(rows, read):
    lines = ("a.wav,0,1,x,,,", "a.wav,0,1,y,,,", "a.wav,0,1,y,,,", "a.wav,0,2,y,,,")
    clips = read(rows(*lines)).clips
    assert [(clip.labels, clip.offset_s) for clip in clips] == [
        (("x",), 1.0), (("y",), 1.0), (("y",), 2.0),
    ]  # fmt: skip


def test_options_take_extra_columns_in_the_place_of_ours(rows, read):
    path = rows(
        "a.wav,0,,x,train,1,g,bob,Eval,9,p; q",
        "b.wav,0,,y,test,2,h,bob,dev,8,q",
        head=f"{HEAD},speaker,part,block,tags",
    )
    plain = read(path)
    assert any("'split' says the splits; --data.split none" in note for note in plain.notes)
    other = read(
        path, group="speaker", split="part", fold="block", label="tags", label_separator=";"
    )
    assert [(c.group, c.split, c.fold, c.labels) for c in other.clips] == [
        ("bob", "test", "9", ("p", "q")),
        ("bob", "validation", "8", ("q",)),
    ]
    assert other.labels == ("p", "q")
    assert other.multi_label
    none = read(path, group="none", split="none", fold="none")
    assert {(clip.group, clip.split, clip.fold) for clip in none.clips} == {(None, None, None)}
    assert not none.group_declared
    assert read(path, path="path", label="labels", split="split").clips == plain.clips


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": "speakr"}, r"--data\.group speakr.*no such column.*Did you mean 'speaker'\?"),
        ({"path": "speaker"}, "the paths of a manifest are in 'path'"),
        ({"label_separator": ";"}, r"separated by '\|'; leave the option out"),
        ({"split": "speaker"}, r"must say train, validation or test, but says 'bob' \(1 row\)"),
        ({"table": "x.csv"}, "is itself a table"),
        ({"audio_root": "/no/such/folder"}, "is not a folder"),
    ],
)
def test_options_that_do_not_fit(rows, read, options: dict[str, str], message: str):
    path = rows("a.wav,0,,x,,,,bob", head=f"{HEAD},speaker")
    with pytest.raises(DataError, match=message):
        read(path, **options)


def test_nothing_that_can_be_used(rows, read, tmp_path: Path):
    with pytest.raises(DataError, match=r"none of the 1 file .* exists: .*--audio-root DIR"):
        read(rows("gone.wav,0,,x,,,"))
    with pytest.raises(DataError, match=r"no row of clips\.csv can be used: .*row 1: the onset"):
        read(rows("a.wav,-1,,x,,,"))
    with pytest.raises(DataError, match="columns but no rows"):
        read(rows())
    with pytest.raises(DataError, match="is no manifest: it must be a file"):
        read(tmp_path, reader="manifest")


def test_sounds_may_lie_elsewhere(rows, read):
    path = rows("ü c.wav,0,,x,,,", "b.wav,0,,y,,,")
    manifest = read(path, audio_root=str(path.parent / "sub"))
    assert [clip.path for clip in manifest.clips] == [str(path.parent / "sub" / "ü c.wav")]
    assert manifest.missing == (str(path.parent / "sub" / "b.wav"),)
