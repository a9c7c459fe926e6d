"""`find_audio`: files, folders and globs."""

import os
from pathlib import Path

import pytest

from auricle.audio import AUDIO_SUFFIXES, find_audio
from auricle.core.errors import AudioError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "b/2.wav", "b/10.wav", "a/deep/er/x.FLAC", "a/.hidden.wav", ".cache/y.wav", "z.ogg",
        "notes.txt", "a/._z.wav", "take[1].wav", "empty/readme.md",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def names(found, root):
    return [path.relative_to(root).as_posix() for path in found]


def test_a_folder_stands_for_its_sounds_sorted(tree):
    expected = ["a/deep/er/x.FLAC", "b/10.wav", "b/2.wav", "take[1].wav", "z.ogg"]
    assert names(find_audio([tree]), tree) == expected
    assert names(find_audio(tree), tree) == expected
    assert names(find_audio(str(tree)), tree) == expected


def test_named_files_are_kept_whatever_their_suffix_and_in_order(tree):
    asked = [tree / "z.ogg", str(tree / "notes.txt"), tree / "a" / ".hidden.wav", tree / "z.ogg"]
    assert names(find_audio(asked), tree) == ["z.ogg", "notes.txt", "a/.hidden.wav"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/*.wav", ["b/10.wav", "b/2.wav", "take[1].wav"]),
        ("b/?.wav", ["b/2.wav"]),
        ("*.txt", None),
        ("*", ["a/deep/er/x.FLAC", "b/10.wav", "b/2.wav", "take[1].wav", "z.ogg"]),
        ("[ab]", ["a/deep/er/x.FLAC", "b/10.wav", "b/2.wav"]),
        ("take[1].wav", ["take[1].wav"]),
        ("no*where/*.wav", None),
    ],
)
def test_globs(tree, pattern, expected):
    if expected is None:
        with pytest.raises(AudioError) as caught:
            find_audio([tree / pattern])
        assert pattern in str(caught.value)
    else:
        assert names(find_audio([str(tree / pattern)]), tree) == expected


def test_what_is_missing_is_named(tree):
    with pytest.raises(AudioError, match=r"nowhere.*does not exist"):
        find_audio([tree / "z.ogg", tree / "nowhere"])
    with pytest.raises(AudioError, match=r"empty holds no sound files"):
        find_audio([tree / "empty"])


def test_loops_of_links_end(tree):
    (tree / "a" / "up").symlink_to(tree, target_is_directory=True)
    (tree / "b" / "self").symlink_to(tree / "b", target_is_directory=True)
    found = find_audio([tree])
    real = sorted(os.path.realpath(path) for path in found)
    assert len(real) == len(set(real)) == 5


def test_links_to_folders_elsewhere_are_followed(tree, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("disk")
    (elsewhere / "far.mp3").write_bytes(b"x")
    (tree / "linked").symlink_to(elsewhere, target_is_directory=True)
    assert "linked/far.mp3" in names(find_audio([tree]), tree)


def test_suffixes_are_lower_case_with_their_dot():
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in AUDIO_SUFFIXES)
    for needed in ("wav", "flac", "ogg", "mp3", "opus", "aiff", "caf", "w64", "au", "m4a", "aac"):
        assert f".{needed}" in AUDIO_SUFFIXES
