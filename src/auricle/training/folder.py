"""The run folder: fresh, forced or resumed."""

import difflib
import os
import shutil
from operator import eq
from pathlib import Path

from auricle.core.config import read_yaml, to_yaml
from auricle.core.errors import ConfigError, DataError
from auricle.core.types import Clip
from auricle.core.writing import recover_folder, remove_leftovers, write_text
from auricle.data import Manifest, read_manifest, write_manifest
from auricle.training.config import RunConfig

FINISHED = "config.json"
"""The file of an artifact that is written last."""

RUN_FILES = (
    "config.yaml",
    "manifest.csv",
    "log.csv",
    FINISHED,
    "model.safetensors",
    "model.onnx",
    "README.md",
)
RUN_FOLDERS = ("checkpoints", "test", "validation")
WRITTEN_FOLDERS = (*RUN_FOLDERS, "checkpoints/last", "checkpoints/best")


def default_folder(data: str | Path, model: str, resume: bool, root: Path = Path("runs")) -> Path:
    """Return the first free `runs/<data>-<model>-<n>`; with `resume` the last one that is there.

    Raises `ConfigError` under torchrun, whose processes would not agree on one.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("several processes train one run: name its folder with --output")
    stem = f"{Path(data).resolve().stem}-{model}"
    number = 1
    while (root / f"{stem}-{number}").exists():
        number += 1
    return root / f"{stem}-{max(1, number - 1) if resume else number}"


def check_folder(
    folder: Path, config: RunConfig, manifest: Manifest, *, resume: bool, force: bool
) -> None:
    """Refuse a folder that the run may not be written to; change nothing.

    Raises `ConfigError` when it is not empty (without `resume` or `force`), when it holds files of
    someone else's that a run would replace, or when a resumed run's configuration differs;
    `DataError` when its clips do.
    """
    if resume and force:
        raise ConfigError("--resume goes on with a run, --force replaces it: give one of them")
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--output {folder} is a file; name a folder")
    if resume or force:
        _refuse_strangers(folder)
    if resume and (folder / "config.yaml").is_file():
        _require_same(folder, config, manifest)
    elif folder.is_dir() and any(folder.iterdir()) and not (resume or force):
        raise ConfigError(
            f"--output {folder} is not empty: use --resume to go on with it, --force to "
            "replace the run in it, or another folder"
        )


def prepare_folder(
    folder: Path, config: RunConfig, manifest: Manifest, *, resume: bool, force: bool
) -> None:
    """Make the run folder ready and write `config.yaml` and `manifest.csv` into it.

    Raises what `check_folder` raises, and `WriteError`.
    """
    check_folder(folder, config, manifest, resume=resume, force=force)
    if force:
        _clear(folder)
    for place in (folder, *(folder / name for name in WRITTEN_FOLDERS)):
        remove_leftovers(place)
    recover_folder(folder / "checkpoints" / "last")
    if not (folder / "config.yaml").is_file():
        write_text(folder / "config.yaml", to_yaml(config))
    if not (folder / "manifest.csv").is_file():
        write_manifest(folder / "manifest.csv", manifest)


def _refuse_strangers(folder: Path) -> None:
    """Refuse a folder that is no run and has a name of ours, such as a data set with `test/`."""
    config = folder / "config.yaml"
    if config.is_file() and set(RunConfig.model_fields) <= set(read_yaml(config)):
        return
    for name in (*RUN_FILES, *RUN_FOLDERS):
        if (folder / name).exists():
            raise ConfigError(
                f"--output {folder} is not a run folder, and a run would replace its '{name}': "
                "give another folder"
            )


def is_finished(folder: Path) -> bool:
    """Say whether the run in `folder` has come to its end."""
    return (folder / FINISHED).is_file()


def _clear(folder: Path) -> None:
    """Remove a run's own files and leave everything else alone."""
    for name in RUN_FILES:
        (folder / name).unlink(missing_ok=True)
    for name in RUN_FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)


def _require_same(folder: Path, config: RunConfig, manifest: Manifest) -> None:
    old = (folder / "config.yaml").read_text(encoding="utf-8").splitlines()
    new = to_yaml(config).splitlines()
    if old != new:
        lines = difflib.unified_diff(old, new, lineterm="", n=0)
        changes = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        raise ConfigError(
            f"--resume: the configuration differs from that of {folder} "
            f"({'; '.join(' '.join(change.split()) for change in changes)}). "
            "Give the same options, or start afresh with --force"
        )
    if not (folder / "manifest.csv").is_file():  # killed between the two files
        return
    saved = read_manifest(folder / "manifest.csv")
    same = len(saved.clips) == len(manifest.clips) and all(
        map(eq, map(_identity, saved.clips), map(_identity, manifest.clips))
    )
    if not same:
        raise DataError(
            f"--resume: the data set is not the one that {folder} was started with "
            f"({len(saved.clips)} clips then, {len(manifest.clips)} now, or other labels, splits "
            "or order). Put it back, or start afresh with --force"
        )


def _identity(clip: Clip) -> tuple[object, ...]:
    return (Path(clip.path).resolve(), clip.labels, clip.onset_s, clip.offset_s, clip.split)
