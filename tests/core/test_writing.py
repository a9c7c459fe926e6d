"""Safe writing: a file is whole or absent, whatever interrupts."""

import errno
import json
import os

import pytest

from auricle.core.writing import (
    WriteError,
    recover_folder,
    remove_leftovers,
    replacing,
    replacing_folder,
    write_csv,
    write_json,
    write_text,
)


def leftovers(folder):
    return [path.name for path in folder.iterdir() if path.name.endswith((".part", ".old"))]


def test_an_error_while_writing_leaves_the_old_file(tmp_path):
    target = tmp_path / "a" / "file.txt"
    write_text(target, "old")
    with pytest.raises(KeyboardInterrupt), replacing(target) as temporary:  # noqa: PT012
        temporary.write_text("half of the ne")
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert leftovers(target.parent) == []


def test_a_full_disk_is_a_clear_error_and_the_old_file_stays(tmp_path):
    target = tmp_path / "file.txt"
    write_text(target, "old")
    with pytest.raises(WriteError, match="No space left") as caught, replacing(target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.exit_status == 2
    assert target.read_text() == "old"
    assert leftovers(tmp_path) == []


def test_a_folder_is_replaced_whole(tmp_path):
    target = tmp_path / "checkpoint"
    for generation in ("one", "two"):
        with replacing_folder(target) as temporary:
            write_text(temporary / generation, generation)
    assert [path.name for path in target.iterdir()] == ["two"]
    assert leftovers(tmp_path) == []


def test_a_folder_that_fails_half_way_stays_as_it_was(tmp_path):
    target = tmp_path / "checkpoint"
    with replacing_folder(target) as temporary:
        write_text(temporary / "weights", "good")
    with pytest.raises(WriteError), replacing_folder(target) as temporary:  # noqa: PT012
        write_text(temporary / "weights", "half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (target / "weights").read_text() == "good"
    assert leftovers(tmp_path) == []


def test_a_folder_killed_between_its_two_renames_comes_back(tmp_path):
    target = tmp_path / "checkpoint"
    (tmp_path / "checkpoint.old").mkdir()
    (tmp_path / "checkpoint.old" / "weights").write_text("good")
    assert (recover_folder(target) / "weights").read_text() == "good"


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path):
    (tmp_path / ".last.ab12_xyz.part").mkdir()
    (tmp_path / ".last.ab12_xyz.part" / "weights").write_text("half")
    (tmp_path / ".config.json.01234567.part").write_text("ha")
    for name in (".mine.part", "video.part", "config.json"):
        (tmp_path / name).write_text("keep me")
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".mine.part", "video.part", "config.json"}
    remove_leftovers(tmp_path / "not there")


@pytest.mark.skipif(os.name == "nt", reason="Windows opens no folder")
def test_a_rename_is_flushed_with_its_folder(tmp_path, monkeypatch):
    flushed = []
    fsync = os.fsync

    def record(handle):
        there = {path.name for path in tmp_path.iterdir() if not path.name.endswith(".part")}
        flushed.append((os.fstat(handle).st_ino, there))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", record)
    write_text(tmp_path / "a", "x")
    assert flushed[-1] == (tmp_path.stat().st_ino, {"a"})
    with replacing_folder(tmp_path / "b"):
        pass
    assert flushed[-1] == (tmp_path.stat().st_ino, {"a", "b"})


def test_nan_is_null_in_json(tmp_path):
    write_json(tmp_path / "a.json", {"value": float("nan"), "list": [1.0, float("nan")]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"value": None, "list": [1.0, None]}


def test_a_table_quotes_what_needs_it(tmp_path):
    write_csv(tmp_path / "a.csv", ["path", "label"], [['a "b",c', "ä"]])
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == 'path,label\n"a ""b"",c",ä\n'


def test_the_mode_follows_the_umask(tmp_path):
    write_text(tmp_path / "a", "x")
    (tmp_path / "b").write_text("x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
