"""Real sound for `auricle demo`: the user's, else ESC-10, else the CC0 sounds of a PyPI wheel."""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from auricle.core.download import DownloadError, download
from auricle.core.errors import DataError
from auricle.core.writing import replacing_folder, write_csv
from auricle.data.unpacking import below, unpack

ESC10_COMMIT = "553c8f1743b9dba6b282e1323c3ca8fa76923448"
"""The last commit of the public repository that holds the audio."""
ESC10_URL = f"https://github.com/karoldvl/ESC-10/archive/{ESC10_COMMIT}.zip"
ESC10_CLIPS = 400
ESC10_CHECKSUM = "98dcfc5c90c324e1413fa1975dced99302ebae952bbdfa05a0381f4d07300269"
"""`folder_checksum` of the 400 OGG files."""

ARCADE_WHEEL = "arcade-3.3.3-py3-none-any.whl"
ARCADE_SHA256 = "25f4e0e5b8bcbe7a7d087c0a23b19e9f423b0c70ec00945c8712c9a3e541ebd2"
_ARCADE_SOUNDS = "arcade/resources/assets/sounds/"
_LEAST_SOUNDS = 5

_PIP_TIMEOUT_S = 300

Say = Callable[[str], None]


@dataclass(frozen=True)
class DemoData:
    """The data set of the demonstration.

    `why` is one sentence for the screen: which data, and why these. `options` are dotted keys
    that suit it, such as `data.group`. `folds` says that the figure must come from that many
    folds of cross-validation, since a single test part would be too small (None: one split).
    """

    path: Path
    name: str
    why: str
    options: Mapping[str, Any] = field(default_factory=dict)
    folds: int | None = None


def demo_dataset(
    data: str | None,
    cache: Path,
    say: Say,
    *,
    environment: Mapping[str, str] = os.environ,
    url: str = ESC10_URL,
) -> DemoData:
    """Find or fetch the sound of the demonstration; `say` is told what is going on.

    In this order: `data`, a folder or table of the user; ESC-10 in `$AURICLE_DATA/data/esc10`;
    ESC-10 from its public repository (40 MB); the CC0 sounds in the PyPI wheel of `arcade`
    (43 MB, with pip). What is fetched is kept under `cache`, so that a second run downloads
    nothing. Raises `DataError` where none of them can be had, `WriteError` for a full disk.
    """
    if data is not None:
        if not Path(data).exists():
            raise DataError(f"--data {data}: there is no such file or folder")
        return DemoData(Path(data), Path(data).name, f"{data}, as --data says")
    named = environment.get("AURICLE_DATA")
    if named:
        local = Path(named) / "data" / "esc10"
        if (local / "esc10.csv").is_file():
            return _esc10(local, f"ESC-10 at {local}, which AURICLE_DATA names")
        say(f"AURICLE_DATA is set, but {local} holds no ESC-10")
    kept = cache / f"esc10-{ESC10_COMMIT[:8]}"
    if (kept / "esc10.csv").is_file():
        return _esc10(kept, f"ESC-10 at {kept}, fetched earlier")
    try:
        fetch_esc10(kept, say, url)
    except DataError as error:
        say(f"ESC-10 cannot be had: {error}")
        return _arcade(cache / "arcade-3.3.3", say, str(error))
    return _esc10(kept, f"ESC-10, fetched from {url} to {kept}")


def _esc10(path: Path, why: str) -> DemoData:
    return DemoData(path, "ESC-10", why, {"data.group": "src_file"})


def fetch_esc10(
    target: Path,
    say: Say,
    url: str = ESC10_URL,
    *,
    checksum: str = ESC10_CHECKSUM,
    clips: int = ESC10_CLIPS,
) -> None:
    """Download ESC-10 to the folder `target`, whole or not at all, with its table `esc10.csv`.

    Raises `DataError` where there is no connection within 5 s, where the download breaks off or
    is no archive, and where the sounds are not those of the commit.
    """
    say(f"fetching ESC-10 (40 MB) from {url}")
    with tempfile.TemporaryDirectory(prefix="auricle-") as scratch:
        archive = Path(scratch) / "esc10.zip"
        try:
            download(url, archive)
        except DownloadError as error:
            raise DataError(str(error)) from None
        with replacing_folder(target) as folder:
            # The archive holds one folder, named after repository and commit.
            unpack([archive], folder, _sounds_below_top)
            sounds = sorted(folder.rglob("*.ogg"))
            found = folder_checksum(folder, sounds)
            if len(sounds) != clips or found != checksum:
                raise DataError(
                    f"what {url} sent is not ESC-10 as it was published: {len(sounds)} clips with "
                    f"checksum {found[:12]}…, expected {clips} with {checksum[:12]}…"
                )
            _write_esc10_table(folder, sounds)


def folder_checksum(folder: Path, files: Iterable[Path]) -> str:
    """Return one SHA-256 over many files: over the lines `<sha256>  <path from folder>\\n`.

    Paths have slashes and are sorted by code point. The same as `find . -name '*.ogg' -printf
    '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum` in `folder`.
    """
    total = hashlib.sha256()
    for name, path in sorted((path.relative_to(folder).as_posix(), path) for path in files):
        with path.open("rb") as file:
            total.update(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n".encode())
    return total.hexdigest()


def _write_esc10_table(folder: Path, sounds: list[Path]) -> None:
    """Write what the names say: `<class number> - <class>/<fold>-<source recording>-<take>.ogg`."""
    rows = []
    for sound in sounds:
        number, _, name = sound.parent.name.partition(" - ")
        fold, source, take = sound.stem.split("-")
        category = name.lower().replace(" ", "_")
        path = sound.relative_to(folder).as_posix()
        rows.append([path, fold, int(number) - 1, category, source, take])
    header = ["filename", "fold", "target", "category", "src_file", "take"]
    write_csv(folder / "esc10.csv", header, rows)


def _sounds_below_top(inside: PurePosixPath) -> PurePosixPath | None:
    return below(1)(inside) if inside.suffix.lower() == ".ogg" else None


def _arcade(target: Path, say: Say, why_not: str) -> DemoData:
    name = "the CC0 sounds of arcade 3.3.3"
    why = (
        f"{name} (short synthetic game sounds by Kenney), since ESC-10 could not be had "
        f"({why_not}); a figure on so few sounds says little"
    )
    if not target.is_dir():  # written whole or not at all
        say(f"fetching {name} (43 MB) with pip")
        with tempfile.TemporaryDirectory(prefix="auricle-") as scratch:
            wheel = _pip_download(Path(scratch))
            unpack_arcade(wheel, target)
    return DemoData(target, "arcade", why, folds=5)


def _pip_download(folder: Path) -> Path:
    """Fetch the wheel with pip, which checks its hash. Raises `DataError`."""
    wanted = folder / "requirements.txt"
    wanted.write_text(f"arcade==3.3.3 --hash=sha256:{ARCADE_SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--no-input", "--only-binary=:all:"]
    command += ["--require-hashes", "--dest", str(folder), "--requirement", str(wanted)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_PIP_TIMEOUT_S
        )
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        fault = (lines or ["pip failed"])[-1] if done.returncode else None
    except subprocess.TimeoutExpired:
        fault = f"pip was not done within {_PIP_TIMEOUT_S} s"
    wheel = folder / ARCADE_WHEEL
    if fault is not None or not wheel.is_file():
        raise DataError(
            "no sound could be fetched for the demonstration: neither ESC-10 nor the sounds of "
            f"arcade ({fault or 'pip brought another file'}). Connect to the network, or give "
            "sounds of your own with --data DIR"
        )
    return wheel


def unpack_arcade(wheel: Path, target: Path) -> dict[str, int]:
    """Unpack the classes with at least five sounds to class folders in `target`.

    A class is the name of a file without its number: `coin3.wav` is a coin. Of re-encodings of
    one sound (`laser1.wav`, `.ogg`, `.mp3`) the WAV file is kept. Returns sounds per class.
    """
    with zipfile.ZipFile(wheel) as members:
        names = [PurePosixPath(name) for name in members.namelist()]
    classes: dict[str, dict[str, PurePosixPath]] = defaultdict(dict)
    for name in sorted(names, key=lambda name: (name.suffix != ".wav", name)):
        match = re.fullmatch(r"([A-Za-z]+?)(\d+)\.(wav|ogg|flac|mp3)", name.name)
        if match and str(name).startswith(_ARCADE_SOUNDS):
            classes[match[1]].setdefault(name.stem, name)
    kept = {label: of for label, of in sorted(classes.items()) if len(of) >= _LEAST_SOUNDS}
    places = {
        name: PurePosixPath(label, name.name) for label, of in kept.items() for name in of.values()
    }
    with replacing_folder(target) as folder:
        unpack([wheel], folder, places.get)
    return {label: len(of) for label, of in kept.items()}
