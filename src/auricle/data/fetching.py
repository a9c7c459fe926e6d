"""`fetch_archive`: download, check and unpack a published archive, whole or not at all."""

import json
import shutil
import time
from pathlib import Path

from auricle.core.download import Checksum, download
from auricle.core.errors import DataError
from auricle.core.reporting import Reporter, Silent
from auricle.core.writing import replacing_folder, write_json
from auricle.data.archives import Archive, File
from auricle.data.demo import folder_checksum
from auricle.data.unpacking import below, unpack

RECORD = ".auricle-download.json"
"""What an unpacked folder says of where it came from."""


def fetch_archive(
    name: str,
    archive: Archive,
    folder: str | Path,
    *,
    keep: bool = False,
    reporter: Reporter | None = None,
    wait_s: float = 1.0,
) -> bool:
    """Fetch an archive into `folder`; say False where it is there already.

    The files come to `<folder>.download` beside it, and stay there until all is unpacked (with
    `keep`, for good): another call goes on where this one ended, and a file that was put there
    by hand is taken if its checksum fits. Unpacked, they take the place of `folder` in one step.
    `wait_s` as in `download`.

    Raises `DataError` for an archive that is not fetched here, a folder that holds something
    else, too little room on the disk, and what is damaged or refused; `DownloadError`,
    `WriteError`.
    """
    folder = Path(folder).absolute()
    reporter = reporter or Silent()
    if archive.why_not is not None:
        raise DataError(f"{name}: {archive.why_not}")
    if _is_there(name, folder):
        return False
    place = folder.with_name(f"{folder.name}.download")
    _check_room(archive, folder, place)
    by_files = {file.name for package in archive.packages if package.sums for file in package.files}
    digests = {file.name: _fetch(file, place, reporter, wait_s) for file in archive.files}
    for file in archive.files:
        if file.checksum is None and file.name not in by_files:
            reporter.say(
                f"no checksum of {file.name} is published; what came has the sha256 "
                f"{digests[file.name]}"
            )
    with replacing_folder(folder) as temporary:
        _unpack_all(archive, place, temporary, reporter)
        if archive.finish is not None:
            archive.finish(temporary)
        record = {
            "archive": name,
            "fetched": time.strftime("%Y-%m-%d"),
            "licence": archive.about.licence,
            "files": {file.url: {"sha256": digests[file.name]} for file in archive.files},
        }
        write_json(temporary / RECORD, record)
    if not keep:
        shutil.rmtree(place, ignore_errors=True)
    return True


def _is_there(name: str, folder: Path) -> bool:
    """Say whether the folder holds the archive. Raises `DataError` where it holds anything else."""
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise DataError(f"{folder} is a file: name a folder for the archive")
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if record["archive"] == name:
            return True
    except (OSError, ValueError, KeyError, TypeError):
        pass
    if any(folder.iterdir()):
        raise DataError(f"{folder} holds something else: name a folder that is empty or new")
    return False


def _check_room(archive: Archive, folder: Path, place: Path) -> None:
    """Refuse a disk that is too full before hours of download."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    present = sum(path.stat().st_size for path in place.glob("*") if path.is_file())
    needed = (archive.megabytes + archive.unpacked_megabytes) * 10**6 - present
    free = shutil.disk_usage(there).free
    if needed > free:
        raise DataError(
            f"the archive needs about {needed / 10**9:.1f} GB while it is unpacked, and the disk "
            f"of {there} has {free / 10**9:.1f} GB left"
        )


def _fetch(file: File, place: Path, reporter: Reporter, wait_s: float) -> str:
    """Fetch a file unless it is there; return its SHA-256."""
    target = place / file.name
    if not target.is_file():
        download(file.url, target, checksum=file.checksum, reporter=reporter, wait_s=wait_s)
    elif file.checksum is not None and (found := file.checksum.of(target)) != file.checksum.value:
        raise DataError(
            f"{target} has the {file.checksum.algorithm} {found} instead of {file.checksum.value}: "
            "delete it, and it is fetched anew"
        )
    return Checksum("sha256", "").of(target)


def _unpack_all(archive: Archive, place: Path, folder: Path, reporter: Reporter) -> None:
    total = sum((place / file.name).stat().st_size for file in archive.files)
    read = 0
    with reporter.progress("unpacking (MB)", total // 10**6) as progress:

        def advance(size_bytes: int) -> None:
            nonlocal read
            steps = (read + size_bytes) // 10**6 - read // 10**6
            read += size_bytes
            if steps:
                progress.advance(steps)

        for package in archive.packages:
            volumes = [place / file.name for file in package.files]
            unpack(volumes, folder, below(package.strip), progress=advance)
            for inside, expected in package.sums.items():
                files = [path for path in (folder / inside).rglob("*") if path.is_file()]
                if folder_checksum(folder / inside, files) != expected:
                    raise DataError(
                        f"{inside}/ of {volumes[-1].name} is not what was published: its "
                        f"{len(files)} files have another checksum than {expected[:12]}…"
                    )
