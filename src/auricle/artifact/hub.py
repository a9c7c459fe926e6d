"""Files of a repository on the Hugging Face hub, or of a folder with the same files."""

import os
import re
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from auricle.core.download import DownloadError, cache_folder, download
from auricle.core.errors import ArtifactError
from auricle.core.reporting import Reporter

ENDPOINT = "https://huggingface.co"
_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def hub_file(
    source: str | Path, names: Sequence[str], *, reporter: Reporter | None = None
) -> Path | None:
    """Return the first of the files `names` that a source has; None where a folder has none.

    `source` is a folder, or the name of a repository (`facebook/wav2vec2-base`), whose files are
    taken from the cache of `huggingface_hub` or our own, else fetched once (from `HF_ENDPOINT`
    where that is set). Raises `ArtifactError`, which says where to get the files and where to put
    them, when there is neither a folder nor a way to fetch.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return next((folder / name for name in names if (folder / name).is_file()), None)
    repository = str(source)
    if not _NAME.fullmatch(repository) or repository.startswith((".", "~")):
        raise ArtifactError(
            f"'{source}' is neither a folder nor the name of a repository on the Hugging Face hub "
            "(owner/name)"
        )
    for name in names:
        kept = _kept(repository, name)
        if kept is not None:
            return kept
    return _fetched(repository, names, reporter)


def _own_cache(repository: str) -> Path:
    return cache_folder() / "hub" / repository.replace("/", "--")


def _kept(repository: str, name: str) -> Path | None:
    """Return a file that was fetched before, by us or by the hub's own library."""
    own = _own_cache(repository) / name
    if own.is_file():
        return own
    if find_spec("huggingface_hub") is None:
        return None
    found = import_module("huggingface_hub").try_to_load_from_cache(repository, name)
    return Path(found) if isinstance(found, str) else None


def _fetched(repository: str, names: Sequence[str], reporter: Reporter | None) -> Path:
    endpoint = os.environ.get("HF_ENDPOINT", ENDPOINT).rstrip("/")
    failures: list[str] = []
    for name in names:
        target = _own_cache(repository) / name
        try:
            download(
                f"{endpoint}/{quote(repository)}/resolve/main/{quote(name)}",
                target,
                reporter=reporter,
            )
        except DownloadError as error:
            failures.append(str(error))
        else:
            return target
    wanted = " or ".join(names)
    raise ArtifactError(
        f"{wanted} of '{repository}' is not on this machine and cannot be fetched "
        f"({failures[0]}). Get the repository's files from {ENDPOINT}/{repository} and put them "
        f"into {_own_cache(repository)}, or into any folder and give that folder in place of the "
        "name"
    )
