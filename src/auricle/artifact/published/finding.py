"""From a published name to its file on this machine: kept ones first, else fetched once."""

from pathlib import Path

from auricle.artifact.published.base import Published
from auricle.core.download import DownloadError, cache_folder, download
from auricle.core.errors import ArtifactError
from auricle.core.reporting import Reporter


def published_folder(name: str) -> Path:
    """Return the folder that the file of a published checkpoint is kept in."""
    return cache_folder() / "published" / name


def obtain(name: str, published: Published, reporter: Reporter | None = None) -> Path:
    """Return the file of the published checkpoint `name`, fetched unless it is there already.

    It is kept in `AURICLE_CACHE` (default: the user's cache folder), and checked when it is
    fetched. Raises `ArtifactError`, which says where to get the file and where to put it.
    """
    path = published_folder(name) / published.file
    if path.is_file():
        if published.size_bytes not in (None, path.stat().st_size):
            raise ArtifactError(
                f"{path} has {path.stat().st_size:,} bytes, and {name} was published with "
                f"{published.size_bytes:,}: it is cut short or another file. Remove it, and it is "
                "fetched again"
            )
        return path
    try:
        download(
            published.url,
            path,
            checksum=published.checksum,
            size_bytes=published.size_bytes,
            reporter=reporter,
        )
    except DownloadError as error:
        raise ArtifactError(
            f"{published.file} of {name} is not on this machine and could not be fetched: {error}. "
            f"Get it from {published.url} and put it at {path}"
        ) from None
    return path
