"""`auricle data download NAME FOLDER`."""

from pathlib import Path
from typing import TYPE_CHECKING

from auricle.cli.files import check_folder, emit
from auricle.cli.outcome import say_next, start_reporter
from auricle.core.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from auricle.data.archives import Archive


def download(
    name: str | None = None,
    folder: Path | None = None,
    /,
    *,
    list: bool = False,
    keep: bool = False,
    quiet: bool = False,
) -> int:
    """Download a published data set: licence shown, checksum compared, unpacked.

    A download that was stopped goes on where it was when the same command is given again. Files
    that you have already can be put into FOLDER.download: they are taken if their checksum fits.

    Parameters
    ----------
    name
        Data set, see --list.
    folder
        New folder for it.
    list
        List the data sets that can be had, with licence and size.
    keep
        Keep the downloaded archives in FOLDER.download.
    quiet
        Say nothing but errors, the licence and the result.
    """
    from auricle.data.archives import archives
    from auricle.data.fetching import fetch_archive

    known = archives()
    if list:
        return _list(known)
    if name is None or folder is None:
        raise ConfigError("say what and where to: auricle data download NAME FOLDER (see --list)")
    if name not in known:
        raise unknown_name("data set", name, known)
    check_folder(folder)
    archive = known[name]
    if archive.why_not is None:
        _show(archive)
    fetched = fetch_archive(name, archive, folder, keep=keep, reporter=start_reporter(quiet))
    say_next(f"saved: {folder}" if fetched else f"{folder} holds it already")
    return 0


def _list(known: "dict[str, Archive]") -> int:
    rows = [
        (
            name,
            one.about.summary,
            one.about.licence or "",
            "not fetched" if one.why_not else _size(one.megabytes),
            "" if one.why_not else one.checked_by,
        )
        for name, one in known.items()
    ]
    emit(("name", "what it is", "licence", "download", "checksum by"), rows, None)
    untried = [name for name, one in known.items() if not (one.tried or one.why_not)]
    if untried:
        say_next(f"never fetched with this program so far: {', '.join(untried)}")
    return 0


def _show(archive: "Archive") -> None:
    about = archive.about
    say_next(about.summary)
    say_next(f"licence: {about.licence}; whoever uses it must keep to that (Ctrl-C ends here)")
    say_next(f"cite: {about.citation}")
    say_next(f"home: {about.home}")
    say_next(
        f"download: {_size(archive.megabytes)}, unpacked about "
        f"{_size(archive.unpacked_megabytes)}; checksum by {archive.checked_by}"
    )


def _size(megabytes: int) -> str:
    return f"{megabytes} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"
