"""Labels whose sounds need not be there: a manifest, a label file, or a folder of label files."""

from dataclasses import replace
from pathlib import Path

from auricle.core.errors import DataError
from auricle.data.config import DataConfig
from auricle.data.labels import choose_labels
from auricle.data.manifest import Manifest
from auricle.data.manifest_files import is_manifest, read_manifest
from auricle.data.readers.labelled import kept_apart
from auricle.data.wording import listed, plural
from auricle.events import Faults, read_labels


def read_unheard(path: str | Path, config: DataConfig, form: str | None = None) -> Manifest:
    """Read labels as `read_dataset` does, without looking for a sound.

    Paths are the names that the label file gives. Every file may have several labels, or none.
    `form` is the label format (None: found by looking).
    Raises `DataError` for what is no label file.
    """
    path = Path(path)
    if form is None and path.is_file() and is_manifest(path):
        return choose_labels(read_manifest(path, config.audio_root), config)
    faults = Faults()
    rows = read_labels(path, form, faults=faults, label_column=config.label)
    manifest = Manifest.of(map(kept_apart, rows), multi_label=True)
    if not len(manifest.clips):
        raise DataError(f"no row of {path} can be used: {listed(faults.rejected) or 'it has none'}")
    manifest = replace(manifest, rejected=tuple(faults.rejected))
    if faults.rejected:
        manifest = manifest.noting(
            f"{plural(len(faults.rejected), 'row')} left out: {listed(faults.rejected)}"
        )
    if faults.others:
        manifest = manifest.noting(f"{plural(len(faults.others), 'file')} of another kind left out")
    return choose_labels(manifest, config)
