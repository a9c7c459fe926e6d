"""Which sound files a list of files, folders and globs means."""

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from auricle.audio.members import is_container, members_of, split_member
from auricle.core.errors import UnreadableAudio

AUDIO_SUFFIXES = frozenset(
    {
        ".aac", ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".m4a", ".mp3", ".mp4", ".oga",
        ".ogg", ".opus", ".rf64", ".snd", ".w64", ".wav", ".wave", ".webm",
    }
)  # fmt: skip
"""Names that count as sound in folders and globs, lower case."""


def find_audio(paths: Iterable[str | Path]) -> list[Path]:
    """Return the sound files that `paths` mean, in their order and without repeats.

    A file is kept whatever its suffix; a folder stands for the files of `AUDIO_SUFFIXES` in it
    and below, sorted; a glob (`*`, `?`, `[...]`, `**` for any depth) stands for the same kind of
    files, and folders, that it matches, sorted; a container (`auricle.audio.members`) stands for
    the sounds in it, in their order. Hidden files and folders are left out; links to
    folders are followed, and each folder is read once. Raises `UnreadableAudio`, naming the path
    that means no file.
    """
    if isinstance(paths, (str, Path)):
        paths = [paths]
    found: dict[Path, None] = {}
    for path in paths:
        found.update(dict.fromkeys(_expand(path)))
    return list(found)


def _expand(path: str | Path) -> list[Path]:
    text = os.fspath(path)
    if os.path.isdir(text):
        inside = sorted(_walk(text))
        if not inside:
            raise UnreadableAudio(f"folder {path} holds no sound files ({_suffixes()})")
        return inside
    if is_container(text):
        inside = [Path(member) for member in members_of(text)]
        if not inside:
            raise UnreadableAudio(f"{path} holds no sound files ({_suffixes()})")
        return inside
    if os.path.exists(text) or split_member(text) is not None:
        return [Path(text)]
    if not glob.has_magic(text):
        raise UnreadableAudio(f"{path} does not exist; check the path")
    matches = glob.glob(text, recursive=True)
    files: set[Path] = set()
    for match in matches:
        if os.path.isdir(match):
            files.update(_walk(match))
        elif _is_audio(match):
            files.add(Path(match))
    if not files:
        raise UnreadableAudio(f"{path} matches no sound files ({_suffixes()}); check the pattern")
    return sorted(files)


def _walk(root: str) -> Iterator[Path]:
    seen: set[tuple[int, int]] = set()
    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=_refuse):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()  # a link back to where the walk has been
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        yield from (Path(folder, name) for name in names if _is_audio(name))


def _is_audio(name: str) -> bool:
    hidden = os.path.basename(name).startswith(".")
    return os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES and not hidden


def _refuse(error: OSError) -> None:
    raise UnreadableAudio(f"folder {error.filename} cannot be read: {error.strerror}") from None


def _suffixes() -> str:
    return " ".join(sorted(AUDIO_SUFFIXES))
