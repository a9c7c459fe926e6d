"""Every registered reader against a tiny copy of its layout, and against all the others'.

The layouts are in `reader_layouts.py`; a reader is added there.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auricle.audio import AUDIO_SUFFIXES
from auricle.core.errors import DataError
from auricle.data import READERS, DataConfig, Manifest, read_dataset

if TYPE_CHECKING:
    from reader_layouts import Layout

EVERYTHING = ("table", "folder")
"""Readers of whatever is there: they are asked last, and may claim what others read."""


@pytest.fixture(params=list(READERS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def made(
    name: str, reader_layouts: dict[str, Callable[[Path], "Layout"]], tmp_path: Path
) -> "Layout":
    """The layout of the reader `name`. A reader without one fails."""
    assert name in reader_layouts, f"no layout of reader '{name}': add a function with @layout"
    root = tmp_path / name
    root.mkdir()
    return reader_layouts[name](root)


def read(made: "Layout", name: str, **options: object) -> Manifest:
    return read_dataset(
        made.data, DataConfig.model_validate({"reader": name, **made.options, **options})
    )


def rows(manifest: Manifest, root: Path) -> list[str]:
    """What must stay the same wherever the sounds lie."""
    return sorted(
        f"{Path(clip.path).relative_to(root).as_posix()} {clip.labels} {clip.onset_s} "
        f"{clip.offset_s} {clip.split} {clip.fold} {clip.group}"
        for clip in manifest.clips
    )


def test_it_gives_what_its_layout_holds(name: str, made: "Layout"):
    manifest = read(made, name)
    clips = list(manifest.clips)
    assert manifest.labels == made.labels
    assert len(clips) == made.clips
    assert {label for clip in clips for label in clip.labels} == set(made.labels)
    assert all(Path(clip.path.partition("::")[0]).is_file() for clip in clips)
    assert {clip.split for clip in clips if clip.split} == made.splits
    assert {clip.fold for clip in clips if clip.fold} == made.folds
    assert len({clip.group for clip in clips if clip.group}) == made.groups
    assert manifest.group_declared == (made.groups > 0)
    assert manifest.multi_label == made.multi_label
    assert not manifest.missing
    assert not manifest.rejected


def test_it_claims_its_layout_and_nobody_elses(name: str, made: "Layout", tmp_path: Path):
    """Of all layouts, those that `reader=auto` takes for this reader's are exactly its own."""
    config = DataConfig.model_validate(dict(made.options))
    claimed = [other for other in READERS if READERS[other].claims(made.data, config)]
    if made.own:
        assert name in claimed
        assert set(claimed) <= {name, *EVERYTHING}
        assert read_dataset(made.data, config).labels == made.labels
    else:
        assert name not in claimed


def test_a_file_that_is_not_there_is_listed(name: str, made: "Layout"):
    before = read(made, name)
    path = made.listed or Path(before.clips[0].path)
    if made.table is None or not path.is_file():
        return  # what names no files can miss none; a container is tried by its own tests
    path.unlink()
    gone = sum(clip.path == str(path) for clip in before.clips)
    manifest = read(made, name)
    assert set(manifest.missing) == {str(path)}
    assert len(manifest.clips) == made.clips - gone
    assert any("1 file missing" in note for note in manifest.notes)


def test_sounds_may_lie_elsewhere(name: str, made: "Layout", tmp_path: Path):
    nowhere = str(tmp_path / "no such folder")
    with pytest.raises(DataError):
        read(made, name, audio_root=nowhere)
    if made.sounds is None:
        return
    before = rows(read(made, name), made.sounds)
    elsewhere = tmp_path / "else where"
    for path in [path for path in made.sounds.rglob("*") if path.suffix in AUDIO_SUFFIXES]:
        there = elsewhere / path.relative_to(made.sounds)
        there.parent.mkdir(parents=True, exist_ok=True)
        path.rename(there)
    assert rows(read(made, name, audio_root=str(elsewhere)), elsewhere) == before


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_mark_blanks_and_other_line_ends_change_nothing(name: str, made: "Layout", encoding: str):
    if made.table is None:
        return
    before = rows(read(made, name), made.data if made.data.is_dir() else made.data.parent)
    lines = made.table.read_text(encoding="utf-8").splitlines()
    spaced = "\r\n".join(f"{line}  " for line in [*lines, ""])
    made.table.write_bytes(spaced.encode(encoding))
    after = rows(read(made, name), made.data if made.data.is_dir() else made.data.parent)
    assert after == before


def test_an_empty_table_is_never_passed_over_in_silence(name: str, made: "Layout"):
    if made.table is None:
        return
    made.table.write_bytes(b"")
    try:
        notes = read(made, name).notes
    except DataError:
        return
    assert any(made.table.name in note for note in notes)


def test_it_says_what_it_reads(name: str):
    about = READERS[name].about
    assert about.summary
    assert len(about.summary) < 100
    if about.totals or about.home:
        assert about.licence
        assert about.citation
        assert (about.home or "").startswith("http")


def test_no_layout_is_without_its_reader(
    reader_layouts: dict[str, object], capsys: pytest.CaptureFixture[str]
):
    assert set(reader_layouts) == set(READERS)
    with capsys.disabled():
        print(f"\nreaders swept: {len(reader_layouts)}")
